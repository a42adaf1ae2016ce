"""The test rig's JACK server runs, is this process' default, and is gone afterwards."""

import os
import subprocess

from .jack_rig import jack_server


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
