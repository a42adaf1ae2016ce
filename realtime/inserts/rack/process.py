"""A rack's process, seen from the host: started, spoken to, and ended without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from time import monotonic
from typing import Any, Final

from ....codec.events.errors import StruckError
from .wire import RackJob, to_line

#: What is started; with a job on its standard input it runs inserts.
COMMAND: Final = (sys.executable, "-m", "struck.realtime.inserts.runner.server")


class RackProcess:
    """Starts a process, which gets as far as it can without a job.

    Args:
        descriptors: of the memories that its job may name.
        log: file to which plug-ins' chatter is appended; None throws it away.
        command: starts the process.

    Raises:
        StruckError: it cannot be started, or the log cannot be written.
    """

    def __init__(
        self, descriptors: Sequence[int], log: Path | None = None, command: Sequence[str] = COMMAND
    ) -> None:
        self._waiting = b""
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            chatter = open(os.devnull if log is None else log, "ab")  # noqa: SIM115
        except OSError as error:
            raise StruckError(f"what plug-ins print cannot be kept in {log}: {error.strerror}") from None
        with chatter:
            try:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=chatter,
                    env=environment,
                    pass_fds=tuple(descriptors),
                )
            except OSError as error:
                raise StruckError(f"the inserts' process cannot be started: {error}") from None
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below 0 the signal that ended it."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Its exit code, for which one waits so long at most."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def activity(self) -> tuple[float, bool]:
        """Processor time that it has used, in seconds, and whether it could use more.

        One that could and does not stands in line for a core: that is no fault of its own. Where the system
        does not tell, it is taken for busy.
        """
        try:
            text = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return monotonic(), True
        state, *numbers = text.rpartition(")")[2].split()
        ticks = int(numbers[10]) + int(numbers[11])  # utime and stime, proc(5)
        return ticks / os.sysconf("SC_CLK_TCK"), state == "R"

    def begin(self, job: RackJob) -> None:
        """Give it its job."""
        self._write(job.to_line())

    def send(self, **values: Any) -> None:
        """Send a request; one that has died does not get it."""
        self._write(to_line(values))

    def receive(self, seconds: float) -> tuple[list[dict[str, Any]], bool]:
        """Messages that came within the time, as soon as there is one; and whether it has closed its side."""
        assert self._process.stdout is not None
        if not wait([self._process.stdout.fileno()], seconds):
            return [], False
        ended = False
        while True:
            try:
                data = os.read(self._process.stdout.fileno(), 1 << 16)
            except BlockingIOError:
                break
            if not data:
                ended = True
                break
            self._waiting += data
        *lines, self._waiting = self._waiting.split(b"\n")
        return [json.loads(line) for line in lines], ended

    def end(self) -> int:
        """Kill it, if it still runs, and take its exit code: it never stays behind."""
        with suppress(OSError):
            self._process.kill()
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was still to be written to it
                    stream.close()
        return code

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it has died: that is seen where it is looked after
            self._process.stdin.write(line)
            self._process.stdin.flush()


def describe_end(code: int | None) -> str:
    """What has happened to a process of this exit code."""
    if (
        code is None or code == -signal.SIGXCPU
    ):  # under real-time scheduling the kernel ends what keeps its core
        return "hangs"
    if code < 0:
        return f"crashed ({signal.Signals(-code).name})"
    return f"ended by itself ({code})"
