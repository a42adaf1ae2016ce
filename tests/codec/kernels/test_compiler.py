"""Of inner kernels no machine code is made; those that join others are optimised inside their callers."""

import gc

import numpy as np
import pytest
from llvmlite import binding as llvm
from numba import njit
from numba.core.errors import NumbaError

from struck.codec.playing.kernel_options import BORROWING, EXACT, INNER, JOINING, LINKED, VECTORISED


@njit(**JOINING)
def leaf(x, count):
    total = 0.0
    for i in range(count):
        total += x[i % len(x)] * 0.5
    return total


@njit(**LINKED)
def small(x, count):
    total = 0.0
    for i in range(count):
        total += x[i % len(x)]
    return total


@njit(**JOINING)
def inner(x, count):
    return leaf(x, count) + leaf(x[1:], count) + small(x, count)


@njit(**BORROWING | {"cache": False})
def outer(x, count):
    return inner(x, count)


def body_of(kernel):
    """LLVM's code of a kernel's only signature, as it stands in its own library."""
    ((signature, compiled),) = kernel.overloads.items()
    functions = kernel.inspect_llvm(signature).split("\ndefine ")[1:]
    (body,) = [f for f in functions if f"@{compiled.fndesc.mangled_name}(" in f.split("\n")[0]]
    return body.split("\n}")[0]


def test_what_joins_kernels_is_optimised_in_its_callers_alone():
    x = np.arange(5.0)
    assert outer(x, 20) == 0.5 * (4 * 10.0 + 5 * 10.0) + 4 * 10.0
    # Numba writes each variable to memory; LLVM's optimisation takes that out. Should Numba no longer ask our
    # compiler, these kernels are optimised by themselves again, and a first start takes longer.
    assert body_of(leaf).count(" alloca ") > 10
    assert body_of(inner).count(" alloca ") > 10
    assert " alloca " not in body_of(small)


def test_all_of_it_is_optimised_in_what_python_calls():
    outer(np.arange(5.0), 20)
    (code,) = outer.inspect_llvm().values()
    assert code.count(" alloca ") < body_of(leaf).count(" alloca ")


@pytest.mark.parametrize(
    ("outer_options", "inner_options"),
    [(EXACT, INNER), (VECTORISED, LINKED), (BORROWING, LINKED), (BORROWING, JOINING)],
    ids=["counts", "hears", "plays", "joins"],
)
def test_a_kernel_runs_its_own_copies_of_other_kernels(outer_options, inner_options):
    """Whichever copy a process had first, as another kernel was compiled or loaded, would be run by all."""

    @njit(**inner_options)
    def halves(count, step):  # what calls itself is not dissolved in its callers
        return 1.0 if count < 2 else step + halves(count // 2, step)

    @njit(**outer_options | {"cache": False})
    def calls(count):
        return halves(count, 1.0)  # here it can do without its second argument

    assert calls(9) == 4.0
    (compiled,) = calls.overloads.values()
    linkages = {f.name: f.linkage for f in compiled.library.get_defined_functions() if "halves" in f.name}
    assert set(linkages.values()) == {llvm.Linkage.private}


def test_others_run_the_copy_that_anyone_may_run():
    @njit(**EXACT | {"cache": False})
    def halves(count, step):
        return 1.0 if count < 2 else step + halves(count // 2, step)

    @njit(**EXACT | {"cache": False})
    def calls(count):
        return halves(count, 1.0)

    @njit
    def knows_nothing_of_kernels(count, step):
        return halves(count, step)

    assert calls(9) == 4.0
    assert knows_nothing_of_kernels(9, 2.0) == 7.0


def test_the_garbage_collector_is_left_as_it_was():
    assert gc.isenabled()
    assert outer(np.arange(3.0), 4) > 0.0
    assert gc.isenabled()


def allocates(x):
    return np.zeros(3)[0] + x


def raises(x):
    if x < 0.0:
        raise ValueError("below zero")
    return x


@pytest.mark.parametrize("function", [allocates, raises])
@pytest.mark.parametrize(
    "options", [BORROWING | {"cache": False}, VECTORISED | {"cache": False}, JOINING, LINKED]
)
def test_what_plays_or_hears_can_neither_allocate_nor_raise(function, options):
    assert njit(**EXACT | {"cache": False})(function)(1.0) == 1.0
    kernel = njit(**options)(function)

    @njit(**BORROWING | {"cache": False})
    def caller(x):
        return kernel(x)

    with pytest.raises(NumbaError, match=r"NRT required|Only accept returning of array"):
        caller(1.0)
