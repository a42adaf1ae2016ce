"""Audio devices: what there is, and which one is meant by what a user types.

Devices of PortAudio (ALSA, Core Audio, WASAPI...) and, where a JACK server runs, its clients: anything that
has ports to listen to is an input, anything that listens an output. So ``--input jack:fluidsynth
--output jack:system`` hears FluidSynth and plays to the sound card (start FluidSynth with
``-o audio.jack.autoconnect=0``, its default, or the card plays it directly as well), and
``--input jack:unconnected`` has ports for the user to connect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ...codec.events.errors import StruckError
from .jack import JackClient, JackLibrary, load_jack
from .jack_stream import UNCONNECTED
from .portaudio import PortAudio, load_portaudio

Direction = Literal["input", "output"]
JACK: Final = "JACK"
#: The sound card's client, the default.
_JACK_FIRST: Final = "system"


@dataclass(frozen=True)
class DeviceChoice:
    """A device as it was when the list was made.

    Args:
        number: in ``struck devices``.
        name: as PortAudio has it; of a JACK client, its name.
        host: the host API: "JACK", "ALSA", "Core Audio", ...
        input_channels, output_channels: 0 if it has no such side.
        rate: in Hz, its default; JACK's only one.
        portaudio_index: PortAudio's number for it, None for a JACK client.
    """

    number: int
    name: str
    host: str
    input_channels: int
    output_channels: int
    rate: float
    portaudio_index: int | None = None

    def channels(self, direction: Direction) -> int:
        """Channels of that side."""
        return self.input_channels if direction == "input" else self.output_channels

    def __str__(self) -> str:
        return f"{self.host}:{self.name}"


@dataclass(frozen=True)
class DeviceList:
    """Devices at one moment.

    Args:
        devices: in the order of their numbers.
        default_input, default_output: None if there is no such device.
        problem: why devices may be missing (no PortAudio library), or "".
    """

    devices: tuple[DeviceChoice, ...]
    default_input: DeviceChoice | None
    default_output: DeviceChoice | None
    problem: str = ""

    def find(self, text: str, direction: Direction) -> DeviceChoice | None:
        """The device meant by ``text``; None for ``none``.

        Args:
            text: ``default``, ``none``, a number, a name, or a part of one in any case; a host may stand
                before it with a colon (``jack:system``, ``ALSA:USB``), and alone (``jack:``) if that is
                enough.
            direction: which side it must have.

        Raises:
            StruckError: no such device, or several; the line says which there are.
        """
        wanted = text.strip()
        if wanted.lower() == "none":
            return None
        if wanted.lower() in ("default", ""):
            default = self.default_input if direction == "input" else self.default_output
            if default is None:
                raise StruckError(f"no {direction} device found{self._suffix(direction)}")
            return default
        able = [device for device in self.devices if device.channels(direction) > 0]
        if wanted.isdecimal():
            found = [device for device in self.devices if device.number == int(wanted)]
            if found and not found[0].channels(direction):
                raise StruckError(f"device {wanted} ({found[0]}) has no {direction}{self._suffix(direction)}")
        else:
            found = _match(able, wanted)
        if not found:
            raise StruckError(f"no {direction} device {text!r}{self._suffix(direction)}")
        if len(found) > 1:
            names = ", ".join(f"{device.number} {device}" for device in found)
            raise StruckError(f"{text!r} may be any of several {direction} devices: {names}")
        return found[0]

    def _suffix(self, direction: Direction) -> str:
        names = ", ".join(
            f"{device.number} {device}" for device in self.devices if device.channels(direction) > 0
        )
        problem = f" ({self.problem})" if self.problem else ""
        return f"; there is {names or 'none'}{problem}; see struck devices"


def _match(devices: Sequence[DeviceChoice], wanted: str) -> list[DeviceChoice]:
    """Those that the first rule with any answer gives: exact name, name in any case, a part of it."""
    lower = wanted.lower()
    host, colon, name = lower.partition(":")
    rules: list[Callable[[DeviceChoice], bool]] = [
        lambda device: device.name == wanted,
        lambda device: str(device) == wanted,
        lambda device: device.name.lower() == lower,
        lambda device: bool(colon) and _is_host(device, host) and device.name.lower() == name.strip(),
        lambda device: bool(colon) and _is_host(device, host) and name.strip() in device.name.lower(),
        lambda device: lower in device.name.lower(),  # also ALSA's own names: hw:0,0
    ]
    for rule in rules:
        found = [device for device in devices if rule(device)]
        if found:
            return found
    return []


def _is_host(device: DeviceChoice, text: str) -> bool:
    """``coreaudio`` and ``Core Audio``, ``wasapi`` and ``Windows WASAPI`` mean the same."""
    return bool(text.strip()) and text.replace(" ", "") in device.host.lower().replace(" ", "")


def read_devices(refresh: bool = False) -> DeviceList:
    """All devices now.

    Args:
        refresh: look anew at PortAudio's, which otherwise are as old as the program; does nothing while one
            of them is open.

    Where there is no PortAudio library, JACK's are found nevertheless.
    """
    problem = ""
    portaudio: PortAudio | None = None
    try:
        portaudio = load_portaudio()
    except StruckError as error:
        problem = str(error)
    if portaudio is not None and refresh:
        portaudio.refresh()
    return list_devices(portaudio, load_jack(), problem)


def list_devices(portaudio: PortAudio | None, jack: JackLibrary | None, problem: str = "") -> DeviceList:
    """Devices of the given libraries. A running JACK server holds the sound card, so its are the defaults."""
    devices: list[DeviceChoice] = []
    defaults: dict[Direction, DeviceChoice | None] = {"input": None, "output": None}
    client = jack.open_client("struck-list") if jack is not None else None
    if client is not None:
        try:
            devices += _jack_devices(client)
        finally:
            client.close()
        defaults["input"] = next((d for d in devices if d.name == _JACK_FIRST and d.input_channels), None)
        defaults["output"] = next((d for d in devices if d.name == _JACK_FIRST and d.output_channels), None)
    if portaudio is not None:
        sd = portaudio.sounddevice
        hosts = sd.query_hostapis()
        for index, info in enumerate(sd.query_devices()):
            device = DeviceChoice(
                number=len(devices),
                name=info["name"],
                host=hosts[info["hostapi"]]["name"],
                input_channels=info["max_input_channels"],
                output_channels=info["max_output_channels"],
                rate=info["default_samplerate"],
                portaudio_index=index,
            )
            devices.append(device)
        directions: tuple[Direction, Direction] = ("input", "output")
        for direction, default in zip(directions, sd.default.device, strict=True):
            index = default if default >= 0 else _first_default(hosts, f"default_{direction}_device")
            if defaults[direction] is None and index >= 0:
                defaults[direction] = next(d for d in devices if d.portaudio_index == index)
    return DeviceList(tuple(devices), defaults["input"], defaults["output"], problem)


def _first_default(hosts: Sequence[dict], key: str) -> int:
    """The default of the first host API that has one: PortAudio's own default looks at the first API only."""
    return next((host[key] for host in hosts if host[key] >= 0), -1)


def _jack_devices(client: JackClient) -> list[DeviceChoice]:
    """The server's clients that have audio ports, the sound card first; then :data:`UNCONNECTED`."""
    counts: dict[str, tuple[int, int]] = {}
    for sources in (True, False):
        for port in client.find_ports(sources):
            name = port.rpartition(":")[0]
            inputs, outputs = counts.get(name, (0, 0))
            counts[name] = (inputs + 1, outputs) if sources else (inputs, outputs + 1)
    names = sorted(counts, key=lambda name: name != _JACK_FIRST)
    counts[UNCONNECTED] = (2, 2)
    return [
        DeviceChoice(number, name, JACK, *counts[name], client.rate)
        for number, name in enumerate([*names, UNCONNECTED])
    ]
