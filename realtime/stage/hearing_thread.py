"""The listener: what hears beside the audio thread, from the capture ring to events on stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import gcd
from threading import Event as Flag
from threading import Thread
from typing import Final

import numpy as np

from ...codec.events.amendments import StreamItem
from ...codec.events.event_spec import ANALYSIS_RATE
from ...codec.events.events import Event
from ...codec.hearing.following.follower import Follower
from ...codec.hearing.resampler import StreamingResampler
from ..devices.realtime_priority import ServingThread
from ..engine.rings import READ, count_readable, read_frames
from ..engine.state import EngineState
from .heard_events import HeardEvents

#: Sound is taken from the ring at most this much at a time, and at most this share of a hop.
_PIECE_SECONDS: Final = 0.02
_PIECE_SHARE: Final = 0.25
#: Between two looks into an empty ring, at most, and of a hop: waiting is time that hearing does not have.
_PAUSE_SECONDS: Final = 0.005
_PAUSE_SHARE: Final = 0.08
#: After a fault the thread waits so long, so that one which lasts does not fill the screen and the take.
_AFTER_FAULT_SECONDS: Final = 0.5
#: Who is so much later than allowed searches for nothing new: it would be heard too late to be of use.
_USELESS_SECONDS: Final = 0.25
#: Who is this far behind lets go what waits, and is in time again.
_BACKLOG_SECONDS: Final = 1.0


class Listener:
    """Hears the engine's input and tells what it hears, to sound ``latency_seconds`` after it happened.

    What it hears does not depend on when it is called. It may be late; then so are its events, and the
    decoder counts them.

    Args:
        hearing: of the profile that is played.
        state: the engine's.
        rate: device rate in Hz.
        latency_seconds: from an onset in the input to its event in the output: the ledger's engine part.
        compute_seconds: of it, what is left when the last sample that an event needs has come, and the age
            of that sample, a block; on a thread of its own hearing takes no more.
        heard: takes events, amendments and ends with the stream times at which they are to sound.
        count: takes the name of a counter and a number.
        on_fault: told, on the thread, of an exception after which hearing goes on.
    """

    def __init__(
        self,
        hearing: Follower,
        state: EngineState,
        rate: int,
        latency_seconds: float,
        compute_seconds: float,
        heard: HeardEvents,
        count: Callable[[str, int], None],
        on_fault: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self.rate = rate
        self.latency_seconds = latency_seconds
        self._hearing = hearing
        self._ring = state.capture
        self._compute_seconds, self._heard = compute_seconds, heard
        self._count, self._on_fault = count, on_fault
        self._began_seconds = 0.0  # stream time of the first sample that is heard
        self._skipping = 0  # frames until then
        self._resampler = StreamingResampler(rate)
        hop_seconds = hearing.profile.hop_samples / ANALYSIS_RATE
        self._pause_seconds = min(_PAUSE_SECONDS, _PAUSE_SHARE * hop_seconds)
        piece_seconds = min(_PIECE_SECONDS, _PIECE_SHARE * hop_seconds)
        self._piece = np.zeros((max(1, round(piece_seconds * rate)), 1), np.float32)
        #: The fault after which nothing has been heard yet; None while all is well.
        self.failing: Exception | None = None
        self._stop = Flag()
        self._thread: Thread | None = None
        #: Processor time that hearing has taken, and the longest that one piece took.
        self.busy_seconds = 0.0
        self.longest_seconds = 0.0
        self._let_go = (0, 0)  # refits and searches, up to the last look

    def warm_up(self) -> None:
        """Run everything once, so that nothing is compiled or paged in while music plays."""
        noise = np.random.default_rng(0).standard_normal(ANALYSIS_RATE).astype(np.float32)
        self._hearing.process(0.1 * noise)
        self._hearing.flush()
        self._hearing.reset()

    def pump(self) -> int:
        """Hear all that waits in the ring; how many frames that was."""
        heard = 0
        if self._heard.was_silenced():
            self._heard.end_all()
            self._hearing.lose()
        backlog = count_readable(self._ring) - _BACKLOG_SECONDS * self.rate
        while count := read_frames(self._ring, self._piece[: self._skipping or None]):
            if self._skipping:
                self._skipping -= count
                continue
            piece = self._piece[:count, 0]
            if backlog > 0.0:
                # Silence costs next to nothing, and time stays what it is.
                piece = np.zeros_like(piece)
                self._count("unheard_samples", count)
                backlog -= count
            if self._thread is not None:
                self._keep_time((count + count_readable(self._ring)) / self.rate)
            began, busy = time.perf_counter(), time.thread_time()
            self._tell(self._hearing.process(self._resampler.process(piece)))
            self.longest_seconds = max(self.longest_seconds, time.perf_counter() - began)
            self.busy_seconds += time.thread_time() - busy
            if self._thread is not None:
                self._count_let_go()
            heard += count
        return heard

    def _keep_time(self, behind_seconds: float) -> None:
        """Before a piece whose first sample is so old, and may have waited for a look into the ring."""
        pace = self._hearing.pace
        pace.due_seconds = pace.clock() + self._compute_seconds - behind_seconds - self._pause_seconds
        self._hearing.searches = behind_seconds <= self._compute_seconds + _USELESS_SECONDS

    def _count_let_go(self) -> None:
        refits, searches = self._let_go
        self._let_go = self._hearing.let_go_refits, self._hearing.let_go_searches
        if self._let_go[0] > refits:
            self._count("refits_let_go", self._let_go[0] - refits)
        if self._let_go[1] > searches:
            self._count("searches_let_go", self._let_go[1] - searches)

    def finish(self) -> None:
        """Hear what is left, to the last sample, as if silence followed."""
        self._hearing.tell_first = None  # of many hops at once, all is told in their order
        self.pump()
        self._tell(self._hearing.process(self._resampler.flush()))
        self._tell(self._hearing.flush())

    def start(self) -> None:
        """Listen in a thread of its own."""
        self._hearing.tell_first = self._tell  # no piece has more than a hop
        self._thread = Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> bool:
        """End the thread; whether it has ended in time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        thread = ServingThread()
        while not self._stop.is_set():
            try:
                if self.pump():
                    self.failing = None
                else:
                    thread.follow()
                    time.sleep(self._pause_seconds)
            except Exception as error:  # a fault of ours costs what was being heard, not the performance
                self.failing = error
                self._count("hearing_faults", 1)
                self._on_fault(error)
                self._begin_anew()
                self._stop.wait(_AFTER_FAULT_SECONDS)
        thread.close()

    def _begin_anew(self) -> None:
        """End what was heard and forget it; hear on as if the stream began at the next sample that the
        device's rate and the analysis rate share: so onsets stay exact."""
        self._heard.end_all()
        self._hearing.reset()
        self._resampler.reset()
        grid = self.rate // gcd(self.rate, ANALYSIS_RATE)
        position = int(self._ring.index[READ])
        self._skipping = -position % grid
        self._began_seconds = (position + self._skipping) / self.rate

    def _tell(self, items: Sequence[StreamItem]) -> None:
        seconds = self._began_seconds + self.latency_seconds
        self._heard.tell([_later(item, seconds) for item in items])


def _later(item: StreamItem, seconds: float) -> StreamItem:
    if isinstance(item, Event):
        return replace(item, onset_seconds=item.onset_seconds + seconds)
    return replace(item, at_seconds=item.at_seconds + seconds)
