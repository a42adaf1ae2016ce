"""What can be turned on a rack's inserts while it plays: parameters, shares, bypasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ....patches.insert_patch import InsertPatch
from ...engine.shared_memory import SET_BYPASS, SET_PARAMETER, SET_WET
from ...osc.namespace import address_part
from ..plugins.plugin import find_parameter
from .commands import CommandSender


def find_by_names(
    inserts: Sequence[InsertPatch],
    parameters: Callable[[int], Sequence[Mapping[str, Any]]],
    insert: str,
    symbol: str,
) -> Mapping[str, Any]:
    """A parameter of an insert, both named as they are or as they stand in addresses of OSC.

    Args:
        parameters: of an insert, by its number, see :func:`~..plugins.plugin.find_parameter`.

    Raises:
        ValueError: there is no such insert or parameter.
    """
    for number, patch in enumerate(inserts):
        if insert in (patch.name, address_part(patch.name)):
            if symbol in ("wet", "bypass"):
                return {"low": 0.0, "high": 1.0, "scale": "linear" if symbol == "wet" else "toggle"}
            for parameter in parameters(number):
                if symbol in (parameter["symbol"], address_part(parameter["symbol"])):
                    return parameter
    raise ValueError(f"no insert {insert} has a parameter {symbol}")


class InsertControls:
    """Keeps what was set, so that a process which takes over can be told it again; from any thread.

    Args:
        inserts: of the rack.
        commands: to its process.
    """

    def __init__(self, inserts: tuple[InsertPatch, ...], commands: CommandSender) -> None:
        self._inserts, self._commands = inserts, commands
        self._parameters: list[list[dict[str, Any]]] = [[] for _ in inserts]
        self._values: dict[tuple[float, int, int], float] = {}

    def open(self, parameters: list[list[dict[str, Any]]], tell: Callable[[int, str], None]) -> None:
        """Take what the plug-ins say of their parameters, and set those that the patch names.

        Args:
            parameters: of each insert; none, where it could not be had, which was told.
            tell: takes the number of an insert and what is wrong with one of its parameters.
        """
        self._parameters = parameters
        for number, insert in enumerate(self._inserts):
            for symbol, value in insert.parameters.items():
                try:
                    self.set_parameter(number, symbol, value, ramped=False)
                except ValueError as error:
                    if parameters[number]:
                        tell(number, f"{error}; it stays as it is")

    def parameters(self, number: int) -> list[dict[str, Any]]:
        """Of an insert: the fields of :class:`~..plugins.plugin.PluginParameter` of each, and its ``value``.

        Its ``default`` is what it is without the patch's parameters, but with its preset and state.
        """
        found = []
        for place, parameter in enumerate(self._parameters[number]):
            value = self._values.get((SET_PARAMETER, number, place), parameter["value"])
            found.append(parameter | {"default": parameter["value"], "value": value})
        return found

    def set_parameter(self, number: int, symbol: str, value: float, ramped: bool = True) -> None:
        """Set a parameter of an insert; where it ``ramped``, it goes there within 40 ms.

        Raises:
            ValueError: there is none of that name, or the value is out of its range.
        """
        place = find_parameter(self._parameters[number], symbol, value)
        self._keep(SET_PARAMETER, number, place, value, ramped)

    def set_wet(self, number: int, share: float) -> None:
        """Set the share of an insert's sound, 0 to 1."""
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"wet is {share:g}; the range is 0 to 1")
        self._keep(SET_WET, number, 0, share)

    def set_bypass(self, number: int, bypass: bool) -> None:
        """Pass an insert by, or not."""
        self._keep(SET_BYPASS, number, 0, float(bypass))

    def wet(self, number: int) -> float:
        """The share of an insert's sound."""
        return self._values.get((SET_WET, number, 0), self._inserts[number].wet)

    def bypass(self, number: int) -> float:
        """1 where an insert is passed by, else 0."""
        return self._values.get((SET_BYPASS, number, 0), float(self._inserts[number].bypass))

    def recall(self, inserts: tuple[InsertPatch, ...]) -> None:
        """Go to what ``inserts`` say, which are those of the rack but for parameters, shares and bypasses."""
        for number, insert in enumerate(inserts):
            for parameter in self._parameters[number]:
                value = insert.parameters.get(parameter["symbol"], parameter["value"])
                with suppress(ValueError):  # out of range: that was told when the patch was loaded
                    self.set_parameter(number, parameter["symbol"], value)
            self.set_wet(number, insert.wet)
            self.set_bypass(number, insert.bypass)

    def send_again(self) -> None:
        """Tell a process that has just begun all that was ever set."""
        for (kind, number, place), value in self._values.items():
            self._send(kind, number, place, value, ramped=False)

    def _keep(self, kind: float, number: int, place: int, value: float, ramped: bool = True) -> None:
        self._values[kind, number, place] = value
        self._send(kind, number, place, value, ramped)

    def _send(self, kind: float, number: int, place: int, value: float, ramped: bool) -> None:
        if kind == SET_PARAMETER:
            self._commands.push(kind, number, place, value, float(ramped))
        else:
            self._commands.push(kind, number, value)
