"""The test rig's JACK server runs, is this process' default, and is gone afterwards."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..rig.jack_rig import jack_server


@pytest.mark.jack
def test_server_runs_and_ends():
    before = dict(os.environ)
    with jack_server(rate=44_100, block=64) as server:
        assert os.environ["JACK_DEFAULT_SERVER"] == server.name
        # without -s: the process' default
        done = subprocess.run(["jack_lsp"], capture_output=True, text=True, timeout=5, check=True)
        assert "system:playback_1" in done.stdout.split("\n")
        server.connect("system:capture_1", "system:playback_1")
        assert "system:playback_1" in server.tool("jack_lsp", "-c", "system:capture_1")
    assert not server.running
    assert dict(os.environ) == before


@pytest.mark.jack
def test_server_ends_with_a_test_program_that_crashes():
    program = (
        "import os\n"
        "from tests.realtime.rig.jack_rig import JackServer\n"
        "server = JackServer(48_000, 128)\n"
        "print(server.pid, flush=True)\n"
        "os.abort()\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=20
    )
    if not done.stdout:
        pytest.skip(done.stderr.strip().split("\n")[-1])
    pid = int(done.stdout)
    end = time.monotonic() + 5.0
    while running(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.jack
def test_server_comes_back_under_its_name():
    with jack_server() as server:
        server.stop()
        assert not server.running
        server.start()
        assert "system:capture_1" in server.ports()
        server.kill()
        assert not server.running
        server.start()
        assert "system:capture_1" in server.ports()
