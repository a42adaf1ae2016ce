"""A performance's inserts: a patch's plug-ins in a rack, changed with it while the music goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Final

from ...codec.events.errors import StruckError
from ...patches.insert_patch import PLACES, InsertPatch
from ...patches.patch import Patch
from ...patches.patch_writer import InsertValues
from ..engine.exchange import IN_USE, RacksState, publish_number
from ..engine.shared_memory import EVENTS_LANE, INPUT_LANE, MASTER_LANE
from ..engine.state import SLICE_FRAMES, EngineState
from ..inserts.instruments.note_rows import Send, send_sounding
from ..inserts.rack.bay import RackBay
from ..inserts.rack.controls import find_by_names
from ..inserts.rack.plan import RackPlan
from ..inserts.rack.rack import Rack
from ..mapping.targets import INSERT
from ..osc.address_book import Leaf, insert_leaf
from ..osc.namespace import address_part
from ..stage.soundings import Sounding

#: Racks that have rung out are looked for so often.
_TIDY_SECONDS: Final = 0.5


class Inserts:
    """Keeps the racks of a performance.

    Args:
        rate: of the engine in Hz.
        patient: the engine is driven from a file and waits.
        tell: takes one line for the performer.
        log: file to which plug-ins' chatter is appended; None throws it away.
    """

    def __init__(self, rate: int, patient: bool, tell: Callable[[str], None], log: Path | None) -> None:
        self._rate, self._patient, self._tell = rate, patient, tell
        self._bay = RackBay(rate, SLICE_FRAMES, tell, log, patient)
        self._engine: EngineState | None = None
        self._callback_frames = 0
        self._channels = (1,) * len(PLACES)
        self._inserts: tuple[InsertPatch, ...] = ()
        self._notes: list[Send] = []
        self._wanted: Patch | None = None
        self._condition = Condition()
        self._closing = False
        self._thread: Thread | None = None
        self._counts: dict[str, int] = {}
        #: How much later the input is heard and passed on, and an event sounds, in frames.
        self.input_delay_frames = 0
        self.output_delay_frames = 0
        #: Called, from another thread, when other inserts have come in.
        self.changed: Callable[[], None] = lambda: None
        #: Called where one is turned, with "control", its name as maps have it, and its value.
        self.turned: Callable[[str, str, float], None] = lambda kind, name, value: None

    @property
    def racks(self) -> RacksState:
        """What the engine is made with."""
        return self._bay.state

    @property
    def _rack(self) -> Rack | None:
        return self._bay.rack

    def open(self, patch: Patch, engine: EngineState, callback_frames: int) -> None:
        """Load a patch's inserts before the first block.

        Raises:
            StruckError: the rack cannot be had.
        """
        self._engine, self._callback_frames = engine, callback_frames
        outputs = engine.recording.frames.shape[1]
        self._channels = (engine.source.shape[1], outputs, outputs, outputs)
        self._load(patch.inserts, at_once=True)
        if not self._patient:
            self._thread = Thread(target=self._run, name="inserts", daemon=True)
            self._thread.start()

    def change(self, patch: Patch) -> None:
        """Load a patch's inserts in another thread and let them take over; of several the last counts."""
        with self._condition:
            self._wanted = patch
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._closing and self._wanted is None:
                    self._condition.wait(_TIDY_SECONDS)
                wanted, self._wanted = self._wanted, None
                if self._closing:
                    return
            if wanted is not None:
                try:
                    self._change(wanted.inserts)
                except StruckError as error:
                    self._tell(f"patch {wanted.name}: {error}; the inserts before go on")
            self._bay.tidy()

    def _change(self, inserts: tuple[InsertPatch, ...]) -> None:
        rack = self._rack
        if rack is not None and _without_values(inserts) == _without_values(self._inserts):
            rack.controls.recall(inserts)
            self._inserts = inserts
        elif inserts or rack is not None:
            self._load(inserts)
            self.changed()

    def _load(self, inserts: tuple[InsertPatch, ...], at_once: bool = False) -> None:
        plan = RackPlan(inserts, self._rate, self._callback_frames, self._channels, self._patient)
        assert self._engine is not None
        if inserts:
            publish_number(self._engine.racks[0], IN_USE, 1)
        self._bay.change(plan, at_once)
        self._inserts = inserts
        rack = self._rack
        self._notes = []
        self.input_delay_frames = self.output_delay_frames = 0
        if rack is not None:
            lanes = (EVENTS_LANE, MASTER_LANE)
            self.input_delay_frames = rack.slot.delay_frames(INPUT_LANE)
            self.output_delay_frames = sum(rack.slot.delay_frames(lane) for lane in lanes)
            for number in range(len(inserts)):
                if rack.takes_notes[number]:
                    self._notes.append(rack.note_sender(number))

    # -- while it plays

    def __call__(self, sounding: Sounding) -> None:
        """A sink of the stage: events, what becomes of them and their ends play the instruments."""
        for send in self._notes:
            send_sounding(send, sounding, self._rate)

    def panic(self, seconds: float) -> None:
        """All notes of instruments end."""
        if self._rack is not None:
            self._rack.panic()

    def settle(self) -> None:
        """From file to file: wait for what was sent.

        Raises:
            StruckError: an insert has failed.
        """
        if self._rack is not None:
            self._rack.settle()

    def set_parameter(self, insert: str, symbol: str, value: float) -> None:
        """Set a parameter of an insert by their names, as they are or as they stand in addresses of OSC.

        ``wet`` and ``bypass`` are every insert's.

        Raises:
            ValueError: there is no such insert or parameter, or the value is out of its range.
        """
        rack = self._rack
        for number, patch in enumerate(self._inserts):
            if rack is not None and insert in (patch.name, address_part(patch.name)):
                if symbol == "wet":
                    rack.controls.set_wet(number, value)
                elif symbol == "bypass":
                    rack.controls.set_bypass(number, value != 0.0)
                else:
                    symbols = [parameter["symbol"] for parameter in rack.controls.parameters(number)]
                    symbol = next((s for s in symbols if symbol in (s, address_part(s))), symbol)
                    rack.controls.set_parameter(number, symbol, value)
                self.turned("control", f"{INSERT}{patch.name}/{symbol}", value)
                return
        known = ", ".join(patch.name for patch in self._inserts) or "none"
        raise ValueError(f"no insert is called {insert}; there are: {known}")

    def leaves(self) -> list[Leaf]:
        """The addresses of all parameters of all inserts."""
        rack = self._rack
        found: list[Leaf] = []
        if rack is None or len(rack.plan.inserts) != len(self._inserts):
            return found
        for number, patch in enumerate(self._inserts):
            found.append(insert_leaf(patch.name, "wet", 0.0, 1.0, "", partial(rack.controls.wet, number)))
            found.append(
                insert_leaf(patch.name, "bypass", 0.0, 1.0, "", partial(rack.controls.bypass, number))
            )
            for place, parameter in enumerate(rack.controls.parameters(number)):
                low, high, unit = (parameter[key] for key in ("low", "high", "unit"))
                read = partial(_value_of, rack, number, place)
                found.append(insert_leaf(patch.name, parameter["symbol"], low, high, unit or "", read))
        return found

    def values(self) -> dict[tuple[str, str], float]:
        """Where all that can be turned stands, by insert and parameter."""
        rack = self._rack
        found: dict[tuple[str, str], float] = {}
        if rack is None or len(rack.plan.inserts) != len(self._inserts):
            return found
        for number, patch in enumerate(self._inserts):
            found[patch.name, "wet"] = rack.controls.wet(number)
            found[patch.name, "bypass"] = rack.controls.bypass(number)
            for parameter in rack.controls.parameters(number):
                found[patch.name, parameter["symbol"]] = parameter["value"]
        return found

    def find_parameter(self, insert: str, symbol: str) -> tuple[float, float, bool]:
        """Ends of a parameter of an insert, and whether it goes in equal ratios; by names as above.

        Raises:
            ValueError: there is no such insert or parameter.
        """
        parameter = self._find(insert, symbol)
        return parameter["low"], parameter["high"], parameter["scale"] == "log"

    def scale(self, insert: str, symbol: str) -> str:
        """How a parameter goes from end to end, see :class:`~..inserts.plugins.plugin.PluginParameter`.

        One that has gone with its insert is a switch: there is no way from end to end.
        """
        try:
            return str(self._find(insert, symbol)["scale"])
        except ValueError:
            return "toggle"

    def _find(self, insert: str, symbol: str) -> Mapping[str, Any]:
        rack = self._rack

        def parameters(number: int) -> list[dict[str, Any]]:
            return [] if rack is None else rack.controls.parameters(number)

        return find_by_names(self._inserts, parameters, insert, symbol)

    def played(self, patch: Patch) -> list[InsertValues]:
        """What is to be written of each insert of ``patch``, as it is played now.

        Parameters that stand where the plug-in begins by itself, with its preset and state, are left out,
        unless the patch names them. Where other inserts are in, the patch's stay as it has them.
        """
        rack = self._rack
        if rack is None or _without_values(patch.inserts) != _without_values(self._inserts):
            return [InsertValues(i.wet, i.bypass, i.parameters, _whole(i.file)) for i in patch.inserts]
        found = []
        for number, insert in enumerate(self._inserts):
            values = dict(insert.parameters)  # those of a plug-in that cannot be had stay
            for p in rack.controls.parameters(number):
                if p["symbol"] in values or p["value"] != p["default"]:
                    values[p["symbol"]] = p["value"]
            found.append(
                InsertValues(
                    rack.controls.wet(number),
                    rack.controls.bypass(number) != 0.0,
                    values,
                    _whole(insert.file),
                )
            )
        return found

    @property
    def delay_seconds(self) -> float:
        """Of both together: the ledger's term."""
        return (self.input_delay_frames + self.output_delay_frames) / self._rate

    def counters(self) -> dict[str, int]:
        """What was late or damaged since the inserts came in; empty before any have."""
        if self._rack is not None:
            self._counts = dict(self._rack.counters())
        return self._counts

    def close(self) -> None:
        """End all processes; the engine must no longer be driven."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        self.counters()  # they are asked for afterwards, too
        self._bay.close()


def _without_values(inserts: tuple[InsertPatch, ...]) -> tuple[InsertPatch, ...]:
    """What a change of needs another rack."""
    return tuple(replace(insert, parameters={}, wet=1.0, bypass=False) for insert in inserts)


def _whole(file: str) -> str:
    return str(Path(file).resolve()) if file else ""


def _value_of(rack: Rack, number: int, place: int) -> float:
    return float(rack.controls.parameters(number)[place]["value"])
