"""The numbers behind a take's picture: projection of the vectors, lengths of events, spectrogram levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...codec.events.event_spec import VECTOR_SIZE, read_field
from ...codec.events.events import stack_vectors
from ...codec.events.lives import EventLife

#: A spectrogram has this many columns at most; longer ones are averaged in power.
COLUMNS_MAX: Final = 1600
_FRAME_SECONDS: Final = 0.093
_SILENCE_DB: Final = -200.0


@dataclass(frozen=True)
class Projection:
    """Vectors on their first principal component."""

    positions: NDArray[np.float32]  # [E]
    variance_share: float
    loadings: NDArray[np.float32]  # [32], unit length, the largest one positive


def project_vectors(vectors: NDArray[np.float32]) -> Projection:
    """First principal component of ``vectors [E, 32]``; all positions are 0 where the vectors are equal."""
    if len(vectors) == 0:
        return Projection(np.zeros(0, np.float32), 0.0, np.zeros(VECTOR_SIZE, np.float32))
    centred = vectors - vectors.mean(axis=0)
    _, spreads, axes = np.linalg.svd(centred, full_matrices=False)
    total = float((spreads**2).sum())
    if total < 1e-12:
        return Projection(np.zeros(len(vectors), np.float32), 0.0, np.zeros(VECTOR_SIZE, np.float32))
    # The sign of a component is arbitrary: fix it, or two pictures of one take could be mirrored.
    axis = axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))])
    return Projection(centred @ axis, float(spreads[0] ** 2) / total, axis)


def physical(vectors: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Physical values ``[E]`` of the field ``name`` of ``vectors [E, 32]``."""
    return np.asarray(read_field(vectors, name))


def audible_seconds(vectors: NDArray[np.float32], noisy: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Time ``[E]`` until an event is about 20 dB down: by its own decay, or by the end of its force."""
    own = np.where(noisy, physical(vectors, "noise_decay"), physical(vectors, "decay")) / 3.0
    force = physical(vectors, "attack") + physical(vectors, "hold") + physical(vectors, "release") / 3.0
    return np.minimum(own, force)


def audible_end(life: EventLife) -> float:
    """Stream time when an event is about 20 dB down, as it was amended and ended."""
    begin_seconds = life.event.onset_seconds
    states = life.states
    vectors = stack_vectors([event for _, event in states])
    ends = begin_seconds + audible_seconds(vectors, physical(vectors, "noisiness") > 0.5)
    # What it was in a state counts until the next; an amendment of what is gone comes too late.
    until = [*(at_seconds for at_seconds, _ in states[1:]), np.inf]
    end = next(float(end) for end, at_seconds in zip(ends, until, strict=True) if end < at_seconds)
    if life.end is None:
        return end
    released = life.end.at_seconds + float(physical(vectors[-1], "release")) / 3.0
    return max(begin_seconds, min(end, released))


def log_frequency_levels_db(
    samples: NDArray[np.float32], rate: int, frequencies_hz: NDArray[np.float64]
) -> tuple[NDArray[np.float32], float]:
    """Spectrogram levels of ``samples [N]`` at ``rate`` Hz over frequencies ``[F]``.

    Returns:
        levels ``[<= COLUMNS_MAX, F]`` in dB re the loudest point, silence and what lies above half the rate
        at -200 dB; and the seconds from one column to the next.
    """
    size = scipy.fft.next_fast_len(round(_FRAME_SECONDS * rate), real=True)
    hop = max(1, size // 8)
    frame_count = 1 + samples.size // hop
    per_column = -(-frame_count // COLUMNS_MAX)
    column_count = -(-frame_count // per_column)
    padded = np.pad(samples, (size // 2, size + per_column * hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    window = np.hanning(size).astype(np.float32)
    bins = frequencies_hz * size / rate
    power = np.zeros((column_count, frequencies_hz.size), dtype=np.float32)
    for column in range(column_count):
        spectrum: Any = scipy.fft.rfft(frames[column * per_column : (column + 1) * per_column] * window)
        mean = (np.abs(spectrum) ** 2).mean(axis=0)
        power[column] = np.interp(bins, np.arange(mean.size), mean, right=0.0)
    loudest = float(power.max()) or 1.0
    levels = 10.0 * np.log10(np.maximum(power / loudest, 10.0 ** (_SILENCE_DB / 10.0)))
    return levels, per_column * hop / rate
