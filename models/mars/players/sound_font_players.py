"""Programs of General MIDI sound fonts as players, played by FluidSynth."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from ...codec.general_midi import render_midi
from ...codec.sound_fonts import find_sound_fonts
from .player import SOUND_FONT, Player

# General MIDI programs whose sound has the pitch of its key: no fifths, no harmonics, no effects.
PROGRAMS: Final[dict[str, tuple[int, ...]]] = {
    "piano": (0, 1, 2, 3, 4, 5, 6, 7),
    "mallet": (10, 11, 12, 13, 15),
    "organ": (17, 18, 20, 21, 22, 23),
    "guitar": (24, 25, 26, 27, 28, 29, 30),
    "bass": (32, 33, 34, 35, 36, 37, 38, 39),
    "string": (40, 41, 42, 43, 44, 45, 46, 48, 49, 50, 51),
    "voice": (52, 53, 54, 85, 91),
    "brass": (56, 57, 58, 59, 60, 61, 62, 63),
    "reed": (64, 65, 66, 67, 68, 69, 70, 71),
    "flute": (72, 73, 74, 75, 76, 79),
    "synth": (80, 81, 82, 84, 88, 89, 90, 95),
    "drums": (0, 8, 16, 24, 25, 40),
}
# Organ stops that sound an octave below the key: played an octave higher.
_SIXTEEN_FOOT: Final = (17, 18)
#: How often a sound font plays, best first: recorded instruments more often than a synthesiser's imitations,
#: the last of those that are found by name.
_FONT_SHARES: Final = (0.48, 0.4, 0.12)
#: Never trained on, in any sound font: one program a family.
HELD_OUT_PROGRAMS: Final = {
    "piano": 2, "mallet": 11, "organ": 18, "guitar": 25, "bass": 34, "string": 41, "voice": 53, "brass": 57,
    "reed": 66, "flute": 74, "synth": 82, "drums": 16,
}  # fmt: skip


def find_sound_font_players() -> list[Player]:
    """A player for each program of each sound font that is installed.

    Raises:
        StruckError: there is no sound font.
    """
    fonts = find_sound_fonts()
    players = []
    for font, share in zip(fonts, np.resize(_FONT_SHARES, len(fonts)), strict=True):
        play = partial(render_midi, sound_font=font)
        for family, programs in PROGRAMS.items():
            drums = family == "drums"
            for program in programs:
                players.append(
                    Player(
                        SOUND_FONT,
                        family,
                        f"{font.stem}:{program}{'d' if drums else ''}",
                        play,
                        program == HELD_OUT_PROGRAMS[family],
                        program,
                        octaves=1 if program in _SIXTEEN_FOOT and not drums else 0,
                        weight=float(share),
                    )
                )
    return players
