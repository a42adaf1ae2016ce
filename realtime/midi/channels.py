"""What a MIDI sender has set on each channel: bends and their ranges, tuning, pressure, pedals, MPE zones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ...codec.takes.mpe import BEND_RANGE_SEMITONES as MEMBER_BEND_SEMITONES

USUAL_BEND_SEMITONES: Final = 2.0
DATA_ENTRY, DATA_ENTRY_FINE = 6, 38
LOWER_MASTER, _UPPER_MASTER = _MASTERS = (0, 15)

#: Registered parameters, as (coarse, fine).
NO_PARAMETER: Final = (127, 127)
_BEND_RANGE: Final = (0, 0)
_FINE_TUNING: Final = (0, 1)  # 14 bits, a semitone down to a semitone up
_COARSE_TUNING: Final = (0, 2)  # semitones, 64 being none
_MPE_CONFIGURATION: Final = (0, 6)


@dataclass
class Channel:
    """What the sender has set on one channel."""

    bend_range_semitones: float
    bend_unit: float = 0.0  # -1 to 1
    master: int | None = None  # of the MPE zone that it is a member of
    coarse_tuning: int = 64
    fine_tuning: int = 8_192
    pedal: bool = False
    pressure: int = 0  # of the channel, 0 to 127
    parameter: tuple[int, int] = NO_PARAMETER  # registered, (coarse, fine)
    brightness: int | None = None  # of the next note in an MPE zone
    bank: int = 0  # 0 to 16,383, of the programs to come
    deferred: set[int] = field(default_factory=set)  # keys whose note-off waits for the pedal

    @property
    def bend_semitones(self) -> float:
        tuning = self.coarse_tuning - 64 + (self.fine_tuning - 8_192) / 8_192.0
        return self.bend_unit * self.bend_range_semitones + tuning


class MidiChannels:
    """The sixteen channels of one input.

    Args:
        bend: called with a channel and the semitones by which it is bent now, its master's included.
        bend_range_semitones: of channels outside MPE zones, until the sender sets it.
    """

    def __init__(self, bend: Callable[[int, float], None], bend_range_semitones: float) -> None:
        self._bend = bend
        self._bend_range_semitones = bend_range_semitones
        self._channels = [Channel(bend_range_semitones) for _ in range(16)]

    def __getitem__(self, number: int) -> Channel:
        return self._channels[number]

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels)

    def pedal(self, number: int) -> bool:
        """Whether a pedal holds the notes of this channel, its own or its master's."""
        channel = self._channels[number]
        return channel.pedal or (channel.master is not None and self._channels[channel.master].pedal)

    def zone(self, number: int) -> list[int]:
        """The channel, and if it is a master its members."""
        return [number, *(i for i, channel in enumerate(self._channels) if channel.master == number)]

    def turn_wheel(self, number: int, wheel: int) -> None:
        """Set the bend of a channel from the wheel's -8192 to 8191."""
        # 8191 reaches the end of the range too: both ends are where the wheel stops
        self._channels[number].bend_unit = wheel / (8191.0 if wheel > 0 else 8192.0)
        self.send_bend(number)

    def send_bend(self, number: int) -> None:
        """Pass on how far a channel is bent now, and all that it is the master of."""
        for member in self.zone(number):
            self._bend(member, self.bend_semitones(member))

    def bend_semitones(self, number: int) -> float:
        """How far a channel is bent now, its master's bend included."""
        channel = self._channels[number]
        master = 0.0 if channel.master is None else self._channels[channel.master].bend_semitones
        return channel.bend_semitones + master

    def pressure(self, number: int) -> int:
        """Pressure on a channel's notes, 0 to 127: its own or its master's, whichever is more."""
        channel = self._channels[number]
        master = 0 if channel.master is None else self._channels[channel.master].pressure
        return max(channel.pressure, master)

    def set_parameter(self, number: int, control: int, value: int) -> None:
        """Data entry for the registered parameter that the channel has chosen."""
        channel = self._channels[number]
        if channel.parameter == _BEND_RANGE:
            whole, cents = divmod(channel.bend_range_semitones, 1.0)
            if control == DATA_ENTRY:
                whole = min(value, 96)
            else:
                cents = min(value, 99) / 100.0
            # in a zone, all members have the range that one is given
            members = [number] if channel.master is None else self.zone(channel.master)[1:]
            for member in members:
                self._channels[member].bend_range_semitones = whole + cents
                self.send_bend(member)
        elif channel.parameter == _FINE_TUNING:
            kept, shift = (0x007F, 7) if control == DATA_ENTRY else (0x3F80, 0)
            channel.fine_tuning = channel.fine_tuning & kept | value << shift
            self.send_bend(number)
        elif (channel.parameter, control) == (_COARSE_TUNING, DATA_ENTRY):
            channel.coarse_tuning = value
            self.send_bend(number)
        elif (channel.parameter, control) == (_MPE_CONFIGURATION, DATA_ENTRY) and number in _MASTERS:
            self.configure_zone(number, min(value, 15))

    def configure_zone(self, master: int, count: int) -> None:
        """Make ``count`` channels next to ``master`` its members, taken from the other zone if need be."""
        before = set(self.zone(master)[1:])
        members = set(range(1, 1 + count) if master == LOWER_MASTER else range(15 - count, 15))
        self._channels[master].master = None
        self._channels[master].bend_unit = 0.0
        self._channels[master].bend_range_semitones = USUAL_BEND_SEMITONES
        for number in before | members:
            channel = self._channels[number]
            channel.master = master if number in members else None
            channel.bend_unit, channel.brightness = 0.0, None
            channel.bend_range_semitones = (
                MEMBER_BEND_SEMITONES if number in members else self._bend_range_semitones
            )
        for number in before | {master}:
            self.send_bend(number)
