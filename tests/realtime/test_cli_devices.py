"""`struck devices`: whatever the machine has, and whatever it lacks."""

import json
import os
import subprocess
import sys
import types
from dataclasses import dataclass

import pytest

from struck.codec.errors import StruckError
from struck.realtime.cli import main


@dataclass(frozen=True)
class MidiPort:
    api: str
    direction: str
    name: str


def device(index, name, api, inputs, outputs):
    return {
        "index": index,
        "name": name,
        "hostapi": api,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_low_input_latency": 0.0087 if inputs else -1.0,
        "default_low_output_latency": 0.0058 if outputs else -1.0,
        "default_samplerate": 48_000.0,
    }


class PortAudioError(Exception):
    pass


@pytest.fixture
def machine(monkeypatch):
    """Stand-ins for the two libraries, to be changed by the test."""
    sound = types.ModuleType("sounddevice")
    sound.PortAudioError = PortAudioError
    sound.query_hostapis = lambda: (
        {"name": "ALSA", "default_input_device": 0, "default_output_device": 1},
        {"name": "JACK Audio Connection Kit", "default_input_device": -1, "default_output_device": 2},
    )
    sound.query_devices = lambda: [
        device(0, "Scarlett: USB Audio\r\n(hw:1,0)", 0, 2, 0),
        device(1, "Lautsprecher ü", 0, 0, 2),
        device(2, "system", 1, 0, 2),
    ]
    midi = types.ModuleType("struck.realtime.midi_ports")
    midi.list_midi_ports = lambda: [
        MidiPort("ALSA", "input", "Keystation"),
        MidiPort("ALSA", "output", "Synth"),
    ]
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    monkeypatch.setitem(sys.modules, "struck.realtime.midi_ports", midi)
    return types.SimpleNamespace(sound=sound, midi=midi)


def raising(error):
    def call():
        raise error

    return call


def test_lists_devices_by_host_api_and_ports(machine, capsys):
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "audio, ALSA",
        "    0  Scarlett: USB Audio  (hw:1,0)  (2 in, 0 out, 48000 Hz, input 8.7 ms, default input)",
        "    1  Lautsprecher ü  (0 in, 2 out, 48000 Hz, output 5.8 ms, default output)",
        "audio, JACK Audio Connection Kit",
        "    2  system  (0 in, 2 out, 48000 Hz, output 5.8 ms, default output)",
        "MIDI, ALSA",
        "  input   Keystation",
        "  output  Synth",
    ]


def test_json(machine, capsys):
    assert main(["devices", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["notes"] == []
    assert values["midi"][0] == {"api": "ALSA", "direction": "input", "name": "Keystation"}
    assert values["audio"][1] == {
        "index": 1,
        "name": "Lautsprecher ü",
        "host_api": "ALSA",
        "input_channels": 0,
        "output_channels": 2,
        "rate_hz": 48_000.0,
        "input_latency_seconds": 0.0,
        "output_latency_seconds": 0.0058,
        "default_input": False,
        "default_output": True,
    }


def test_a_machine_without_anything(machine, capsys):
    machine.sound.query_devices = lambda: []
    machine.midi.list_midi_ports = lambda: []
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["no audio devices: no sound card was found and no sound server runs", "no MIDI ports"]


def test_faults_of_one_part_leave_the_other(machine, capsys):
    machine.sound.query_devices = raising(PortAudioError("Error querying device"))
    assert main(["devices"]) == 0
    out = capsys.readouterr().out
    assert "PortAudio does not answer (Error querying device)" in out
    assert "Keystation" in out
    machine.midi.list_midi_ports = raising(StruckError("the MIDI system does not answer"))
    assert main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][1] == "the MIDI system does not answer"


def test_missing_libraries(machine, capsys, monkeypatch):
    machine.midi.list_midi_ports = raising(StruckError("MIDI ports need python-rtmidi: run make live"))
    monkeypatch.delitem(sys.modules, "sounddevice")

    class NoLibrary:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "audio devices need the PortAudio library (Debian, Ubuntu: libportaudio2)",
        "MIDI ports need python-rtmidi: run make live",
    ]


def test_other_faults_are_not_hidden(machine):
    machine.midi.list_midi_ports = raising(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        main(["devices"])


def test_noise_of_native_libraries_is_dropped_and_only_that(machine, capfd):
    def noisy():
        os.write(2, b"Cannot connect to server socket\n")
        return []

    machine.sound.query_devices = noisy
    assert main(["devices"]) == 0
    assert capfd.readouterr().err == ""
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_this_machine_as_it_is():
    """Whatever sound system there is or is not: an answer, no noise."""
    pytest.importorskip("struck.realtime.midi_ports", reason="the MIDI ports are not there")
    command = [sys.executable, "-m", "struck.realtime.cli", "devices", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    values = json.loads(done.stdout)
    assert values["audio"] or any("audio" in note for note in values["notes"])


def test_standard_error_may_be_closed(machine, capfd):
    program = (
        "import os, sys; from struck.realtime.commands_devices import _quiet_libraries\n"
        "os.close(2)\n"
        "with _quiet_libraries(): print('listed')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("listed\n", 0)
