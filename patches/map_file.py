"""A controller's map file: which port it is for, and what its controllers turn; apart from patches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..codec.files.part_files import part_file
from .map_patch import MapEntry, quoted, read_entries, write_entries
from .section import Section

FORMAT: Final = 1


@dataclass(frozen=True)
class MapFile:
    """What is in a map file.

    Args:
        port: part of the name of the MIDI input that it is for; empty: any.
        feedback: MIDI output on which the controller is told where its targets stand; empty: it is not.
        entries: in order.
    """

    port: str = ""
    feedback: str = ""
    entries: tuple[MapEntry, ...] = ()

    def is_for(self, port: str) -> bool:
        """Whether it is for the MIDI input of this name."""
        return self.port.lower() in port.lower()


def maps_folder() -> Path:
    """Where map files lie that are taken without being named; it need not be there."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "struck" / "maps"


def load_map(path: Path) -> MapFile:
    """Read a map file.

    Raises:
        StruckError: it cannot be read, or something in it is not known or not possible; with the line.
    """
    top = Section.of_file(path, "map", FORMAT)
    found = MapFile(top.take("port", str, ""), top.take("feedback", str, ""), read_entries(top))
    top.refuse_rest()
    return found


def save_map(path: Path, found: MapFile) -> None:
    """Write a map file, whole or not at all.

    Raises:
        StruckError: a name in it cannot be written.
        OSError: the disk refuses.
    """
    lines = [f"format = {FORMAT}"]
    for key, value in (("port", found.port), ("feedback", found.feedback)):
        if value:
            lines.append(f"{key} = {quoted(value)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part_file(path) as part:
        part.write_text("\n".join(lines) + "\n" + write_entries(found.entries), encoding="utf-8")
