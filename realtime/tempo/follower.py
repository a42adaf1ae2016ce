"""Follows a MIDI clock: from its messages to beats, through jitter, changes of tempo, loops and losses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from ...codec.events.beat_line import BeatLine
from .clock_fit import CLOCKS_PER_BEAT, ClockFit
from .clock_sieve import ClockSieve
from .leader import ClockState, Leader

SONG_POSITION: Final = 0xF2
CLOCK, START, CONTINUE, STOP = 0xF8, 0xFA, 0xFB, 0xFC
#: Song positions count sixteenths.
_CLOCKS_PER_POSITION: Final = 6

#: A clock is lost after so long without one, and after so many intervals.
_LOST_SECONDS: Final = 0.25
_LOST_INTERVALS: Final = 4.0
#: After a longer loss which clock it is cannot be told from the time that has passed.
_LONGEST_LOSS_SECONDS: Final = 8.0
#: Clocks after which a new clock is followed: a beat.
_CLOCKS_TO_LOCK: Final = 24
#: So many clocks of another master, or that come so unevenly, as a share of their interval, are told.
_OTHERS_CLOCKS: Final = 24
_CLOCKS_TO_TELL: Final = 96
_UNEVEN: Final = 0.2
#: A start or stop that comes so soon after one that was sent, or before that by an error of the clocks, is
#: that one come back, or the answer of somebody who follows.
_ANSWER_SECONDS: Final = (-0.03, 0.1)
#: A first clock of a song this far off begins a new phase: senders may begin their clock anew with it.
_RESTART_SECONDS: Final = 0.005


def _zero() -> float:
    return 0.0


class ClockFollower(Leader):
    """Beats by a MIDI clock. Of several senders the first is followed until its clock is lost or stopped.

    *Start* is a warning: the clock after it is beat 0. *Continue* goes on where the song was stopped, or
    where a song position put it. A song position while the song runs, as Live sends at the end of a loop,
    puts the next clock there; that moves the song by whole sixteenths, whichever of the two came first.
    After *stop* beats go on by the clock, as long as it comes; without it they go on in the last tempo.

    A sender whose starts and stops answer those that are sent out only sends back what it gets, or follows:
    it does not lead, until it starts by itself.

    Args:
        offset_seconds: everything so much later; negative: earlier, such as for a sound card's delay.
        count: counts ``clock_dropouts``, losses; ``clock_jumps``, where clocks were lost or came twice;
            ``clock_ignored``, messages of another sender.
        tell: takes lines for the performer.
    """

    def __init__(
        self,
        offset_seconds: float = 0.0,
        count: Callable[[str, int], None] = lambda name, number: None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._offset_seconds, self._count, self._tell = offset_seconds, count, tell
        self._lock = threading.Lock()  # senders' threads write, others read
        self._sender: object = None
        self._steps: dict[object, Callable[[], float]] = {}
        self._beginnings: dict[object, Callable[[], float]] = {}
        self._told_of_another = False
        self._sent: dict[int, float] = {}  # when start and stop were sent last
        self._answering: set[object] = set()  # senders
        self._forget()

    def _forget(self) -> None:
        self._fit = ClockFit()
        self._step = self._steps.get(self._sender, _zero)
        self._sieve = ClockSieve()
        self._told_of_others = False
        #: By this the times that are kept are earlier than those of ``time.perf_counter()``.
        self._beginning = self._beginnings.get(self._sender, _zero)
        self._origin = 0  # number of the clock that is beat 0
        self._song = 0
        self._next_position: int | None = None  # of the next clock, in clocks
        self._stopped_at = 0  # where a continue goes on, in clocks
        self._running = self._stopped = False  # neither: a clock came, and no word of the song
        self._lost = False  # since the latest clock; told and counted

    def expect(
        self,
        sender: object,
        step_seconds: Callable[[], float],
        beginning: Callable[[], float] | None = None,
    ) -> None:
        """How a sender's messages come.

        Args:
            sender: as of :meth:`receive`.
            step_seconds: they are known to this only, as far as can be said by now.
            beginning: the second from which its time counts. That of a JACK server which loses blocks moves,
                and no clock is lost by that. None: its time is that of ``time.perf_counter()``.
        """
        self._steps[sender] = step_seconds
        if beginning is not None:
            self._beginnings[sender] = beginning

    def note_sent(self, now_seconds: float, message: bytes) -> None:
        """A clock of our own has sent a message; from any thread."""
        if message[0] in (START, STOP):
            with self._lock:
                self._sent[message[0]] = now_seconds

    def receive(self, sender: object, arrival_seconds: float, message: bytes) -> None:
        """Take in a message; from any thread.

        Args:
            sender: whose it is: two must not be mixed.
            arrival_seconds: those of ``time.perf_counter()``.
            message: whole; others than clock, start, continue, stop and song position mean nothing here.
        """
        status = message[0]
        with self._lock:
            if self._answers(sender, arrival_seconds, status):
                self._count("clock_ignored", 1)
                return
            if sender is not self._sender and not self._accept(sender, arrival_seconds):
                return
            if status == CLOCK:
                self._clock(arrival_seconds - self._beginning())
            elif status == START:
                self._next_position, self._running, self._stopped = 0, True, False
            elif status == CONTINUE:
                if not self._running:
                    self._next_position = self._stopped_at
                self._running, self._stopped = True, False
            elif status == STOP:
                if self._running and self._next_position is None:
                    self._stopped_at = self._fit.last_number + 1 - self._origin
                self._running, self._stopped, self._next_position = False, True, None
            elif status == SONG_POSITION:
                position = _CLOCKS_PER_POSITION * (message[1] | message[2] << 7)
                if self._running:
                    self._move(position)
                else:
                    self._stopped_at = position

    def _answers(self, sender: object, arrival_seconds: float, status: int) -> bool:
        """Whether a sender says only what is sent to it."""
        least, most = _ANSWER_SECONDS
        if status in self._sent and least <= arrival_seconds - self._sent[status] <= most:
            if sender not in self._answering:
                self._answering.add(sender)
                self._tell(f"MIDI in {sender} sends back the clock that goes out; it is not followed")
            if sender is self._sender:
                self._sender = None
                self._forget()
        elif status == START:
            self._answering.discard(sender)
        return sender in self._answering

    def _accept(self, sender: object, arrival_seconds: float) -> bool:
        """Whether to follow this sender from now on."""
        if self._sender is not None and not self._is_lost(arrival_seconds - self._beginning()):
            self._count("clock_ignored", 1)
            if not self._told_of_another:
                self._told_of_another = True
                self._tell("two MIDI inputs send a clock; the first is followed")
            return False
        self._sender = sender
        song = self._song + 1
        self._forget()
        self._song = song
        return True

    def _move(self, position: int) -> None:
        """The song, running, goes on elsewhere: by whole sixteenths, or the order of two messages would
        shift it by a clock."""
        if self._next_position is None:
            moved = position - (self._fit.last_number + 1 - self._origin)
            moved = _CLOCKS_PER_POSITION * round(moved / _CLOCKS_PER_POSITION)
            self._origin -= moved
            self._song += moved != 0
        else:
            self._next_position = position

    def _clock(self, arrival_seconds: float) -> None:
        if self._next_position is not None or self._is_lost(arrival_seconds):
            arrivals = [*self._sieve.pass_all(), arrival_seconds]
        else:
            left_out = self._sieve.left_out
            arrivals = self._sieve.sift(self._fit, arrival_seconds)
            if self._sieve.left_out > left_out:
                self._count("clock_ignored", self._sieve.left_out - left_out)
        for seconds in arrivals:
            self._take(seconds)
        self._tell_of_others()

    def _tell_of_others(self) -> None:
        """Tell, once, where two masters send to one input."""
        line = self._fit.line
        if self._told_of_others or line is None or len(self._fit) < _CLOCKS_TO_TELL:
            return
        told = f"two MIDI clocks come in at {self._sender}; "
        if self._sieve.left_out >= _OTHERS_CLOCKS:
            self._told_of_others = True
            self._tell(told + "the first is followed")
        elif line.spread_seconds > max(_UNEVEN * line.interval_seconds, self._fit.step_seconds):
            self._told_of_others = True
            self._tell(told + "neither can be followed")

    def _take(self, arrival_seconds: float) -> None:
        fit = self._fit
        missing = self._missing(arrival_seconds) if self._is_lost(arrival_seconds) else 0
        if self._next_position is not None and fit.line is not None:
            expected = fit.line.seconds_at(fit.line.number + 1)
            if abs(arrival_seconds - expected) > _RESTART_SECONDS:
                fit.restart(arrival_seconds)
        self._lost = False
        fit.step_seconds = self._step()
        number = fit.add(arrival_seconds, missing)
        if fit.recount is not None:
            lost = fit.recount.lost
            self._count("clock_jumps", 1)
            self._tell(f"the MIDI clock jumped: {abs(lost)} clocks {'lost' if lost > 0 else 'too many'}")
            if self._origin < fit.recount.number:
                self._origin -= lost
        if self._next_position is not None:
            self._origin = number - self._next_position
            self._next_position = None
            self._song += 1

    def _missing(self, arrival_seconds: float) -> int:
        """How many clocks went missing in a loss that ends now."""
        self._note_loss()
        fit = self._fit
        line = fit.line
        if line is None:
            return 0
        if self._next_position is None and arrival_seconds - fit.last_seconds <= _LONGEST_LOSS_SECONDS:
            return max(0, round((arrival_seconds - line.seconds) / line.interval_seconds) - 1)
        fit.restart(arrival_seconds)
        self._song += 1
        return 0

    def _is_lost(self, now_seconds: float) -> bool:
        fit = self._fit
        if not len(fit):
            return False
        intervals = 0.0 if fit.line is None else _LOST_INTERVALS * fit.line.interval_seconds
        return now_seconds - fit.last_seconds > max(_LOST_SECONDS, intervals)

    def _note_loss(self) -> None:
        """Count a loss once; a clock that ends with its song is none."""
        if not self._lost and not self._stopped:
            self._count("clock_dropouts", 1)
        self._lost = True

    def state(self, now_seconds: float) -> ClockState:
        """How the clock is followed at a moment; from any thread."""
        with self._lock:
            return self._state(now_seconds - self._beginning())

    def _state(self, now_seconds: float) -> ClockState:
        if not len(self._fit):
            return ClockState.OFF if self._next_position is None else ClockState.WAITING
        if self._is_lost(now_seconds):
            self._note_loss()
            return ClockState.WAITING if self._stopped else ClockState.DROPOUT
        locked = self._fit.line is not None and self._fit.last_number >= _CLOCKS_TO_LOCK
        return ClockState.LOCKED if locked else ClockState.WAITING

    def line(self) -> BeatLine | None:
        """Beats against time as known now; None before the first lock. From any thread."""
        with self._lock:
            found = self._fit.line
            if found is None or found.number < _CLOCKS_TO_LOCK:
                return None
            beat = (found.number - self._origin) / CLOCKS_PER_BEAT
            beat_seconds = CLOCKS_PER_BEAT * found.interval_seconds
            seconds = found.seconds + self._beginning() + self._offset_seconds
            return BeatLine(seconds, beat, beat_seconds, self._song)
