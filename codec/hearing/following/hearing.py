"""What hears for a profile: sound in, a stream out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...events.amendments import StreamItem
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..joint.profile_encoder import make_encoder


class Hearing(Protocol):
    """An encoder, whether it amends or not."""

    @property
    def profile(self) -> Profile:
        """Its lookahead and hop."""

    def process(self, samples: np.ndarray) -> Sequence[StreamItem]:
        """What is known after ``samples``, mono ``[N]`` at the analysis rate, and was not before."""

    def flush(self) -> Sequence[StreamItem]:
        """What is known once the sound has ended."""


def make_hearing(weights: CodecWeights, profile: Profile, steps: int | None = None) -> Hearing:
    """Of ``profile``: events as they are found, or followed and amended where it follows.

    Args:
        steps: gradient steps that improve an event before it is told; None takes the profile's.

    Raises:
        StruckError: the weights cannot encode.
    """
    if not profile.follows:
        return make_encoder(weights, profile, steps)
    from .follower import Follower  # only those who follow wait for its kernels

    return Follower(weights, profile, steps)
