"""What hears for a profile: sound in, a stream out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...events.amendments import StreamItem, in_stream_order
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..encoder import StreamingEncoder
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


class FileHearing:
    """An encoder of a profile that does not follow, with what it says later of its events."""

    def __init__(self, encoder: StreamingEncoder) -> None:
        self._encoder = encoder
        self.profile = encoder.profile

    def process(self, samples: np.ndarray) -> list[StreamItem]:
        """See :meth:`Hearing.process`."""
        return in_stream_order([*self._encoder.process(samples), *self._encoder.take_changes()])

    def flush(self) -> list[StreamItem]:
        """See :meth:`Hearing.flush`."""
        return in_stream_order([*self._encoder.flush(), *self._encoder.take_changes()])


def make_hearing(weights: CodecWeights, profile: Profile, steps: int | None = None) -> Hearing:
    """Of ``profile``: events with their ends, or followed and amended where it follows.

    Args:
        steps: gradient steps that improve an event before it is told; None takes the profile's.

    Raises:
        StruckError: the weights cannot encode.
    """
    if not profile.follows:
        return FileHearing(make_encoder(weights, profile, steps, amends=True))
    from .follower import Follower  # only those who follow wait for its kernels

    return Follower(weights, profile, steps)
