"""A JACK server of a test's own, with the dummy back end: real audio and MIDI ports without a sound card."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from struck.realtime.devices.scheduling import change_scheduling

_COMMAND = ("jackd", "-t", "5000")
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_TOOL_SECONDS = 20.0
_numbers = itertools.count(1)


class JackServer:
    """A running server; ended by its process id, and nothing else with it.

    Args:
        rate: in Hz.
        block: samples per block.
        realtime: with the system's real-time scheduling, as on a stage; needs the right to.
    """

    def __init__(self, rate: int, block: int, realtime: bool = False) -> None:
        self.rate, self.block = rate, block
        self._scheduling = "--realtime" if realtime else "--no-realtime"
        self.name = f"struck-{os.getpid()}-{next(_numbers)}"
        self._words = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 (closed in close)
        self._unclean = False
        self.start()

    def start(self) -> None:
        """Start, or start again under the same name; returns when the server answers."""
        self._process = subprocess.Popen(
            [
                *(*_COMMAND, self._scheduling, "-n", self.name),
                *("-d", "dummy", "-r", str(self.rate), "-p", str(self.block)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"},
        )
        # jackd outlives its parent, so a test program that crashes would leave it. However we end, this shell
        # sees its standard input end, and ends the server.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r line; kill "$0"', str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
        except BaseException:  # a skip is one too
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def tool(self, command: str, *arguments: str) -> str:
        """Standard output of ``jack_lsp``, ``jack_connect``, ... on this server; fails if it fails."""
        done = self._run([command, "-s", self.name, *arguments])
        assert done.returncode == 0, f"{command} {' '.join(arguments)}: {done.stdout} {done.stderr}"
        return done.stdout

    def ports(self) -> list[str]:
        """Full names of all ports."""
        return self.tool("jack_lsp").split("\n")[:-1]

    def connect(self, source: str, sink: str) -> None:
        """Connect two ports, given by their full names."""
        self.tool("jack_connect", source, sink)

    def stop(self) -> None:
        """End the server, as a user would; its clients see it go."""
        self._release_guard()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """The server dies without cleaning up."""
        self._release_guard()
        self._unclean = True
        self._process.kill()
        self._process.wait(_STOP_SECONDS)

    def close(self) -> None:
        """End the server for good.

        JACK has places for eight servers' names and a killed one keeps its place, and 100 MB, until a server
        of its name ends as it should.
        """
        self.stop()  # and if it does not end, it is killed
        if self._unclean:
            self._unclean = False
            self.start()
            self.stop()
        self._words.close()

    def _release_guard(self) -> None:
        if self._guard.poll() is None:
            self._guard.kill()
        self._guard.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "JACK_NO_START_SERVER": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TOOL_SECONDS)

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while self._run(["jack_lsp", "-s", self.name]).returncode != 0:
            if not self.running:
                self._words.seek(0)
                words = self._words.read()
                if "Too many servers" in words:
                    pytest.skip("eight JACK servers run, or were killed and keep their places")
                pytest.fail(f"jackd ended with {self._process.returncode}: {words}")
            if time.monotonic() > end:
                pytest.fail(f"jackd did not answer within {_START_SECONDS:g} s")
            time.sleep(0.02)


def may_be_realtime() -> bool:
    """Whether this process has real-time rights: a server with them keeps its pace on a busy machine."""
    return change_scheduling(10) and change_scheduling(0)


@contextmanager
def jack_server(rate: int = 48_000, block: int = 128, realtime: bool = False) -> Iterator[JackServer]:
    """A server under a name of its own, which is also the default of this process while the body runs.

    Skips the test where jackd is not installed.
    """
    missing = [tool for tool in ("jackd", "jack_lsp", "jack_connect") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (make live installs jackd)")
    server = JackServer(rate, block, realtime)
    before = {name: os.environ.get(name) for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
    os.environ["JACK_DEFAULT_SERVER"] = server.name
    os.environ["JACK_NO_START_SERVER"] = "1"
    try:
        yield server
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        server.close()
