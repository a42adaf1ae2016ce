"""Which notes a phrase is heard to play: a transcriber for one voice at a time.

A note begins where the partials of a pitch rise together. Spectra 60 ms apart are subtracted, what fell is
left out, and for each pitch the rises at its partials are summed (harmonic summation: Hermes 1988,
"Measurement of pitch by subharmonic summation", JASA 83(1)). So a note that still rings does not hide the one
that begins, and one that is bowed or blown is found as well as one that is struck. It knows nothing of the
score. Of a chord it names one note: arpeggios and bass lines are what it is for.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.spectrum import hann_window

from ...mars.conditions import PhraseConditions

_WINDOW: Final = 2048
_PADDED: Final = 8192
_HOP: Final = 221
#: Spectra that are compared lie this many hops before and after.
_LAG: Final = 3
#: Candidates in MIDI pitch.
_PITCHES: Final = np.arange(26.0, 98.0, 0.25)
_PARTIALS: Final = 10
#: How much less each partial counts than the one before: octaves under the pitch share every other one.
_DECLINE: Final = 0.84
#: A note rises by this share of the phrase's loudest rise at least, and so far over the mean around it.
_LEAST_RISE: Final = 0.12
_OVER_MEAN: Final = 1.3
_MEAN_SECONDS: Final = 0.25
_APART_SECONDS: Final = 0.06
ONSET_TOLERANCE_SECONDS: Final = 0.050
PITCH_TOLERANCE: Final = 0.5


class HeardNote(NamedTuple):
    """A note as it is heard."""

    onset_seconds: float
    pitch: float  # MIDI


class NoteScore(NamedTuple):
    """How many of the notes heard are right, of the notes wanted were heard, and both as one."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """Their harmonic mean."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total else 0.0


def transcribe(samples: ArrayLike) -> list[HeardNote]:
    """Notes of ``samples [N]`` by onset, one at each; they are a loop, so their end is heard before them.

    Raises:
        ValueError: the samples are not ``[N]``, or too few.
    """
    signal = np.asarray(samples, np.float32)
    if signal.ndim != 1 or signal.size < _WINDOW:
        raise ValueError(f"samples have shape [N >= {_WINDOW}], not {signal.shape}")
    count = signal.size // _HOP
    around = (_LAG + 30) * _HOP + _WINDOW // 2
    padded = np.pad(signal, around, mode="wrap")
    first = around - _WINDOW // 2 - 30 * _HOP
    frames = np.lib.stride_tricks.sliding_window_view(padded[first - _LAG * _HOP :], _WINDOW)[::_HOP]
    frames = frames[: count + 60 + 2 * _LAG]
    level = np.sqrt(np.abs(scipy.fft.rfft(frames * hann_window(_WINDOW), _PADDED, axis=1)))
    rise = np.maximum(level[2 * _LAG :] - level[: -2 * _LAG], 0.0)
    salience = rise @ _summation()
    strength = salience.max(1)
    if not strength.any():
        return []
    near = uniform_filter1d(strength, 2 * round(_MEAN_SECONDS * ANALYSIS_RATE / _HOP / 2) + 1)
    apart = round(_APART_SECONDS * ANALYSIS_RATE / _HOP)
    highest = maximum_filter1d(strength, 2 * apart + 1)
    peaks = np.flatnonzero(
        (strength == highest) & (strength > _LEAST_RISE * strength.max()) & (strength > _OVER_MEAN * near)
    )
    # The frames are those of the loop from 30 hops before its beginning to 30 after its end.
    inside = peaks[(peaks >= 30 - _LAG) & (peaks < 30 - _LAG + count)]
    pitches = _PITCHES[salience[inside].argmax(1)]
    seconds = (inside - 30) * _HOP / ANALYSIS_RATE
    return [HeardNote(float(t), float(p)) for t, p in zip(seconds, pitches, strict=True)]


@cache
def _summation() -> NDArray[np.float32]:
    """Weights ``[bins, pitches]`` that sum a spectrum at the partials of each candidate."""
    weights = np.zeros((_PADDED // 2 + 1, len(_PITCHES)), np.float32)
    spacing = 440.0 * 2.0 ** ((_PITCHES - 69.0) / 12.0) * _PADDED / ANALYSIS_RATE
    for partial in range(1, _PARTIALS + 1):
        for column, place in enumerate(spacing * partial):
            low = int(place)
            if low + 1 < len(weights):
                share = np.float32(place - low)
                weights[low, column] += _DECLINE ** (partial - 1) * (1.0 - share)
                weights[low + 1, column] += _DECLINE ** (partial - 1) * share
    return weights


def score_arpeggio(heard: list[HeardNote], conditions: PhraseConditions) -> NoteScore:
    """Notes heard against what an arpeggio is: one tone of the chord that stands there, at every step.

    The steps are eighths or sixteenths, whichever fits better; the order of the tones is the player's.
    A note is right within 50 ms and 50 cents; each step counts once.
    """
    return max((_score(heard, conditions, steps) for steps in (2, 4)), key=lambda score: score.f)


def _score(heard: list[HeardNote], conditions: PhraseConditions, steps_per_beat: int) -> NoteScore:
    slots = conditions.slot_notes
    count = conditions.beats * steps_per_beat
    length = conditions.loop_seconds / count
    filled = set()
    for onset, pitch in heard:
        step = round(onset / length)
        tones = slots[step % count * len(slots) // count]
        near = abs(onset - step * length) <= ONSET_TOLERANCE_SECONDS
        if near and step not in filled and any(abs(pitch - tone) <= PITCH_TOLERANCE for tone in tones):
            filled.add(step)
    filled_count = len({step % count for step in filled})
    return NoteScore(len(filled) / max(1, len(heard)), filled_count / count)
