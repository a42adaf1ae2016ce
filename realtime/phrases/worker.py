"""The phrase worker: a thread that has phrases made, those of held notes first, then those that are likely.

::

    request() ─► wanted (few, newest first) ─┐
                                             ├─► maker (a process) ─► bank ─► on_made()
    likely()  ─► when nothing is wanted ─────┘

A phrase that is only likely is given up at once when one is wanted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from ...codec.events.errors import StruckError
from .bank import KeptPhrase, PhraseBank, PhraseKey

#: Phrases that wait to be made. Newer ones push the oldest out: nobody waits for what was played long ago.
WAITING_LIMIT: Final = 8
#: How often an idle worker looks for what is likely.
_IDLE_SECONDS: Final = 0.5


class PhraseStopped(Exception):
    """The phrase was given up before it was whole."""


class PhraseMaker(Protocol):
    """Who makes phrases; used from the worker's thread alone."""

    def start(self) -> str:
        """Get ready, however long it takes; one line about what computes. Raises StruckError."""
        ...

    def make(self, key: PhraseKey, stop: Callable[[], bool]) -> KeptPhrase:
        """The phrase; asks ``stop`` often and raises PhraseStopped when that says so, or StruckError."""
        ...

    def close(self) -> None:
        """Give up, from any thread; whoever waits for a phrase gets an error."""
        ...


class PhraseWorker:
    """Has phrases made and puts them into the bank.

    Args:
        maker: who makes them.
        bank: where they are kept.
        on_made: called with the key of each, from the worker's thread.
        likely: what may be asked for next, the likeliest first.
        tell: takes one line for the performer.
        count: adds to a counter, by name: ``phrases_dropped``, ``phrases_failed``.
    """

    def __init__(
        self,
        maker: PhraseMaker,
        bank: PhraseBank,
        on_made: Callable[[PhraseKey], None],
        likely: Callable[[], Iterable[PhraseKey]],
        tell: Callable[[str], None],
        count: Callable[[str], None],
    ) -> None:
        self._maker, self._bank = maker, bank
        self._on_made, self._likely, self._tell, self._count = on_made, likely, tell, count
        self._condition = threading.Condition()
        self._wanted: list[PhraseKey] = []  # the newest at the end
        self._making: PhraseKey | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="phrase worker", daemon=True)
        #: ``asleep`` until it begins, ``loading``, ``ready``, ``failed``; or ``off``.
        self.state = "asleep"
        #: Phrases made, and time in seconds that making them took.
        self.made_count = 0
        self.making_seconds = 0.0
        self.longest_seconds = 0.0

    def begin(self) -> None:
        """Get ready now, and not only at the first request."""
        with self._condition:
            if self.state == "asleep":
                self.state = "loading"
                self._thread.start()

    def turn_off(self) -> None:
        """Never make a phrase."""
        self.state = "off"

    def request(self, key: PhraseKey) -> None:
        """Have a phrase made soon; it pushes the oldest request out where too many wait."""
        self.begin()
        with self._condition:
            if self.state in ("off", "failed") or key in self._bank or key == self._making:
                return
            if key in self._wanted:
                self._wanted.remove(key)
            elif len(self._wanted) >= WAITING_LIMIT:
                del self._wanted[0]
                self._count("phrases_dropped")
            self._wanted.append(key)
            self._condition.notify()

    def withdraw(self, key: PhraseKey) -> None:
        """Nobody waits for this phrase any more."""
        with self._condition:
            if key in self._wanted:
                self._wanted.remove(key)

    def forget(self) -> None:
        """Nobody waits for any phrase."""
        with self._condition:
            self._wanted.clear()

    @property
    def waiting_count(self) -> int:
        """Phrases that wait to be made, or are being made."""
        return len(self._wanted) + (self._making is not None)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Stop; what is being made is given up."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._maker.close()  # it may be waited for
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    # The worker's thread from here on.

    def _run(self) -> None:
        try:
            self._tell(self._maker.start())
            self.state = "ready"
            while True:
                key, wanted = self._choose()
                if key is None:
                    return
                self._make(key, wanted)
        except PhraseStopped:
            pass
        except StruckError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        with self._condition:
            self.state = "failed"
            self._wanted.clear()
        if not self._closed:
            self._count("phrases_failed")
            self._tell(f"phrases cannot be made: {reason}; notes are played in their place")

    def _choose(self) -> tuple[PhraseKey | None, bool]:
        """What to make next, and whether somebody waits for it; None at the end."""
        while not self._closed:
            with self._condition:
                if self._wanted:
                    self._making = self._wanted.pop()
                    return self._making, True
            # What nobody has asked for shall not push out what somebody has. Not with the lock: whoever
            # knows what is likely may be about to ask.
            likely = (key for key in self._likely() if key not in self._bank)
            key = next(likely, None) if self._bank.has_room() else None
            with self._condition:
                if key is not None and not self._wanted:
                    self._making = key
                    return key, False
                if not self._wanted and not self._closed:
                    self._condition.wait(_IDLE_SECONDS)
        return None, False

    def _make(self, key: PhraseKey, wanted: bool) -> None:
        def stop() -> bool:
            return self._closed or (not wanted and bool(self._wanted))

        began = time.monotonic()
        try:
            self._bank.put(key, self._maker.make(key, stop))
        except PhraseStopped:
            return
        finally:
            self._making = None
        seconds = time.monotonic() - began
        self.made_count += 1
        self.making_seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)
        self._on_made(key)
