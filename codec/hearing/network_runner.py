"""The event network as the encoder runs it: the twin of ``run_event_network`` that allocates nothing large.

Products go to the BLAS, into arrays that are kept; what lies between them is compiled. Written with arrays
that come and go, half of the time of a long window's many proposals goes into fresh pages of memory.

Axes: E proposal, T frame, C channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numba import float32, njit, void
from numpy.typing import NDArray

from ..playing.kernel_options import VECTORISED
from .event_network import (
    BLOCK_COUNT,
    FEATURE_HIDDEN,
    FEATURES,
    FRAME_COUNT,
    HEAD_HIDDEN,
    OUTPUTS,
    POOL_COUNT,
    SCALARS,
    TIME_HIDDEN,
    WIDTH,
)
from .fast_math import SUMS, fast_exp

FloatArray = NDArray[np.float32]

#: Proposals at a time: what is written then stays in the processor's cache.
_AT_ONCE: Final = 4
_ONE: Final = np.float32(1.0)
_ZERO: Final = np.float32(0.0)
_GELU: Final = np.float32(-1.702)
_TINY: Final = np.float32(1e-5)


@njit(void(float32[:, :, ::1], float32[::1], float32[:, :, ::1]), **SUMS)
def _normalise(x, scale, out):
    """``out [E, T, C]``: rows of ``x`` with mean square 1, times ``scale [C]``."""
    for e in range(x.shape[0]):
        for t in range(x.shape[1]):
            total = _ZERO
            for c in range(x.shape[2]):
                total += x[e, t, c] * x[e, t, c]
            factor = _ONE / np.sqrt(total / np.float32(x.shape[2]) + _TINY)
            for c in range(x.shape[2]):
                out[e, t, c] = x[e, t, c] * scale[c] * factor


@njit(void(float32[:, :, ::1], float32[:, ::1]), **SUMS)
def _bend(x, bias):
    """GELU of ``x [E, T, C]`` plus ``bias [T, C]``, in place; ``x sigmoid(1.702 x)`` is the law's by tanh."""
    for e in range(x.shape[0]):
        for t in range(x.shape[1]):
            for c in range(x.shape[2]):
                y = x[e, t, c] + bias[t, c]
                x[e, t, c] = y / (_ONE + fast_exp(_GELU * y))


@njit(void(float32[:, :, ::1], float32[:, ::1], float32[:, ::1], float32[::1], float32[:, ::1]), **VECTORISED)
def _begin(x, of_time, mask, of_mask, of_scalars):
    """Add to ``x [E, T, C]`` what its frame, whether that is known, and the proposal's scalars say."""
    for e in range(x.shape[0]):
        for t in range(x.shape[1]):
            known = mask[e, t]
            for c in range(x.shape[2]):
                x[e, t, c] += of_time[t, c] + known * of_mask[c] + of_scalars[e, c]


class NetworkRunner:
    """Runs the event network.

    Args:
        parameters: as :func:`struck.codec.hearing.event_network.parameter_shapes` says.
    """

    def __init__(self, parameters: Mapping[str, np.ndarray]) -> None:
        p = {name: np.ascontiguousarray(value, np.float32) for name, value in parameters.items()}
        for i in range(BLOCK_COUNT):
            # Across time: weights on the left, so that channels stay side by side.
            for name in ("w1", "w2"):
                p[f"{i}.time.{name}"] = np.ascontiguousarray(p[f"{i}.time.{name}"].T)
            p[f"{i}.time.b1"] = np.repeat(p[f"{i}.time.b1"][:, None], WIDTH, 1)
            p[f"{i}.feature.b1"] = np.repeat(p[f"{i}.feature.b1"][None], FRAME_COUNT, 0)
        p["out.pool"] = np.ascontiguousarray(p["out.pool"].T)
        self._parameters = p

        def empty(*shape: int) -> FloatArray:
            return np.empty((_AT_ONCE, *shape), np.float32)

        self._x, self._y, self._z = (empty(FRAME_COUNT, WIDTH) for _ in range(3))
        self._of_features = empty(FRAME_COUNT, FEATURE_HIDDEN)
        self._of_time = empty(TIME_HIDDEN, WIDTH)
        self._pooled = empty(POOL_COUNT, WIDTH)
        self._head = empty(HEAD_HIDDEN)

    def run(self, features: FloatArray, mask: FloatArray, scalars: FloatArray) -> FloatArray:
        """Raw outputs ``[E, OUTPUTS]``; see :func:`struck.codec.hearing.event_network.run_event_network`.

        Args:
            features: ``[E, T, FEATURES]``; mask ``[E, T]``; scalars ``[E, SCALARS]``.
        """
        outputs = np.empty((len(features), OUTPUTS), np.float32)
        for first in range(0, len(features), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            self._run(features[part], mask[part], scalars[part], outputs[part])
        return outputs

    def _run(self, features: FloatArray, mask: FloatArray, scalars: FloatArray, out: FloatArray) -> None:
        p, count = self._parameters, len(features)
        x, y, z = self._x[:count], self._y[:count], self._z[:count]
        of_features, of_time = self._of_features[:count], self._of_time[:count]

        def flat(array: FloatArray) -> FloatArray:
            return array.reshape(count * FRAME_COUNT, -1)

        np.matmul(features.reshape(count * FRAME_COUNT, FEATURES), p["in.w"], out=flat(x))
        _begin(x, p["in.time"], mask, p["in.mask"], scalars @ p["in.scalars"])
        for i in range(BLOCK_COUNT):
            _normalise(x, p[f"{i}.time.norm"], y)
            np.matmul(p[f"{i}.time.w1"], y, out=of_time)
            _bend(of_time, p[f"{i}.time.b1"])
            np.matmul(p[f"{i}.time.w2"], of_time, out=z)
            x += z
            _normalise(x, p[f"{i}.feature.norm"], y)
            np.matmul(flat(y), p[f"{i}.feature.w1"], out=flat(of_features))
            _bend(of_features, p[f"{i}.feature.b1"])
            np.matmul(flat(of_features), p[f"{i}.feature.w2"], out=flat(z))
            x += z
        _normalise(x, p["out.norm"], y)
        pooled, head = self._pooled[:count], self._head[:count]
        np.matmul(p["out.pool"], y, out=pooled)
        # The weights' rows go channel by channel.
        read = np.concatenate([np.swapaxes(pooled, 1, 2).reshape(count, -1), scalars], 1)
        assert read.shape[1] == POOL_COUNT * WIDTH + SCALARS
        np.matmul(read, p["out.w1"], out=head)
        _bend(head[None], np.broadcast_to(p["out.b1"], head.shape).copy())
        out[:] = head @ p["out.w2"] + p["out.b2"]
