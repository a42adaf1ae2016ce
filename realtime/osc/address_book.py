"""The namespace as it stands now: every single address, with its range, its meaning and its current value.

``namespace.py`` has the table of routes. Here a route like ``/struck/control/<name>`` becomes an address for
each control. OSC patterns, OSCQuery and the screen all read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..engine.parameters import PARAMETERS
from . import namespace as osc
from .namespace import NAMESPACE, Argument, Route
from .packets import Value
from .patterns import matching

if TYPE_CHECKING:
    from ..stage.stage import Stage

#: What OSCQuery tells of containers.
CONTAINERS: Final[dict[str, str]] = {
    "/": "struck",
    "/struck": "what struck takes and tells",
    "/struck/control": "what a performer can turn while playing",
    "/struck/insert": "plug-ins and effects of the patch",
    "/struck/transform": "what the patch does to events on their way",
    "/struck/stats": "counters and levels; without a name it asks for all of them by OSC",
}


@dataclass(frozen=True)
class Leaf:
    """One address.

    Args:
        address: whole, without ``<name>``.
        route: the row of the table that it belongs to.
        arguments: the route's, with the range and unit that they have here.
        meaning: for people.
        read: its current values; None where it has none.
    """

    address: str
    route: Route
    arguments: tuple[Argument, ...]
    meaning: str
    read: Callable[[], tuple[Value, ...]] | None = None


class AddressBook:
    """All addresses of a performance; from any thread.

    Args:
        stage: whose controls and counters they are.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._fixed: dict[str, Leaf] = {}
        self._sources: list[Callable[[], Iterable[Leaf]]] = [self._transforms]
        for route in NAMESPACE:
            if route.comes_in and not route.address.endswith(osc.NAME):
                # What is sent without arguments and answered with some takes none.
                arguments = () if route.optional and route.repeated else route.arguments
                self._add(Leaf(route.address, route, arguments, route.meaning, self._reader(route)))
        for parameter in PARAMETERS:
            (argument,) = osc.CONTROL.arguments
            ranged = replace(argument, low=parameter.low, high=parameter.high, unit=parameter.unit)
            address = control_address(parameter.name)
            self._add(
                Leaf(address, osc.CONTROL, (ranged,), parameter.meaning, self._control_reader(parameter.name))
            )

    def add_source(self, source: Callable[[], Iterable[Leaf]]) -> None:
        """Let ``source`` say which other addresses there are just now; it must not block."""
        self._sources.append(source)

    def commands(self) -> dict[str, Leaf]:
        """All addresses that take messages, and what each is."""
        found = dict(self._fixed)
        for source in self._sources:
            found |= {leaf.address: leaf for leaf in source()}
        return found

    def everything(self) -> dict[str, Leaf]:
        """All addresses that take messages or have a value, counters too."""
        found = self.commands()
        for name, value in self._stage.stats().items():
            address = osc.STATISTIC.address.replace(osc.NAME, name)
            tag = "i" if isinstance(value, int) else "f"
            argument = replace(osc.STATISTIC.arguments[0], tag=tag)
            found[address] = Leaf(
                address, osc.STATISTIC, (argument,), name.replace("_", " "), _constant_reader(value)
            )
        return found

    def find(self, address: str) -> Leaf | None:
        """The leaf at ``address``; None if there is none."""
        return self._fixed.get(address) or self.everything().get(address)

    def matching(self, pattern: str) -> list[Leaf]:
        """All that an OSC address pattern means: of those with a value, so that ``/struck/*`` is no panic.

        Raises:
            ValueError: the pattern is malformed.
        """
        leaves = {address: leaf for address, leaf in self.commands().items() if leaf.route.readable}
        return [leaves[address] for address in matching(pattern, leaves)]

    def _add(self, leaf: Leaf) -> None:
        self._fixed[leaf.address] = leaf

    def _reader(self, route: Route) -> Callable[[], tuple[Value, ...]] | None:
        return (lambda: (self._stage.patch(),)) if route is osc.PATCH else None

    def _transforms(self) -> Iterable[Leaf]:
        """The addresses of all that can be turned of the patch's transforms."""
        (argument,) = osc.TRANSFORM_VALUE.arguments
        for link in self._stage.transforms.links():
            for field in link.kind.fields:
                if field.turns:
                    ranged = replace(argument, low=field.low, high=field.high, unit=field.unit)
                    address = transform_address(link.name, field.name)
                    read = partial(_link_value, link.values, field.name)
                    meaning = f"{link.name}: {field.meaning}"
                    yield Leaf(address, osc.TRANSFORM_VALUE, (ranged,), meaning, read)

    def _control_reader(self, name: str) -> Callable[[], tuple[Value, ...]]:
        return lambda: (self._stage.controls()[name],)


def control_address(name: str) -> str:
    """Address of a control."""
    return osc.CONTROL.address.replace(osc.NAME, name)


def changed_address(kind: str, name: str) -> str:
    """Address of what a stage tells its watchers of."""
    if kind == "insert":
        return insert_address(*name.split("/", 1))
    if kind == "transform":
        return transform_address(*name.split("/", 1))
    return control_address(name) if kind == "control" else osc.PATCH.address


def transform_address(transform: str, field: str) -> str:
    """Address of a value of a transform."""
    return f"{osc.TRANSFORM_VALUE.address.split('/<')[0]}/{transform}/{field}"


def insert_address(insert: str, parameter: str) -> str:
    """Address of a parameter of an insert."""
    stem = osc.INSERT_VALUE.address.split("/<")[0]
    return f"{stem}/{osc.address_part(insert)}/{osc.address_part(parameter)}"


def insert_leaf(
    insert: str, parameter: str, low: float, high: float, unit: str, read: Callable[[], float]
) -> Leaf:
    """The leaf of a parameter of an insert."""
    (argument,) = osc.INSERT_VALUE.arguments
    ranged = replace(argument, low=low, high=high, unit=unit)
    address = insert_address(insert, parameter)
    return Leaf(address, osc.INSERT_VALUE, (ranged,), f"{parameter} of {insert}", lambda: (read(),))


def containers(leaves: Mapping[str, Leaf]) -> set[str]:
    """All addresses above those of ``leaves``."""
    found = {"/"}
    for address in leaves:
        parts = address.split("/")[1:-1]
        found |= {"/" + "/".join(parts[: n + 1]) for n in range(len(parts))}
    return found


def _link_value(values: Mapping[str, Any], field: str) -> tuple[Value, ...]:
    return (float(values[field]),)


def _constant_reader(value: Value) -> Callable[[], tuple[Value, ...]]:
    return lambda: (value,)
