"""Functions in single precision, as arithmetic that loops can be vectorised with (numba).

The library's are a call for each number. Here ``exp(x) = 2^n exp(r)``: n goes into the exponent's bits, and
a polynomial does the rest, ``|r| <= ln 2 / 2``. And ``ln(x) = n ln 2 + ln(m)``: n comes from the exponent's
bits, and of the mantissa ``ln(m) = 2 atanh((m - 1) / (m + 1))`` by its series. Numbers in double precision
get the library's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit, types
from numba.extending import overload

from ..playing.kernel_options import LINKED, VECTORISED

#: Options of loops whose sums may be added in any order, so that they are vectorised.
SUMS: Final[dict[str, Any]] = VECTORISED | {"fastmath": {"reassoc", "contract", "nsz"}}

_PER_LN2: Final = np.float32(1.4426950408889634)
#: ln 2 as a short number, whose products with n are exact, and the rest (Cody & Waite).
_LN2_HIGH: Final = np.float32(0.693359375)
_LN2_LOW: Final = np.float32(-2.12194440e-4)
_LEAST: Final = np.float32(-87.0)
_MOST: Final = np.float32(87.0)
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1.0)
_C3: Final = np.float32(1.0 / 6.0)
_C4: Final = np.float32(1.0 / 24.0)
_C5: Final = np.float32(1.0 / 120.0)
_C6: Final = np.float32(1.0 / 720.0)
_BIAS: Final = np.int32(127)
_MANTISSA_BITS: Final = np.int32(23)
_MANTISSA: Final = np.int32((1 << 23) - 1)
#: Bits of the square root of 1/2: mantissas are taken from there to twice as much.
_ROOT_HALF: Final = np.int32(0x3F3504F3)
_SMALLEST: Final = np.float32(1.2e-38)
_LN2: Final = np.float32(math.log(2.0))
_TWO: Final = np.float32(2.0)
_LOG10_2: Final = np.float32(math.log10(2.0))
_TWO_PER_LN10: Final = np.float32(2.0 / math.log(10.0))
_A3: Final = np.float32(1.0 / 3.0)
_A5: Final = np.float32(1.0 / 5.0)
_A7: Final = np.float32(1.0 / 7.0)
_A9: Final = np.float32(1.0 / 9.0)


@njit(**LINKED, fastmath={"contract"})
def _exp_single(x):
    x = min(max(x, _LEAST), _MOST)
    n = np.floor(x * _PER_LN2 + _HALF)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    value = _ONE + r * (_ONE + r * (_HALF + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    return value * np.int32((np.int32(n) + _BIAS) << _MANTISSA_BITS).view(np.float32)


@njit(**LINKED, fastmath={"contract"})
def _log_parts(x):
    """Exponent ``n`` and ``atanh((m - 1) / (m + 1))`` of ``x = 2^n m``, ``sqrt(1/2) <= m < sqrt(2)``."""
    shifted = np.int32(np.float32(max(x, _SMALLEST)).view(np.int32) - _ROOT_HALF)
    m = np.int32((shifted & _MANTISSA) + _ROOT_HALF).view(np.float32)
    s = (m - _ONE) / (m + _ONE)
    z = s * s
    series = s * (_ONE + z * (_A3 + z * (_A5 + z * (_A7 + z * _A9))))
    return np.float32(np.int32(shifted >> _MANTISSA_BITS)), series


@njit(**LINKED, fastmath={"contract"})
def _log_single(x):
    n, series = _log_parts(x)
    return n * _LN2 + _TWO * series


@njit(**LINKED, fastmath={"contract"})
def _log10_single(x):
    n, series = _log_parts(x)
    return n * _LOG10_2 + _TWO_PER_LN10 * series


@njit(**LINKED, fastmath={"contract"})
def _tanh_single(x):
    return _ONE - _TWO / (_exp_single(_TWO * x) + _ONE)


def fast_exp(x: Any) -> Any:
    """``exp(x)`` in kernels. A float32 is clipped to +-87; the error is 3e-7 of the value while ``|x| < 1``,
    beyond, the rounding of ``x`` itself makes 1e-7 ``|x|`` of that."""
    return np.exp(x)


def fast_log(x: Any) -> Any:
    """``ln(x)`` in kernels, of positive numbers; of a float32 to 1.3e-7 of the value or 6e-8."""
    return np.log(x)


def fast_log10(x: Any) -> Any:
    """``log10(x)`` in kernels, of positive numbers; of a float32 to 1.3e-7 of the value or 3e-8."""
    return np.log10(x)


def fast_tanh(x: Any) -> Any:
    """``tanh(x)`` in kernels; of a float32 to 2e-7."""
    return np.tanh(x)


def _serve(function: Callable[[Any], Any], single: Any, double: Callable[[float], float]) -> None:
    """In kernels, let ``function`` be the kernel ``single`` of a float32, and ``double`` of other numbers."""

    @overload(function, inline="always")
    def choose(x):  # type: ignore[no-untyped-def]
        if x == types.float32:
            return lambda x: single(x)
        return lambda x: double(x)


_serve(fast_exp, _exp_single, math.exp)
_serve(fast_log, _log_single, math.log)
_serve(fast_log10, _log10_single, math.log10)
_serve(fast_tanh, _tanh_single, math.tanh)
