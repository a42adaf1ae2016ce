"""Recalls patches on a thread of its own, by program or one by one: of a burst the last one counts."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ...codec.events.errors import StruckError
from ...patches.shelf import Shelf


class LastCall:
    """Does on a thread of its own what it is asked for; of what waits for its turn the last counts.

    Args:
        name: of the thread.
        refused: told, on the thread, of an error of the user's.
    """

    def __init__(self, name: str, refused: Callable[[StruckError], None]) -> None:
        self._refused = refused
        self._wanted: Callable[[], None] | None = None
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, call: Callable[[], None]) -> bool:
        """Do this next; whether it takes the place of another that waited."""
        with self._condition:
            replaces = self._wanted is not None
            self._wanted = call
            self._condition.notify()
        return replaces

    def close(self) -> None:
        """End the thread; what was asked for last is done first."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._wanted is None and not self._closing:
                    self._condition.wait()
                wanted, self._wanted = self._wanted, None
            if wanted is None:
                return
            try:
                wanted()
            except StruckError as error:
                self._refused(error)


class Recaller:
    """Recalls patches. Who asks goes on at once: a MIDI input must play its notes, OSC its messages.

    Args:
        shelf: of patches.
        recall: called with a patch's name.
        tell: takes one line for the performer.
        count: counts ``programs_skipped``, asked for and replaced by a later one before their turn came.
    """

    def __init__(
        self,
        shelf: Shelf,
        recall: Callable[[str], None],
        tell: Callable[[str], None],
        count: Callable[[str], None],
    ) -> None:
        self._shelf, self._recall, self._count = shelf, recall, count
        self._calls = LastCall("recall", lambda error: tell(str(error)))

    def ask(self, bank: int, number: int) -> None:
        """Recall the patch of a program, unless another is asked for before its turn."""
        self._ask("MIDI", lambda: self._shelf.program(bank, number))

    def recall(self, name: str) -> None:
        """Recall the patch ``name``, unless another is asked for before its turn.

        Raises:
            StruckError: it is not known, or broken.
        """
        self._shelf.find(name)
        self._ask("OSC", lambda: name)

    def step(self, current: str, count: int) -> None:
        """Recall the patch so many places after ``current`` on the shelf; after the last comes the first."""

        def name() -> str:
            names = self._shelf.names()
            place = names.index(current) if current in names else -1 if count > 0 else 0
            return names[(place + count) % len(names)]

        self._ask("patch", name)

    def _ask(self, who: str, name: Callable[[], str]) -> None:
        def recall() -> None:
            try:
                self._recall(name())
            except StruckError as error:
                raise StruckError(f"{who}: {error}") from error

        if self._calls.ask(recall):
            self._count("programs_skipped")

    def close(self) -> None:
        """End the thread; what was asked for last is recalled first."""
        self._calls.close()
