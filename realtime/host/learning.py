"""Learning while playing: what the next controller turns, kept in a map file for each MIDI input."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ...codec.events.errors import StruckError
from ...patches.map_file import MapFile, load_map, maps_folder, save_map
from ...patches.map_patch import MapEntry
from ..mapping.learner import Learner
from ..mapping.mapper import Mapper
from ..mapping.targets import check_target

#: Map files of this beginning are made here; they come back with their input.
LEARNED: Final = "learned-"
_SHOWN: Final = 4


@dataclass
class _Pupil:
    """An input, and what it has learned."""

    port: str
    path: Path
    mapper: Mapper
    learner: Learner
    change: Callable[[tuple[MapEntry, ...]], None]


class Learning:
    """Learns for all MIDI inputs at once: the one whose controller moves keeps what it turns.

    From any thread.

    Args:
        tell: takes one line for the performer.
        folder: where map files are kept; None: the usual one.
    """

    def __init__(self, tell: Callable[[str], None], folder: Path | None = None) -> None:
        self._tell = tell
        self._folder = maps_folder() if folder is None else folder
        self._pupils: list[_Pupil] = []

    def add(self, port: str, mapper: Mapper, change: Callable[[tuple[MapEntry, ...]], None]) -> None:
        """Let the input ``port`` learn.

        Args:
            change: called with all that it has learned, at once with what it did in former performances.
        """
        path = self._folder / f"{LEARNED}{re.sub(r'[^A-Za-z0-9_-]+', '_', port)}.toml"
        entries: tuple[MapEntry, ...] = ()
        if path.exists():
            try:
                entries = load_map(path).entries
            except StruckError as error:
                self._tell(f"{error}; it is left out")
        learner = Learner(entries, lambda found: self._keep(pupil, found), self._tell)
        pupil = _Pupil(port, path, mapper, learner, change)
        self._pupils.append(pupil)
        mapper.on_move = partial(self._move, pupil)
        change(entries)

    def learned(self, mapper: Mapper) -> tuple[MapEntry, ...]:
        """What the input of ``mapper`` has learned."""
        return next((pupil.learner.entries for pupil in self._pupils if pupil.mapper is mapper), ())

    def learn(self, target: str) -> None:
        """Let the next controller that moves turn ``target``; "" learns no more.

        Raises:
            StruckError: there is no such target, or no MIDI input.
        """
        if not target:
            for pupil in self._pupils:
                pupil.learner.stop()
            return
        check_target(target)
        if not self._pupils:
            raise StruckError("there is no MIDI input to learn from; --midi-in opens one")
        for pupil in self._pupils:
            pupil.learner.learn(target)

    def unlearn(self, target: str) -> None:
        """Let no controller turn ``target`` any more, of those that were learned while playing."""
        for pupil in self._pupils:
            pupil.learner.unlearn(target)

    def state(self) -> dict[str, Any]:
        """What is learned now, what was moved lately, and what has been learned, for the screen."""
        target = next((p.learner.target for p in self._pupils if p.learner.target is not None), None)
        seen = [f"{s.source} {s.value}" for pupil in self._pupils for s in pupil.mapper.seen()[:_SHOWN]]
        learned = [[e.target, str(e.source)] for pupil in self._pupils for e in pupil.learner.entries]
        return {"possible": bool(self._pupils), "target": target, "seen": seen, "learned": learned}

    def _move(self, pupil: _Pupil, move: Any) -> None:
        before = pupil.learner.target
        pupil.learner.move(move)
        if before is not None and pupil.learner.target is None:
            self._tell(f"learned: {move.source} turns {before}")
            for other in self._pupils:
                other.learner.stop()

    def _keep(self, pupil: _Pupil, entries: tuple[MapEntry, ...]) -> None:
        pupil.change(entries)
        try:
            save_map(pupil.path, MapFile(port=pupil.port, entries=entries))
        except (StruckError, OSError) as error:
            self._tell(f"what was learned is not kept: {error}")
