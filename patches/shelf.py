"""The patches that a performance can recall, by name and by MIDI's program: shipped ones and the user's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..codec.events.errors import StruckError
from .patch import Patch, find_patch, load_patch, shipped_patches

_EXTENSION: Final = ".toml"
#: What a patch may be called that somebody else saves.
_NAME: Final = re.compile(r"\w[\w -]{0,63}")
#: And how many there may be then.
_MOST_OWN: Final = 1_000


def default_folder() -> Path:
    """Where a user's own patches lie unless told otherwise; it need not be there."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "struck" / "patches"


@dataclass(frozen=True)
class Shelved:
    """One patch: ``path`` is None for one that is shipped, ``fault`` says why a file cannot be read."""

    name: str
    path: Path | None
    patch: Patch | None
    fault: str = ""


class Shelf:
    """Finds patches. A file is read again when it has changed; from any thread.

    A patch of the user's folder stands before a shipped one of the same name, and of the same program.

    Args:
        folder: of the user's own patches; None takes :func:`default_folder`, if it is there.
        beside: the folder of the patch that the performance began with: its files are found by their name
            with ``.toml``, see :func:`~struck.patches.patch.find_patch`.

    Raises:
        StruckError: ``folder`` is no folder.
    """

    def __init__(self, folder: Path | None = None, beside: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise StruckError(f"{folder} is not a folder of patches")
        self.folder = folder or default_folder()
        self._beside = beside
        self._kept: dict[Path, tuple[tuple[int, int], Shelved]] = {}
        self._shipped = [Shelved(name, None, load_patch(name)) for name in shipped_patches()]

    def entries(self) -> list[Shelved]:
        """All patches by program, those without one last."""
        own = list(self._own())
        names = {entry.name for entry in own}
        found = [*own, *(entry for entry in self._shipped if entry.name not in names)]
        return sorted(found, key=_order)

    def names(self) -> list[str]:
        """Names of those that can be recalled, in the same order."""
        return [entry.name for entry in self.entries() if entry.patch is not None]

    def find(self, name: str) -> Patch:
        """The patch ``name``.

        Args:
            name: of a patch; or of a file, with ``.toml``, of the user's folder, or of the one that the
                performance began in.

        Raises:
            StruckError: there is none, it is broken, or it lies elsewhere.
        """
        own = {entry.name: entry for entry in self._own()}
        stem = Path(name).stem
        if name.lower().endswith(_EXTENSION):
            asked = Path(name)
            here = asked.parent == Path() or asked.parent.resolve() == self.folder.resolve()
            if not here or stem not in own:
                return find_patch(name, self._beside)
        elif name in own:
            stem = name
        elif name in shipped_patches():
            return load_patch(name)
        else:
            known = ", ".join(sorted({*own, *shipped_patches()}))
            raise StruckError(f"no patch is called {name}; there are {known}, and files named .toml")
        entry = own[stem]
        if entry.patch is None:
            raise StruckError(entry.fault)
        return entry.patch

    def open(self, text: str) -> Patch:
        """The patch that a command line names: one of :meth:`find`, or a file anywhere, with ``.toml``.

        Raises:
            StruckError: there is none, or it is broken.
        """
        return load_patch(text) if text.lower().endswith(_EXTENSION) else self.find(text)

    def place_for(self, patch: Patch, name: str) -> Path:
        """The file to which ``patch`` is to be saved as ``name``; empty: in its own place.

        Raises:
            StruckError: it may not be called so, or there is another patch of that name.
        """
        stem = name[: -len(_EXTENSION)] if name.lower().endswith(_EXTENSION) else name
        own = {entry.name: entry.path for entry in self._own()}
        if stem in ("", patch.name) and patch.path is not None:
            return patch.path
        if stem == "" or stem in shipped_patches():
            raise StruckError(f"{stem or patch.name} is shipped with struck; save it under another name")
        if not _NAME.fullmatch(stem):
            raise StruckError(f"{stem!a} is no name of a patch: letters, digits, spaces, _ and - are")
        if stem in own:
            raise StruckError(f"there is another patch {stem}; save it under another name")
        if len(own) >= _MOST_OWN:
            raise StruckError(f"{self.folder} has {len(own)} patches; {_MOST_OWN} are the most")
        return self.folder / f"{stem}{_EXTENSION}"

    def program(self, bank: int, number: int) -> str:
        """Name of the patch that a MIDI program change means.

        Raises:
            StruckError: there is none.
        """
        programs: dict[int, str] = {}
        for entry in (*self._own(), *self._shipped):
            patch = entry.patch
            if patch is not None and patch.program is not None and patch.bank == bank:
                programs.setdefault(patch.program, entry.name)
        if number not in programs:
            there = ", ".join(f"{n} {name}" for n, name in sorted(programs.items())) or "none"
            raise StruckError(f"there is no program {number} in bank {bank}; there are: {there}")
        return programs[number]

    def clashes(self) -> list[str]:
        """One line for each program that several of the user's patches want."""
        taken: dict[tuple[int, int], str] = {}
        lines = []
        for entry in self._own():
            if entry.patch is None or entry.patch.program is None:
                continue
            place = (entry.patch.bank, entry.patch.program)
            if place in taken:
                lines.append(
                    f"program {place[1]} of bank {place[0]} is {taken[place]}; {entry.name} wants it too"
                )
            taken.setdefault(place, entry.name)
        return lines

    def _own(self) -> Iterator[Shelved]:
        """The user's patches, by name."""
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix.lower() == _EXTENSION)
        except OSError:  # no such folder: there are none
            return
        for path in paths:
            try:
                stat = path.stat()
            except OSError:  # just deleted, or a link to nowhere
                continue
            stamp = (stat.st_mtime_ns, stat.st_size)
            kept = self._kept.get(path)
            if kept is None or kept[0] != stamp:
                kept = self._kept[path] = stamp, _read(path)
            yield kept[1]


def _read(path: Path) -> Shelved:
    try:
        return Shelved(path.stem, path, load_patch(str(path)))
    except StruckError as error:
        return Shelved(path.stem, path, None, str(error))


def _order(entry: Shelved) -> tuple[bool, int, int, str]:
    patch = entry.patch
    if patch is None or patch.program is None:
        return True, 0, 0, entry.name
    return False, patch.bank, patch.program, entry.name
