"""General MIDI sound fonts on this machine: those named in the environment, or those installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from struck.codec.events.errors import StruckError

#: Paths, separated as in ``PATH``; where it is set, no other font is looked for.
ENVIRONMENT_VARIABLE: Final = "STRUCK_SOUND_FONTS"
#: Best first.
_NAMES: Final = ("FluidR3_GM.sf2", "TimGM6mb.sf2", "OPL-3_FM_128M.sf2")
#: Where Debian, Fedora, Arch, Homebrew (two kinds of Mac) and a user put them.
_FOLDERS: Final = (
    "~/.local/share/sounds/sf2", "~/.local/share/soundfonts",
    "/usr/local/share/sounds/sf2", "/usr/local/share/soundfonts",
    "/usr/share/sounds/sf2", "/usr/share/soundfonts", "/opt/homebrew/share/soundfonts",
)  # fmt: skip


def find_sound_fonts() -> list[Path]:
    """All General MIDI sound fonts known, best first.

    Raises:
        StruckError: there is none, or one named in the environment is missing.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        fonts = [Path(text) for text in named.split(os.pathsep) if text]
        for font in fonts:
            if not font.is_file():
                raise StruckError(f"the sound font {font}, named in {ENVIRONMENT_VARIABLE}, is not there")
        return fonts
    folders = [Path(folder).expanduser() for folder in _FOLDERS]
    # Of a font that lies in several folders the first is taken.
    found: dict[str, Path] = {}
    for font in (folder / name for name in _NAMES for folder in folders):
        if font.is_file():
            found.setdefault(font.name, font)
    if not found:
        raise StruckError(
            "no General MIDI sound font: install fluid-soundfont-gm or timgm6mb-soundfont, "
            f"or name files in {ENVIRONMENT_VARIABLE}"
        )
    return list(found.values())


def find_sound_font() -> Path:
    """The best of :func:`find_sound_fonts`.

    Raises:
        StruckError: there is none.
    """
    return find_sound_fonts()[0]
