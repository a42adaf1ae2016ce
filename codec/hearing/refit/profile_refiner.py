"""What refits for a profile: as many gradient steps as it asks for."""

from __future__ import annotations

from typing import Final

from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..encoder import Refine

#: What a dB of mel distance counts beside the share of energy that is left.
MEL_WEIGHT: Final = 0.04


def make_refiner(weights: CodecWeights, profile: Profile, steps: int | None = None) -> Refine | None:
    """What improves events by ``steps`` gradient steps, or by the profile's; None for no steps."""
    count = profile.refine_steps if steps is None else steps
    if count == 0:
        return None
    # Only those who refit wait for the kernels to be compiled or loaded.
    from .refitter import Refitter

    return Refitter(weights.decoder, profile.n_fft, count, MEL_WEIGHT)
