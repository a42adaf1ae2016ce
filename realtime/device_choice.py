"""Which devices, and which rate, the settings of a performance mean."""

from __future__ import annotations

from typing import Final

from ..codec.audio_files import open_audio
from ..codec.noise import check_rate
from .devices import DeviceChoice, read_devices
from .settings import LiveSettings

_DEFAULT_RATE: Final = 48_000


def choose_devices(settings: LiveSettings) -> tuple[DeviceChoice | None, DeviceChoice | None]:
    """The devices to listen to and to play to; None where that is a file, or nothing.

    Raises:
        StruckError: a name means no device, or several.
    """
    if settings.is_offline:
        return None, None
    devices = read_devices()
    source = None if settings.input_file is not None else devices.find(settings.input, "input")
    sink = None if settings.output_file is not None else devices.find(settings.output, "output")
    return source, sink


def choose_rate(settings: LiveSettings, device: DeviceChoice | None) -> int:
    """The rate asked for, else the device's own, else the input file's, else 48 kHz, in Hz.

    Raises:
        StruckError: the input file cannot be read.
    """
    if settings.rate is not None:
        return settings.rate
    wanted = _DEFAULT_RATE
    if device is not None:
        wanted = round(device.rate)
    elif settings.input_file is not None:
        with open_audio(settings.input_file) as reader:
            wanted = reader.source_rate
    try:
        return check_rate(wanted)
    except ValueError:
        return _DEFAULT_RATE
