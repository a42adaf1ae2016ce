"""docs/patches.md says what the code does."""

import dataclasses
import re

import pytest

from struck.patches.note_patch import NotePatch
from struck.patches.patch import parse_patch
from struck.realtime.docs.patch_docs import DOCS_PATH, with_tables

PAGE = DOCS_PATH.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    assert with_tables(PAGE) == PAGE, "run: python -m struck.realtime.docs.patch_docs"


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="lacks the marks"):
        with_tables("# Patches")


def test_the_example_is_a_patch():
    example = "\n".join(line[4:] for line in PAGE.split("## The file")[1].splitlines() if line[:4] == "    ")
    patch = parse_patch("example", example.encode())
    assert patch.controls == {"transpose": -12.0, "decay": 4.0}
    assert patch.note.sound["decay"] == 12.0


def test_every_key_of_a_note_stands_there_with_its_default():
    rows = dict(re.findall(r"^\| `\[note\] (\w+)` \| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE))
    fields = {field.name for field in dataclasses.fields(NotePatch)} - {"sound"}
    assert set(rows) == fields
    assert rows["channels"] == "all"
    for name in fields - {"channels"}:
        default = getattr(NotePatch(), name)
        if isinstance(default, bool):
            shown = str(default).lower()
        else:
            shown = f"`{default}`" if isinstance(default, str) else f"{default:g}"
        assert rows[name] == shown
