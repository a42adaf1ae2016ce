"""Makes phrases in a process of its own, from the live host's side."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any, Final, cast

from ...codec.events.errors import StruckError
from .bank import KeptPhrase, PhraseKey
from .wire import Job, Received, read_phrase, receive_messages, to_line
from .worker import PhraseStopped

#: What is started; with a job on its standard input it is a phrase process.
COMMAND: Final = (sys.executable, "-m", "struck.realtime.phrases.process_server")
#: One that died is started again at most so often.
_RESTARTS: Final = 2
_END_SECONDS: Final = 3.0
#: How often, while a phrase is made, is asked whether it is still wanted.
_LOOK_SECONDS: Final = 0.02
#: On Windows a process is made nicer where it is started; elsewhere it makes itself so.
_NICER: Final[int] = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)


def thread_count() -> int:
    """Threads for torch beside a performance: one core is the callback's."""
    return max(1, min(4, (os.cpu_count() or 1) - 1))


class ProcessMaker:
    """A :class:`~struck.realtime.phrases.worker.PhraseMaker`; :meth:`launch` may come from another thread.

    Args:
        job: what the process is to be.
        tell: takes one line for the performer.
        command: starts the process.
    """

    def __init__(self, job: Job, tell: Callable[[str], None], command: Sequence[str] | None = None) -> None:
        self._job, self._tell = job, tell
        self._command = list(COMMAND if command is None else command)
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: Queue[Received] = Queue()
        self._reader: Thread | None = None
        self._restarts = 0
        self._closed = False
        self._ready_line = ""
        #: Processor time that making has taken.
        self.busy_seconds = 0.0

    def launch(self) -> None:
        """Start the process and return at once; it gets ready by itself."""
        if self._process is not None:
            return
        threads = str(self._job.threads)
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        # torch reads them; threads that spin for each other would burn the callback's core
        environment |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                creationflags=_NICER,
            )
        except OSError as error:
            raise StruckError(f"the process that makes phrases cannot be started: {error.strerror}") from None
        self._messages = Queue()
        arguments = (self._pipe("stdout"), self._messages)
        self._reader = Thread(target=receive_messages, args=arguments, name="phrase messages", daemon=True)
        self._reader.start()
        self._send(self._job.to_line())

    def start(self) -> str:
        self.launch()
        while True:
            values, _ = self._receive()
            if values["kind"] == "ready":
                return str(values["line"])

    def make(self, key: PhraseKey, stop: Callable[[], bool]) -> KeptPhrase:
        if self._process is None:
            self._tell(self.start())
        name = _name(key)
        request = {
            "id": name,
            "conditions": key.conditions.as_dict(),
            "seed": key.phrase_seed,
            "as_events": key.as_events,
            "previous": "" if key.before is None else _name(key.before),
            "like": "" if key.like is None else _name(key.like),
        }
        self._send(to_line(request))
        told = False
        while True:
            if not told and stop():
                self._send(to_line({"stop": name}))
                told = True
            try:
                values, body = self._receive(_LOOK_SECONDS)
            except Empty:
                continue
            except StruckError as error:
                if self._closed or self._restarts >= _RESTARTS:
                    raise
                self._restarts += 1
                self._end()
                self._tell(f"{error}; it is started again")
                raise PhraseStopped from None
            if values["kind"] == "stopped":
                raise PhraseStopped
            if values["kind"] == "phrase":
                self.busy_seconds += float(values["busy_seconds"])
                sound, items = read_phrase(values, body)
                return KeptPhrase(sound, items, values["seconds"])

    def close(self) -> None:
        self._closed = True
        self._end()

    def _receive(self, timeout_seconds: float | None = None) -> tuple[dict[str, Any], bytes]:
        """The next message that is no word for the performer.

        Raises:
            StruckError: there will be none.
            Empty: there is none within that time.
        """
        while True:
            if self._process is None:
                raise StruckError("the process that makes phrases has ended")
            received = self._messages.get(timeout=timeout_seconds)
            if isinstance(received, StruckError):
                self._messages.put(received)  # whoever asks again is told again
                raise received
            values, body = received
            if values["kind"] == "note":
                self._tell(str(values["line"]))
            elif values["kind"] == "failed":
                raise StruckError(str(values["line"]))
            else:
                return values, body

    def _send(self, line: bytes) -> None:
        with suppress(OSError):  # it has died: that is seen where its answer is awaited
            stream = self._pipe("stdin")
            stream.write(line)
            stream.flush()

    def _pipe(self, name: str) -> IO[bytes]:
        if self._process is None:
            raise StruckError("the process that makes phrases has ended")
        return cast(IO[bytes], getattr(self._process, name))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join(_END_SECONDS)  # it ends with the process
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was still to be written to it
                    stream.close()


def _name(key: PhraseKey) -> str:
    return f"{key.conditions} {key.seed} {key.variation} {key.place} {key.groove}"
