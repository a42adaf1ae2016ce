"""Which training sounds a sound is nearest to: is it being made, or remembered?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .features import RANGE_DB, ByteArray, unpack

_CHUNK: Final = 1024


@dataclass(frozen=True)
class Nearest:
    """Rows ``[N, K]`` of the nearest training sounds, nearest first, and their distances ``[N, K]``."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float32]


def nearest_spectrograms(features: ByteArray, training: ByteArray, count: int = 3) -> Nearest:
    """By the root mean square difference, in dB, of packed features ``[N, F, T]`` and ``[M, F, T]``.

    Features are relative to each sound's loudest: a copy at another level is at 0 dB.
    """
    ours = unpack(features).reshape(len(features), -1)
    found = _nearest(ours, training.reshape(len(training), -1), count, unpacked=False)
    scale = np.float32(RANGE_DB / np.sqrt(ours.shape[1])) if len(ours) else np.float32(1.0)
    return Nearest(found.rows, scale * found.distances)


def nearest_embeddings(embeddings: ArrayLike, training: ArrayLike, count: int = 3) -> Nearest:
    """By the Euclidean distance of embeddings ``[N, D]`` and ``[M, D]``."""
    return _nearest(
        np.asarray(embeddings, np.float32), np.asarray(training, np.float32), count, unpacked=True
    )


def _nearest(ours: NDArray[np.float32], training: NDArray, count: int, *, unpacked: bool) -> Nearest:
    if len(training) == 0:
        raise ValueError("there are no training sounds to be near to")
    squares = np.empty((len(ours), len(training)), np.float32)
    own = np.square(ours).sum(1)
    for first in range(0, len(training), _CHUNK):
        part = training[first : first + _CHUNK]
        part = part if unpacked else unpack(part)
        squares[:, first : first + len(part)] = own[:, None] + np.square(part).sum(1) - 2.0 * (ours @ part.T)
    count = min(count, len(training))
    rows = np.argsort(squares, axis=1, kind="stable")[:, :count]
    # A difference of large sums: tell the few distances that are asked for exactly.
    chosen = training[rows] if unpacked else unpack(training[rows])
    return Nearest(rows, np.sqrt(np.square(chosen - ours[:, None]).sum(-1)))
