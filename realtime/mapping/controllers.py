"""MIDI messages to moves of controllers: pairs of 14 bits and parameter numbers put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...patches.map_patch import MidiSource

_DATA, _DATA_FINE = 6, 38
_NRPN_FINE, _NRPN, _RPN_FINE, _RPN = 98, 99, 100, 101
#: Controllers that are parts of others' values, or modes; they are no sources themselves.
_NOT_ALONE: Final = frozenset((_DATA, _DATA_FINE, _NRPN_FINE, _NRPN, _RPN_FINE, _RPN, *range(120, 128)))
_FINE: Final = 32


@dataclass(frozen=True)
class Move:
    """A controller was moved: ``value`` is 0 to the source's ``highest``."""

    source: MidiSource
    value: int


@dataclass
class _Channel:
    coarse: dict[int, int] = field(default_factory=dict)  # by controller below 32
    parameter: int | None = None  # non-registered
    half: int = 0  # of a parameter's number that has come: its coarse part
    data: int = 0
    fine: set[int] = field(default_factory=set)  # parameters whose data come in two parts


class ControllerReader:
    """Reads one input; a message may be several moves: of a controller, and of the pair that it completes.

    A pair counts when its fine part comes. Of a parameter whose fine part never comes the coarse one counts.
    """

    def __init__(self) -> None:
        self._channels = [_Channel() for _ in range(16)]

    def read(self, message: bytes) -> list[Move]:
        """The moves that a whole message completes; none where it is no controller's."""
        kind, place = message[0] & 0xF0, message[0] & 0x0F
        channel = place + 1
        if kind in (0x80, 0x90):
            velocity = message[2] if kind == 0x90 else 0
            return [Move(MidiSource("note", message[1], channel), velocity)]
        if kind == 0xA0:
            return [Move(MidiSource("key_pressure", message[1], channel), message[2])]
        if kind == 0xC0:
            return [Move(MidiSource("program", 0, channel), message[1])]
        if kind == 0xD0:
            return [Move(MidiSource("pressure", 0, channel), message[1])]
        if kind == 0xE0:
            return [Move(MidiSource("wheel", 0, channel), message[1] | message[2] << 7)]
        if kind == 0xB0:
            return self._control(self._channels[place], channel, message[1], message[2])
        return []

    def _control(self, state: _Channel, channel: int, control: int, value: int) -> list[Move]:
        if control in _NOT_ALONE:
            return self._parameter(state, channel, control, value)
        moves = [Move(MidiSource("cc", control, channel), value)]
        if control < _FINE:
            state.coarse[control] = value
        elif control - _FINE in state.coarse and control < 2 * _FINE:
            coarse = control - _FINE
            pair = Move(MidiSource("cc14", coarse, channel), state.coarse[coarse] << 7 | value)
            moves.insert(0, pair)
        return moves

    def _parameter(self, state: _Channel, channel: int, control: int, value: int) -> list[Move]:
        if control == _NRPN:
            state.half, state.parameter = value, None
        elif control == _NRPN_FINE:
            state.parameter = state.half << 7 | value
        elif control in (_RPN, _RPN_FINE):
            state.parameter = None  # the data that follow are the note player's
        elif state.parameter is not None and control == _DATA:
            state.data = value << 7
            if state.parameter not in state.fine:
                return [Move(MidiSource("nrpn", state.parameter, channel), state.data)]
        elif state.parameter is not None and control == _DATA_FINE:
            state.fine.add(state.parameter)
            return [Move(MidiSource("nrpn", state.parameter, channel), state.data & ~127 | value)]
        return []
