"""The encoder of a profile: a long window at a time for files, hop by hop for what is heard live."""

from __future__ import annotations

from typing import Final

from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..encoder import StreamingEncoder
from ..refit.profile_refiner import make_refiner

#: What a dB of mel distance counts beside the share of energy left, where events are fitted together.
JOINT_MEL_WEIGHT: Final = 0.08


def make_encoder(
    weights: CodecWeights, profile: Profile, steps: int | None = None, amends: bool = False
) -> StreamingEncoder:
    """An encoder that improves its events by ``steps`` gradient steps, or by the profile's.

    Where the profile does not follow, these are the steps of each round, and no steps are no rounds: events
    are then told as they are read, hop by hop.

    Args:
        amends: whether what is fitted together is amended while it sounds; else it is told once, and ended.
    """
    count = profile.refine_steps if steps is None else steps
    if profile.follows or count == 0:
        return StreamingEncoder(weights, profile, refine=make_refiner(weights, profile, count))
    from .encoder import JointEncoder  # only those who use it wait for its kernels

    return JointEncoder(weights, profile, count, JOINT_MEL_WEIGHT, amends=amends)
