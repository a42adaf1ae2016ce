"""Frequency ratios of the modes of idealised vibrating bodies.

The families are the textbook solutions (Fletcher & Rossing, *The Physics of Musical Instruments*,
2nd ed.): the stiff string (sec. 2.18), the free bar (sec. 2.16), the circular membrane (sec. 3.6), the
clamped circular plate (sec. 3.12) and the bell's partials (sec. 21.3). A body is a geometric blend of them:
``ratio = exp(sum_k w_k log ratio_k)``, so that every blend starts at 1 and pitch stays exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import jn_zeros

from .event_spec import MODE_COUNT


def _bar() -> np.ndarray:
    # (beta_n / beta_1)^2 with beta ~ (2n + 1) / 2 but for the first root
    beta = np.concatenate([[3.0112], 2.0 * np.arange(2, MODE_COUNT + 1) + 1.0])
    return (beta / beta[0]) ** 2


def _membrane() -> np.ndarray:
    zeros = np.concatenate([jn_zeros(order, 24) for order in range(40)])
    zeros = np.sort(zeros)[:MODE_COUNT]
    return zeros / zeros[0]


def _plate() -> np.ndarray:
    # Clamped plate: lambda ~ pi (n + m / 2) with lowest root 3.196 (Leissa); frequency goes with lambda^2.
    roots = np.sort([np.pi * (n + 0.5 * m) for n in range(1, 33) for m in range(48)])[:MODE_COUNT]
    roots = roots + 0.0546 * np.arange(MODE_COUNT) / MODE_COUNT
    return (roots / roots[0]) ** 2


def _bell() -> np.ndarray:
    # hum, prime, tierce, quint, nominal, then the usual upper partials; beyond those, a stretched series
    low = np.array([1.0, 2.0, 2.4, 3.0, 4.0, 5.0, 5.33, 6.0, 6.67, 8.0, 10.67, 11.3, 13.2, 14.7])
    high = low[-1] + 1.45 * np.arange(1, MODE_COUNT - len(low) + 1)
    return np.concatenate([low, high])


_HARMONIC = np.arange(1.0, MODE_COUNT + 1.0)
_MODE_NUMBER_SQUARED = (_HARMONIC**2).astype(np.float32)

#: log ratio of each family to the harmonic series, [4, MODE_COUNT]: bar, membrane, plate, bell
FAMILY_LOG_RATIOS = np.stack(
    [np.log(family() / _HARMONIC) for family in (_bar, _membrane, _plate, _bell)]
).astype(np.float32)
HARMONIC_LOG_RATIOS = np.log(_HARMONIC).astype(np.float32)


def family_weights(bar_membrane: Any, plate_bell: Any, xp: Any) -> Any:
    """Weights ``[..., 4]`` of bar, membrane, plate and bell; what is missing to 1 is harmonic."""
    weights = xp.stack(
        [xp.clip(s * x, 0.0, 1.0) for x in (bar_membrane, plate_bell) for s in (1.0, -1.0)], -1
    )
    return weights / xp.clip(weights.sum(-1), 1.0, 2.0)[..., None]


def log_ratios(stiffness: Any, weights: Any, tables: Any, xp: Any) -> Any:
    """Natural logarithm of each mode's frequency over the first mode's, ``[..., MODE_COUNT]``.

    Args:
        stiffness: inharmonicity B, ``[...]``; harmonic n is raised by ``sqrt((1 + B n^2) / (1 + B))``.
        weights: ``[..., 4]`` from :func:`family_weights`.
        tables: ``(HARMONIC_LOG_RATIOS, FAMILY_LOG_RATIOS, n^2)`` as arrays of ``xp``.
    """
    harmonic, families, squares = tables
    b = stiffness[..., None]
    stretch = 0.5 * (xp.log(1.0 + b * squares) - xp.log(1.0 + b))
    return harmonic + stretch + weights @ families


def ratio_tables(convert: Any = np.asarray) -> tuple[Any, Any, Any]:
    """Constant tables for :func:`log_ratios`, each passed through ``convert`` (say, to torch)."""
    return convert(HARMONIC_LOG_RATIOS), convert(FAMILY_LOG_RATIOS), convert(_MODE_NUMBER_SQUARED)
