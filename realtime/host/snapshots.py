"""Snapshots of the controls: saved while playing, recalled at once or over some beats, taken back.

::

    controls  ──────╮                      ╭───── snapshot 2
                    ╰── snapshot 1 ────────╯
              recall 1      recall 2 over 4 beats; stop leaves them in between
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from ...patches.setlist import MORPH_BEATS_HIGH
from ..engine.parameters import PARAMETER
from ..mapping.targets import INSERT, SNAPSHOT_COUNT
from .inserts import Inserts

#: What is turned within this time is one step to take back.
_GESTURE_SECONDS: Final = 0.5
UNDO_STEPS: Final = 32
_MORPH_STEP_SECONDS: Final = 0.01
#: These go in equal ratios; a room below 0 is none, and there is no way from none to one.
_RATIOS: Final = ("decay", "attack")
_SWITCH: Final = "room"


class ControlStage(Protocol):
    """Of :class:`~struck.realtime.stage.stage.Stage` what snapshots need."""

    def controls(self) -> dict[str, float]: ...
    def set_control(self, name: str, value: float) -> None: ...
    def tell(self, line: str) -> None: ...


class Snapshots:
    """Keeps snapshots; from any thread.

    Args:
        stage: whose controls they are; names may come and go with the inserts.
        beat_seconds: length of a beat now.
        safe: controls that a recall leaves as they are.
        now: seconds that only grow.
        way: where a control stands after a share of its way, see :func:`between`.
    """

    def __init__(
        self,
        stage: ControlStage,
        beat_seconds: Callable[[], float],
        safe: Callable[[], Sequence[str]],
        now: Callable[[], float] = time.perf_counter,
        way: Callable[[str, float, float, float], float] | None = None,
    ) -> None:
        self._stage, self._beat_seconds, self._safe, self._now = stage, beat_seconds, safe, now
        self._way = between if way is None else way
        #: Time of a recall in beats, 0 to 8.
        self.morph_beats = 0.0
        self._saved: dict[int, dict[str, float]] = {}
        self._before: dict[str, float] | None = None  # of the last recall
        self._steps: deque[dict[str, float]] = deque(maxlen=UNDO_STEPS)
        self._stands = stage.controls()
        self._turned_at = float("-inf")
        self._undoing = False
        self._lock = threading.Lock()
        self._morph: tuple[dict[str, float], dict[str, float], float, float] | None = None
        self._wake = threading.Condition(self._lock)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="morph", daemon=True)
        self._thread.start()

    @property
    def morph(self) -> tuple[Callable[[], float], Callable[[float], None]]:
        """How :attr:`morph_beats` is read and set."""

        def turn(value: float) -> None:
            self.morph_beats = value

        return lambda: self.morph_beats, turn

    def actions(self) -> dict[str, Callable[[], None]]:
        """What can be done, by name; see :data:`struck.realtime.mapping.targets.ACTIONS`."""
        found: dict[str, Callable[[], None]] = {
            "snapshot/back": self.toggle,
            "snapshot/stop": self.stop,
            "undo": self.undo,
        }
        for number in range(1, SNAPSHOT_COUNT + 1):
            found[f"snapshot/{number}"] = partial(self.recall, number)
            found[f"snapshot/save/{number}"] = partial(self.save, number)
        return found

    def begin(self) -> None:
        """From now on steps can be taken back: the controls stand as the show begins."""
        self._stands = self._stage.controls()
        self._steps.clear()

    def follow_inserts(self) -> None:
        """Others have come in: steps can be taken back to what they begin with."""
        self._stands = self._stage.controls() | self._stands

    # -- what is done

    def save(self, number: int) -> None:
        """Keep where the controls stand, as snapshot ``number``, from 1."""
        self._saved[number] = self._stage.controls()
        self._stage.tell(f"snapshot {number} saved")

    def recall(self, number: int) -> None:
        """Go to snapshot ``number``, in :attr:`morph_beats`.

        Raises:
            ValueError: it was never saved.
        """
        if number not in self._saved:
            there = ", ".join(map(str, sorted(self._saved))) or "none"
            raise ValueError(f"there is no snapshot {number}; there are: {there}")
        self.go(self._saved[number], self.morph_beats)

    def go(self, values: Mapping[str, float], beats: float) -> None:
        """Turn controls to ``values`` within so many beats, 0 to 8; those that are safe stay."""
        beats = min(MORPH_BEATS_HIGH, max(0.0, beats))
        safe = self._safe()
        begun = self._stage.controls()
        aims = {n: value for n, value in values.items() if n not in safe and begun.get(n, value) != value}
        self._before = begun
        seconds = beats * self._beat_seconds()
        with self._lock:
            self._turned_at = float("-inf")  # a step of its own
            self._morph = None
            if seconds > 0.0:
                self._morph = ({name: begun[name] for name in aims}, aims, self._now(), seconds)
                self._wake.notify()
        if seconds <= 0.0:
            for name, value in aims.items():
                self._stage.set_control(name, value)

    def toggle(self) -> None:
        """Go back to where the controls stood before the last recall, and with the next one return."""
        if self._before is not None:
            self.go(self._before, self.morph_beats)

    def stop(self) -> None:
        """Leave a recall in between."""
        with self._lock:
            self._morph = None

    def undo(self) -> None:
        """Take back the last step: what was turned within half a second, or by a recall. 32 are kept."""
        with self._lock:
            self._morph = None
            values = self._steps.pop() if self._steps else None
            self._undoing = True
        try:
            stands = self._stage.controls()
            for name, value in (values or {}).items():
                if stands.get(name, value) != value:
                    self._stage.set_control(name, value)
        finally:
            self._undoing = False
            self._turned_at = float("-inf")

    def watch(self, kind: str, name: str, value: float | str) -> None:
        """A watcher of the stage: a control was turned."""
        if kind != "control":
            return
        now = self._now()
        fresh = now - self._turned_at > _GESTURE_SECONDS
        self._turned_at = now
        if fresh and not self._undoing:
            self._steps.append(dict(self._stands))
        self._stands[name] = float(value)

    def close(self) -> None:
        """End the thread; a recall that is on its way stays where it is."""
        with self._lock:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    # -- on its thread

    def _run(self) -> None:
        while True:
            with self._lock:
                while self._morph is None and not self._closing:
                    self._wake.wait()
                if self._closing:
                    return
                assert self._morph is not None
                morph = self._morph
            begun, aims, began, seconds = morph
            share = min(1.0, (self._now() - began) / seconds)
            for name, aim in aims.items():
                if self._morph is not morph:
                    break
                self._stage.set_control(name, self._way(name, begun[name], aim, share))
            with self._lock:
                if share >= 1.0 and self._morph is morph:
                    self._morph = None
            time.sleep(_MORPH_STEP_SECONDS)


def between(name: str, begun: float, aim: float, share: float) -> float:
    """Where a control stands after a share, 0 to 1, of its way.

    >>> between("transpose", 0.0, 12.0, 0.25), between("decay", 1.0, 4.0, 0.5)
    (3.0, 2.0)
    """
    if share >= 1.0:
        return aim
    if name in _RATIOS:
        return float(begun * (aim / begun) ** share)
    if name == _SWITCH and min(begun, aim) < 0.0:
        return aim if share >= 0.5 else begun
    return PARAMETER[name].check(begun + (aim - begun) * share)


class Turned:
    """All that is turned while it plays: the stage's controls, and what the inserts have; a
    :class:`ControlStage`. What an insert has is called as in maps, ``insert/NAME/PARAMETER``.

    Args:
        stage: has the controls.
        inserts: of the performance.
    """

    def __init__(self, stage: ControlStage, inserts: Inserts) -> None:
        self._stage, self._inserts = stage, inserts

    def controls(self) -> dict[str, float]:
        values = self._inserts.values()
        return self._stage.controls() | {f"{INSERT}{i}/{symbol}": v for (i, symbol), v in values.items()}

    def set_control(self, name: str, value: float) -> None:
        """Turn one; an insert that has gone meanwhile is left alone."""
        if not name.startswith(INSERT):
            self._stage.set_control(name, value)
            return
        with suppress(ValueError):
            self._inserts.set_parameter(*_parts(name), value)

    def tell(self, line: str) -> None:
        self._stage.tell(line)

    def between(self, name: str, begun: float, aim: float, share: float) -> float:
        """See :func:`between`; switches and lists change in the middle."""
        if not name.startswith(INSERT):
            return between(name, begun, aim, share)
        scale = self._inserts.scale(*_parts(name))
        if scale == "log" and begun > 0.0 and aim > 0.0:
            return float(begun * (aim / begun) ** share)
        if scale in ("linear", "log"):
            return begun + share * (aim - begun)
        return aim if share >= 0.5 else begun


def _parts(name: str) -> tuple[str, str]:
    """The insert and the parameter of a name; an insert's own name may have strokes in it."""
    insert, _, symbol = name.removeprefix(INSERT).rpartition("/")
    return insert, symbol
