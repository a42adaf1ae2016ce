"""The process that makes phrases for the live host: ``python -m struck.realtime.phrases.process_server``.

A process, not a thread: importing torch holds Python's lock for tenths of a second, and its many small calls
ask for it all the time, while notes and the encoder want it too. A process may also be nicer to the sound
than the host is, and its memory is its own. It ends with its parent: then its standard input ends.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections import OrderedDict
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import process_time
from typing import IO, Any, Final

from ...codec.events.errors import StruckError, StruckWarning
from .mars_loader import Load, load_mars
from .wire import Job, pack_items, receive_lines, write_message

#: How much nicer than the host: the callback's thread goes first wherever both want a core.
NICENESS: Final = 10
#: The codec's profile for phrases that become events: what it hears it follows, as if it were played to it.
EVENTS_PROFILE: Final = "live"
#: Phrases from which others may go on.
_REMEMBERED: Final = 24


def main(load: Load = load_mars) -> None:
    """Serve the parent on standard input and output until it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to understand
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    warnings.simplefilter("ignore", StruckWarning)  # the parent has told it
    # What libraries print must not stand between messages.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    try:
        PhraseServer(sys.stdin.buffer, out, load).run()
    except BrokenPipeError:
        pass  # the parent has gone
    except StruckError as error:
        write_message(out, {"kind": "failed", "line": str(error)})
    except Exception as error:
        write_message(out, {"kind": "failed", "line": f"{type(error).__name__}: {error}"})


class PhraseServer:
    """Reads a job and requests, makes phrases.

    Args:
        source: of the requests.
        out: takes the messages.
        load: makes the MARS.
    """

    def __init__(self, source: IO[bytes], out: IO[bytes], load: Load) -> None:
        self._out, self._load = out, load
        self._lines: Queue[dict[str, Any] | None] = Queue()
        Thread(target=receive_lines, args=(source, self._lines), name="requests", daemon=True).start()
        self._phrases: OrderedDict[str, Any] = OrderedDict()
        self._codec_weights: Any = None  # loaded when a phrase is to be heard

    def run(self) -> None:
        """Serve until the requests end."""
        first = self._read(wait=True)
        if first is None:
            return
        self._job = job = Job(**first)
        self._mars = self._load(Path(job.weights) if job.weights else None, job.device, self._note)
        seconds = self._mars.warm_up()
        write_message(
            self._out,
            {
                "kind": "ready",
                "line": f"phrases are ready: MARS {self._mars.name} on {self._mars.device}, "
                f"the first took {seconds:.1f} s",
            },
        )
        while (request := self._read(wait=True)) is not None:
            if "id" in request:
                self._make(request)

    def _make(self, request: dict[str, Any]) -> None:
        import soxr

        from ...codec.events.event_spec import ANALYSIS_RATE
        from ...models.mars.conditions import PhraseConditions
        from .loops import resample_loop

        conditions = PhraseConditions(**request["conditions"])
        name = request["id"]
        before = process_time()
        stopped = False

        def stop() -> bool:
            nonlocal stopped
            stopped = stopped or self._told_to_stop(name)
            return stopped

        try:
            phrase = self._mars.generate(
                conditions,
                seed=request["seed"],
                previous=self._phrases.get(request["previous"]),
                like=self._phrases.get(request["like"]),
                stop=stop,
            )
        except Exception:
            if not stopped:
                raise
            write_message(self._out, {"kind": "stopped", "id": name})
            return
        self._phrases[name] = phrase
        while len(self._phrases) > _REMEMBERED:
            self._phrases.popitem(last=False)
        sound = phrase.samples.astype("float32")
        items = self._hear(sound) if request["as_events"] else []
        if conditions.style != "single":
            sound = resample_loop(sound, self._job.rate, conditions.loop_seconds)
        elif self._job.rate != ANALYSIS_RATE:
            sound = soxr.resample(sound, ANALYSIS_RATE, self._job.rate, quality="HQ")
        values = {
            "kind": "phrase",
            "id": name,
            "frames": len(sound),
            "seconds": phrase.seconds,
            "busy_seconds": process_time() - before,
        }
        write_message(self._out, values, sound.astype("<f4"), pack_items(items))

    def _hear(self, sound: Any) -> list[Any]:
        """The phrase as the codec follows it: events, amendments and ends in the order of their times."""
        from ...codec.events.amendments import in_stream_order
        from ...codec.events.profiles import PROFILES
        from ...codec.hearing.following.hearing import make_hearing
        from ...codec.weights.codec_weights import load_codec_weights

        if self._codec_weights is None:
            self._codec_weights = load_codec_weights(self._job.codec_weights)
        hearing = make_hearing(self._codec_weights, PROFILES[EVENTS_PROFILE])
        return in_stream_order([*hearing.process(sound), *hearing.flush()])

    def _note(self, line: str) -> None:
        write_message(self._out, {"kind": "note", "line": line})

    def _told_to_stop(self, name: str) -> bool:
        request = self._read(wait=False)
        if request is None:
            return False
        return request.get("stop") == name

    def _read(self, wait: bool) -> dict[str, Any] | None:
        """The next line; None at the end, or where none is here and nobody waits.

        The parent never sends a second request before the first is answered, so what comes meanwhile is a
        word to stop.

        Raises:
            BrokenPipeError: the parent has gone while a phrase was made for it.
        """
        try:
            line = self._lines.get(block=wait)
        except Empty:
            return None
        if line is None:
            self._lines.put(None)  # whoever asks again is told again
            if not wait:
                raise BrokenPipeError
        return line


if __name__ == "__main__":
    main()
