"""How late notes begin in what MARS makes, which is taken away from it.

Players need a while from a key to its sound, and sampled instruments begin with a little silence: a phrase
as it was played for training has its notes some 10 ms after their steps, at any tempo. What comes back from
tokens rises later still, by a share of a frame, for its attacks are a little softer. Both are always the
same, so a phrase, which is a loop, is turned by as much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from struck.codec.events.event_spec import ANALYSIS_RATE

from .condition_inputs import frames_of
from .conditions import PhraseConditions
from .phrase_scores import GRID_STEPS_PER_BEAT

if TYPE_CHECKING:  # only training waits for what makes clips
    from .phrase_data import PhraseData

#: Styles with attacks that tell; onsets further from a step belong to none.
_STYLES: Final = ("arpeggio", "bass", "comping", "percussion")
_NEAR_SECONDS: Final = 0.03
#: Phrases that are looked at.
_PHRASES: Final = 60


@dataclass(frozen=True)
class Lateness:
    """Notes begin ``seconds`` and so many ``frames`` after their step; both in -4..4 frames, -0.1..0.1 s.

    Raises:
        ValueError: one of them is out of range.
    """

    seconds: float = 0.0
    frames: float = 0.0

    def __post_init__(self) -> None:
        if not abs(self.seconds) <= 0.1 or not abs(self.frames) <= 4.0:
            raise ValueError(f"lateness of {self.seconds} s and {self.frames} frames is out of range")

    def in_frames(self, conditions: PhraseConditions) -> float:
        """The same in frames of such a phrase; none of a single note."""
        if conditions.style == "single":
            return 0.0
        return self.seconds * ANALYSIS_RATE / conditions.hop_samples + self.frames

    def taken_from(self, samples: np.ndarray, conditions: PhraseConditions) -> np.ndarray:
        """A phrase ``[T]`` whose notes begin on their steps; a single note stays as it is."""
        late = round(self.in_frames(conditions) * conditions.hop_samples)
        return np.roll(samples, -late) if late else samples


def measure_lateness(
    data: PhraseData, restore: Callable[[np.ndarray, PhraseConditions], np.ndarray], seed: int = 0
) -> Lateness:
    """Medians over the onsets of phrases of the data that were trained on; none where there are no onsets.

    Args:
        restore: what becomes of a clip, sound float32 [T], of these conditions through tokens, sound too.
    """
    rng = np.random.default_rng(seed)
    rows = [
        int(row)
        for row in rng.permutation(np.flatnonzero(~data.held_out))
        if data.clips[row].conditions.style in _STYLES
    ]
    played, restored = [np.zeros(0)], []
    for row in rows[:_PHRASES]:
        clip, conditions = data.samples(row), data.clips[row].conditions
        played.append(_delays(clip, conditions))
        restored.append((_delays(restore(clip, conditions), conditions), frames_of(conditions).hop_samples))
    seconds = _median(np.concatenate(played))
    frames = [(delays - seconds) * ANALYSIS_RATE / hop_samples for delays, hop_samples in restored]
    return Lateness(round(seconds, 4), round(_median(np.concatenate([np.zeros(0), *frames])), 2))


def _delays(sound: np.ndarray, conditions: PhraseConditions) -> np.ndarray:
    """Seconds by which onsets near a step come after it."""
    from .sound.onsets import grid_errors, onset_times  # whoever plays does not wait for what measures

    loop = sound[: round(conditions.loop_seconds * ANALYSIS_RATE)]
    step = 60.0 / conditions.tempo_bpm / GRID_STEPS_PER_BEAT
    onsets = onset_times(loop)
    near = onsets[grid_errors(onsets, step) <= _NEAR_SECONDS]
    return near - step * np.round(near / step)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0
