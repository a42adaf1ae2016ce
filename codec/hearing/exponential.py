"""The exponential in single precision, as arithmetic that loops can be vectorised with (numba).

The library's is a call for each number. Here ``exp(x) = 2^n exp(r)``: n goes into the exponent's bits, and a
polynomial does the rest, ``|r| <= ln 2 / 2``, to 3e-7 of the value while ``|x| < 1``; beyond, the rounding of
``x`` itself makes 1e-7 ``|x|`` of that.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from ..playing.kernel_options import EXACT, INNER

#: Options of loops whose sums may be added in any order, so that they are vectorised.
SINGLE: Final[dict[str, Any]] = EXACT | {"fastmath": {"reassoc", "contract", "nsz"}}

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


@njit(**INNER, fastmath={"contract"})
def exp_single(x):
    """``exp(x)`` of a float32, which is clipped to +-87."""
    x = min(max(x, _LEAST), _MOST)
    n = np.floor(x * _PER_LN2 + _HALF)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    value = _ONE + r * (_ONE + r * (_HALF + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    return value * np.int32((np.int32(n) + _BIAS) << _MANTISSA_BITS).view(np.float32)
