"""The shelf: patches by name and program, one's own before the shipped ones, and faults with lines."""

import os

import pytest

from struck.codec.events.errors import StruckError
from struck.patches.patch import SAFE, inspect_patch, load_patch, parse_patch, shipped_patches
from struck.patches.shelf import Shelf, default_folder
from struck.patches.source_patch import SourcePatch
from struck.patches.toml_text import TomlText


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.toml").write_text('format = 2\nprogram = 3\ndescription = "mine"\n')
    (tmp_path / "far.toml").write_text("format = 2\nprogram = 5\nbank = 300\n")
    (tmp_path / "bells.toml").write_text('format = 2\ndescription = "my bells"\n')
    return tmp_path


def test_programs_are_those_of_the_files(folder):
    shelf = Shelf(folder)
    assert shelf.program(0, 3) == "mine"
    assert shelf.program(0, 2) == "marimba"
    assert shelf.program(300, 5) == "far"
    with pytest.raises(StruckError, match=r"no program 9 in bank 300; there are: 5 far"):
        shelf.program(300, 9)
    with pytest.raises(StruckError, match=r"in bank 7; there are: none"):
        shelf.program(7, 0)


def test_programs_of_the_shipped_ones_are_those_that_they_had_by_rank():
    assert [load_patch(name).program for name in shipped_patches()] == list(range(8))


def test_ones_own_stand_before_the_shipped(folder):
    shelf = Shelf(folder)
    assert shelf.find("bells").description == "my bells"
    assert shelf.find("bells.toml").description == "my bells"
    assert shelf.find("default") == load_patch("default")
    with pytest.raises(StruckError, match=r"no patch is called nobody; there are bells, default, far"):
        shelf.find("nobody")
    with pytest.raises(StruckError, match="only shipped patches"):
        shelf.find("../mine.toml")


def test_a_file_counts_as_it_is_when_it_is_recalled(folder):
    shelf = Shelf(folder)
    path = folder / "mine.toml"
    assert shelf.find("mine").description == "mine"
    path.write_text('format = 2\nprogram = 9\ndescription = "other"\n')
    os.utime(path, (1, 1))
    assert shelf.find("mine").description == "other"
    assert shelf.program(0, 9) == "mine"
    path.write_text("format = 2\nvolume = 3\n")
    with pytest.raises(StruckError, match=r"patch mine: unknown: volume \(line 2\)"):
        shelf.find("mine")
    assert [entry.name for entry in shelf.entries() if entry.fault] == ["mine"]
    path.unlink()
    assert "mine" not in [entry.name for entry in shelf.entries()]


def test_two_that_want_one_program_are_told(folder):
    (folder / "too.toml").write_text("format = 2\nprogram = 3\n")
    assert Shelf(folder).clashes() == ["program 3 of bank 0 is mine; too wants it too"]


def test_the_usual_folder_need_not_be_there_but_a_named_one_must(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "struck" / "patches"
    assert [entry.name for entry in Shelf().entries()] == shipped_patches()
    with pytest.raises(StruckError, match="is not a folder of patches"):
        Shelf(tmp_path / "nowhere")


def test_a_program_of_pyos_may_stand_in_ones_own_folder_only(folder):
    text = 'format = 2\n[[insert]]\nplace = "master"\nhost = "pyo"\nfile = "dark.py"\n'
    (folder / "mine.toml").write_text(text)
    assert Shelf(folder).find("mine").inserts[0].file == str(folder / "dark.py")
    with pytest.raises(StruckError, match=r"only a patch in a file of its own may name a file \(line 5\)"):
        Shelf(None, beside=folder).find("mine.toml")


def test_the_second_format():
    patch = parse_patch("p", b'format = 2\nsafe = ["room", "inserts"]\n[source]\nchannel = "side"\n')
    assert (patch.safe, patch.source) == (("room", "inserts"), SourcePatch("side"))
    assert parse_patch("p", b"").safe == SAFE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 3\nnew_key = 1", r"format is 3; this struck reads 1 to 2.*\(line 1\)"),
        ("format = 0", "format is 0; it must be 1 to 2"),
        ('format = "2"', "format must be a whole number"),
        ("program = 3", r"program needs format = 2 \(line 1\)"),
        ("\n\n[source]\nchannel = 1", r"source needs format = 2 \(line 3\)"),
        ("format = 2\nprogram = 128", r"program is 128; the range is 0 to 127 \(line 2\)"),
        ("format = 2\nbank = -1", "bank is -1"),
        ("format = 2\n[source]\nchannel = 0", r"\[source\]: channel is 0; the range is 1 to 64 \(line 3\)"),
        ("format = 2\n[source]\nchannel = 'mid'", r"channel is 'mid'; it must be sum, side, left, right"),
        ("format = 2\n[source]\nside = 1", r"\[source\]: unknown: side \(line 3\)"),
        ("format = 2\nsafe = [1]", "safe must be a list of names"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, words):
    with pytest.raises(StruckError, match=words):
        parse_patch("p", text.encode())


def test_each_table_tells_its_fault():
    text = b'format = 2\nprogram = 200\n[note]\ngain_db = "x"\n[phrases]\nseed = -1\n'
    patch, faults = inspect_patch("p", text)
    assert patch is not None
    assert [str(fault).rpartition("(")[2] for fault in faults] == ["line 2)", "line 4)", "line 6)"]


def test_lines_of_values_however_they_are_written():
    text = "# c\nformat = 2\na = [\n 1,\n 2,\n]\n\n[note]\n# c\ngain_db = 3\ntext = '''\nx = 3\n[foo]\n'''\n"
    text += "sound.decay = 4\n\n[[insert]]\nx = 1\n[[insert]]\nx = 2\n[insert.parameters]\nz = 3\n"
    found = TomlText("p", text.encode())
    lines = {
        ("format",): 2,
        ("a", 1): 3,
        ("note",): 8,
        ("note", "gain_db"): 10,
        ("note", "text"): 11,
        ("note", "sound", "decay"): 15,
        ("insert", 0, "x"): 18,
        ("insert", 1): 19,
        ("insert", 1, "parameters", "z"): 22,
        ("note", "foo"): None,
        ("insert", 2): None,
    }
    assert {path: found.line(path) for path in lines} == lines


@pytest.mark.parametrize(
    ("channel", "weights"),
    [("sum", (0.5, 0.5)), ("left", (1, 0)), ("right", (0, 1)), ("side", (0.5, -0.5)), (2, (0, 1))],
)
def test_weights_of_a_stereo_input(channel, weights):
    assert SourcePatch(channel).weights(2) == weights


@pytest.mark.parametrize("channel", ["right", "side", 2])
def test_a_mono_input_lacks_the_second_channel(channel):
    assert SourcePatch("sum").weights(1) == SourcePatch("left").weights(1) == (1.0,)
    with pytest.raises(StruckError, match=rf"channel is {channel}; the input has one channel"):
        SourcePatch(channel).weights(1)
