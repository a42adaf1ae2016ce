"""A performance's maps: for each MIDI input what its controllers turn, by map files and by the patch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ...codec.events.errors import StruckError
from ...patches.map_file import MapFile, load_map, maps_folder
from ...patches.map_patch import MapEntry
from ..mapping.mapper import Mapper
from ..mapping.targets import Targets
from ..stage.stage import Stage
from .learning import LEARNED, Learning

#: Controllers are told where their targets stand so often.
_FEEDBACK_SECONDS: Final = 0.04

Send = Callable[[bytes], object]


class Maps:
    """Makes and feeds the mappers.

    Args:
        files: map files that were named; those of the usual folder that name a port come first.
        stage: where lines are told.
        targets: what there is to turn.

    Raises:
        StruckError: a file that was named is broken. Those of the folder are told and left out.
    """

    def __init__(
        self,
        files: Sequence[Path],
        stage: Stage,
        targets: Targets,
    ) -> None:
        self._stage = stage
        self._named = [load_map(path) for path in files]
        self._found = _folder_maps(stage.tell)
        self._targets = targets
        self._mappers: list[tuple[Mapper, tuple[MapEntry, ...]]] = []
        self._fed: list[tuple[Mapper, Send]] = []
        self._patch: tuple[MapEntry, ...] = ()
        #: What is learned while playing.
        self.learning = Learning(stage.tell)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, port: str, open_output: Callable[[str], Send]) -> Mapper:
        """The mapper of the MIDI input ``port``, told what to turn by the files that are for it.

        Args:
            open_output: opens a MIDI output by its name and gives what sends on it.
        """
        files = [found for found in self._found if found.port and found.is_for(port)]
        files += [found for found in self._named if found.is_for(port)]
        entries = tuple(entry for found in files for entry in found.entries)
        mapper = Mapper(self._targets, self._stage.tell)
        self._mappers.append((mapper, entries))
        self.learning.add(port, mapper, lambda learned: mapper.change((*entries, *learned, *self._patch)))
        for found in files:
            if found.feedback:
                self._fed.append((mapper, open_output(found.feedback)))
        return mapper

    def start(self) -> None:
        """Tell controllers where their targets stand, from now on."""
        if self._fed:
            self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
            self._thread.start()

    def change_patch(self, entries: tuple[MapEntry, ...]) -> None:
        """Let a patch's map take the place of the one before."""
        self._patch = entries
        for mapper, own in self._mappers:
            mapper.change((*own, *self.learning.learned(mapper), *entries))

    def close(self) -> None:
        """Tell controllers no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(_FEEDBACK_SECONDS):
            for mapper, send in self._fed:
                mapper.feed_back(send)


def _folder_maps(tell: Callable[[str], None]) -> list[MapFile]:
    folder = maps_folder()
    found = []
    for path in sorted(folder.glob("*.toml")):
        if path.name.startswith(LEARNED):
            continue
        try:
            found.append(load_map(path))
        except StruckError as error:
            tell(f"{error}; it is left out")
    return found
