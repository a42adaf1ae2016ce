"""JACK's transport: where a DAW's song is, and its tempo. An extra: ``pip install JACK-Client``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any, Final

from ...codec.events.beat_line import BeatLine
from ...codec.events.errors import StruckError
from .leader import JACK, ClockState, Leader, Songs

#: A position is that of the block that plays; an older one is of a clock that is none of ours.
_OLDEST_SECONDS: Final = 0.2

#: What JACK may count microseconds by.
_CLOCKS: Final[list[Callable[[], float]]] = [time.perf_counter]
if hasattr(time, "CLOCK_MONOTONIC_RAW"):
    _CLOCKS.append(partial(time.clock_gettime, time.CLOCK_MONOTONIC_RAW))
#: Blocks begin late by chance but never early, so the earliest of this long a time tells the truth.
_MEMORY_SECONDS: Final = 0.5
#: State, and fields that are valid.
Position = tuple[str, dict[str, Any]]


def open_transport() -> tuple[Callable[[], Position | None], Callable[[], None]]:
    """What reads the transport of the JACK server, None once that is gone; and what closes it.

    Raises:
        StruckError: the extra is not installed, or there is no server.
    """
    try:
        import jack
    except (ImportError, OSError) as error:
        raise StruckError(f"JACK's transport needs JACK-Client (pip install JACK-Client): {error}") from None
    try:
        client = jack.Client("struck transport", no_start_server=True)
    except jack.JackError as error:
        raise StruckError(f"--follow jack: there is no JACK server: {error}") from None
    gone: list[str] = []
    client.set_shutdown_callback(lambda status, reason: gone.append(reason))
    client.activate()

    def read() -> Position | None:
        if gone:
            return None
        state, position = client.transport_query()
        names = {jack.ROLLING: "rolling", jack.STOPPED: "stopped"}
        return names.get(state, "starting"), position

    return read, client.close


class JackTransportLeader(Leader):
    """Beats by the transport while it rolls, in its last tempo while it does not.

    Bars, beats and tempo come from the timebase master, usually a DAW. Where there is none beat 0 is the
    transport's beginning, in the performance's own tempo.

    Args:
        read: as of :func:`open_transport`; ``release`` lets go of that.
        tempo_bpm: the performance's own.
        offset_seconds: everything so much later; negative: earlier.
        count: counts ``clock_dropouts``, servers that went away.
        now: seconds that only grow; ``clocks``, which JACK may count microseconds by, each in seconds.
    """

    name = JACK

    def __init__(
        self,
        read: Callable[[], Position | None],
        tempo_bpm: float,
        release: Callable[[], None] = lambda: None,
        offset_seconds: float = 0.0,
        count: Callable[[str, int], None] = lambda name, number: None,
        now: Callable[[], float] = time.perf_counter,
        clocks: Sequence[Callable[[], float]] = _CLOCKS,
    ) -> None:
        self._clocks = clocks
        self._read, self._release = read, release
        self._tempo_bpm, self._offset_seconds = tempo_bpm, offset_seconds
        self._count, self._now = count, now
        self._lock = Lock()
        self._songs = Songs()
        self._line: BeatLine | None = None
        #: Of the latest positions, when each was, and when beat 0 was by it.
        self._origins: deque[tuple[float, float]] = deque()
        self._state = ClockState.OFF

    def state(self, now_seconds: float) -> ClockState:
        """Locked while the transport rolls."""
        with self._lock:
            self._look()
            return self._state

    def line(self) -> BeatLine | None:
        """None before the transport has rolled."""
        with self._lock:
            self._look()
            return self._line

    def propose(self, tempo_bpm: float) -> None:
        """The tempo from now on, where there is no timebase master."""
        with self._lock:
            self._tempo_bpm = tempo_bpm

    def close(self) -> None:
        """Leave the server."""
        self._release()

    def _look(self) -> None:
        told = self._read()
        if told is None:
            if self._state is not ClockState.DROPOUT:
                self._count("clock_dropouts", 1)
            self._state = ClockState.DROPOUT
            return
        word, position = told
        if word != "rolling":
            self._state = ClockState.WAITING
            return
        self._state = ClockState.LOCKED
        seconds = self._now() - self._age_seconds(position["usecs"] / 1e6)
        beat, tempo_bpm = self._beat_of(position)
        before, beat_seconds = self._line, 60.0 / tempo_bpm
        found = self._songs.line(seconds + self._offset_seconds, beat, beat_seconds)
        if before is None or (before.song, before.beat_seconds) != (found.song, beat_seconds):
            self._origins.clear()
        self._origins.append((seconds, found.seconds_at(0.0)))
        while self._origins[0][0] < seconds - _MEMORY_SECONDS:
            self._origins.popleft()
        origin = min(origin for _, origin in self._origins)
        self._line = replace(found, seconds=origin + beat * beat_seconds)

    def _age_seconds(self, at_seconds: float) -> float:
        """How long ago JACK's moment is, by the clock that was there last; 0 where none can be meant.

        JACK counts by the system's steady clock, on Linux by the one that no time server corrects. The two
        may be seconds apart.
        """
        ages = [clock() - at_seconds for clock in self._clocks]
        return min((age for age in ages if 0.0 <= age <= _OLDEST_SECONDS), default=0.0)

    def _beat_of(self, position: dict[str, Any]) -> tuple[float, float]:
        """The beat at the position's frame, and the tempo."""
        rate = position["frame_rate"]
        tempo_bpm = position.get("beats_per_minute", 0.0)
        if not tempo_bpm > 0.0 or not position["ticks_per_beat"] > 0.0:
            return position["frame"] / rate * self._tempo_bpm / 60.0, self._tempo_bpm
        bars = (position["bar"] - 1) * position["beats_per_bar"]
        beat = bars + position["beat"] - 1 + position["tick"] / position["ticks_per_beat"]
        # The frame may lie so much after the tick.
        return beat + position.get("bbt_offset", 0) / rate * tempo_bpm / 60.0, tempo_bpm
