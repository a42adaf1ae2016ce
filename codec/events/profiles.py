"""Profiles: how far the encoder looks ahead, how often it decides, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .event_spec import FRAME_SAMPLES


@dataclass(frozen=True)
class Profile:
    """Encoder settings, in samples at the analysis rate.

    ::

        |<------------- window ------------>|
        |    onsets may    |   lookahead:   |
        |  | start here    |   masked       |
           |<---- hop ---->|

    Only the last hop of the first half is still open: what lies before it was decided earlier.
    """

    name: str
    window_samples: int
    hop_samples: int
    n_fft: int
    #: A proposal must take this share of the window's energy, in dB under it, or the loop ends.
    stop_gain_db: float
    #: Ceiling on the event rate: bounds the work and the bits whatever comes in.
    events_per_second: float
    #: Proposals encoded at once.
    proposals: int
    #: Gradient steps through the decoder that improve each hop's events before they are told; where events
    #: are not followed, in each round of picking.
    refine_steps: int
    #: Whether events are followed while they sound, and amended as more is heard of them.
    follows: bool = False

    @property
    def lookahead_samples(self) -> int:
        """The masked second half of the window."""
        return self.window_samples // 2

    @property
    def wait_samples(self) -> int:
        """From an onset to the centre of the last frame of its hop, at most: the hop, less half a frame by
        which onsets may lie before the hop's first."""
        return self.hop_samples - FRAME_SAMPLES // 2

    @property
    def latency_samples(self) -> int:
        """From an onset to the moment at which its event is known, at the latest."""
        return self.wait_samples + self.lookahead_samples


PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile("studio", 131_072, 65_536, 2048, 44.0, 10.6, 24, 6),
        Profile("live", 8_192, 1_024, 2048, 20.0, 10.6, 4, 16, True),
        Profile("tight", 1_536, 256, 1024, 18.0, 16.0, 3, 12, True),
        Profile("instant", 512, 256, 512, 16.0, 16.0, 3, 20, True),
    )
}
