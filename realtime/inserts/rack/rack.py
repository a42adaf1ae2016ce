"""A rack: the inserts of one patch, in a process that is looked after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

from ....codec.events.errors import StruckError
from ....patches.insert_patch import PLACES
from ...devices.realtime_priority import realtime_priority
from ...engine.exchange import HISTORY_FRAMES, RackState
from ...engine.shared_memory import DONE, HOST_WAITS, PANIC, RELEASE
from ...engine.waking import Waiter
from ..instruments.note_rows import Send
from .commands import CommandSender
from .controls import InsertControls
from .delay import choose_block_frames, rack_delay_frames
from .loading import LOAD_SECONDS, Loading
from .pace import Pace
from .plan import RackPlan
from .process import RackProcess, describe_end
from .pulse import Pulse
from .slot import RackSlot
from .spares import Spares
from .wire import DAMAGED, FAILED, READY, STATE, TOLD, RackJob

#: A state may take so long to be saved.
_SAVE_SECONDS: Final = 5.0
#: From file to file frames wait for so long, and none is done: it hangs.
_PATIENT_HANG_SECONDS: Final = 10.0
#: One whose side of the pipe has closed is dead within this.
_DEATH_SECONDS: Final = 0.2
#: One that ends by itself tidies up first; while it is loaded there is time for that.
_LEAVING_SECONDS: Final = 2.0
_WATCH_SECONDS: Final = 0.02
#: An insert that failed so often is passed by; a process that died so often without an insert's doing stays
#: away.
_MOST_FAILURES: Final = 2
_MOST_DEATHS: Final = 8
#: So often it is asked whether the audio thread has real-time scheduling: a stream may open at any time.
_PRIORITY_SECONDS: Final = 0.25


class Rack:
    """Runs a plan's inserts; :meth:`start` may take as long as the plug-ins take to load.

    Args:
        plan: what it is.
        state: the slot's, silent.
        descriptor: of the slot's memory.
        spares: where processes come from.
        tell: takes one line for the performer.
    """

    def __init__(
        self,
        plan: RackPlan,
        state: RackState,
        descriptor: int,
        spares: Spares,
        tell: Callable[[str], None],
    ) -> None:
        self.plan = plan
        self._indices, self._spares, self._tell = state.memory.indices, spares, tell
        #: What the callback knows of it.
        self.slot = RackSlot(state, plan.rate)
        block = choose_block_frames(plan.callback_frames)
        pace = 0.0 if plan.patient else plan.callback_frames / plan.rate
        self._job = RackJob(plan.rate, block, pace, plan.channels, descriptor, plan.inserts)
        self.delay_frames = rack_delay_frames(plan.callback_frames, block)
        self._process: RackProcess | None = None
        self._failures = [0] * len(plan.inserts)
        self._deaths = 0
        self._commands = CommandSender(
            state.memory.commands, lambda: plan.patient and self._process is not None
        )
        #: What can be turned while it plays.
        self.controls = InsertControls(plan.inserts, self._commands)
        self._waiter = Waiter(self._indices, DONE, HOST_WAITS)
        self._closing = Event()
        self._thread: Thread | None = None
        self._saved: dict[int, str] = {}
        self._has_saved = Event()
        self._priority = realtime_priority()
        #: Of each lane's plug-ins together, and of each insert's alone.
        self.latency_samples = [0] * len(PLACES)
        self.takes_notes = [False] * len(plan.inserts)

    # -- starting

    def start(self) -> None:
        """Load the plug-ins. One that cannot be had, or that crashes or hangs while it is loaded, is told of,
        and passed by.

        Raises:
            StruckError: a plug-in's latency is too long; or no process can be started.
        """
        self._launch()
        used = [any(insert.place == place for insert in self.plan.inserts) for place in PLACES]
        self.slot.prepare(self.delay_frames, used, self.latency_samples)
        if not self.plan.patient:
            self._thread = Thread(target=self._look_after, name="struck-rack", daemon=True)
            self._thread.start()

    def leave(self, hurried: bool = False) -> None:
        """From the next block on nothing more is sent, and notes end; see :meth:`RackSlot.leave`."""
        self._commands.push(RELEASE, 0)
        self.slot.leave(hurried)

    def _launch(self) -> None:
        """Take a process and let it load, until one is ready."""
        while True:
            process = self._process = self._spares.take()
            skipped = tuple(n for n, count in enumerate(self._failures) if count >= _MOST_FAILURES)
            self.slot.forget_current()
            process.begin(replace(self._job, skipped=skipped, realtime_priority=self._priority))
            ready, ended = self._await_ready(process)
            if ready is not None:
                break
            number = self._current()
            code = process.wait(_LEAVING_SECONDS) if ended else None
            process.end()
            self._process = None
            if self._closing.is_set():
                return
            what = describe_end(code) if ended else f"was not ready within {LOAD_SECONDS:g} s"
            if number is None:
                raise StruckError(f"the inserts' process {what} when it was started")
            self._failures[number] = _MOST_FAILURES
            self._tell(f"insert {self._name(number)} {what} when it was loaded; it is passed by")
        if not self._job.latencies:
            self._take_description(ready)
        self.controls.send_again()

    def _await_ready(self, process: RackProcess) -> tuple[dict[str, Any] | None, bool]:
        """What it says when it is ready; None, and whether it has ended before that."""
        loading = Loading(self._current, lambda number: self._tell(f"insert {self._name(number)} is loading"))
        while not self._closing.is_set() and loading.may_go_on():
            messages, ended = process.receive(0.1)
            for values in messages:
                if values["kind"] == READY:
                    return values, False
                self._hear(values, loading=True)
            if ended:
                return None, True
        return None, False

    def _take_description(self, ready: dict[str, Any]) -> None:
        """What the plug-ins say of themselves; it holds for processes that take over, too."""
        self.latency_samples = ready["latencies"]
        self.takes_notes = ready["takes_notes"]
        self._job = replace(self._job, latencies=tuple(ready["insert_latencies"]))
        longest = HISTORY_FRAMES - self.delay_frames - self.plan.callback_frames
        for number, latency in enumerate(self._job.latencies):
            if latency > longest:
                raise StruckError(
                    f"insert {self._name(number)}: a latency of {latency} samples is more than {longest}"
                )
        self.controls.open(
            ready["parameters"], lambda number, line: self._tell(f"insert {self._name(number)}: {line}")
        )

    # -- while it plays; from any thread

    def note_sender(self, number: int) -> Send:
        """What sends rows about notes to an insert; they return False where there is no room, counted."""
        return self._commands.note_sender(number)

    def panic(self) -> None:
        """End all notes at once."""
        self._commands.push(PANIC, 0)

    def save_state(self, number: int) -> str:
        """What an insert's plug-in saves of itself; empty if it does not, or has gone."""
        process = self._process
        if process is None:
            return ""
        self._has_saved.clear()
        self._saved.pop(number, None)
        process.send(save=number)
        end = monotonic() + _SAVE_SECONDS
        while number not in self._saved and monotonic() < end:
            if self._thread is None:
                for values in process.receive(0.1)[0]:
                    self._hear(values)
            else:
                self._has_saved.wait(0.1)
        return self._saved.get(number, "")

    # -- looking after it

    def settle(self) -> None:
        """Wait until all whole blocks that were sent are done: from file to file, after each block.

        Raises:
            StruckError: the process has died, hangs, or an insert has failed.
        """
        process = self._process
        assert process is not None
        end = monotonic() + _PATIENT_HANG_SECONDS
        while (wanted := self.slot.waits_for(self._job.block_frames)) is not None:
            if self._waiter.wait(wanted - 1, 0.1) >= wanted:
                break
            code = process.exit_code
            if code is not None or monotonic() > end:
                raise StruckError(f"{self._who(self._current())} {describe_end(code)}")
        for values in process.receive(0.0)[0]:
            self._hear(values)

    def _look_after(self) -> None:
        pulse = Pulse(self._indices, self._job.block_frames)
        pace = Pace(self.slot.frames)
        priority_at = monotonic()
        while not self._closing.is_set():
            process = self._process
            if process is None:
                self._closing.wait(_WATCH_SECONDS)
                continue
            messages, ended = process.receive(_WATCH_SECONDS)
            for values in messages:
                self._hear(values)
            hangs = not self.slot.is_silent and pulse.has_stopped(process)
            if ended or hangs:
                self._replace(process, None if hangs else process.wait(_DEATH_SECONDS))
                pulse = Pulse(self._indices, self._job.block_frames)
                pace.begin()  # what was missed meanwhile was told
            elif pace.has_become_slow():
                self._tell("the inserts are too slow for this block size: the sound passes dry")
            if monotonic() - priority_at > _PRIORITY_SECONDS:
                priority_at = monotonic()
                self._follow_priority(process)

    def _replace(self, process: RackProcess, code: int | None) -> None:
        """It died, with this exit code, or hangs: end it, whole, and let another take over."""
        number = self._current()
        self._process = None
        process.end()
        if self._closing.is_set():
            return
        what = describe_end(code)
        who = self._who(number)
        if number is None:
            self._deaths += 1
        else:
            self._failures[number] += 1
        if self._deaths >= _MOST_DEATHS:
            self._tell(f"{who} {what} again; the sound passes dry from now on")
            return
        passed = number is not None and self._failures[number] >= _MOST_FAILURES
        self._tell(f"{who} {what}{' again; it is passed by' if passed else '; it is started again'}")
        try:
            self._launch()
        except StruckError as error:
            self._tell(f"{error}; the sound passes dry from now on")

    def _hear(self, values: dict[str, Any], loading: bool = False) -> None:
        """A message of the process.

        Raises:
            StruckError: from file to file, an insert has failed.
        """
        number = int(values.get("insert", 0))
        line = values.get("line", "")
        if values["kind"] == FAILED:
            if self.plan.patient and not loading:
                raise StruckError(f"insert {self._name(number)}: {line}")
            self._failures[number] = _MOST_FAILURES
            self._tell(f"insert {self._name(number)}: {line}; it is passed by")
        elif values["kind"] == DAMAGED:
            then = ("it passes dry meanwhile", "it is made anew", "it is passed by")[values["renewals"]]
            self._tell(f"insert {self._name(number)} gave sound that is no number; {then}")
        elif values["kind"] == STATE:
            self._saved[number] = values["state"]
            self._has_saved.set()
        elif values["kind"] == TOLD:
            self._tell(f"insert {self._name(number)}: {line}")

    def _follow_priority(self, process: RackProcess) -> None:
        priority = realtime_priority()
        if priority != self._priority:
            self._priority = priority
            process.send(realtime=priority)

    def _current(self) -> int | None:
        return self.slot.current(len(self.plan.inserts))

    def _who(self, number: int | None) -> str:
        return "the inserts' process" if number is None else f"insert {self._name(number)}"

    def _name(self, number: int) -> str:
        return self.plan.inserts[number].name

    def counters(self) -> Mapping[str, int]:
        """What was late or damaged since it came in, and what has failed."""
        return {**self.slot.counters(), "insert_failures": sum(self._failures) + self._deaths}

    def close(self) -> None:
        """End the process. The rack must be silent, or its callback no longer be called."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        process, self._process = self._process, None
        if process is not None:
            process.end()
