"""A rack: the inserts of one patch, in a process that is looked after."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any, Final

import numpy as np

from ....codec.events.errors import StruckError
from ....patches.insert_patch import PLACES, InsertPatch
from ...engine.exchange import (
    ASKED,
    DAMAGED_SAMPLES,
    DELAY,
    FRAMES,
    HISTORY_FRAMES,
    HURRIED,
    IN_TIME_FRAMES,
    LATE_FRAMES,
    LATE_TIMES,
    LATENCY,
    PLAYING,
    SILENT,
    SOUNDING,
    USED,
    WARMING,
    RackState,
    publish_number,
)
from ...engine.rings import LOST, push_row
from ...engine.shared_memory import (
    CURRENT,
    DAMAGED_BLOCKS,
    DONE,
    FIRST,
    HOST_WAITS,
    LATE_NOTES,
    PANIC,
    RELEASE,
    SET_BYPASS,
    SET_PARAMETER,
    SET_WET,
    SKIPPED_FRAMES,
    WRITTEN,
)
from ...engine.waking import Waiter
from ..instruments.note_rows import Send
from .delay import choose_block_frames, rack_delay_frames
from .process import RackProcess
from .pulse import Pulse
from .realtime_priority import realtime_priority
from .spares import Spares
from .wire import DAMAGED, FAILED, READY, STATE, TOLD, RackJob

#: A plug-in may take so long to load, and a state to be saved.
_LOAD_SECONDS: Final = 30.0
_SAVE_SECONDS: Final = 5.0
#: From file to file frames wait for so long, and none is done: it hangs.
_PATIENT_HANG_SECONDS: Final = 10.0
#: One whose side of the pipe has closed is dead within this.
_DEATH_SECONDS: Final = 0.2
_WATCH_SECONDS: Final = 0.02
#: An insert that failed so often is passed by; a process that died so often without an insert's doing stays
#: away.
_MOST_FAILURES: Final = 2
_MOST_DEATHS: Final = 8
#: Above this share of late frames within the time, inserts are too slow, and that is told.
_SLOW_SHARE: Final = 0.5
_SLOW_SECONDS: Final = 2.0


@dataclass(frozen=True)
class RackPlan:
    """What a rack is to be.

    Args:
        inserts: in the order of the path.
        rate: in Hz.
        callback_frames: F, the frames of a callback.
        channels: of each lane, 1 or 2.
        patient: from file to file: somebody waits for every block, and a failure is the end.
    """

    inserts: tuple[InsertPatch, ...]
    rate: int
    callback_frames: int
    channels: tuple[int, ...]
    patient: bool = False


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
        self._state, self._spares, self._tell = state, spares, tell
        block = choose_block_frames(plan.callback_frames)
        self._job = RackJob(plan.rate, block, plan.channels, descriptor, plan.inserts)
        self.delay_frames = rack_delay_frames(plan.callback_frames, block)
        self._process: RackProcess | None = None
        self._failures = [0] * len(plan.inserts)
        self._deaths = 0
        self._parameters: list[list[dict[str, Any]]] = []
        self._values: dict[tuple[float, int, int], float] = {}
        self._row = np.zeros(state.memory.commands.rows.shape[1])
        self._lock = Lock()
        self._waiter = Waiter(state.memory.indices, DONE, HOST_WAITS)
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
        self._state.numbers[DELAY] = self.delay_frames
        self._state.memory.dry[:] = 0.0  # it warms up on this
        for lane, place in enumerate(PLACES):
            self._state.lanes[lane, USED] = any(i.place == place for i in self.plan.inserts)
            self._state.lanes[lane, LATENCY] = self.latency_samples[lane]
        if not self.plan.patient:
            self._thread = Thread(target=self._look_after, name="struck-rack", daemon=True)
            self._thread.start()

    def lane_delay_frames(self, lane: int) -> int:
        """How much later the sound comes out of a lane than it went in: by the ledger, and in fact."""
        if not self._state.lanes[lane, USED]:
            return 0
        return self.delay_frames + self.latency_samples[lane]

    def warm_up(self) -> None:
        """From the next block on the process works on silence; nothing of it is heard."""
        publish_number(self._state.numbers, ASKED, WARMING)

    @property
    def in_time_seconds(self) -> float:
        """For how long its results have been in time while it warms up."""
        return float(self._state.numbers[IN_TIME_FRAMES]) / self.plan.rate

    def come_in(self) -> None:
        """From the next block on the sound goes through this rack."""
        publish_number(self._state.numbers, ASKED, PLAYING)

    def leave(self, hurried: bool = False) -> None:
        """From the next block on nothing more is sent, and notes end; it rings on for a while, or not if
        ``hurried``."""
        self._push(RELEASE, 0)
        publish_number(self._state.numbers, ASKED, SILENT)
        if hurried:
            publish_number(self._state.numbers, HURRIED, 1)

    @property
    def is_silent(self) -> bool:
        """Whether it has rung out, or nobody has called back since it was asked to come in."""
        return bool(self._state.numbers[SOUNDING] == SILENT)

    def _launch(self) -> None:
        """Take a process and let it load, until one is ready."""
        while True:
            process = self._process = self._spares.take()
            skipped = tuple(n for n, count in enumerate(self._failures) if count >= _MOST_FAILURES)
            process.begin(replace(self._job, skipped=skipped, realtime_priority=self._priority))
            ready = self._await_ready(process)
            if ready is not None:
                break
            number = self._current()
            code = process.wait(_DEATH_SECONDS)  # None: it still runs, and is not ready
            process.end()
            self._process = None
            if self._closing.is_set():
                return
            if number is None:
                raise StruckError(f"the inserts' process {_describe_end(code)} while it was being started")
            self._failures[number] = _MOST_FAILURES
            self._tell(f"insert {self._name(number)} {_describe_end(code)} while it was loaded; passed by")
        if not self._job.latencies:
            self.latency_samples = ready["latencies"]
            self.takes_notes = ready["takes_notes"]
            self._job = replace(self._job, latencies=tuple(ready["insert_latencies"]))
            self._parameters = ready["parameters"]
            longest = HISTORY_FRAMES - self.delay_frames - self.plan.callback_frames
            for number, latency in enumerate(self._job.latencies):
                if latency > longest:
                    raise StruckError(
                        f"insert {self._name(number)}: a latency of {latency} samples is more than {longest}"
                    )
            self._set_first_values()
        for (kind, number, place), value in self._values.items():
            self._push_value(kind, number, place, value, ramped=False)

    def _await_ready(self, process: RackProcess) -> dict[str, Any] | None:
        end = monotonic() + _LOAD_SECONDS
        while monotonic() < end and not self._closing.is_set():
            messages, ended = process.receive(0.1)
            for values in messages:
                if values["kind"] == READY:
                    return values
                self._hear(values, loading=True)
            if ended:
                break
        return None

    def _set_first_values(self) -> None:
        """The parameters that the patch names, checked against what the plug-in says of them."""
        for number, insert in enumerate(self.plan.inserts):
            for symbol, value in insert.parameters.items():
                try:
                    self.set_parameter(number, symbol, value, ramped=False)
                except ValueError as error:
                    if self._parameters[number]:  # one that could not be had has none, and that was told
                        self._tell(f"insert {self._name(number)}: {error}; it stays as it is")

    # -- while it plays; from any thread

    def parameters(self, number: int) -> list[dict[str, Any]]:
        """Of an insert: the fields of :class:`~..plugins.plugin.PluginParameter` of each, and its ``value``.

        Its ``default`` is what it is without the patch's parameters, but with its preset and state.
        """
        found = []
        for place, parameter in enumerate(self._parameters[number]):
            value = self._values.get((SET_PARAMETER, number, place), parameter["value"])
            found.append(parameter | {"default": parameter["value"], "value": value})
        return found

    def set_parameter(self, number: int, symbol: str, value: float, ramped: bool = True) -> None:
        """Set a parameter of an insert; where it ``ramped``, it goes there within 40 ms.

        Raises:
            ValueError: there is none of that name, or the value is out of its range.
        """
        for place, parameter in enumerate(self._parameters[number]):
            if parameter["symbol"] == symbol:
                low, high = parameter["low"], parameter["high"]
                if not low <= value <= high:
                    raise ValueError(f"{symbol} is {value:g}; the range is {low:g} to {high:g}")
                self._keep(SET_PARAMETER, number, place, value, ramped)
                return
        raise ValueError(f"there is no parameter {symbol}")

    def set_wet(self, number: int, share: float) -> None:
        """Set the share of an insert's sound, 0 to 1."""
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"wet is {share:g}; the range is 0 to 1")
        self._keep(SET_WET, number, 0, share)

    def set_bypass(self, number: int, bypass: bool) -> None:
        """Pass an insert by, or not."""
        self._keep(SET_BYPASS, number, 0, float(bypass))

    def wet(self, number: int) -> float:
        """The share of an insert's sound."""
        return self._values.get((SET_WET, number, 0), self.plan.inserts[number].wet)

    def bypass(self, number: int) -> float:
        """1 where an insert is passed by, else 0."""
        return self._values.get((SET_BYPASS, number, 0), float(self.plan.inserts[number].bypass))

    def recall(self, inserts: tuple[InsertPatch, ...]) -> None:
        """Go to what ``inserts`` say, which are those of the plan but for parameters, shares and bypasses."""
        for number, insert in enumerate(inserts):
            for parameter in self._parameters[number]:
                value = insert.parameters.get(parameter["symbol"], parameter["value"])
                with suppress(ValueError):  # out of range: that was told when the patch was loaded
                    self.set_parameter(number, parameter["symbol"], value)
            self.set_wet(number, insert.wet)
            self.set_bypass(number, insert.bypass)

    def note_sender(self, number: int) -> Send:
        """What sends rows about notes to an insert; they return False where there is no room, counted."""

        def send(kind: float, at_sample: int, event_id: int, *values: float) -> bool:
            return self._push(kind, number, *values, at_sample=at_sample, event_id=event_id)

        return send

    def panic(self) -> None:
        """End all notes at once."""
        self._push(PANIC, 0)

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

    def _keep(self, kind: float, number: int, place: int, value: float, ramped: bool = True) -> None:
        self._values[kind, number, place] = value
        self._push_value(kind, number, place, value, ramped)

    def _push_value(self, kind: float, number: int, place: int, value: float, ramped: bool) -> None:
        if kind == SET_PARAMETER:
            self._push(kind, number, place, value, float(ramped))
        else:
            self._push(kind, number, value)

    def _push(self, kind: float, number: int, *values: float, at_sample: int = 0, event_id: int = 0) -> bool:
        """Append a row; from file to file the process makes room, on a stage one that finds none is lost."""
        with self._lock:
            row = self._row
            row[:] = 0.0
            row[:FIRST] = kind, at_sample, number, event_id
            row[FIRST : FIRST + len(values)] = values
            end = monotonic() + _PATIENT_HANG_SECONDS
            while not push_row(self._state.memory.commands, row):
                if not self.plan.patient or self._process is None or monotonic() > end:
                    return False
                sleep(0.001)
        return True

    # -- looking after it

    def settle(self) -> None:
        """Wait until all whole blocks that were sent are done: from file to file, after each block.

        Raises:
            StruckError: the process has died, hangs, or an insert has failed.
        """
        process = self._process
        assert process is not None
        indices = self._state.memory.indices
        block = self._job.block_frames
        wanted = int(indices[WRITTEN]) // block * block
        end = monotonic() + _PATIENT_HANG_SECONDS
        while int(indices[DONE]) < wanted:
            self._waiter.wait(wanted - 1, 0.1)
            if int(indices[DONE]) >= wanted:
                break
            code = process.exit_code
            if code is not None or monotonic() > end:
                number = self._current()
                name = "the inserts' process" if number is None else f"insert {self._name(number)}"
                raise StruckError(f"{name} {_describe_end(code)}")
        for values in process.receive(0.0)[0]:
            self._hear(values)

    def _look_after(self) -> None:
        pulse = Pulse(self._state.memory.indices, self._job.block_frames)
        since, frames, late = monotonic(), *self._frames()
        told_slow = False
        while not self._closing.is_set():
            process = self._process
            if process is None:
                self._closing.wait(_WATCH_SECONDS)
                continue
            messages, ended = process.receive(_WATCH_SECONDS)
            for values in messages:
                self._hear(values)
            hangs = not self.is_silent and pulse.has_stopped(process)
            if ended or hangs:
                self._replace(process, None if hangs else process.wait(_DEATH_SECONDS))
                pulse = Pulse(self._state.memory.indices, self._job.block_frames)
                since, frames, late = monotonic(), *self._frames()  # what was missed meanwhile was told
            elif monotonic() - since > _SLOW_SECONDS:
                before = (frames, late)
                since, frames, late = monotonic(), *self._frames()
                is_slow = late - before[1] > _SLOW_SHARE * max(1, frames - before[0])
                if is_slow and not told_slow:
                    self._tell("the inserts are too slow for this block size: the sound passes dry")
                told_slow = is_slow
                self._follow_priority(process)

    def _frames(self) -> tuple[int, int]:
        """Frames heard through it since it came in, and of these late ones."""
        return int(self._state.numbers[FRAMES]), int(self._state.numbers[LATE_FRAMES])

    def _replace(self, process: RackProcess, code: int | None) -> None:
        """It died, with this exit code, or hangs: end it, whole, and let another take over."""
        number = self._current()
        self._process = None
        process.end()
        if self._closing.is_set():
            return
        what = _describe_end(code)
        if number is None:
            self._deaths += 1
            who = "the inserts' process"
        else:
            self._failures[number] += 1
            who = f"insert {self._name(number)}"
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
        """The insert that the process was in when it was last heard of."""
        number = int(self._state.memory.indices[CURRENT]) - 1
        return number if 0 <= number < len(self.plan.inserts) else None

    def _name(self, number: int) -> str:
        return self.plan.inserts[number].name

    def counters(self) -> Mapping[str, int]:
        """What was late or damaged since it came in."""
        numbers, indices = self._state.numbers, self._state.memory.indices
        return {
            "insert_frames": int(numbers[FRAMES]),
            "insert_late_frames": int(numbers[LATE_FRAMES]),
            "insert_dry_times": int(numbers[LATE_TIMES]),
            "insert_damaged": int(numbers[DAMAGED_SAMPLES]) + int(indices[DAMAGED_BLOCKS]),
            "insert_skipped_frames": int(indices[SKIPPED_FRAMES]),
            "insert_late_notes": int(indices[LATE_NOTES]),
            "insert_lost_commands": int(self._state.memory.commands.index[LOST]),
            "insert_failures": sum(self._failures) + self._deaths,
        }

    def close(self) -> None:
        """End the process. The rack must be silent, or its callback no longer be called."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        process, self._process = self._process, None
        if process is not None:
            process.end()


def _describe_end(code: int | None) -> str:
    """What has happened to a process of this exit code."""
    if code is None:
        return "hangs"
    if code < 0:
        return f"crashed ({signal.Signals(-code).name})"
    return f"ended by itself ({code})"
