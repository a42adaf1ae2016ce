"""The command that lists what is there to play on: audio devices and MIDI ports."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from typing import Any

from ...codec.events.errors import StruckError
from .console import Console
from .options import Commands, add_command

_NO_AUDIO = "no audio devices: no sound card was found and no sound server runs"
_NO_MIDI = "no MIDI ports"


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    add_command(
        commands,
        "devices",
        run_devices,
        "list the audio devices and MIDI ports of this machine",
        "  struck devices\n  struck devices --json",
    )


def run_devices(options: argparse.Namespace, console: Console) -> None:
    notes: list[str] = []
    # libjack and ALSA complain, past Python, about every server and card that is not there.
    with _quiet_libraries():
        audio, problem = list_audio_devices()
        if problem or not audio:
            notes.append(problem or _NO_AUDIO)
        try:
            midi = _list_midi()
            notes += [] if midi else [_NO_MIDI]
        except StruckError as error:
            midi, notes = [], [*notes, str(error)]
    console.finish({"audio": audio, "midi": midi, "notes": notes}, _as_text(audio, midi, notes))


def list_audio_devices() -> tuple[list[dict[str, Any]], str]:
    """Every audio device that ``struck live`` takes, and why some may be missing, or "".

    Returns:
        Dicts of ``number`` (what ``--input`` and ``--output`` take, as the name), ``name``, ``host``,
        ``input_channels``, ``output_channels``, ``rate_hz`` (its own), ``default_input`` and
        ``default_output``.
    """
    from ..devices.devices import read_devices

    found = read_devices()
    rows = [
        {
            "number": device.number,
            "name": device.name,
            "host": device.host,
            "input_channels": device.input_channels,
            "output_channels": device.output_channels,
            "rate_hz": device.rate,
            "default_input": device is found.default_input,
            "default_output": device is found.default_output,
        }
        for device in found.devices
    ]
    return rows, found.problem


def _list_midi() -> list[dict[str, Any]]:
    """Every MIDI port: ``api``, ``direction``, ``name``."""
    from ..midi.ports import list_midi_ports

    return [asdict(port) for port in list_midi_ports()]


def _as_text(audio: list[dict[str, Any]], midi: list[dict[str, Any]], notes: list[str]) -> str:
    lines = []
    for host, devices in groupby(audio, key=lambda device: str(device["host"])):
        lines.append(f"audio, {host}")
        lines += [_audio_line(device) for device in devices]
    for api, ports in groupby(sorted(midi, key=lambda p: (p["api"], p["direction"])), _midi_api):
        lines.append(f"MIDI, {api}")
        lines += [f"  {port['direction']:6}  {_one_line(port['name'])}" for port in ports]
    return "\n".join([*lines, *notes])


def _midi_api(port: dict[str, Any]) -> str:
    return str(port["api"])


def _audio_line(device: dict[str, Any]) -> str:
    defaults = [f"default {name}" for name in ("input", "output") if device[f"default_{name}"]]
    channels = f"{device['input_channels']} in, {device['output_channels']} out"
    details = ", ".join([channels, f"{device['rate_hz']:g} Hz", *defaults])
    return f"  {device['number']:3}  {_one_line(device['name'])}  ({details})"


def _one_line(name: str) -> str:
    """A name as it can be printed: some drivers put line breaks into theirs."""
    return "".join(c if c.isprintable() else " " for c in name)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """While the body runs, what native libraries print on standard error is dropped; an exception is not."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # closed already: there is nothing to keep quiet
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
