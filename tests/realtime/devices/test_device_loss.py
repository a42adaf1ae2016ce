"""The JACK server dies or freezes under a running driver: seen soon, no hang, no crash, and it comes back."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba import config

from struck.realtime.devices.jack import load_jack

from ..rig.jack_rig import jack_server

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")
ROOT = Path(__file__).parents[3]


@pytest.mark.jack
@pytest.mark.parametrize("how", ["die", "freeze"])
def test_the_jack_server_goes_and_comes_back(how):
    with jack_server():  # skips where jackd is missing
        pass
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.realtime.devices.lose_jack", how],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


@pytest.mark.jack
def test_no_client_is_opened_beside_a_dead_one():
    """libjack would crash."""
    with jack_server() as server:
        jack = load_jack()
        client = jack.open_client("struck-test")
        client.activate()
        server.kill()
        end = time.monotonic() + 30.0
        while not client.is_dead:
            assert time.monotonic() < end
            time.sleep(0.01)
        server.start()
        assert not jack.can_open
        assert jack.open_client("struck-test") is None
        assert client.close()
        assert jack.can_open
        again = jack.open_client("struck-test")
        assert again.name == "struck-test"
        assert "system:playback_1" in again.find_ports(sources=False)
        assert again.close()
