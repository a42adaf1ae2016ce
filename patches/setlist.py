"""A setlist: songs, each a list of snapshots of what is played; a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..codec.events.errors import StruckError
from .section import Section

FORMAT: Final = 1
_MOST: Final = 512
#: The longest way from one snapshot to the next.
MORPH_BEATS_HIGH: Final = 8.0
_LARGEST: Final = 1e9


@dataclass(frozen=True)
class Scene:
    """One snapshot of a song.

    Args:
        song, name: for people.
        patch: recalled where it is not the one that plays; empty: the one that plays stays.
        tempo_bpm: of phrases; None leaves it.
        controls: values over the patch's.
        morph_beats: the way of the controls to there, 0 to 8 beats.
    """

    song: str
    name: str
    patch: str = ""
    tempo_bpm: float | None = None
    controls: Mapping[str, float] = field(default_factory=dict)
    morph_beats: float = 0.0


def load_setlist(path: Path) -> tuple[Scene, ...]:
    """All scenes of a setlist, in order.

    Raises:
        StruckError: it cannot be read, or something in it is not known or not possible; with the line.
    """
    top = Section.of_file(path, "setlist", FORMAT)
    scenes = [scene for song in top.sections("song", _MOST) for scene in _read_song(song)]
    top.refuse_rest()
    if not scenes:
        raise StruckError(f"setlist {path.name}: it has no song with a snapshot")
    return tuple(scenes)


def _read_song(song: Section) -> list[Scene]:
    name = song.take("name", str, "")
    tempo_bpm = song.number("tempo_bpm", 120.0, 60.0, 240.0) if "tempo_bpm" in song.values else None
    scenes = []
    for number, part in enumerate(song.sections("snapshot", _MOST), 1):
        controls = part.section("controls")
        scene = Scene(
            name,
            part.take("name", str, str(number)),
            part.take("patch", str, ""),
            part.number("tempo_bpm", 120.0, 60.0, 240.0) if "tempo_bpm" in part.values else tempo_bpm,
            {key: controls.number(key, 0.0, -_LARGEST, _LARGEST) for key in list(controls.values)},
            part.number("morph_beats", 0.0, 0.0, MORPH_BEATS_HIGH),
        )
        part.refuse_rest()
        scenes.append(scene)
    song.refuse_rest()
    return scenes
