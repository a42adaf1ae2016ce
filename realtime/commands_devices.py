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

from ..codec.errors import StruckError
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
        try:
            audio = list_audio_devices()
            notes += [] if audio else [_NO_AUDIO]
        except StruckError as error:
            audio, notes = [], [*notes, str(error)]
        try:
            midi = _list_midi()
            notes += [] if midi else [_NO_MIDI]
        except StruckError as error:
            midi, notes = [], [*notes, str(error)]
    console.finish({"audio": audio, "midi": midi, "notes": notes}, _as_text(audio, midi, notes))


def list_audio_devices() -> list[dict[str, Any]]:
    """Every audio device as PortAudio sees it, one for each host API it is reached by.

    Returns:
        Dicts of ``index``, ``name``, ``host_api``, ``input_channels``, ``output_channels``, ``rate_hz`` (its
        default), ``input_latency_seconds`` and ``output_latency_seconds`` (the lowest it offers; 0: no such
        direction), ``default_input`` and ``default_output`` of its host API.

    Raises:
        StruckError: there is no PortAudio library, or it does not start.
    """
    try:
        import sounddevice
    except OSError as error:  # the library, not the Python package, is missing
        raise StruckError(
            "audio devices need the PortAudio library (Debian, Ubuntu: libportaudio2)"
        ) from error
    except Exception as error:
        # It starts PortAudio when it is imported; if that fails, its own exception has no name yet outside.
        if type(error).__name__ != "PortAudioError":
            raise
        raise StruckError(f"PortAudio does not start ({error})") from error
    try:
        apis = sounddevice.query_hostapis()
        devices = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise StruckError(f"PortAudio does not answer ({error})") from error
    return [
        {
            "index": device["index"],
            "name": device["name"],
            "host_api": apis[device["hostapi"]]["name"],
            "input_channels": device["max_input_channels"],
            "output_channels": device["max_output_channels"],
            "rate_hz": device["default_samplerate"],
            "input_latency_seconds": _latency(device, "input"),
            "output_latency_seconds": _latency(device, "output"),
            "default_input": apis[device["hostapi"]]["default_input_device"] == device["index"],
            "default_output": apis[device["hostapi"]]["default_output_device"] == device["index"],
        }
        for device in devices
    ]


def _latency(device: dict[str, Any], direction: str) -> float:
    # PortAudio puts -1 where a direction is missing.
    if not device[f"max_{direction}_channels"]:
        return 0.0
    return max(0.0, float(device[f"default_low_{direction}_latency"]))


def _list_midi() -> list[dict[str, Any]]:
    """Every MIDI port: ``api``, ``direction``, ``name``."""
    from .midi_ports import list_midi_ports

    return [asdict(port) for port in list_midi_ports()]


def _as_text(audio: list[dict[str, Any]], midi: list[dict[str, Any]], notes: list[str]) -> str:
    lines = []
    for api, devices in groupby(sorted(audio, key=lambda d: (d["host_api"], d["index"])), _api):
        lines.append(f"audio, {api}")
        lines += [_audio_line(device) for device in devices]
    for api, ports in groupby(sorted(midi, key=lambda p: (p["api"], p["direction"])), _midi_api):
        lines.append(f"MIDI, {api}")
        lines += [f"  {port['direction']:6}  {_one_line(port['name'])}" for port in ports]
    return "\n".join([*lines, *notes])


def _api(device: dict[str, Any]) -> str:
    return str(device["host_api"])


def _midi_api(port: dict[str, Any]) -> str:
    return str(port["api"])


def _audio_line(device: dict[str, Any]) -> str:
    latencies = [
        f"{name} {device[f'{name}_latency_seconds'] * 1000.0:.1f} ms"
        for name in ("input", "output")
        if device[f"{name}_channels"]
    ]
    defaults = [f"default {name}" for name in ("input", "output") if device[f"default_{name}"]]
    channels = f"{device['input_channels']} in, {device['output_channels']} out"
    details = ", ".join([channels, f"{device['rate_hz']:g} Hz", *latencies, *defaults])
    return f"  {device['index']:3}  {_one_line(device['name'])}  ({details})"


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
