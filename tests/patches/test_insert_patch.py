"""The tables [[insert]] of a patch: round trip, and every way to be wrong."""

from pathlib import Path

import pytest

from struck.codec.events.errors import StruckError
from struck.patches.insert_patch import INSERT_FIELDS, InsertPatch
from struck.patches.patch import find_patch, load_patch, parse_patch

WHOLE = """
[[insert]]
place = "events"
host = "lv2"
plugin = "http://drobilla.net/plugins/mda/Ambience"
name = "room"
preset = "Default"
state = "text"
bypass = true
wet = 0.25
beside = true
voices = 3

[insert.parameters]
size = 0.5
mix = 1

[[insert]]
place = "master"
host = "pyo"
plugin = "Chorus"
mpe = true
"""


def test_every_key_arrives():
    first, second = parse_patch("p", WHOLE.encode()).inserts
    assert first == InsertPatch(
        place="events",
        host="lv2",
        plugin="http://drobilla.net/plugins/mda/Ambience",
        name="room",
        preset="Default",
        state="text",
        bypass=True,
        wet=0.25,
        beside=True,
        voices=3,
        parameters={"size": 0.5, "mix": 1.0},
    )
    assert second == InsertPatch("master", "pyo", "Chorus", name="Chorus", mpe=True)
    assert [field.name for field in INSERT_FIELDS] == [
        "place", "host", "plugin", "file", "name", "preset", "state", "bypass", "wet", "beside", "mpe",
        "voices", "parameters",
    ]  # fmt: skip


def table(**values):
    return "[[insert]]\n" + "\n".join(f"{key} = {value}" for key, value in values.items())


GOOD = {"place": '"master"', "host": '"lv2"', "plugin": '"urn:x"'}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"place": '"cellar"'}, "place is cellar; it must be input or events or phrases or master"),
        ({"place": None}, "place is missing"),
        ({"host": '"vst2"'}, "host is vst2"),
        ({"host": None}, "host is missing"),
        ({"plugin": None}, "either plugin or file must be given"),
        ({"file": '"a.py"'}, "file is for the host pyo"),
        ({"plugin": "7"}, "plugin must be a string, not 7"),
        ({"wet": "1.5"}, "wet is 1.5; the range is 0 to 1"),
        ({"voices": "17"}, "voices is 17; the range is 0 to 16"),
        ({"voices": "2", "mpe": "true"}, "leave voices out"),
        ({"bypass": "1"}, "bypass must be true or false"),
        ({"parameters": '{a = "loud"}'}, "a must be a number"),
        ({"parameters": "{a = nan}"}, "a is nan"),
        ({"colour": '"red"'}, "unknown: colour"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(changes, message):
    values = {key: value for key, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(StruckError, match=message) as told:
        parse_patch("p", table(**values).encode())
    assert str(told.value).startswith("patch p [[insert]] 1")


def test_names_are_unique_and_their_number_is_bounded():
    with pytest.raises(StruckError, match="there is another insert called x; name them apart"):
        parse_patch("p", "\n".join([table(**GOOD)] * 2).encode())
    many = "\n".join(table(**GOOD, name=f'"n{i}"') for i in range(200))
    with pytest.raises(StruckError, match=r"200 tables \[\[insert\]\] are more than 64 \(line 1\)"):
        parse_patch("p", many.encode())
    with pytest.raises(StruckError, match="insert must be a list"):
        parse_patch("p", b"[insert]\nplace = 'master'")


def test_only_a_patch_in_a_file_that_the_user_names_may_name_a_program(tmp_path):
    text = table(place='"master"', host='"pyo"', file='"dark.py"')
    path = tmp_path / "mine.toml"
    path.write_text(text)
    (insert,) = load_patch(str(path)).inserts
    assert Path(insert.file) == tmp_path / "dark.py"
    assert insert.name == "dark"
    with pytest.raises(StruckError, match="only a patch in a file of its own may name a file"):
        parse_patch("p", text.encode())
    with pytest.raises(StruckError, match="only a patch in a file of its own may name a file"):
        find_patch("mine.toml", tmp_path)  # what OSC and program changes ask for


def test_the_shipped_patches_with_inserts_are_whole():
    assert [insert.name for insert in load_patch("tube").inserts] == ["tube", "eq", "limiter"]
    assert load_patch("piano").inserts[0].place == "events"
    assert load_patch("plate").inserts[0].parameters["decay"] == 2.5
