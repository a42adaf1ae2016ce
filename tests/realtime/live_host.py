"""``struck live`` as a process of its own, started on a JACK server, watched, and ended as a user would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from .jack_rig import JackServer

#: Longer than any test: should a test die, its host does not play on for ever.
_LONGEST_SECONDS = 120
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


class LiveHost:
    """A running host; a context manager that leaves no process behind.

    Args:
        server: the JACK server on which it plays.
        arguments: of ``struck live``; ``--json`` and a ``--duration`` are added.
        duration_seconds: it ends by itself after that.
    """

    def __init__(
        self, server: JackServer, *arguments: object, duration_seconds: float = _LONGEST_SECONDS
    ) -> None:
        self._server = server
        before = clients(server)
        self._output: list[str] = []
        #: What it said on standard error, line by line.
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "struck.realtime.cli", "live", "--json"),
                *("--duration", str(duration_seconds), *map(str, arguments)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
        )
        self._readers = [
            threading.Thread(target=_read, args=(stream, lines), daemon=True)
            for stream, lines in ((self._process.stdout, self._output), (self._process.stderr, self.lines))
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.client = self._wait_until_it_plays(before)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def _wait_until_it_plays(self, before: set[str]) -> str:
        """Its client's name, once that is connected to the sound card or to what it listens to."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            assert self.running, f"struck live ended with {self._process.returncode}: {self.lines}"
            found: dict[str, list[str]] = {}
            # A busy server may refuse the tool just now, or keep it waiting.
            with suppress(AssertionError, subprocess.TimeoutExpired):
                found = connections(self._server)
            for name in found:
                client = name.rpartition(":")[0]
                if client not in before and re.fullmatch(r"struck(-\d+)?", client):
                    return client
            time.sleep(0.2)
        raise AssertionError(f"struck live did not begin to play: {self.lines}")

    def wait(self, seconds: float) -> dict[str, Any]:
        """Its summary, once it has ended by itself."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"struck live did not end within {seconds:g} s: {self.lines}") from None
        return self._finish(code)

    def stop(self) -> dict[str, Any]:
        """Ctrl-C; its summary."""
        self._process.send_signal(signal.SIGINT)
        return self.wait(_STOP_SECONDS)

    def _finish(self, code: int) -> dict[str, Any]:
        for reader in self._readers:
            reader.join(5.0)
        assert code == 0, f"struck live ended with {code}: {self.lines}"
        assert len(self._output) == 1, self._output
        summary: dict[str, Any] = json.loads(self._output[0])
        return summary

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self.running:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(5.0)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()


def _read(stream: Any, lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))


def clients(server: JackServer) -> set[str]:
    """Names of the server's clients that have ports."""
    return {port.rpartition(":")[0] for port in server.ports()}


def connections(server: JackServer) -> dict[str, list[str]]:
    """Ports that are connected, and to which."""
    found: dict[str, list[str]] = {}
    port = ""
    for line in server.tool("jack_lsp", "-c").split("\n"):
        if line.startswith("   "):
            found.setdefault(port, []).append(line.strip())
        elif line:
            port = line
    return found


def resident_bytes(pid: int) -> int:
    """Memory of a process now; 0 where the system does not say."""
    path = Path(f"/proc/{pid}/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if path.exists() else 0
