"""Patches: those shipped are whole, and every part of a broken one is refused by its name."""

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import FIELDS, INDEX, read_field
from struck.patches.note_patch import NotePatch
from struck.patches.patch import Patch, find_patch, load_patch, parse_patch, shipped_patches
from struck.realtime.engine.parameters import PARAMETER
from struck.realtime.host.peers import note_settings

WHOLE = """
description = "all of it"
profile = "tight"

[controls]
decay = 2.0
dry_db = -6

[note]
gain_db = -9
velocity_brightness_db = 3.0
bend_range_semitones = 12
mpe = true
channels = [1, 2, 16]
release = false

[note.sound]
attack = 0.01
decay = 3
tilt = -10.0
noisiness = 0.25
room = 3.0
timbre1 = -0.5
"""


def test_every_key_is_read():
    patch = parse_patch("whole", WHOLE.encode())
    assert patch == Patch(
        name="whole",
        description="all of it",
        profile="tight",
        controls={"decay": 2.0, "dry_db": -6.0},
        note=NotePatch(
            sound={
                "attack": 0.01,
                "decay": 3.0,
                "tilt": -10.0,
                "noisiness": 0.25,
                "room": 3.0,
                "timbre1": -0.5,
            },
            gain_db=-9.0,
            velocity_brightness_db=3.0,
            bend_range_semitones=12.0,
            mpe=True,
            channels=(1, 2, 16),
            release=False,
        ),
    )
    vector = patch.note.vector
    for name, value in patch.note.sound.items():
        assert read_field(vector, name) == pytest.approx(value, rel=1e-5)
    untouched = [i for i, field in enumerate(FIELDS) if field.name not in patch.note.sound]
    assert np.all(vector[untouched] == 0.0)


def test_an_empty_patch_is_all_defaults():
    assert parse_patch("empty", b"") == Patch("empty")


def test_the_shipped_patches_in_the_order_of_midi_programs():
    assert shipped_patches() == ["bells", "default", "marimba", "pad", "phrases", "piano", "plate", "tube"]


@pytest.mark.parametrize("name", shipped_patches())
def test_a_shipped_patch_plays(name):
    patch = load_patch(name)
    assert patch.name == name
    assert patch.description
    assert patch.description.endswith(".")
    for control, value in patch.controls.items():
        assert PARAMETER[control].check(value) == value
    notes = note_settings(patch)  # checks everything once more
    assert notes.release == patch.note.release
    for field, value in patch.note.sound.items():
        assert read_field(patch.note.vector, field) == pytest.approx(value, rel=1e-4, abs=1e-4)


def test_notes_as_midi_counts_them():
    notes = note_settings(parse_patch("whole", WHOLE.encode()))
    assert notes.channels == {0, 1, 15}
    assert (notes.gain_db, notes.bend_range_semitones, notes.mpe, notes.release) == (-9.0, 12.0, True, False)


def test_ones_own_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(WHOLE)
    assert load_patch(str(path)) == parse_patch("mine", WHOLE.encode())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("description = 3", "patch p: description must be a string, not 3"),
        ("profile = true", "profile must be a string"),
        ('profile = "studio"', "profile is studio; it must be live or tight"),
        ("volume = 3", "patch p: unknown: volume"),
        ("[colour]\nred = 1", "patch p: unknown: colour"),
        ("controls = 3", "controls must be a table"),
        ("[[controls]]\ndecay = 1", "controls must be a table"),
        ('[controls]\ndecay = "long"', r"patch p \[controls\]: decay must be a number, not 'long'"),
        ("[controls]\ndecay = true", "decay must be a number, not True"),
        ("[controls]\ndecay = nan", r"\[controls\]: decay is nan"),
        ("[controls]\ndecay = -inf", r"\[controls\]: decay is -inf"),
        ("[controls]\ndecay = 1" + 300 * "0", "decay must be a number"),
        ("[controls]\ndecay = 1" + 5_000 * "0", "patch p: "),
        ("note = []", "note must be a table"),
        ("[note]\nloudness = 1", r"patch p \[note\]: unknown: loudness"),
        ("[note]\ngain_db = 12.5", r"\[note\]: gain_db is 12.5; the range is -90 to 12"),
        ("[note]\ngain_db = nan", "gain_db is nan"),
        ("[note]\nvelocity_brightness_db = -1", "velocity_brightness_db is -1; the range is 0 to 36"),
        ("[note]\nbend_range_semitones = 97", "bend_range_semitones is 97; the range is 0 to 96"),
        ("[note]\nmpe = 1", "mpe must be true or false, not 1"),
        ('[note]\nrelease = "no"', "release must be true or false"),
        ("[note]\nchannels = 3", "channels must be a list"),
        ("[note]\nchannels = []", "channels must be numbers from 1 to 16"),
        ("[note]\nchannels = [0]", "channels must be numbers from 1 to 16"),
        ("[note]\nchannels = [1, 17]", "channels must be numbers from 1 to 16"),
        ("[note]\nchannels = [1.0]", "channels must be numbers from 1 to 16"),
        ("[note]\nsound = 3", "sound must be a table"),
        ("[phrases]\nbeat = 1", r"patch p \[phrases\]: unknown: beat"),
        ("[phrases]\nchannel = 17", r"\[phrases\]: channel is 17; the range is 0 to 16"),
        ("[phrases]\nchannel = 1.5", "channel must be a whole number, not 1.5"),
        ("[phrases]\nstyle = 1", "style must be a string"),
        ("[phrases]\ninstrument = true", "instrument must be a string"),
        ("[phrases]\nchord = []", "chord must be a string"),
        ("[phrases]\ntempo_bpm = 59.9", "tempo_bpm is 59.9; the range is 60 to 240"),
        ("[phrases]\nswing_percent = 71", "swing_percent is 71; the range is 50 to 70"),
        ("[phrases]\nbeats_per_bar = 0", "beats_per_bar is 0; the range is 1 to 16"),
        ('[phrases]\nstart = "soon"', "start is soon; it must be now or beat or bar"),
        ('[phrases]\nstop = "never"', "stop is never; it must be now or beat or bar"),
        ("[phrases]\nlatched = 1", "latched must be true or false"),
        ("[phrases]\ncontinues = 1", "continues must be true or false"),
        ("[phrases]\nvariations = 9", "variations is 9; the range is 1 to 8"),
        ("[phrases]\nseed = -1", "seed is -1; the range is 0 to 2147483647"),
        ("[phrases]\ngain_db = 12.5", "gain_db is 12.5; the range is -90 to 12"),
        ("[phrases]\nas_events = 1", "as_events must be true or false"),
        ("[phrases]\nprepare = [60, 128]", "prepare must be notes from 0 to 127"),
        ("[phrases]\nprepare = 60", "prepare must be a list"),
        ("[note.sound]\nwobble = 1", r"\[note\] \[sound\]: unknown: wobble"),
        ("[note.sound]\npitch = 60", "unknown: pitch"),
        ("[note.sound]\ndecay = 0.0", r"\[sound\]: decay is 0; the range is 0.03 to 40"),
        ("[note.sound]\nattack = 1.5", "attack is 1.5; the range is 0.001 to 1"),
        ("[note.sound]\nnoisiness = 1.01", "noisiness is 1.01; the range is 0 to 1"),
        ("[note.sound]\nroom = nan", "room is nan"),
        ("[note", "patch p: "),
        ("mpe = \xff", r"patch p: it is no text in UTF-8 \(byte 7\)"),
        ("a = 1\na = 2", "patch p: "),
    ],
)
def test_each_part_that_is_wrong_is_named(text, words):
    with pytest.raises(StruckError, match=words):
        parse_patch("p", text.encode("latin-1"))


@pytest.mark.parametrize("field", [field for field in FIELDS if field.name != "pitch"], ids=lambda f: f.name)
def test_the_ends_of_every_field_are_inside_and_more_is_not(field):
    low, high = (0.0, 1.0) if field.scale == "logistic" else (field.low, field.high)
    for value, end in ((low, -1.0), (high, 1.0)):
        patch = parse_patch("p", f"[note.sound]\n{field.name} = {value!r}".encode())
        place = patch.note.vector[INDEX[field.name]]
        if field.scale in ("power4", "square") or abs(place) < 1.0:
            assert read_field(patch.note.vector, field.name) == pytest.approx(value, abs=1e-3)
        else:
            assert place == end
    for value in (low - 0.01 * (high - low), high + 0.01 * (high - low)):
        with pytest.raises(StruckError, match=field.name):
            parse_patch("p", f"[note.sound]\n{field.name} = {value!r}".encode())


@pytest.mark.parametrize("name", ["organ", "", "Default", "../default", "default.json"])
def test_patches_that_are_not_shipped(name):
    with pytest.raises(StruckError, match="there are bells, default, marimba, pad"):
        load_patch(name)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(StruckError, match=r"cannot read the patch .*: No such file"):
        load_patch(str(tmp_path / "missing.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(StruckError, match="cannot read the patch"):
        load_patch(str(tmp_path / "folder.toml"))


def test_a_patch_file_may_be_named_in_capitals(tmp_path):
    (tmp_path / "MINE.TOML").write_text('description = "mine"\n')
    patch = load_patch(str(tmp_path / "MINE.TOML"))
    assert (patch.name, patch.description) == ("MINE", "mine")


def test_names_that_come_from_elsewhere_open_files_of_one_folder_only(tmp_path):
    folder, outside = tmp_path / "patches", tmp_path / "outside.toml"
    folder.mkdir()
    outside.write_text('description = "elsewhere"')
    (folder / "mine.toml").write_text('description = "mine"')
    assert find_patch("bells", folder) == load_patch("bells")
    for name in ("mine.toml", str(folder / "mine.toml"), str(folder / ".." / "patches" / "mine.toml")):
        assert find_patch(name, folder).description == "mine"
    for name in (str(outside), "../outside.toml", "sub/mine.toml"):
        with pytest.raises(StruckError, match="patches are opened in"):
            find_patch(name, folder)
    with pytest.raises(StruckError, match="only shipped patches"):
        find_patch(str(outside), None)
    with pytest.raises(StruckError, match="no patch is called"):
        find_patch("../outside", folder)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path):
    folder, outside = tmp_path / "patches", tmp_path / "outside.toml"
    folder.mkdir()
    outside.write_text("")
    try:
        (folder / "link.toml").symlink_to(outside)
    except OSError as error:
        pytest.skip(f"no links here: {error}")
    with pytest.raises(StruckError, match="patches are opened in"):
        find_patch("link.toml", folder)


def test_a_byte_order_mark_is_no_part_of_a_patch():
    assert parse_patch("mine", b'\xef\xbb\xbfdescription = "mine"\n').description == "mine"
