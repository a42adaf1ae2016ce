"""What an event must be worth to be told: more where it is only a detail of another.

A strike's click, its noise or a partial that the first event missed may each be read as an event. Ears hear
one sound. So an event that begins within 50 ms of a much stronger one needs more, and most within 100 ms
where it is noise or its pitch stands in a simple ratio to the other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: 50 ms in frames, within which ears hear one onset, and within which parts of a sound may rise.
_ONSET_FRAMES: Final = 4
NEAR_FRAMES: Final = 9
#: So much more is what a much stronger event is worth.
STRONGER: Final = 8.0
#: What a part must be worth as a share of what the other is.
_PART_SHARE: Final = 0.1
_HIGHEST_RATIO: Final = 16.5


@dataclass(frozen=True)
class PriceList:
    """By how much an event must lessen the loss of a window, of which errors count as shares.

    Attributes:
        event: one that stands for a sound of its own.
        detail: one that begins with a much stronger event.
        part: one that may be noise or a partial of a much stronger event.
    """

    event: float
    detail: float
    part: float


def is_part(pitch_midi: float, noise_like: bool, other_pitch_midi: float) -> bool:
    """Whether a sound may be noise or a partial of another that begins with it."""
    ratio = 2.0 ** (abs(pitch_midi - other_pitch_midi) / 12.0)
    return noise_like or (ratio < _HIGHEST_RATIO and abs(ratio - round(ratio)) < 0.02 * ratio)


def needed_worth(prices: PriceList, worth: float, part: bool, other_worth: float, apart_frames: int) -> float:
    """What an event worth ``worth`` must be worth beside another that begins ``apart_frames`` from it.

    Args:
        prices: ``event`` is what it must be worth alone.
    """
    if other_worth < STRONGER * worth:
        return prices.event
    if part:
        return max(prices.event, prices.part, _PART_SHARE * other_worth)
    return max(prices.event, prices.detail) if apart_frames <= _ONSET_FRAMES else prices.event
