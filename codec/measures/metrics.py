"""How far a decoded sound is from its reference, and found onsets from the true ones.

All signals are mono at ``ANALYSIS_RATE``. Frame k of the spectrogram is centred on sample ``k * HOP``, zeros
are put before and after the signal, so every sample weighs the same however short the signal is. Long signals
are read in chunks: ten minutes need less than 100 MB beside the signals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from ..events.controls import mel, mel_to_hz
from ..events.event_spec import ANALYSIS_RATE
from ..files.samples import as_mono
from ..hearing.spectrum import hann_window

FRAME: Final = 2048
HOP: Final = 256
BIN_COUNT: Final = FRAME // 2 + 1
MEL_BAND_COUNT: Final = 80

#: Mel bands lower than this under the reference's loudest band count as equal: nobody hears them.
FLOOR_DB: Final = 60.0

#: Limit of :func:`energy_removed_db` either way, so that a perfect copy is still a number that medians and
#: JSON can carry. Float32 spectra could not show more.
ENERGY_LIMIT_DB: Final = 120.0

#: How far a found note may be from the true one.
NOTE_ONSET_SECONDS: Final = 0.05
NOTE_PITCH_SEMITONES: Final = 0.5

_CHUNK_FRAMES: Final = 512

Float32Array = NDArray[np.float32]


def energy_removed_db(reference: ArrayLike, decoded: ArrayLike) -> float:
    """Energy that ``decoded`` takes from ``reference``: ``20 log10(|S| / |S - S'|)`` over STFT magnitudes.

    The norms are Frobenius norms over all frames and bins. The shorter signal is continued with silence.
    0 dB is what silence reaches; worse than silence is negative. Silence for silence counts as perfect.

    Args:
        reference, decoded: mono samples ``[N]`` and ``[N']`` at ``ANALYSIS_RATE``.

    Returns:
        dB, within ``+-ENERGY_LIMIT_DB``.

    Raises:
        ValueError: a signal is not one-dimensional, or holds a number that is not finite.
    """
    first, second = _pad_to_equal(reference, decoded)
    total = missing = 0.0
    for ours, theirs in zip(_magnitude_chunks(first), _magnitude_chunks(second), strict=True):
        total += float(np.vdot(ours, ours))
        ours -= theirs
        missing += float(np.vdot(ours, ours))
    if missing == 0.0:
        return ENERGY_LIMIT_DB
    if total == 0.0:
        return -ENERGY_LIMIT_DB
    return float(np.clip(10.0 * np.log10(total / missing), -ENERGY_LIMIT_DB, ENERGY_LIMIT_DB))


def mel_distance_db(reference: ArrayLike, decoded: ArrayLike) -> float:
    """Mean absolute difference of ``MEL_BAND_COUNT`` mel bands in dB.

    A band's level is ``10 log10`` of the power under a triangle of height 1. Both sides are floored
    ``FLOOR_DB`` under the highest band of the *reference* (of ``decoded`` where the reference is silent).
    The shorter signal is continued with silence.

    Args:
        reference, decoded: mono samples ``[N]`` and ``[N']`` at ``ANALYSIS_RATE``.

    Returns:
        dB, >= 0.

    Raises:
        ValueError: a signal is not one-dimensional, or holds a number that is not finite.
    """
    ours, theirs = (_mel_power(signal) for signal in _pad_to_equal(reference, decoded))
    maximum = float(ours.max()) or float(theirs.max())
    if maximum == 0.0:
        return 0.0
    floor = maximum * 10.0 ** (-FLOOR_DB / 10.0)
    difference = np.log10(np.maximum(ours, floor)) - np.log10(np.maximum(theirs, floor))
    return 10.0 * float(np.abs(difference).mean())


def magnitude_spectrogram(signal: ArrayLike) -> Float32Array:
    """STFT magnitudes ``[T, BIN_COUNT]`` of ``signal [N]``: Hann window, ``T = 1 + ceil(N / HOP)``.

    A full-scale sine has magnitude ``FRAME / 4``. The whole array is in memory: 21 MB for a minute.

    Raises:
        ValueError: ``signal`` is not one-dimensional, or holds a number that is not finite.
    """
    return np.concatenate(list(_magnitude_chunks(_check_signal(signal))))


@cache
def mel_filters() -> Float32Array:
    """Triangular filters ``[BIN_COUNT, MEL_BAND_COUNT]`` of height 1, centres equally spaced in mel.

    They reach from 0 Hz to half of ``ANALYSIS_RATE``, on the mel scale of
    :func:`struck.codec.events.controls.mel`.
    """
    top = float(mel(np.float64(ANALYSIS_RATE / 2)))
    edges_hz = mel_to_hz(np.linspace(0.0, top, MEL_BAND_COUNT + 2))
    bins_hz = np.arange(BIN_COUNT)[:, None] * (ANALYSIS_RATE / FRAME)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters.flags.writeable = False
    return filters


@dataclass(frozen=True)
class OnsetScore:
    """Found onsets or notes against true ones; all three in 0..1."""

    precision: float
    recall: float
    f_measure: float


def onset_f_measure(
    truth_seconds: ArrayLike, found_seconds: ArrayLike, tolerance_seconds: float = 0.05
) -> OnsetScore:
    """Precision, recall and F-measure of onset times, each onset matched at most once.

    A pair may match where it is at most ``tolerance_seconds`` apart; the largest possible number of pairs is
    counted (the definition of ``mir_eval.onset``, Raffel et al., ISMIR 2014). One difference: where both
    lists are empty all three are 1, because nothing was to be heard and nothing was.

    Args:
        truth_seconds, found_seconds: onset times, in any order.
        tolerance_seconds: >= 0.

    Raises:
        ValueError: a time is not finite, or the tolerance is negative.
    """
    truth = np.sort(np.asarray(truth_seconds, dtype=np.float64).ravel())
    found = np.sort(np.asarray(found_seconds, dtype=np.float64).ravel())
    if not (np.isfinite(truth).all() and np.isfinite(found).all()):
        raise ValueError("onset times must be finite")
    if not tolerance_seconds >= 0.0:
        raise ValueError(f"tolerance_seconds is {tolerance_seconds}; it must be >= 0")
    if truth.size == 0 and found.size == 0:
        return OnsetScore(1.0, 1.0, 1.0)

    # All windows are equally wide, so pairing the earliest two that fit never spoils a later pair.
    # The nanosecond keeps a distance of exactly the tolerance a match in spite of rounding.
    reach = tolerance_seconds + 1e-9
    i = j = pairs = 0
    while i < truth.size and j < found.size:
        if abs(truth[i] - found[j]) <= reach:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif truth[i] < found[j]:
            i += 1
        else:
            j += 1
    precision = pairs / found.size if found.size else 0.0
    recall = pairs / truth.size if truth.size else 0.0
    return OnsetScore(precision, recall, 2.0 * pairs / (truth.size + found.size))


def note_f_measure(truth: Sequence[tuple[float, float]], found: Sequence[tuple[float, float]]) -> OnsetScore:
    """Precision, recall and F-measure of notes: onset in seconds and MIDI pitch each.

    A pair may match where its onsets are at most 50 ms and its pitches at most 50 cents apart; each note
    matches at most once, and the largest possible number of pairs is counted (``mir_eval.transcription``
    without offsets). Where both lists are empty all three are 1.

    Raises:
        ValueError: a number is not finite.
    """
    ours, theirs = (np.array(notes, np.float64).reshape(-1, 2) for notes in (truth, found))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ValueError("onsets and pitches must be finite")
    if not len(ours) and not len(theirs):
        return OnsetScore(1.0, 1.0, 1.0)
    # As mir_eval does, distances of onsets are rounded to 0.1 ms first.
    onsets_apart = np.round(np.abs(ours[:, None, 0] - theirs[None, :, 0]), 4)
    pitches_apart = np.abs(ours[:, None, 1] - theirs[None, :, 1])
    may = (onsets_apart <= NOTE_ONSET_SECONDS) & (pitches_apart <= NOTE_PITCH_SEMITONES + 1e-9)
    pairs = int((maximum_bipartite_matching(csr_array(may), perm_type="column") >= 0).sum())
    precision = pairs / len(theirs) if len(theirs) else 0.0
    recall = pairs / len(ours) if len(ours) else 0.0
    return OnsetScore(precision, recall, 2.0 * pairs / (len(ours) + len(theirs)))


def _check_signal(signal: ArrayLike) -> Float32Array:
    samples = as_mono(signal)
    if not np.isfinite(samples).all():
        raise ValueError("a signal holds finite numbers only")
    return samples


def _pad_to_equal(reference: ArrayLike, decoded: ArrayLike) -> tuple[Float32Array, Float32Array]:
    first, second = _check_signal(reference), _check_signal(decoded)
    length = max(first.size, second.size)
    return _pad_to(first, length), _pad_to(second, length)


def _pad_to(signal: Float32Array, length: int) -> Float32Array:
    # np.pad copies even where there is nothing to add.
    return signal if signal.size == length else np.pad(signal, (0, length - signal.size))


def _magnitude_chunks(signal: Float32Array) -> Iterator[Float32Array]:
    """Magnitudes ``[<= _CHUNK_FRAMES, BIN_COUNT]`` of consecutive frames."""
    frame_count = 1 + -(-signal.size // HOP)
    for start in range(0, frame_count, _CHUNK_FRAMES):
        count = min(_CHUNK_FRAMES, frame_count - start)
        first = start * HOP - FRAME // 2
        last = first + (count - 1) * HOP + FRAME
        piece = signal[max(0, first) : max(0, last)]
        before = max(0, -first)
        piece = np.pad(piece, (before, last - first - before - piece.size))
        frames = np.lib.stride_tricks.sliding_window_view(piece, FRAME)[::HOP]
        spectrum: Any = scipy.fft.rfft(frames * hann_window(FRAME), axis=1)
        yield np.abs(spectrum)


def _mel_power(signal: Float32Array) -> Float32Array:
    """Power ``[T, MEL_BAND_COUNT]`` in each mel band."""
    return np.concatenate([chunk**2 @ mel_filters() for chunk in _magnitude_chunks(signal)])
