"""How a phrase joins its own beginning when it goes round."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from struck.codec.events.event_spec import ANALYSIS_RATE

#: Steps between samples this near to the seam are what the sound itself does.
_NEAR_SAMPLES: Final = ANALYSIS_RATE // 200


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
