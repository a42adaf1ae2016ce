"""``struck live`` as its users run it: a process of its own, whose words are read as they come."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from struck.realtime.inserts.runner.parent import end_with_parent

ROOT = Path(__file__).parents[3]
#: The first start on a machine compiles.
OPEN_SECONDS = 240.0
END_SECONDS = 60.0
PROGRAM = ("-m", "struck.realtime.commands.cli")


def _listen_to_signals() -> None:
    """Before the program begins: what a measurement in the background needs.

    A shell's background job ignores SIGINT, and so do those that it starts. One that is killed closes
    nothing: the system lets its performance end with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent(signal.SIGTERM)


class Live:
    """A running ``struck live``; its standard error is collected, its standard output is the summary.

    Args:
        arguments: after ``live``; ``--json`` is added.
        program: what Python runs as ``struck``.
        options: of ``subprocess.Popen``.
    """

    def __init__(
        self,
        *arguments: str | Path,
        program: Sequence[str] = PROGRAM,
        **options: Any,
    ) -> None:
        command = [sys.executable, "-X", "faulthandler", *program, "live", "--json"]
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
            "preexec_fn": _listen_to_signals,
        } | options
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **options.pop("env", {})}
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)], cwd=ROOT, text=True, env=environment, **options
        )
        self.lines: list[str] = []
        self._out: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stderr, self.lines), (self.process.stdout, self._out))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        if stream is not None:
            for line in stream:
                lines.append(line.rstrip("\n"))

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until the condition holds; fails if struck ends before, or in time."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"struck ended while {what} was awaited: {self.words}"
            assert time.monotonic() < end, f"no {what} within {seconds} s: {self.words}"
            time.sleep(0.01)

    def wait_for(self, pattern: str, seconds: float = 60.0, count: int = 1) -> str:
        """The ``count``-th line on standard error that matches."""
        self.wait(lambda: len(self.matching(pattern)) >= count, seconds, pattern)
        return self.matching(pattern)[count - 1]

    def wait_open(self) -> None:
        """It plays, or is about to."""
        self.wait_for(r"latency .* ms = ", OPEN_SECONDS)

    def matching(self, pattern: str) -> list[str]:
        return [line for line in self.lines if re.search(pattern, line)]

    @property
    def words(self) -> str:
        return "\n".join(self.lines)

    @property
    def told(self) -> list[str]:
        """Lines but for the latency, and for blocks that a busy machine lost."""
        usual = ("latency ", "sound may have been lost", "struck: note:")
        return [line for line in self.lines if not any(word in line for word in usual)]

    @property
    def rss_bytes(self) -> int:
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGINT, seconds: float = END_SECONDS) -> float:
        """Ask it to end; how long that took."""
        began = time.monotonic()
        self.send(number)
        self.ended(seconds)
        return time.monotonic() - began

    def ended(self, seconds: float = END_SECONDS) -> int:
        """Wait for its end; its exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT)  # faulthandler tells where it hangs
            self.process.wait(5.0)
            time.sleep(0.2)
            raise AssertionError(f"struck did not end within {seconds} s: {self.words}") from None
        for reader in self._readers:
            reader.join(5.0)
        assert "Traceback" not in self.words, self.words
        assert "Fatal Python error" not in self.words, self.words
        return status

    @property
    def summary(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        values: dict[str, Any] = json.loads("".join(self._out))
        return values

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def live(*arguments: str | Path, **options: Any) -> Iterator[Live]:
    """A performance that has opened; killed in the end if it still runs."""
    running = Live(*arguments, **options)
    try:
        running.wait_open()
        yield running
    finally:
        running.kill()


@contextmanager
def program(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another program, silent, ended in the end."""
    running = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            try:
                running.wait(15.0)
            except subprocess.TimeoutExpired:
                running.kill()
        running.wait()
