"""Which sound fonts are found: those that the environment names, or those installed, the better first."""

import os

import pytest

from struck.codec.events.errors import StruckError
from struck.models.codec import sound_fonts
from struck.models.codec.sound_fonts import ENVIRONMENT_VARIABLE, find_sound_font, find_sound_fonts


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders, the only ones that are looked into."""
    found = [tmp_path / name for name in ("own", "shared")]
    for folder in found:
        folder.mkdir()
    monkeypatch.setattr(sound_fonts, "_FOLDERS", tuple(map(str, found)))
    monkeypatch.delenv(ENVIRONMENT_VARIABLE)
    return found


def test_the_better_font_is_first_wherever_it_lies(folders):
    own, shared = folders
    (own / "TimGM6mb.sf2").touch()
    (shared / "TimGM6mb.sf2").touch()
    (shared / "FluidR3_GM.sf2").touch()
    (shared / "Other.sf2").touch()
    assert find_sound_fonts() == [shared / "FluidR3_GM.sf2", own / "TimGM6mb.sf2"]
    assert find_sound_font() == shared / "FluidR3_GM.sf2"


def test_none_is_one_line_that_says_what_to_do(folders):
    with pytest.raises(
        StruckError, match=f"install .*timgm6mb-soundfont, or name files in {ENVIRONMENT_VARIABLE}"
    ):
        find_sound_fonts()


def test_those_named_are_the_only_ones(folders, tmp_path, monkeypatch):
    (folders[0] / "FluidR3_GM.sf2").touch()
    mine = [tmp_path / "mine.sf2", tmp_path / "yours.sf3"]
    for font in mine:
        font.touch()
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, os.pathsep.join(map(str, mine)))
    assert find_sound_fonts() == mine
    mine[1].unlink()
    with pytest.raises(StruckError, match=r"yours\.sf3, named in"):
        find_sound_fonts()
