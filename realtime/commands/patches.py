"""The commands ``struck patches``: which patches there are, and what is wrong with a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...codec.events.errors import StruckError
from .console import Console
from .options import Commands, add_command, add_patches

if TYPE_CHECKING:
    from ...patches.shelf import Shelved


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    group = commands.add_parser(
        "patches", help="list and check patches", description="List patches, and check their files."
    )
    actions = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    parser = add_command(
        actions,
        "list",
        run_list,
        "list the patches that struck live can recall, with their MIDI programs",
        "  struck patches list\n  struck patches list --patches ~/show --json",
    )
    add_patches(parser)
    parser = add_command(
        actions,
        "check",
        run_check,
        "tell what is wrong with patches, each fault with its line",
        "  struck patches check mine.toml\n  struck patches check ~/show/*.toml",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="patches, .toml")


def run_list(options: argparse.Namespace, console: Console) -> None:
    from ...patches.shelf import Shelf

    shelf = Shelf(options.patches)
    entries = [_with_faults(entry) for entry in shelf.entries()]
    for line in shelf.clashes():
        console.note(line)
    values = [_values(entry) for entry in entries]
    console.finish({"folder": str(shelf.folder), "patches": values}, _table(entries, shelf.folder))


def _with_faults(entry: Shelved) -> Shelved:
    """A patch as struck live would find it: one that it would refuse is broken, too."""
    from dataclasses import replace

    from ..engine.parameters import check_controls

    if entry.patch is not None:
        try:
            check_controls(entry.patch)
        except StruckError as error:
            return replace(entry, patch=None, fault=str(error))
    return entry


def _values(entry: Shelved) -> dict[str, Any]:
    patch = entry.patch
    return {
        "name": entry.name,
        "file": None if entry.path is None else str(entry.path),
        "bank": None if patch is None else patch.bank,
        "program": None if patch is None else patch.program,
        "profile": None if patch is None else patch.profile,
        "description": "" if patch is None else patch.description,
        "fault": entry.fault,
    }


def _table(entries: list[Shelved], folder: Path) -> str:
    rows = [("bank", "program", "patch", "profile", "")]
    for entry in entries:
        patch = entry.patch
        if patch is None:
            rows.append(("", "", entry.name, "", f"BROKEN: {entry.fault}"))
            continue
        place = ("", "") if patch.program is None else (str(patch.bank), str(patch.program))
        rows.append((*place, entry.name, patch.profile, patch.description))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = []
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[4]]).rstrip())
    own = "your own" if folder.is_dir() else "there is no folder of your own at"
    return "\n".join([*lines, "", f"{own}: {folder}" if folder.is_dir() else f"{own} {folder}"])


def run_check(options: argparse.Namespace, console: Console) -> None:
    found = []
    for path in options.files:
        faults, notes = _check(path, console)
        found.append({"file": str(path), "faults": faults, "notes": notes})
    count = sum(len(entry["faults"]) for entry in found)
    lines = []
    for entry in found:
        lines += [f"{entry['file']}: {line}" for line in (*entry["faults"], *entry["notes"])]
        if not entry["faults"]:
            lines.append(f"{entry['file']}: good")
    console.finish({"files": found, "fault_count": count}, "\n".join(lines))
    if count:
        raise SystemExit(1)


def _check(path: Path, console: Console) -> tuple[list[str], list[str]]:
    """Faults of a patch, and what is only worth knowing."""
    from ...patches.patch import inspect_patch
    from .patch_check import find_faults

    try:
        data = path.read_bytes()
    except OSError as error:
        return [f"cannot read it: {error.strerror}"], []
    patch, errors = inspect_patch(path.stem, data, path.parent)
    faults = [str(error) for error in errors]
    if patch is None:
        return faults, []
    with console.progress("looking at plug-ins", None, ""):
        found, notes = find_faults(patch)
    return [*faults, *found], notes
