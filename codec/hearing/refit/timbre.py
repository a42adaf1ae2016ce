"""The timbre network compiled, with its gradient by hand: the twin of ``run_timbre_network``.

All products run along rows, so they are vectorised without changing the order of any sum. Axes: I input,
H hidden unit, O output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from ...events.controls import TIMBRE_SHAPES
from ...events.event_spec import INDEX, LATENTS
from ...playing.kernel_options import LINKED
from ..fast_math import fast_tanh

_ZERO: Final = np.float32(0.0)
_ONE: Final = np.float32(1.0)


class Timbre(NamedTuple):
    """The network's arrays, each matrix a second time transposed for the way back."""

    inputs: np.ndarray  # int64 [I] fields that it reads
    w1: np.ndarray  # [I, H]
    w2: np.ndarray  # [H, H]
    w3: np.ndarray  # [H, O]
    b1: np.ndarray  # [H]
    b2: np.ndarray  # [H]
    b3: np.ndarray  # [O]
    w1_back: np.ndarray  # [H, I]
    w2_back: np.ndarray  # [H, H]
    w3_back: np.ndarray  # [O, H]


def make_timbre(weights: Mapping[str, np.ndarray], dtype: Any = np.float32) -> Timbre:
    """Arrays of the decoder's ``weights``.

    Raises:
        ValueError: an array is missing or has the wrong shape.
    """
    for name, shape in TIMBRE_SHAPES.items():
        if name not in weights or weights[name].shape != shape:
            raise ValueError(f"the decoder's weights lack {name} of shape {shape}")
    w1, w2, w3 = (np.ascontiguousarray(weights[f"timbre.w{n}"], dtype) for n in (1, 2, 3))
    b1, b2, b3 = (np.ascontiguousarray(weights[f"timbre.b{n}"], dtype) for n in (1, 2, 3))
    back = (np.ascontiguousarray(w.T) for w in (w1, w2, w3))
    return Timbre(np.array([*LATENTS, INDEX["pitch"]]), w1, w2, w3, b1, b2, b3, *back)


@njit(**LINKED)
def _copy(source, out):
    """``out = source``; a loop compiles ten times faster than a slice does."""
    for j in range(out.shape[0]):
        out[j] = source[j]


@njit(**LINKED)
def _add_product(x, matrix, out):
    """``out [C] += x [R] @ matrix [R, C]``; four rows at a time, so that ``out`` is read and written less."""
    count = matrix.shape[0]
    fours = count - count % 4
    for i in range(0, fours, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        p, q, r, s = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        for j in range(matrix.shape[1]):
            out[j] = out[j] + a * p[j] + b * q[j] + c * r[j] + d * s[j]
    for i in range(fours, count):
        a, p = x[i], matrix[i]
        for j in range(matrix.shape[1]):
            out[j] += a * p[j]


@njit(**LINKED)
def run_timbre(vector, timbre, scratch, first, second, out):
    """Outputs ``out [O]`` for ``vector [32]``; ``first [H]``, ``second [H]`` keep the hyperbolic tangents.

    Args:
        scratch: a :class:`struck.codec.hearing.refit.control_tables.ControlScratch`.
    """
    inputs, hidden = scratch.inputs, scratch.hidden
    for i in range(inputs.shape[0]):
        inputs[i] = vector[timbre.inputs[i]]
    _copy(timbre.b1, first)
    _add_product(inputs, timbre.w1, first)
    for j in range(first.shape[0]):
        first[j] = fast_tanh(first[j])
    _copy(timbre.b2, second)
    _add_product(first, timbre.w2, second)
    for j in range(second.shape[0]):
        second[j] = fast_tanh(second[j])
        hidden[j] = first[j] + second[j]
    _copy(timbre.b3, out)
    _add_product(hidden, timbre.w3, out)


@njit(**LINKED)
def run_timbre_back(timbre, scratch, first, second, d_vector):
    """Add to ``d_vector [32]`` what ``d_out [O]`` of the scratch says of it.

    ``first`` and ``second`` are of the way there.
    """
    d_out, d_first, d_second, d_inputs = scratch.d_out, scratch.d_first, scratch.hidden, scratch.inputs
    d_first.fill(_ZERO)
    _add_product(d_out, timbre.w3_back, d_first)
    for j in range(d_second.shape[0]):
        d_second[j] = d_first[j] * (_ONE - second[j] * second[j])
    _add_product(d_second, timbre.w2_back, d_first)
    for j in range(d_first.shape[0]):
        d_first[j] *= _ONE - first[j] * first[j]
    d_inputs.fill(_ZERO)
    _add_product(d_first, timbre.w1_back, d_inputs)
    for i in range(d_inputs.shape[0]):
        d_vector[timbre.inputs[i]] += d_inputs[i]
