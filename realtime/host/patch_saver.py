"""Saves the patch as it is played now, while the music goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

from ...codec.events.errors import StruckError
from ...codec.files.part_files import part_file
from ...patches.patch import Patch
from ...patches.patch_writer import InsertValues, played_patch
from ...patches.shelf import Shelf
from ..engine.parameters import PARAMETERS
from ..stage.stage import Stage


class PatchSaver:
    """Writes patches to files of the user's own, each in a thread that ends with it.

    A file is there whole or not at all, and no other patch is ever written over.

    Args:
        shelf: says where.
        stage: whose controls they are; it is told how it went.
        inserts: tells what is to be written of a patch's inserts.
    """

    def __init__(
        self, shelf: Shelf, stage: Stage, inserts: Callable[[Patch], Sequence[InsertValues]]
    ) -> None:
        self._shelf, self._stage, self._inserts = shelf, stage, inserts
        self._thread: Thread | None = None

    def save(self, patch: Patch, name: str) -> None:
        """Save ``patch`` as ``name``, or where it came from if that is empty.

        Raises:
            StruckError: it cannot be saved there, or the last one is still being written.
        """
        place = self._shelf.place_for(patch, name)
        if self._thread is not None and self._thread.is_alive():
            raise StruckError("a patch is being saved just now")
        text = self.text(patch, place)
        self._thread = Thread(target=self._write, args=(place, text), name="patch", daemon=True)
        self._thread.start()

    def text(self, patch: Patch, place: Path) -> str:
        """What is written to ``place``."""
        assert patch.text is not None
        controls = self._stage.controls()
        defaults = {parameter.name: parameter.default for parameter in PARAMETERS}
        return played_patch(
            patch.text.text,
            {name: controls[name] for name in defaults},
            defaults,
            list(self._inserts(patch)),
            is_copy=patch.path != place,
        )

    def _write(self, place: Path, text: str) -> None:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with part_file(place) as part:
                part.write_text(text, encoding="utf-8")
        except (StruckError, OSError) as error:
            self._stage.tell(f"the patch was not saved: {error}")
        else:
            self._stage.tell(f"patch {place.stem} saved to {place}")

    def close(self) -> None:
        """Wait for what is being written."""
        if self._thread is not None:
            self._thread.join()
