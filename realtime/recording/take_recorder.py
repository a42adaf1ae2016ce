"""Records a performance into a take: events and what becomes of them, MIDI, OSC, patches, marks.

Whoever plays hands things over and goes on at once::

    event(), change(), midi(), osc(), patch(), mark()  ->  queue (bounded)  ->  heap, by time  ->  take

Events come when the engine has told that they sound, and where: what it dropped is not in the take, nor are
its amendments. Those and messages come with the time at which they take effect, a little ahead. The heap puts
both in order.
"""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from ...codec.events.amendments import Amendment, End, stream_key
from ...codec.events.errors import StruckError
from ...codec.events.events import Event
from ...codec.takes.takes import TakeHeader, TakeWriter
from .thread import RecordingThread

#: How often the worker looks into its queue; an event is written this long after it sounded, so that others
#: which were told of out of order find their place.
_POLL_SECONDS: Final = 0.05
_SETTLE_SECONDS: Final = 0.05
#: With both of the above, less than a second is lost if the process dies.
_FLUSH_SECONDS: Final = 0.8
_MAX_SECONDS: Final = 1e9


class Sounding(Protocol):
    """An event on stage: when it sounds is its onset."""

    @property
    def event(self) -> Event: ...


class Outcome(Protocol):
    """What the engine tells of an event."""

    @property
    def what(self) -> str: ...
    @property
    def sounding(self) -> Sounding | None: ...


class _Entry(NamedTuple):
    """Something to be written, ordered by time, then events before what becomes of them, then by arrival."""

    seconds: float
    rank: int
    number: int
    channel: str
    value: Any


class TakeRecorder(RecordingThread):
    """Owns a live take and the thread that writes it. All methods may be called from any thread.

    Nothing here waits for the disk but the constructor and :meth:`close`. If the disk is too slow, what does
    not fit into the queue is dropped and counted (``record_dropped``), and the take gets a mark ``dropout``
    with the number and the time at which it began. If it refuses, recording stops (``record_failed``) and
    the part stays, readable; both are told in one line.

    Args:
        path: of the take, ``.mcap``.
        header: of the take.
        tell: takes one line for the performer; must not block.
        count: adds to a counter, by name.
        position_seconds: stream time now.
        attend: has all outcomes told that the engine knows by now.
        queue_limit: number of things that wait for the disk, or for their time to sound.
        writer: makes the writer of a live take.

    Raises:
        StruckError: the file cannot be written, or an unfinished take of this name exists.
    """

    def __init__(
        self,
        path: str | Path,
        header: TakeHeader,
        tell: Callable[[str], None],
        count: Callable[[str, int], None],
        position_seconds: Callable[[], float],
        attend: Callable[[], None] = lambda: None,
        *,
        queue_limit: int = 16_384,
        writer: Callable[..., TakeWriter] = TakeWriter,
    ) -> None:
        super().__init__(path, "the take", "record_failed", tell, count)
        self._position_seconds, self._attend = position_seconds, attend
        self._queue_limit = queue_limit
        #: Events in the take so far; events and messages that did not get into it.
        self.event_count = self.dropped_count = 0
        # _lock is held for a few operations on the queue, never while writing
        self._queue: list[_Entry] = []
        self._number = 0
        self._dropout: tuple[float, int] | None = None
        self._heap: list[_Entry] = []
        self._late: dict[int, float] = {}  # onsets of events that began late, by id
        self._writer = writer(path, header, live=True)
        self._flushed_at = time.monotonic()
        self._end_seconds: float | None = None
        self._begin("take recorder", self._work)

    def outcome(self, outcome: Outcome) -> None:
        """Record an event that sounds; a ``Witness`` of the stage."""
        if outcome.what in ("sounded", "late") and outcome.sounding is not None:
            event = outcome.sounding.event
            if outcome.what == "late" and event.id is not None:
                self._late[event.id] = event.onset_seconds
            self.event(outcome.sounding)

    def change(self, change: Amendment | End) -> None:
        """Record what becomes of an event; where that does not sound, it is left out."""
        self._put(change.at_seconds, "/events", change)

    def event(self, sounding: Sounding) -> None:
        """Record an event."""
        self._put(sounding.event.onset_seconds, "/events", sounding.event)

    def midi(self, at_seconds: float, message: bytes) -> None:
        """Record a MIDI message that came at stream time ``at_seconds``."""
        self._put(at_seconds, "/midi", bytes(message))

    def osc(self, at_seconds: float, packet: bytes) -> None:
        """Record an OSC packet that came at stream time ``at_seconds``."""
        self._put(at_seconds, "/osc", bytes(packet))

    def patch(self, at_seconds: float, name: str, **details: Any) -> None:
        """Record the change to the patch ``name``; ``details`` are JSON values.

        Raises:
            ValueError, TypeError: a detail is no JSON value.
        """
        self._put(at_seconds, "/patch", _json_copy({**details, "patch": name}))

    def mark(self, at_seconds: float, kind: str, **details: Any) -> None:
        """Record a mark of this kind, such as ``dropout``; ``details`` are JSON values.

        Raises:
            ValueError, TypeError: a detail is no JSON value.
        """
        self._put(at_seconds, "/marks", _json_copy({**details, "kind": kind}))

    def close(self, duration_seconds: float | None = None, timeout_seconds: float = 5.0) -> bool:
        """Write all that has sounded, complete the take and give it its name.

        Args:
            duration_seconds: of the stream, by default its position; events due later are left out.
            timeout_seconds: longest wait for a disk that does not answer.

        Returns:
            Whether the take is whole; if not, its part stays and it has been told. Calling again is harmless.
        """
        if not self._stop.is_set():
            self._end_seconds = self._position_seconds() if duration_seconds is None else duration_seconds
            self._attend()  # from now on nothing more is taken
        return self._end(timeout_seconds)

    def _put(self, seconds: float, channel: str, value: Any) -> None:
        if not (math.isfinite(seconds) and seconds < _MAX_SECONDS):
            raise ValueError(f"the time is {seconds} s; it must be finite and below {_MAX_SECONDS:g}")
        seconds = max(0.0, float(seconds))  # what came just before the stream began
        with self._lock:
            if self.failed or self._stop.is_set():
                return
            waiting = len(self._queue) + len(self._heap)
            dropped = waiting >= self._queue_limit
            if dropped:
                first, number = self._dropout or (seconds, 0)
                self._dropout = min(first, seconds), number + 1
                told = self.dropped_count > 0
                self.dropped_count += 1
            else:
                self._number += 1
                rank = stream_key(value)[1] if channel == "/events" else 0
                self._queue.append(_Entry(seconds, rank, self._number, channel, value))
        if dropped:
            self._count("record_dropped", 1)
            if not told:
                self._tell(f"{self.path}: the disk is too slow; the take has gaps")

    # The worker's thread from here on.

    def _work(self) -> None:
        try:
            while not self._stop.wait(_POLL_SECONDS):
                until = self._position_seconds() - _SETTLE_SECONDS
                self._attend()  # what began before is in the queue then
                self._write_until(until)
                self.cpu_seconds = time.thread_time()
            if not self._discarded:
                self._finish()
        except StruckError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._release()

    def _write_until(self, seconds: float) -> None:
        """Write what is due before ``seconds``, in order, and flush in time."""
        with self._lock:
            taken, self._queue = self._queue, []
            dropout, self._dropout = self._dropout, None
        for entry in taken:
            heapq.heappush(self._heap, entry)
        if dropout is not None:
            first_seconds, number = dropout
            mark = {"kind": "dropout", "what": "record", "count": number}
            heapq.heappush(self._heap, _Entry(first_seconds, 0, 0, "/marks", mark))
        while self._heap and self._heap[0].seconds <= seconds:
            entry = heapq.heappop(self._heap)
            if (moved := self._after_onset(entry)) is entry:
                self._write(entry)
            else:
                heapq.heappush(self._heap, moved)
        if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
            self._writer.flush()
            self._flushed_at = time.monotonic()

    def _after_onset(self, entry: _Entry) -> _Entry:
        """``entry``; an amendment or end that came before the onset of an event which was late, at that."""
        change = entry.value
        if not isinstance(change, Amendment | End):
            return entry
        onset_seconds = self._late.get(change.id, 0.0)
        if isinstance(change, End):
            self._late.pop(change.id, None)
        if entry.seconds >= onset_seconds:
            return entry
        return entry._replace(seconds=onset_seconds, value=replace(change, at_seconds=onset_seconds))

    def _write(self, entry: _Entry) -> None:
        if entry.channel == "/events":
            self._writer.write(entry.value)
            self.event_count += isinstance(entry.value, Event)
        else:
            self._writer.write_message(entry.channel, entry.seconds, entry.value)

    def _finish(self) -> None:
        assert self._end_seconds is not None
        end_seconds = max(0.0, self._end_seconds)
        self._write_until(end_seconds)
        # Messages that are left have come, only their time lies ahead; events after the end are left out.
        for entry in sorted(self._heap):
            if entry.channel != "/events":
                self._write(entry._replace(seconds=end_seconds))
        self._writer.close(end_seconds)
        self.whole = True

    def _fail(self, reason: str) -> None:
        super()._fail(reason)
        with self._lock:  # nothing is queued any more, since it has failed
            self._queue = []

    def _release(self) -> None:
        """Give the file up; where it was not completed it stays as it is."""
        self._heap = []
        if not self.whole:
            try:
                self._writer.abort()
            except StruckError as error:
                self._fail(str(error))


def _json_copy(values: dict[str, Any]) -> dict[str, Any]:
    """A copy that the caller cannot change any more."""
    copy: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
    return copy
