"""The clients for other programs hear what struck sends; each is run by the program it is for."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.descriptors import read_descriptors
from struck.realtime.osc.sender import OscSender
from struck.realtime.osc.server import OscServer
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd

from ..realtime.osc.osc_host import WEIGHTS, FakeStage, Sounding, make_event, udp_socket

CLIENTS = Path(__file__).parents[2] / "patches" / "clients"


class Program:
    """Another program while it runs, and the lines it has said."""

    def __init__(self, command):
        self.lines = []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.strip())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()


def wait_until(true, program, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, program.lines
        time.sleep(0.01)


def test_pure_data_subscribes_and_hears():
    if shutil.which("pd") is None:
        pytest.skip("Pure Data (puredata-core) is not installed")
    stage = FakeStage()
    with udp_socket() as reserved:
        port = reserved.getsockname()[1]
    with OscServer(stage, stage.clock, port=0) as server, OscSender(stage, server=server) as sender:
        command = ["pd", "-nogui", "-nosound", "-nomidi", "-stderr", "-noprefs"]
        command += ["-send", f"struck-port {port}", "-send", f"struck-server 127.0.0.1 {server.address[1]}"]
        with Program([*command, str(CLIENTS / "struck-receive.pd")]) as pd:
            wait_until(lambda: ("127.0.0.1", port) in server.subscribers.peers(), pd)
            for number in (1, 2):
                sender(Sounding(number, make_event(number), "heard"))
            wait_until(lambda: sum("struck-event" in line for line in pd.lines) == 2, pd)
            amendment = Amendment.of_fields(1, 3.0, {"pitch": 60.0})
            sender(SoundingAmendment(1, amendment, amendment.apply(make_event(1)), 144_000, "heard"))
            sender(SoundingEnd(2, End(2, 3.0), 144_000, "heard"))
            wait_until(lambda: any("struck-end" in line for line in pd.lines), pd)
    check_printed(pd.lines)
    (amended,) = [
        line.split("struck-amend")[1].strip(": ").split() for line in pd.lines if "struck-amend" in line
    ]
    assert (amended[:2], float(amended[2])) == (["1", "pitch"], pytest.approx(60.0, abs=0.01))
    (ended,) = [line.split("struck-end")[1].strip(": ").split() for line in pd.lines if "struck-end" in line]
    assert ended == ["2"]
    assert not [line for line in pd.lines if "couldn't create" in line or "connection failed" in line]


def test_pure_data_takes_a_sounding_event_by_its_id():
    if shutil.which("pd") is None:
        pytest.skip("Pure Data (puredata-core) is not installed")
    stage = FakeStage()
    with OscServer(stage, stage.clock, port=0) as server, udp_socket() as reserved:
        port = reserved.getsockname()[1]
        reserved.close()
        command = ["pd", "-nogui", "-nosound", "-nomidi", "-stderr", "-noprefs"]
        command += ["-send", f"struck-port {port}", "-send", f"struck-server 127.0.0.1 {server.address[1]}"]
        command += ["-send", "struck-amend 12 pitch 62.5 gain_db -12", "-send", "struck-end 12"]
        with Program([*command, str(CLIENTS / "struck-receive.pd")]) as pd:
            wait_until(lambda: stage.ended, pd)
    ((number, _, changes),) = stage.amended
    assert (number, changes) == (12, {"pitch": 62.5, "gain_db": -12.0})
    assert [number for number, _ in stage.ended] == [12]


def test_supercollider_subscribes_and_hears():
    if shutil.which("sclang") is None:
        pytest.skip("SuperCollider's language (supercollider-language) is not installed")
    stage = FakeStage()
    with OscServer(stage, stage.clock, port=0) as server, OscSender(stage, server=server) as sender:
        patch = str(CLIENTS / "struck_receive.scd")
        with Program(["sclang", "-D", patch, "127.0.0.1", str(server.address[1]), "silent"]) as sclang:
            wait_until(server.subscribers.peers, sclang, 30.0)  # it compiles its class library first
            for number in (1, 2):
                sender(Sounding(number, make_event(number), "heard"))
            wait_until(lambda: sum("struck-event" in line for line in sclang.lines) == 2, sclang)
    assert any(line.startswith("subscribed at 127.0.0.1") for line in sclang.lines)
    for number, words in zip((1, 2), check_printed(sclang.lines), strict=True):
        assert float(words[8]) == pytest.approx(make_event(number).vector[0], rel=1e-4)


def printed(lines, name):
    """The words of each line that was printed under a name."""
    return [line.split(name)[1].strip(": ").split() for line in lines if name in line]


def check_printed(lines):
    """The words that were printed of events 1 and 2, after a look at their descriptors."""
    events = printed(lines, "struck-event")
    for number, words in zip((1, 2), events, strict=True):
        event = make_event(number)
        heard = read_descriptors(WEIGHTS, event)
        wanted = [
            number, event.gain_db, heard.pitch_hz, heard.brightness, heard.attack_seconds,
            heard.decay_seconds, heard.noisiness,
        ]  # fmt: skip
        assert [float(word) for word in words[:7]] == pytest.approx(wanted, rel=1e-4)
        assert words[7] == heard.room
    return events
