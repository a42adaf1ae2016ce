"""What the judges of phrases look at: a clip as levels over half semitones and 93 ms frames.

Half semitones, because pitch is what a listener hears first; 44 frames, because how a note begins and dies
tells the instrument. Levels are relative to the clip's loudest, so how hard a note was played shows in its
colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from struck.codec.hearing.spectrum import hann_window

from ...mars.condition_inputs import CLIP_SAMPLES
from ...mars.sound.spectrum import band_matrix

WINDOW_SAMPLES: Final = 4096
HOP_SAMPLES: Final = 2048
FRAME_COUNT: Final = CLIP_SAMPLES // HOP_SAMPLES
#: MIDI pitch of the lowest band's centre; half a semitone lies between bands.
LOWEST_PITCH: Final = 15.5
BAND_COUNT: Final = 224
#: Levels this far under the loudest are 0.
RANGE_DB: Final = 80.0

Float32Array = NDArray[np.float32]
ByteArray = NDArray[np.uint8]


def note_features(samples: ArrayLike) -> Float32Array:
    """Levels ``[F, T] = [BAND_COUNT, FRAME_COUNT]`` in 0..1 of a clip ``[CLIP_SAMPLES]``; silence is 0.

    1 is the clip's loudest band, 0 lies ``RANGE_DB`` under it. Frame k is centred on sample
    ``(k + 1/2) HOP_SAMPLES``.

    Raises:
        ValueError: the clip has another length, or is not finite.
    """
    signal = check_clip(samples)
    padded = np.pad(signal, (WINDOW_SAMPLES - HOP_SAMPLES) // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectrum = scipy.fft.rfft(frames * hann_window(WINDOW_SAMPLES), axis=1)
    power = (np.abs(spectrum) ** 2) @ band_matrix(WINDOW_SAMPLES, LOWEST_PITCH, BAND_COUNT)
    loudest = float(power.max())
    if loudest == 0.0:
        return np.zeros((BAND_COUNT, FRAME_COUNT), np.float32)
    level = 10.0 * np.log10(np.maximum(power / loudest, 1e-12))
    return np.ascontiguousarray(np.maximum(1.0 + level / RANGE_DB, 0.0).T.astype(np.float32))


def pack(features: Float32Array) -> ByteArray:
    """Features in steps of ``RANGE_DB / 255``: a quarter of the memory."""
    return np.round(255.0 * features).astype(np.uint8)


def unpack(packed: ByteArray) -> Float32Array:
    """What :func:`pack` packed, any shape."""
    return packed.astype(np.float32) * np.float32(1.0 / 255.0)


def packed_features(clips: Iterable[ArrayLike], advance: Callable[[int], None] | None = None) -> ByteArray:
    """Packed features ``[N, F, T]`` of ``clips``; ``advance`` is told how many are done."""
    rows = []
    for clip in clips:
        rows.append(pack(note_features(clip)))
        if advance is not None:
            advance(len(rows))
    return np.stack(rows) if rows else np.zeros((0, BAND_COUNT, FRAME_COUNT), np.uint8)


def check_clip(samples: ArrayLike) -> Float32Array:
    """The clip as float32.

    Raises:
        ValueError: it has another length than ``CLIP_SAMPLES``, or is not finite.
    """
    signal = np.asarray(samples, np.float32)
    if signal.shape != (CLIP_SAMPLES,):
        raise ValueError(f"a clip has shape [{CLIP_SAMPLES}], not {signal.shape}")
    if not np.isfinite(signal).all():
        raise ValueError("a clip holds finite numbers only")
    return signal
