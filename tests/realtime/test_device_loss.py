"""The JACK server dies or freezes under a running driver: seen soon, no hang, no crash, and it comes back."""

import subprocess
import sys
from pathlib import Path

import pytest
from numba import config

from .jack_rig import jack_server

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")
@pytest.mark.parametrize("how", ["die", "freeze"])
def test_the_jack_server_goes_and_comes_back(how):
    with jack_server():  # skips where jackd is missing
        pass
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.realtime.lose_jack", how],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
