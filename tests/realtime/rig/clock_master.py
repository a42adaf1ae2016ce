"""``jack_midi_clock`` on a JACK server of a test's own: a real clock master."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .jack_rig import JackServer


class ClockMaster:
    """A running master, by JACK's transport."""

    def __init__(self, server: JackServer) -> None:
        self._environment = {
            **os.environ,
            "JACK_DEFAULT_SERVER": server.name,
            "JACK_NO_START_SERVER": "1",
        }

    def roll(self) -> None:
        """Let the song begin: start, and clocks."""
        self._order("play")

    def stop(self) -> None:
        """Stop the song, and with it the clocks."""
        self._order("stop")

    def _order(self, word: str) -> None:
        subprocess.run(
            ["jack_transport"],
            input=f"{word}\nexit\n",
            env=self._environment,
            text=True,
            stdout=subprocess.DEVNULL,
            timeout=20.0,
            check=True,
        )


@contextmanager
def clock_master(server: JackServer, tempo_bpm: float, port: str) -> Iterator[ClockMaster]:
    """A master that sends to a JACK port; skips the test where the programs are not installed."""
    for program in ("jack_midi_clock", "jack_transport"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt-get install jack-midi-clock)")
    master = ClockMaster(server)
    process = subprocess.Popen(
        ["jack_midi_clock", "-B", "-b", f"{tempo_bpm:g}", "-d", "0", port],
        env=master._environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 20.0
        while not any(name.startswith("jack_midi_clock") for name in server.ports()):
            assert process.poll() is None, "jack_midi_clock ended"
            assert time.monotonic() < end, "jack_midi_clock has no port"
            time.sleep(0.05)
        yield master
    finally:
        process.terminate()
        process.wait(20.0)
