"""`struck devices`: whatever the machine has, and whatever it lacks."""

import json
import os
import subprocess
import sys
import types
from dataclasses import dataclass

import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.commands.cli import main
from struck.realtime.devices import devices
from struck.realtime.devices.devices import DeviceChoice, DeviceList


@dataclass(frozen=True)
class MidiPort:
    api: str
    direction: str
    name: str


@pytest.fixture
def machine(monkeypatch):
    """Stand-ins for what lists the devices and the ports, to be changed by the test."""
    rows = [
        DeviceChoice(0, "system", "JACK", 2, 2, 48_000.0),
        DeviceChoice(1, "Scarlett: USB Audio\r\n(hw:1,0)", "ALSA", 2, 0, 44_100.0, 0),
        DeviceChoice(2, "Lautsprecher ü", "ALSA", 0, 2, 48_000.0, 1),
    ]
    sound = types.SimpleNamespace(read=lambda: DeviceList(tuple(rows), rows[1], rows[0]))
    midi = types.ModuleType("struck.realtime.midi.ports")
    midi.list_midi_ports = lambda: [
        MidiPort("ALSA", "input", "Keystation"),
        MidiPort("ALSA", "output", "Synth"),
    ]
    monkeypatch.setattr(devices, "read_devices", lambda: sound.read())
    monkeypatch.setitem(sys.modules, "struck.realtime.midi.ports", midi)
    return types.SimpleNamespace(sound=sound, midi=midi)


def raising(error):
    def call():
        raise error

    return call


def test_lists_devices_by_host_and_ports(machine, capsys):
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "audio, JACK",
        "    0  system  (2 in, 2 out, 48000 Hz, default output)",
        "audio, ALSA",
        "    1  Scarlett: USB Audio  (hw:1,0)  (2 in, 0 out, 44100 Hz, default input)",
        "    2  Lautsprecher ü  (0 in, 2 out, 48000 Hz)",
        "MIDI, ALSA",
        "  input   Keystation",
        "  output  Synth",
    ]


def test_json(machine, capsys):
    assert main(["devices", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["notes"] == []
    assert values["midi"][0] == {"api": "ALSA", "direction": "input", "name": "Keystation"}
    assert values["audio"][2] == {
        "number": 2,
        "name": "Lautsprecher ü",
        "host": "ALSA",
        "input_channels": 0,
        "output_channels": 2,
        "rate_hz": 48_000.0,
        "default_input": False,
        "default_output": False,
    }


def test_a_machine_without_anything(machine, capsys):
    machine.sound.read = lambda: DeviceList((), None, None)
    machine.midi.list_midi_ports = lambda: []
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["no audio devices: no sound card was found and no sound server runs", "no MIDI ports"]


def test_what_is_missing_of_one_part_leaves_the_other(machine, capsys):
    machine.sound.read = lambda: DeviceList((), None, None, "there is no PortAudio library")
    assert main(["devices"]) == 0
    out = capsys.readouterr().out
    assert "there is no PortAudio library" in out
    assert "Keystation" in out
    machine.midi.list_midi_ports = raising(StruckError("MIDI ports need python-rtmidi: run make live"))
    assert main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][1] == "MIDI ports need python-rtmidi: run make live"


def test_other_faults_are_not_hidden(machine):
    machine.midi.list_midi_ports = raising(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        main(["devices"])


def test_noise_of_native_libraries_is_dropped_and_only_that(machine, capfd):
    def noisy():
        os.write(2, b"Cannot connect to server socket\n")
        return DeviceList((), None, None)

    machine.sound.read = noisy
    assert main(["devices"]) == 0
    assert capfd.readouterr().err == ""
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_this_machine_as_it_is():
    """Whatever sound system there is or is not: an answer, no noise."""
    command = [sys.executable, "-m", "struck.realtime.commands.cli", "devices", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    values = json.loads(done.stdout)
    assert values["audio"] or any("audio" in note for note in values["notes"])


def test_standard_error_may_be_closed(machine, capfd):
    program = (
        "import os, sys; from struck.realtime.commands.devices import _quiet_libraries\n"
        "os.close(2)\n"
        "with _quiet_libraries(): print('listed')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("listed\n", 0)
