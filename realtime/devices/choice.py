"""Which devices, and which rate, the settings of a performance mean."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...codec.files.audio_files import open_audio
from ...codec.playing.noise import check_rate
from .devices import DeviceChoice, read_devices

_DEFAULT_RATE: Final = 48_000


def choose_devices(
    input_name: str | None, output_name: str | None
) -> tuple[DeviceChoice | None, DeviceChoice | None]:
    """The devices to listen to and to play to; None where that is a file, or nothing, and so has no name.

    Raises:
        StruckError: a name means no device, or several.
    """
    if input_name is None and output_name is None:
        return None, None
    devices = read_devices()
    source = None if input_name is None else devices.find(input_name, "input")
    sink = None if output_name is None else devices.find(output_name, "output")
    return source, sink


def choose_rate(rate: int | None, device: DeviceChoice | None, input_file: Path | None) -> int:
    """The rate asked for, else the device's own, else the input file's, else 48 kHz, in Hz.

    Raises:
        StruckError: the input file cannot be read.
    """
    if rate is not None:
        return rate
    wanted = _DEFAULT_RATE
    if device is not None:
        wanted = round(device.rate)
    elif input_file is not None:
        with open_audio(input_file) as reader:
            wanted = reader.source_rate
    try:
        return check_rate(wanted)
    except ValueError:
        return _DEFAULT_RATE
