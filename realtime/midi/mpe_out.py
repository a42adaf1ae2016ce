"""Sounding events as MPE notes on a live MIDI port, with what becomes of them, each when it sounds."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from typing import Final, Protocol

import mido

from ...codec.events.amendments import End
from ...codec.events.events import Event
from ...codec.events.lives import sounding_seconds
from ...codec.takes.mpe import MASTER_CHANNEL, MEMBER_CHANNELS, MpeNotes, zone_messages
from ..stage.soundings import Sounding, SoundingAmendment, SoundingEnd, SoundingEvent
from .notes import ALL_SOUND_OFF
from .sysex import encode_vector

QUEUE_EVENTS: Final = 1_024
#: A note that late is a wrong note: a port was away, or the machine stood still.
_LATE_SECONDS: Final = 0.5
#: The port may have come back: its receiver must hear of the zone before the next note.
_IDLE_SECONDS: Final = 0.5


class Output(Protocol):
    """Of :class:`struck.realtime.midi.ports.MidiOutput` what sending needs."""

    @property
    def connections(self) -> int: ...
    def send(self, data: bytes) -> bool: ...


class SendClock(Protocol):
    """Of :class:`StreamClock` what sending needs."""

    rate: int

    def monotonic_at(self, at_sample: int) -> float: ...


class MpeSender:
    """A sink that plays events on another instrument, from a thread of its own.

    A note ends where its event does: with its note-off, or when it has faded. What amendments change of
    pitch, level and brightness goes out as the cable allows, see :class:`~struck.codec.takes.mpe.MpeNotes`.

    Notes leave when the engine hands their sound to the device: the receiver's delay takes the place of the
    device's. All notes end on :meth:`panic` and :meth:`close`.

    Args:
        output: where to.
        clock: of the stream.
        count: counts ``midi_out_sent`` notes and ``midi_out_dropped`` ones: the queue was full, the port
            away, or the note half a second late.
        sysex: send the whole vector before each note too.
        now: seconds that only grow, as ``clock.monotonic_at`` has them.
        on_sent: called with ``now()`` and each message, just before it is sent.
    """

    def __init__(
        self,
        output: Output,
        clock: SendClock,
        count: Callable[[str, int], None],
        *,
        sysex: bool = False,
        now: Callable[[], float] = time.perf_counter,
        on_sent: Callable[[float, bytes], None] = lambda now, message: None,
    ) -> None:
        self._output, self._clock, self._count = output, clock, count
        self._on_sent = on_sent
        self._sysex = sysex
        self._now = now
        self._notes = MpeNotes()
        self._connections = 0
        self._queue: list[tuple[int, int, Sounding]] = []  # heap by sample, then arrival
        self._number = 0
        self._condition = threading.Condition()
        self._panicking = self._closing = False
        self._thread = threading.Thread(target=self._run, name="midi output", daemon=True)
        self._thread.start()

    def __call__(self, sounding: Sounding) -> None:
        """Queue an event, an amendment or an end; drop it if the queue is full.

        What ends before it begins is left out: nobody is to hear it.
        """
        with self._condition:
            if self._closing or (isinstance(sounding, SoundingEnd) and self._take_back(sounding)):
                return
            full = len(self._queue) >= QUEUE_EVENTS
            if not full:
                self._number += 1
                heapq.heappush(self._queue, (sounding.at_sample, self._number, sounding))
                self._condition.notify()
        if full:
            self._count("midi_out_dropped", 1)

    def _take_back(self, end: SoundingEnd) -> bool:
        """Forget a waiting event that would end when it begins; whether there is one. With the lock."""
        waits = any(
            not isinstance(other, SoundingAmendment | SoundingEnd)
            and other.id == end.id
            and at_sample >= end.at_sample
            for at_sample, _, other in self._queue
        )
        if waits:
            self._queue = [entry for entry in self._queue if entry[2].id != end.id]
            heapq.heapify(self._queue)
        return waits

    def panic(self) -> None:
        """End all notes now and forget those to come."""
        with self._condition:
            self._queue.clear()
            self._panicking = True
            self._condition.notify()

    def close(self) -> None:
        """End all notes and the thread; the output stays open."""
        with self._condition:
            self._closing = True
            self._queue.clear()
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                if not (self._closing or self._panicking):
                    self._condition.wait(self._wait_seconds())
                closing, panicking, self._panicking = self._closing, self._panicking, False
            if closing or panicking:
                self._end_all()
            if closing:
                return
            self.send_due()

    def _wait_seconds(self) -> float:
        """Until something must be sent; with the lock. Times are asked for anew: the clock learns."""
        due = self._now() + _IDLE_SECONDS
        if self._queue:
            due = min(due, self._clock.monotonic_at(self._queue[0][0]))
        if self._notes.next_due is not None:
            due = min(due, self._notes.next_due)
        return max(0.0, due - self._now())

    def send_due(self) -> None:
        """Send what is due now, the zone first if the port is new. The thread's work; tests call it too."""
        if self._output.connections != self._connections:
            self._connections = self._output.connections
            self._notes = MpeNotes()  # what sounded ended with the old connection
            self._send(zone_messages())
        now = self._now()
        self._send(message for _, message in self._notes.until(now))
        while (sounding := self._take_due(now)) is not None:
            if isinstance(sounding, SoundingAmendment):
                end = now + self._left_seconds(sounding.event, sounding.at_sample)
                amendment = replace(sounding.amendment, at_seconds=now)
                self._send(m for _, m in self._notes.amend(sounding.event, amendment, end))
            elif isinstance(sounding, SoundingEnd):
                self._send(message for _, message in self._notes.end(End(sounding.id, now)))
            else:
                late = now - self._clock.monotonic_at(sounding.at_sample) > _LATE_SECONDS
                sent = not late and self._start(sounding, now)
                self._count("midi_out_sent" if sent else "midi_out_dropped", 1)

    def _take_due(self, now: float) -> Sounding | None:
        with self._condition:
            if self._queue and self._clock.monotonic_at(self._queue[0][0]) <= now:
                return heapq.heappop(self._queue)[2]
        return None

    def _left_seconds(self, event: Event, at_sample: int) -> float:
        """How long after device sample ``at_sample`` the event sounds on."""
        faded = event.onset_seconds + sounding_seconds(event)
        return max(0.0, faded - at_sample / self._clock.rate)

    def _start(self, sounding: SoundingEvent, now: float) -> bool:
        event = sounding.event
        messages = [message for _, message in self._notes.start(event, now, now + sounding_seconds(event))]
        data = [message.bytes() for message in messages]
        if self._sysex:
            note_on = messages[-1]
            data.insert(-1, encode_vector(event, sounding.id, note_on.channel, note_on.note))
        return all(self._send_bytes(bytes(message)) for message in data)

    def _end_all(self) -> None:
        self._send(message for _, message in self._notes.until(inf))
        for channel in (MASTER_CHANNEL, *MEMBER_CHANNELS):
            self._send([mido.Message("control_change", channel=channel, control=ALL_SOUND_OFF)])

    def _send(self, messages: Iterable[mido.Message]) -> None:
        for message in messages:
            self._send_bytes(bytes(message.bytes()))

    def _send_bytes(self, message: bytes) -> bool:
        self._on_sent(self._now(), message)
        return self._output.send(message)
