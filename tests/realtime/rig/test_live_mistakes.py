"""What users of ``struck live`` get wrong: one line that says so, an exit status, and nothing left behind."""

import json
import socket
import sys
import threading

import numpy as np
import pytest
import soundfile
from numba import config

from struck.realtime.commands.cli import main
from struck.realtime.commands.console import COMPILING

from .jack_rig import jack_server

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")


@pytest.fixture(scope="module")
def server():
    with jack_server(block=256) as running:
        yield running


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a sound, a broken one, a broken patch and an earlier take."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", 0.1 * np.ones(4_800), 48_000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF, it says")
    (tmp_path / "broken.toml").write_text("profile = [")
    (tmp_path / "strange.toml").write_text('profile = "live"\n[controls]\nloudness = 3.0\n')
    (tmp_path / "earlier.mcap").write_text("an earlier take")
    (tmp_path / "earlier.wav").write_text("an earlier sound")
    (tmp_path / "half.wav.part").write_text("half a sound")
    (tmp_path / "half.mcap.part").write_text("half a take")
    return tmp_path


def fail(folder, capsys, *arguments):
    """Run; the one line that was told, after checks that nothing else happened."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    threads = set(threading.enumerate())
    assert main(["live", *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    patience = f"struck: note: {COMPILING}"
    lines = [line for line in told.err.splitlines() if line != patience]
    assert len(lines) == 1, told.err
    assert lines[0].startswith("struck: ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    left = [thread for thread in set(threading.enumerate()) - threads if thread.is_alive()]
    for thread in left:
        thread.join(1.0)
    assert not [thread.name for thread in left if thread.is_alive()]
    return lines[0].removeprefix("struck: ")


NOTES = ("--input", "none", "--output", "jack:system")
FILES = ("--input", "song.wav", "--output", "heard.wav")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--input", "none", "--output", "none"], "nothing to perform"),
        (["--input", "none", "--output", "heard.wav"], "an output file needs an input"),
        (["--input", "missing.wav", "--output", "none"], "missing.wav"),
        (["--input", "broken.wav", "--output", "none"], "broken.wav"),
        (["--input", "song.wav", "--output", "heard.mp3"], "heard.mp3: the extension must be"),
        (["--input", "song.wav", "--output", "song.wav"], "song.wav is both input and output"),
        (["--input", "song.wav", "--output", "./song.wav"], "song.wav is both input and output"),
        ([*FILES, "--record-audio", "heard.wav"], "heard.wav would be written twice"),
        ([*FILES, "--record-audio", "song.wav"], "song.wav is both input and output"),
        ([*FILES, "--backing", "heard.wav"], "heard.wav is both input and output"),
        ([*FILES, "--backing", "missing.wav"], "missing.wav"),
        ([*FILES, "--record", "take.wav"], "the extension must be .mcap"),
        ([*FILES, "--record-audio", "take.mcap"], "the extension must be .wav"),
        ([*FILES, "--record", "nowhere/take.mcap"], "nowhere"),
        ([*FILES, "--record", "half.mcap"], "half.mcap.part holds an unfinished recording"),
        (["--input", "song.wav", "--output", "nowhere/heard.wav"], "nowhere"),
        # what comes later in the opening fails: an earlier recording keeps its name and its content
        (["--input", "song.wav", "--output", "nowhere/heard.wav", "--record", "earlier.mcap"], "nowhere"),
        (["--input", "song.wav", "--output", "earlier.wav", "--record", "nowhere/x.mcap"], "nowhere"),
        ([*FILES, "--patch", "whistle"], "whistle"),
        ([*FILES, "--patch", "missing.toml"], "missing.toml"),
        ([*FILES, "--patch", "broken.toml"], "patch broken: "),
        ([*FILES, "--patch", "strange.toml"], "no control is called loudness"),
        ([*FILES, "--osc-listen", "9000"], "MIDI and OSC need a device that keeps time, or --paced"),
        ([*FILES, "--midi-in", "virtual"], "MIDI and OSC need a device that keeps time, or --paced"),
        ([*FILES, "--paced", "--osc-listen", "no.such.host.invalid:9000"], "no.such.host.invalid"),
        ([*FILES, "--paced", "--osc-listen", "9000:x"], "is not an address"),
        ([*FILES, "--paced", "--osc-listen", "123456"], "is not an address"),
        ([*FILES, "--paced", "--osc-send", "::1:9000"], "an IPv6 host stands in brackets"),
        ([*FILES, "--paced", "--osc-send", "127.0.0.1"], "is not an address"),
        ([*FILES, "--weights", "song.wav"], "song.wav"),
    ],
)
def test_files_and_addresses(folder, capsys, arguments, line):
    assert line in fail(folder, capsys, *arguments)


@pytest.mark.jack
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--input", "whistle", "--output", "none"], "no input device 'whistle'; there is 0 JACK:system"),
        (["--input", "none", "--output", "jack:whistle"], "no output device 'jack:whistle'; there is"),
        (["--input", "99", "--output", "none"], "no input device '99'"),
        (["--input", "jack:", "--output", "none"], "'jack:' may be any of several input devices: "),
        ([*NOTES, "--rate", "44100"], "the JACK server runs at 48000 Hz, not 44100: use --rate 48000"),
        ([*NOTES, "--paced"], "--paced is for a performance from file to file"),
        ([*NOTES, "--midi-in", "whistle"], "no MIDI input is called whistle; there are"),
        ([*NOTES, "--midi-in", ""], "is empty"),
        ([*NOTES, "--midi-out", "whistle"], "no MIDI output is called whistle; there are"),
        ([*NOTES, "--midi-in", "virtual:keys", "--record", "nowhere/show.mcap"], "nowhere"),
        ([*NOTES, "--record", "earlier.mcap", "--record-audio", "half.wav"], "half.wav.part holds an unfin"),
        ([*NOTES, "--record", "earlier.mcap", "--record-audio", "nowhere/x.wav"], "nowhere"),
        (["--input", "jack:system", "--output", "heard.flac"], "heard.flac"),
        (["--input", "jack:system", "--output", "x.wav", "--record-audio", "y.wav"], "leave --record-audio"),
        (["--input", "broken.wav", "--output", "jack:system"], "broken.wav"),
    ],
)
def test_devices_and_ports(server, folder, capsys, arguments, line):
    assert line in fail(folder, capsys, *arguments)
    assert not [port for port in server.ports() if not port.startswith("system:")]


def test_no_server(folder, capsys, monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "struck-nobody")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    assert "no output device 'jack:system'" in fail(folder, capsys, *NOTES)


def test_the_port_for_osc_is_in_use(folder, capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        line = fail(folder, capsys, *FILES, "--paced", "--osc-listen", str(port), "--record", "earlier.mcap")
    assert f"cannot listen for OSC on localhost:{port}" in line


def test_without_rtmidi(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    line = fail(folder, capsys, *FILES, "--paced", "--midi-in", "keys")
    assert line == "MIDI ports need python-rtmidi: run make live, or pip install python-rtmidi"


def test_json_of_a_fault_is_one_object(folder, capsys):
    assert main(["live", *FILES, "--patch", "whistle", "--json"]) == 1
    assert "whistle" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "studio"],
        ["--block", "31"],
        ["--block", "2049"],
        ["--block", "many"],
        ["--rate", "44101"],
        ["--rate", "8000"],
        ["--dry", "nan"],
        ["--compute", "-1"],
        ["--duration", "-1"],
        ["--duration", "forever"],
        ["--loud"],
        ["song.wav"],
    ],
)
def test_wrong_usage(folder, capsys, arguments):
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as left:
        main(["live", *arguments])
    assert left.value.code == 2
    assert "usage: struck" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_an_earlier_take_is_replaced_in_the_end(folder, capsys):
    arguments = [*FILES, "--record", "earlier.mcap", "--record-audio", "earlier.wav", "--json"]
    assert main(["live", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["recordings"] == {"earlier.mcap": True}
    assert (folder / "earlier.mcap").read_bytes().startswith(b"\x89MCAP")
    assert soundfile.info("earlier.wav").duration >= 0.1
    assert soundfile.info("heard.wav").duration >= 0.1
    assert not [path for path in folder.iterdir() if ".part" in path.name and "half" not in path.name]
