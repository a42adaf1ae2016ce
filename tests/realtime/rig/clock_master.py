"""``jack_midi_clock`` on a JACK server of a test's own: a real clock master, by JACK's transport."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .jack_rig import JackServer

_START_SECONDS = 20.0


class ClockMaster:
    """A running master; the transport's tempo is its own.

    Args:
        server: on which it runs.
        tempo_bpm: at first.
        port: JACK's MIDI port that it sends to.
    """

    def __init__(self, server: JackServer, tempo_bpm: float, port: str) -> None:
        self._server, self._port = server, port
        environment = {**os.environ, "JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"}
        self._processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                text=True,
            )
            for command in (["jack_transport"], ["jack_midi_clock", "-d", "0", port])
        ]
        try:
            self._out = self._wait_for_port()
            # A transport's tempo is its timebase master's.
            self._order(f"tempo {tempo_bpm:g}", "master", "locate 0")
        except BaseException:
            self.close()
            raise

    def _wait_for_port(self) -> str:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            assert all(process.poll() is None for process in self._processes), "the clock master ended"
            found = [name for name in self._server.ports() if name.startswith("jack_midi_clock")]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError("jack_midi_clock has no port")

    def roll(self) -> None:
        """Let the song begin: start, and clocks."""
        self._order("play")

    def stop(self) -> None:
        """Stop the song, and with it the clocks."""
        self._order("stop")

    def change(self, tempo_bpm: float) -> None:
        """Another tempo from now on."""
        self._order(f"tempo {tempo_bpm:g}")

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """Meanwhile no message of the master's arrives; it goes on."""
        self._server.tool("jack_disconnect", self._out, self._port)
        try:
            yield
        finally:
            self._server.connect(self._out, self._port)

    def close(self) -> None:
        """End its processes."""
        for process in self._processes:
            process.terminate()
            process.wait(20.0)
            process.stdin.close()

    def _order(self, *lines: str) -> None:
        stdin = self._processes[0].stdin
        stdin.write("".join(f"{line}\n" for line in lines))
        stdin.flush()


@contextmanager
def clock_master(server: JackServer, tempo_bpm: float, port: str) -> Iterator[ClockMaster]:
    """A master that sends to a JACK port; skips the test where the programs are not installed."""
    for program in ("jack_midi_clock", "jack_transport"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt-get install jack-midi-clock)")
    master = ClockMaster(server, tempo_bpm, port)
    try:
        yield master
    finally:
        master.close()
