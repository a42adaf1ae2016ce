"""What is wrong with the inserts of a patch: each plug-in that is installed is opened, and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ....codec.events.errors import StruckError
from ....patches.insert_patch import InsertPatch
from ....patches.patch import Patch
from ..plugins.group import NO_VOICES
from ..plugins.plugin import find_parameter
from ..pyo.program import look_into_program
from .probe import probe_plugin

Parameters = Sequence[Mapping[str, Any]]


@dataclass
class InsertFindings:
    """What was found out about a patch's inserts.

    Args:
        faults: of the patch, each a line.
        notes: of this machine, which lacks what a patch names: it plays without that.
        parameters: of each insert, by number; None where they are not known here.
    """

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parameters: list[Parameters | None] = field(default_factory=list)


def look_into_inserts(patch: Patch) -> InsertFindings:
    """Open the plug-ins of a patch, each in a process of its own; a file of pyo's is read, and not run."""
    found = InsertFindings()
    probe = cache(probe_plugin)
    for number, insert in enumerate(patch.inserts):
        table = _Table(patch, number, found)
        parameters = _read_file(insert, table) if insert.file else _open(insert, table, probe)
        found.parameters.append(parameters)
        for symbol, value in insert.parameters.items():
            if parameters is None:
                break
            try:
                find_parameter(parameters, symbol, value)
            except ValueError as error:
                table.fault(str(error), "parameters", symbol)
    return found


class _Table:
    """A patch's table of one insert: what is found is told with its place."""

    def __init__(self, patch: Patch, number: int, found: InsertFindings) -> None:
        self._patch, self._number, self._found = patch, number, found

    def fault(self, line: str, *keys: str) -> None:
        self._found.faults.append(self._told(line, keys))

    def note(self, line: str, *keys: str) -> None:
        if self._patch.inserts[self._number].parameters:
            line += "; its parameters could not be checked"
        self._found.notes.append(self._told(line, keys))

    def _told(self, line: str, keys: Sequence[str]) -> str:
        place = self._patch.place(("insert", self._number, *keys))
        return f"patch {self._patch.name} [[insert]] {self._number + 1}: {line}{place}"


def _read_file(insert: InsertPatch, table: _Table) -> Parameters | None:
    try:
        parameters = look_into_program(Path(insert.file))
    except StruckError as error:
        table.fault(str(error), "file")
        return None
    if parameters is None and insert.parameters:
        table.note("what parameters its file makes shows when it runs", "parameters")
    return None if parameters is None else [asdict(parameter) for parameter in parameters]


def _open(insert: InsertPatch, table: _Table, probe: Any) -> Parameters | None:
    try:
        told = probe(insert.host, insert.plugin)
    except StruckError as error:
        table.note(f"{error}; the sound passes it dry", "plugin")
        return None
    if insert.voices and not told["info"]["takes_notes"]:
        table.fault(NO_VOICES, "voices")
    for key, options in (("preset", {"preset": insert.preset}), ("state", {"state": insert.state})):
        if options[key]:
            try:
                probe(insert.host, insert.plugin, **options)
            except StruckError as error:
                table.fault(str(error), key)
    parameters: Parameters = told["parameters"]
    return parameters
