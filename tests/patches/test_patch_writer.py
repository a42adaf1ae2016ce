"""Patches written as they were played: values change, all else stays, and what is written is a patch."""

import pytest

from struck.patches.patch import load_patch, parse_patch, shipped_patches
from struck.patches.patch_writer import InsertValues, played_patch

TEXT = """\
# mine
format = 2
description = "a test"

[controls]
decay = 2.0  # long
room = 1

# the plate
[[insert]]
place = "events"
host = "lv2"
plugin = "urn:dragonfly:plate"
wet = 0.5  # half

[insert.parameters]
decay = 2.5  # seconds

[[insert]]
place = "master"
host = "pyo"
plugin = "Chorus"
"""


def test_values_change_and_the_rest_stays():
    inserts = [
        InsertValues(0.25, False, {"decay": 4.0, "size": 0.1 + 0.2}),
        InsertValues(1.0, True, {"feedback": 0.5}),
    ]
    controls = {"decay": 1.5, "room": 1.0, "attack": 3.0, "room_mix": 0.0}
    defaults = {"decay": 1.0, "room": -1.0, "attack": 1.0, "room_mix": 0.0}
    found = played_patch(TEXT, controls, defaults, inserts)
    for line in (
        "# mine",
        "# the plate",
        "decay = 1.5  # long",
        "wet = 0.25  # half",
        "decay = 4.0  # seconds",
    ):
        assert line in found.splitlines()
    assert "room = 1" in found.splitlines()  # what was not turned is not touched
    patch = parse_patch("p", found.encode())
    assert patch.controls == {"decay": 1.5, "room": 1.0, "attack": 3.0}
    first, second = patch.inserts
    assert (first.wet, first.bypass, first.parameters) == (0.25, False, {"decay": 4.0, "size": 0.3})
    assert (second.wet, second.bypass, second.parameters) == (1.0, True, {"feedback": 0.5})


def test_a_control_back_at_its_default_is_written_where_the_text_names_it():
    found = played_patch("[controls]\ndecay = 2.0\n", {"decay": 1.0}, {"decay": 1.0}, [])
    assert parse_patch("p", found.encode()).controls == {"decay": 1.0}


@pytest.mark.parametrize("name", shipped_patches())
def test_a_shipped_patch_that_was_not_touched_is_written_as_it_is(name):
    patch = load_patch(name)
    assert patch.text is not None
    inserts = [InsertValues(i.wet, i.bypass, i.parameters) for i in patch.inserts]
    assert played_patch(patch.text.text, patch.controls, {}, inserts) == patch.text.text
