"""docs/command_line.md tells every command and every option."""

import argparse
import re
from pathlib import Path

import pytest

from struck.realtime.commands.cli import build_parser

PAGE = (Path(__file__).parents[3] / "docs" / "command_line.md").read_text(encoding="utf-8")
GENERAL, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
SECTION = {text.partition(":")[0]: text for text in SECTIONS}


def commands(parser, name=()):
    """Name and parser of every command, those inside others too."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                found |= commands(inner, (*name, word)) or {(*name, word): inner}
    return found


COMMANDS = commands(build_parser())


def test_every_command_has_a_section_and_every_section_a_command():
    assert set(SECTION) == {name[0] for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_option_is_told(name):
    section = SECTION[name[0]]
    for action in COMMANDS[name]._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--help":
                assert re.search(rf"{option}\b", section), f"{option} of struck {' '.join(name)}"


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_no_option_is_told_that_does_not_exist(name):
    usage = SECTION[name[0]].split("\n\n")[0]
    known = {
        option
        for path, p in COMMANDS.items()
        if path[0] == name[0]
        for a in p._actions
        for option in a.option_strings
    }
    for option in re.findall(r"--[a-z][a-z0-9-]*", usage):
        assert option in known


def test_the_options_of_live_stand_in_its_table_with_range_and_default():
    lines = re.findall(r"^\| `(--[a-z-]+)` \|(.*)\|$", SECTION["live"], re.MULTILINE)
    rows = {option: [cell.strip() for cell in rest.split("|")] for option, rest in lines}
    options = {
        action.option_strings[-1]: action
        for action in COMMANDS[("live",)]._actions
        if action.option_strings[-1] not in ("--help", "--json", "--weights")
    }
    assert set(rows) == set(options)
    for option, action in options.items():
        unit, default, meaning = rows[option]
        assert meaning
        assert default
        if action.nargs != 0:  # it takes a value
            assert unit
        for choice in action.choices or ():
            assert f"`{choice}`" in unit
