"""How a phrase joins its own beginning when it goes round."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE

from ...mars.sound.onsets import onsets_near

#: Steps between samples this near to the seam are what the sound itself does.
_NEAR_SAMPLES: Final = ANALYSIS_RATE // 200
#: A note that begins further from a beat is not on it.
_BEAT_SECONDS: Final = 0.045
#: On fewer of a phrase's other beats no median is worth much.
_LEAST_BEATS: Final = 3


class BeatErrors(NamedTuple):
    """Seconds by which notes on beats come too late, each against the median of the phrase's other beats."""

    after_seam: NDArray[np.float64]  # [0] or [1]: where the phrase goes round
    others: NDArray[np.float64]


def beat_errors(samples: ArrayLike, beats: int) -> BeatErrors:
    """Of a phrase ``[N]`` of so many beats that is played again and again."""
    loop = np.asarray(samples, np.float32)
    count = len(loop)
    # From the middle of one pass to the middle of the next, and a beat around: the seam is not at an end.
    first = count // 2 - count // beats
    around = np.concatenate([loop, loop])[first : first + count + 2 * (count // beats)]
    places = (np.arange(beats) + beats // 2) * count / beats - first
    late = onsets_near(around, places / ANALYSIS_RATE, _BEAT_SECONDS) - places / ANALYSIS_RATE
    there = np.flatnonzero(~np.isnan(late))
    if len(there) <= _LEAST_BEATS:
        return BeatErrors(np.zeros(0), np.zeros(0))
    errors = np.array([late[i] - np.median(late[there[there != i]]) for i in there])
    is_seam = there == beats - beats // 2
    return BeatErrors(errors[is_seam], errors[~is_seam])


def seam_db(samples: ArrayLike) -> float:
    """By how much the step from the last sample ``[N]`` to the first is larger than all near it, dBFS.

    -inf where it is not larger: then there is no click.

    >>> loop = np.sin(2.0 * np.pi * np.arange(1000) / 100)
    >>> seam_db(loop), round(seam_db(loop[:975]))
    (-inf, -1)
    """
    sound = np.asarray(samples, np.float64)
    around = np.concatenate([sound[-_NEAR_SAMPLES:], sound[:_NEAR_SAMPLES]])
    steps = np.abs(np.diff(around))
    seam = min(len(sound), _NEAR_SAMPLES) - 1
    excess = steps[seam] - np.delete(steps, seam).max()
    return float(20.0 * np.log10(excess)) if excess > 0.0 else -np.inf
