"""A way into kernels that only kernels can call."""

from numba import njit


def outer(kernel):
    """``kernel`` for tests to call: it has no wrapper for Python, so that a direct call would be a crash."""

    @njit
    def call(*arguments):
        return kernel(*arguments)

    return call
