"""Maps at work: moves of controllers turn targets, and controllers are told where their targets stand."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from ...patches.map_patch import MapEntry, MidiSource
from .controllers import ControllerReader, Move
from .takeover import Takeover, position_of, steps_of, value_of
from .targets import Scale, Target, Targets

#: What was moved lately, for whoever learns.
_SEEN: Final = 16
#: What comes back within this of being told is an echo; so many of them are a loop.
_ECHO_SECONDS: Final = 0.2
_LOOP_ECHOES: Final = 8

Send = Callable[[bytes], object]


@dataclass
class _Hold:
    """An entry with what it needs while it plays."""

    entry: MapEntry
    target: Target
    scale: Scale
    takeover: Takeover
    pressed: bool = False
    told: int | None = None  # the controller's value as it knows it
    told_at: float = float("-inf")
    echoes: int = 0
    looped: bool = False


@dataclass(frozen=True)
class Seen:
    """A controller that was moved lately."""

    source: MidiSource
    value: int
    targets: tuple[str, ...] = field(default=())


class Mapper:
    """Carries out the maps of one MIDI input; from any thread.

    Args:
        targets: what there is to turn.
        tell: takes one line for the performer.
        now: seconds that only grow.
    """

    def __init__(
        self, targets: Targets, tell: Callable[[str], None], now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._targets, self._tell, self._now = targets, tell, now
        self._holds: list[_Hold] = []
        self._reader = ControllerReader()
        self._seen: deque[Move] = deque(maxlen=_SEEN)
        self._lock = threading.Lock()
        #: Called with every move, before it turns anything: whoever learns.
        self.on_move: Callable[[Move], None] | None = None

    def change(self, entries: Iterable[MapEntry]) -> None:
        """Carry out other entries; those that are no fit for their targets are told and left out.

        Entries that stay keep their hold on their targets.
        """
        with self._lock:
            before = {hold.entry: hold for hold in self._holds}
        holds = []
        for entry in entries:
            try:
                target = self._targets.find(entry.target)
                scale = Scale(target, entry)
            except ValueError as error:
                self._tell(f"map of {entry.source}: {error}")
                continue
            hold = before.get(entry)
            takeover = Takeover(entry.takeover, entry.source.highest) if hold is None else hold.takeover
            holds.append(_Hold(entry, target, scale, takeover))
        with self._lock:
            self._holds = holds

    def receive(self, message: bytes) -> bool:
        """Carry out a message; whether a map has it, and nobody else should."""
        with self._lock:
            moves = self._reader.read(message)
            self._seen.extend(moves)
            found = [(m, hold) for m in moves for hold in self._holds if hold.entry.source.matches(m.source)]
        for move in moves:
            if self.on_move is not None:
                self.on_move(move)
        for move, hold in found:
            self._turn(hold, move.value)
        return bool(found)

    def seen(self) -> list[Seen]:
        """Controllers that were moved lately, each once with its last value, the latest first."""
        with self._lock:
            moves = {move.source: move for move in self._seen}
            holds = list(self._holds)
        found = []
        for move in reversed(moves.values()):
            names = tuple(h.entry.target for h in holds if h.entry.source.matches(move.source))
            found.append(Seen(move.source, move.value, names))
        return found

    def _turn(self, hold: _Hold, value: int) -> None:
        entry, target = hold.entry, hold.target
        highest = entry.source.highest
        if self._is_echo(hold, value):
            return
        if target.action:
            pressed = 2 * value > highest
            if pressed and not hold.pressed:
                target.set(1.0)
            hold.pressed = pressed
            return
        stands = hold.scale.position(target.get())
        if entry.encoder != "absolute":
            goes: float | None = stands + entry.step * steps_of(entry.encoder, value)
        else:
            hold.told = value  # it knows where it is
            goes = hold.takeover.move(position_of(value, highest), stands)
        if goes is not None:
            target.set(hold.scale.value(goes))

    # -- to the controllers

    def feed_back(self, send: Send) -> None:
        """Tell controllers where their targets stand, if that is not what they know; some times a second."""
        with self._lock:
            holds = list(self._holds)
        for hold in holds:
            entry = hold.entry
            if hold.looped or not entry.feedback or hold.target.action or entry.encoder != "absolute":
                continue
            value = value_of(hold.scale.position(hold.target.get()), entry.source.highest)
            if value == hold.told:
                continue
            message = write_move(entry.source, value)
            if message:
                hold.told, hold.told_at = value, self._now()
                send(message)

    def _is_echo(self, hold: _Hold, value: int) -> bool:
        """Whether a controller only says what it was told. One that does so all the time stands in a loop."""
        if value != hold.told or self._now() - hold.told_at > _ECHO_SECONDS:
            hold.echoes = 0
            return False
        hold.echoes += 1
        if hold.echoes == _LOOP_ECHOES and not hold.looped:
            hold.looped = True
            what = f"{hold.entry.source} sends back what it is told of {hold.entry.target}"
            self._tell(f"{what}: a MIDI loop; it is told no more")
        return True


def write_move(source: MidiSource, value: int) -> bytes:
    """The MIDI bytes by which a controller is told a value; empty for one that cannot be told.

    >>> write_move(MidiSource("cc", 7, 2), 100).hex(), write_move(MidiSource("wheel", 0, 1), 8192).hex()
    ('b10764', 'e00040')
    """
    channel = max(0, source.channel - 1)
    coarse, fine = value >> 7, value & 127
    if source.kind == "cc":
        return bytes((0xB0 | channel, source.number, value))
    if source.kind == "cc14":
        status = 0xB0 | channel
        return bytes((status, source.number, coarse, status, source.number + 32, fine))
    if source.kind == "wheel":  # a motor fader of the Mackie kind
        return bytes((0xE0 | channel, fine, coarse))
    if source.kind == "note":  # its lamp
        return bytes((0x90 | channel, source.number, value))
    return b""
