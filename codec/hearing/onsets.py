"""Onsets in the sound itself: where its energy rises most, to within a millisecond.

Frames of a long window see an attack before it comes. Beside them the energy of two short stretches is
compared, one before and one after each moment::

    |<--- before --->|<- after ->|
                     ^ an onset, where after is many times as loud as before

The sound is differentiated first: attacks are bright.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BEFORE: Final = 512
_AFTER: Final = 128
#: Samples between the moments that are looked at.
_STEP: Final = 8
#: How far from where it was thought to be an onset is looked for: 12 ms before, 35 ms after.
_REACH_BACK: Final = 264
_REACH_ON: Final = 768
#: So many times as much power after as before is an onset: 9 dB; pulses of low notes stay below.
_LEAST_RISE: Final = 8.0
#: What counts as power before where there was nothing, as a share of the most after.
_FLOOR_SHARE: Final = 1e-3


def find_onset(sound: NDArray[np.float32], first_sample: int, onset_sample: int) -> int:
    """The sample near ``onset_sample`` at which something begins; itself where nothing clearly does.

    Args:
        sound: ``[N]``, what is heard around it.
        first_sample: of the stream, in ``sound[0]``.
    """
    first = max(first_sample, onset_sample - _REACH_BACK - _BEFORE)
    last = min(first_sample + len(sound), onset_sample + _REACH_ON + _AFTER)
    if last - first <= _BEFORE + _AFTER:
        return onset_sample
    steps = np.diff(sound[first - first_sample : last - first_sample], prepend=np.float32(0.0))
    steps[0] = 0.0
    total = np.concatenate([[0.0], np.cumsum(np.square(steps, dtype=np.float64))])
    moments = np.arange(_BEFORE, len(steps) - _AFTER, _STEP)
    after = (total[moments + _AFTER] - total[moments]) / _AFTER
    before = (total[moments] - total[moments - _BEFORE]) / _BEFORE
    rise = after / (before + _FLOOR_SHARE * after.max() + 1e-12)
    best = int(np.argmax(rise))
    return first + int(moments[best]) if rise[best] >= _LEAST_RISE else onset_sample
