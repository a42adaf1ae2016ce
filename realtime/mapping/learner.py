"""Learning: the next controller that is moved turns what is to be turned."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ...patches.map_patch import MapEntry, MidiSource
from .controllers import Move

#: A controller that only trembles is not meant: it must have moved by this share of its range.
_TRAVEL: Final = 0.04


class Learner:
    """Makes a map by moving controllers; it stays at it until :meth:`stop`. From any thread.

    Args:
        entries: of the map so far.
        on_change: called with the entries whenever they have changed.
        tell: takes one line for the performer.
    """

    def __init__(
        self,
        entries: Sequence[MapEntry],
        on_change: Callable[[tuple[MapEntry, ...]], None],
        tell: Callable[[str], None],
    ) -> None:
        self._entries = list(entries)
        self._on_change, self._tell = on_change, tell
        self._wanted: MapEntry | None = None
        self._ends: dict[MidiSource, tuple[int, int]] = {}
        self._lock = threading.RLock()

    @property
    def entries(self) -> tuple[MapEntry, ...]:
        return tuple(self._entries)

    @property
    def target(self) -> str | None:
        """What the next controller is to turn; None while nothing is learned."""
        return None if self._wanted is None else self._wanted.target

    def learn(self, target: str, **options: object) -> None:
        """Let the next controller that moves turn ``target``; options are those of an entry."""
        with self._lock:
            self._wanted = replace(MapEntry(MidiSource("cc"), target), **options)  # type: ignore[arg-type]
            self._ends.clear()

    def stop(self) -> None:
        """Learn no more."""
        with self._lock:
            self._wanted = None

    def unlearn(self, target: str) -> int:
        """Let nothing turn ``target`` any more; how many entries that were."""
        with self._lock:
            kept = [entry for entry in self._entries if entry.target != target]
            count = len(self._entries) - len(kept)
            self._entries = kept
            if count:
                self._on_change(self.entries)
            return count

    def move(self, move: Move) -> None:
        """A controller was moved: it may be the one that is meant, or the finer half of the last one."""
        with self._lock:
            if self._wanted is None:
                self._refine(move)
                return
            if self._is_fine(move.source):
                return
            low, high = self._ends.get(move.source, (move.value, move.value))
            low, high = min(low, move.value), max(high, move.value)
            self._ends[move.source] = low, high
            pressed = move.source.kind in ("note", "program")
            if pressed or high - low >= _TRAVEL * move.source.highest:
                self._keep(replace(self._wanted, source=move.source))

    def _is_fine(self, source: MidiSource) -> bool:
        """Whether a controller is the fine half of a pair that moves: it is not meant alone."""
        pair = MidiSource("cc14", source.number - 32, source.channel) if source.number >= 32 else None
        return source.kind == "cc" and pair in self._ends

    def _keep(self, entry: MapEntry) -> None:
        self._wanted = None
        self._entries = [
            other for other in self._entries if (other.source, other.target) != (entry.source, entry.target)
        ]
        for line in conflicts([*self._entries, entry]):
            if str(entry.source) in line:
                self._tell(line)
        self._entries.append(entry)
        self._on_change(self.entries)

    def _refine(self, move: Move) -> None:
        """The fine half of a controller that was just learned as a coarse one: it is a pair."""
        if move.source.kind != "cc14" or not self._entries:
            return
        last = self._entries[-1]
        if (
            last.source == MidiSource("cc", move.source.number, move.source.channel)
            and last.encoder == "absolute"
        ):
            self._entries[-1] = replace(last, source=move.source)
            self._on_change(self.entries)


def conflicts(entries: Sequence[MapEntry]) -> list[str]:
    """One line for each source that turns several targets, and for each target that several sources turn."""
    lines = []
    sources: dict[MidiSource, list[str]] = {}
    targets: dict[str, list[str]] = {}
    for entry in entries:
        sources.setdefault(entry.source, []).append(entry.target)
        targets.setdefault(entry.target, []).append(str(entry.source))
    for source, names in sources.items():
        if len(names) > 1:
            lines.append(f"{source} turns {' and '.join(names)}")
    for target, names in targets.items():
        if len(names) > 1:
            lines.append(f"{target} is turned by {' and '.join(names)}")
    return lines
