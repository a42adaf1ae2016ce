"""What is wrong with a patch: what its file says, asked of everything that would carry it out."""

from __future__ import annotations

from typing import Any

from ...codec.events.errors import StruckError
from ...codec.transforms.chain import EventChain, Link
from ...patches.patch import Patch
from ..engine.parameters import check_controls
from ..inserts.hosts.insert_check import InsertFindings, look_into_inserts
from ..inserts.rack.controls import find_by_names
from ..mapping.targets import ACTIONS, VALUES, Scale, Targets


def find_faults(patch: Patch) -> tuple[list[str], list[str]]:
    """All faults of a patch that could be read, and what is only worth knowing; plug-ins are opened."""
    faults = []
    try:
        check_controls(patch)
    except StruckError as error:
        faults.append(str(error))
    inserts = look_into_inserts(patch)
    return [*faults, *inserts.faults, *_find_map_faults(patch, inserts)], inserts.notes


def _find_map_faults(patch: Patch, inserts: InsertFindings) -> list[str]:
    """Entries that turn nothing, or do not fit what they turn."""
    targets = _targets(patch, inserts)
    faults = []
    for number, entry in enumerate(patch.map):
        try:
            Scale(targets.find(entry.target), entry)
        except _UnknownHereError:
            continue
        except ValueError as error:
            line = patch.place(("map", number, "target"))
            faults.append(f"patch {patch.name} [[map]] {number + 1}: {error}{line}")
    return faults


class _UnknownHereError(Exception):
    """A parameter of a plug-in that this machine lacks."""


def _targets(patch: Patch, inserts: InsertFindings) -> Targets:
    """What there is to turn while the patch is played."""

    def parameters(number: int) -> Any:
        found = inserts.parameters[number]
        if found is None:
            raise _UnknownHereError
        return found

    def find_parameter(insert: str, symbol: str) -> tuple[float, float, bool]:
        parameter = find_by_names(patch.inserts, parameters, insert, symbol)
        return parameter["low"], parameter["high"], parameter["scale"] == "log"

    actions = dict.fromkeys(ACTIONS, lambda: None)
    values = {name: (lambda: 0.0, lambda value: None) for name in VALUES}
    return Targets(_AtRest(patch), actions, find_parameter, values=values)


class _AtRest:
    """A stage on which a patch is loaded and nothing is turned."""

    def __init__(self, patch: Patch) -> None:
        self._chain = EventChain(patch.transforms)

    def transform(self, name: str) -> Link:
        return self._chain.link(name)

    def controls(self) -> dict[str, float]:
        return {}

    def set_control(self, name: str, value: float) -> None:
        """Nothing is turned."""

    def set_transform(self, name: str, field: str, value: float) -> None:
        """Nothing is turned."""
