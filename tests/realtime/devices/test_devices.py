"""What a user types finds the device that is meant, or says which there are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import config

from struck.codec.events.errors import StruckError
from struck.realtime.devices.devices import DeviceChoice, DeviceList, read_devices
from struck.realtime.devices.jack import load_jack

from ..rig.jack_rig import jack_server

ROOT = Path(__file__).parents[3]
needs_compiler = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="libjack calls compiled functions")

ROWS = [
    ("system", "JACK", 2, 2),
    ("fluidsynth-midi", "JACK", 2, 0),
    ("unconnected", "JACK", 2, 2),
    ("HDA Intel PCH: ALC257 (hw:0,0)", "ALSA", 2, 2),
    ("USB Audio: Scarlett (hw:1,0)", "ALSA", 2, 4),
    ("USB Audio: Mixer (hw:2,0)", "ALSA", 1, 0),
    ("Built-in Output", "Core Audio", 0, 2),
    ("usb", "Core Audio", 2, 0),
]
DEVICES = tuple(
    DeviceChoice(number, name, host, inputs, outputs, 48_000.0, number)
    for number, (name, host, inputs, outputs) in enumerate(ROWS)
)
LIST = DeviceList(DEVICES, DEVICES[0], None)


@pytest.mark.parametrize(
    ("text", "direction", "number"),
    [
        ("3", "input", 3),
        (" 6 ", "output", 6),
        ("system", "input", 0),
        ("JACK:system", "output", 0),
        ("jack:System", "output", 0),
        ("jack:fluid", "input", 1),
        ("ALSA:Scarlett", "output", 4),
        ("alsa:usb", "output", 4),  # the other one has no output
        ("coreaudio:usb", "input", 7),
        ("usb", "input", 7),  # exact before part
        ("core audio:", "input", 7),
        ("hw:1,0", "input", 4),
        ("HDA Intel PCH: ALC257 (hw:0,0)", "input", 3),
        ("built", "output", 6),
        ("default", "input", 0),
        ("DEFAULT", "input", 0),
        ("", "input", 0),
    ],
)
def test_finds(text, direction, number):
    assert LIST.find(text, direction) is DEVICES[number]


@pytest.mark.parametrize("text", ["none", "None", " NONE "])
def test_none_is_no_device(text):
    assert LIST.find(text, "input") is None


@pytest.mark.parametrize(
    ("text", "direction", "words"),
    [
        ("USB Audio", "input", ["any of several", "4 ALSA:USB Audio: Scarlett", "5 ALSA:USB Audio: Mixer"]),
        ("jack:", "output", ["any of several", "0 JACK:system", "2 JACK:unconnected"]),
        ("piano", "input", ["no input device 'piano'", "0 JACK:system", "struck devices"]),
        ("jack:piano", "output", ["no output device", "6 Core Audio:Built-in Output"]),
        ("8", "input", ["no input device '8'"]),
        ("99999999999999999999", "input", ["no input device"]),
        ("-1", "input", ["no input device"]),
        ("6", "input", ["device 6 (Core Audio:Built-in Output) has no input"]),
        ("fluidsynth", "output", ["no output device"]),
        ("default", "output", ["no output device"]),
        (":", "output", ["any of several"]),
        ("a\nb", "output", ["no output device 'a\\nb'"]),
        ("²", "output", ["no output device '²'"]),
    ],
)
def test_says_what_there_is_in_one_line(text, direction, words):
    with pytest.raises(StruckError) as caught:
        LIST.find(text, direction)
    line = str(caught.value)
    assert "\n" not in line
    for word in words:
        assert word in line


def test_no_devices_at_all():
    with pytest.raises(StruckError, match=r"no input device found; there is none \(no library\); see"):
        DeviceList((), None, None, "no library").find("default", "input")


@pytest.mark.jack
@needs_compiler
def test_jack_clients_are_devices():
    with jack_server(rate=44_100) as server:
        devices = read_devices()
        assert [str(device) for device in devices.devices[:2]] == ["JACK:system", "JACK:unconnected"]
        system = devices.find("system", "input")
        assert system == devices.default_input == devices.default_output
        assert (system.input_channels, system.output_channels, system.rate) == (2, 2, 44_100)
        assert not any(device.host == "JACK Audio Connection Kit" for device in devices.devices)
        assert "struck" not in server.tool("jack_lsp")
        # PortAudio does not become a client either
        read_devices(refresh=True)
        assert "PortAudio" not in server.tool("jack_lsp")
    assert not any(device.host == "JACK" for device in read_devices().devices)


@needs_compiler
def test_no_server_no_noise():
    """libjack and ALSA tell file descriptor 2 what they miss."""
    if load_jack() is None:
        pytest.skip("libjack not installed")
    script = (
        "from struck.realtime.devices.devices import read_devices; read_devices(); read_devices(refresh=True)"
    )
    environment = {**os.environ, "JACK_DEFAULT_SERVER": "struck-nobody", "JACK_NO_START_SERVER": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=environment, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
