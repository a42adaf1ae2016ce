"""The JACK server goes and comes back under a show with backing: the backing comes back too."""

import subprocess
import sys
from pathlib import Path

import pytest
from numba import config

from ..rig.jack_rig import jack_server

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")


@pytest.mark.jack
def test_backing_comes_back_with_the_device():
    with jack_server():  # skips where jackd is missing
        pass
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.realtime.phrases.lose_backing"],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=Path(__file__).parents[3],
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
