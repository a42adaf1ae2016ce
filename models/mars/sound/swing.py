"""Swing: a straight phrase with the eighths between beats played later, before its phases are found.

Frames are moved in time, so no pitch changes. Those around a sixteenth, where attacks are, are moved as they
are; what sounds between them is drawn out or shortened::

    straight   |   .   |   .   |      beat, sixteenth, eighth, sixteenth, beat
    swung      |    .    |  .  |      at 62 %
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np  # the command line's help knows the range, and does without

#: Where the eighth between two beats begins, in percent of the beat: in the middle, and at the most, where
#: the attacks after it still have room.
STRAIGHT_PERCENT: Final = 50.0
MOST_PERCENT: Final = 70.0
#: Frames before and after a sixteenth that are an attack, of 44 in a beat.
_ATTACK: Final = (-3.0, 2.5)
_SIXTEENTHS: Final = 4


def swung(
    levels: np.ndarray, swing_percent: float, frames_per_beat: int, late_frames: float = 0.0
) -> np.ndarray:
    """``levels`` float32 [F, T] in dB of a straight loop of whole beats, with swing.

    Args:
        swing_percent: 50 to 70; 50 is straight, 66.7 a triplet.
        late_frames: notes begin so much after their step.
    """
    import numpy as np

    if swing_percent == STRAIGHT_PERCENT:
        return levels
    count = levels.shape[1]
    read = (np.arange(count) - late_frames) / frames_per_beat
    place = frames_per_beat * _straight(read, swing_percent, frames_per_beat) + late_frames
    before = np.floor(place).astype(int)
    share = (place - before).astype(np.float32)
    return levels[:, before % count] * (1.0 - share) + levels[:, (before + 1) % count] * share


def _straight(beats: np.ndarray, swing_percent: float, frames_per_beat: int) -> np.ndarray:
    """For each time of the swung phrase, in beats, what is heard then of the straight one."""
    import numpy as np

    middle = swing_percent / 100.0
    swing = np.array([0.0, 0.5 * middle, middle, 0.5 * (1.0 + middle), 1.0])
    straight = np.arange(_SIXTEENTHS + 1) / _SIXTEENTHS
    edges = np.array(_ATTACK) / frames_per_beat
    inside = np.floor(beats)
    found = np.interp(beats - inside, (swing[:, None] + edges).ravel(), (straight[:, None] + edges).ravel())
    return inside + found
