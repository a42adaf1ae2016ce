"""Opens what is to lead the tempo, by its name."""

from __future__ import annotations

from collections.abc import Callable

from .follower import ClockFollower
from .jack_transport import JackTransportLeader, open_transport
from .leader import JACK, LINK, Leader
from .link import LinkLeader, open_session


def open_leader(
    follow: str,
    tempo_bpm: float,
    offset_seconds: float,
    output_latency_seconds: float,
    count: Callable[[str, int], None],
    tell: Callable[[str], None],
) -> Leader:
    """The leader of that name of :data:`~struck.realtime.tempo.leader.LEADERS`.

    Args:
        tempo_bpm: the performance's own.
        offset_seconds: what it says counts as so much later; negative: earlier.
        output_latency_seconds: from the engine to the ears, for one whose beats are those that are heard.
        count, tell: take counters and lines for the performer.

    Raises:
        StruckError: an extra is not installed, or there is no JACK server.
    """
    if follow == LINK:
        return LinkLeader(open_session(tempo_bpm), offset_seconds - output_latency_seconds)
    if follow == JACK:
        read, release = open_transport()
        return JackTransportLeader(read, tempo_bpm, release, offset_seconds, count)
    return ClockFollower(offset_seconds, count, tell)
