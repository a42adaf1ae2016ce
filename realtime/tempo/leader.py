"""What leads the tempo of a performance: a MIDI clock, Ableton Link, JACK's transport."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Final

from ...codec.events.beat_line import BeatLine

#: What ``--follow`` may name.
MIDI, LINK, JACK = "midi", "link", "jack"
LEADERS: Final = (MIDI, LINK, JACK)


class ClockState(Enum):
    """How a clock is followed."""

    OFF = "off"  # none has come
    WAITING = "waiting"  # for enough clocks, for peers, or since the song was stopped
    LOCKED = "locked"
    DROPOUT = "dropout"  # lost; its tempo goes on


class Leader(ABC):
    """Beats that others count. All methods may be called from any thread.

    Attributes:
        name: on the screen.
        beats_per_bar: of the patch, for those that count in bars.
    """

    name: str = "clock"
    beats_per_bar: int = 4

    @abstractmethod
    def state(self, now_seconds: float) -> ClockState:
        """How it is followed at a moment of ``time.perf_counter()``."""

    @abstractmethod
    def line(self) -> BeatLine | None:
        """Beats against time as known now; None while there are none."""

    def propose(self, tempo_bpm: float) -> None:  # noqa: B027 (most do not ask)
        """Take the performance's own tempo, where nobody else has a say."""

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Let go of what is held."""

    def stats(self, now_seconds: float) -> dict[str, int | float]:
        """Figures by name, for OSC: the state by its number, in the order of :class:`ClockState`."""
        line = self.line()
        found: dict[str, int | float] = {"clock_state": list(ClockState).index(self.state(now_seconds))}
        return found if line is None else {**found, "clock_bpm": line.tempo_bpm}

    def describe(self, now_seconds: float) -> str:
        """In a few words, for the screen; empty before a clock comes."""
        state = self.state(now_seconds)
        line = self.line()
        if state is ClockState.OFF:
            return ""
        return f"{self.name} {state.value}" + ("" if line is None else f" {line.tempo_bpm:.1f} bpm")


class Songs:
    """Counts songs of beats that are read off now and then: where beats jump, another one has begun."""

    def __init__(self) -> None:
        self._before: BeatLine | None = None

    def line(self, seconds: float, beat: float, beat_seconds: float) -> BeatLine:
        """A line through what was read at ``seconds``."""
        before = self._before
        song = 0
        if before is not None:
            # Where the tempo has changed in between, beats lie between those by the two tempos.
            passed = seconds - before.seconds
            steps = (passed / before.beat_seconds, passed / beat_seconds)
            step = beat - before.beat
            song = before.song + (not min(steps) - _JUMP_BEATS < step < max(steps) + _JUMP_BEATS)
        self._before = BeatLine(seconds, beat, beat_seconds, song)
        return self._before


#: Beats that are off by so much have jumped.
_JUMP_BEATS: Final = 0.1
