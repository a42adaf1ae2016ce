"""Ableton Link: programs on a network that share beats and tempo. Needs the extra LinkPython-extern."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from ...codec.events.beat_line import BeatLine
from ...codec.events.errors import StruckError
from .leader import LINK, ClockState, Leader, Songs


def open_session(tempo_bpm: float) -> Any:
    """A session of Link's with peers on this network; alone it has this tempo.

    Raises:
        StruckError: the extra is not installed.
    """
    try:
        from link import Link
    except ImportError as error:
        raise StruckError(
            f"Ableton Link needs LinkPython-extern (pip install LinkPython-extern): {error}"
        ) from None
    session = Link(tempo_bpm)
    session.enabled = True
    return session


class LinkLeader(Leader):
    """Beats of a session, read whenever somebody asks.

    The session's beats lead also while it has no peers: who comes later joins what sounds. Its tempo is then
    the performance's own, with peers it is theirs: what a patch says does not change the band's.

    Args:
        session: as of :func:`open_session`.
        offset_seconds: everything so much later; negative: earlier. Link's beats are those that are heard, so
            the device's delay is to be taken away here.
        now: seconds that only grow.
    """

    name = LINK

    def __init__(
        self, session: Any, offset_seconds: float = 0.0, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._session, self._offset_seconds, self._now = session, offset_seconds, now
        self._clock = session.clock()
        self._lock = Lock()
        self._songs = Songs()

    @property
    def peer_count(self) -> int:
        """Others in the session."""
        return int(self._session.numPeers())

    def state(self, now_seconds: float) -> ClockState:
        """Locked with peers, waiting without."""
        return ClockState.LOCKED if self.peer_count else ClockState.WAITING

    def line(self) -> BeatLine:
        """The session's beats; those of a bar of ``beats_per_bar`` have the same places for all peers."""
        with self._lock:
            # Its clock is another one than ours, and runs at another rate by some parts in a million.
            before = self._now()
            micros = self._clock.micros()
            seconds = 0.5 * (before + self._now())
            state = self._session.captureAppSessionState()
            beat = state.beatAtTime(micros, float(self.beats_per_bar))
            return self._songs.line(seconds + self._offset_seconds, beat, 60.0 / state.tempo())

    def propose(self, tempo_bpm: float) -> None:
        """Without peers, the tempo from now on."""
        if not self.peer_count:
            state = self._session.captureAppSessionState()
            state.setTempo(tempo_bpm, self._clock.micros())
            self._session.commitAppSessionState(state)

    def close(self) -> None:
        """Leave the session."""
        self._session.enabled = False
