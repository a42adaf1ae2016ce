"""A table of a TOML file, read with checks: what is not known, or not possible, is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..codec.events.errors import StruckError

_KINDS: Final = {
    str: "a string",
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class Section:
    """One table of a patch: what is taken from it is known, the rest is refused."""

    def __init__(self, place: str, values: Mapping[str, Any]) -> None:
        self.place = place
        self.values = dict(values)

    def take(self, key: str, kind: type, default: Any) -> Any:
        """The value of ``key``, of this type; whole numbers also stand for floats."""
        value = self.values.pop(key, default)
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not kind:
            raise StruckError(f"{self.place}: {key} must be {_KINDS[kind]}, not {value!r}")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number in a range."""
        value: float = self.take(key, float, default)
        if not low <= value <= high:
            raise StruckError(f"{self.place}: {key} is {value:g}; the range is {low:g} to {high:g}")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number in a range."""
        value: int = self.take(key, int, default)
        if not low <= value <= high:
            raise StruckError(f"{self.place}: {key} is {value}; the range is {low} to {high}")
        return value

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """One of some words."""
        value: str = self.take(key, str, default)
        if value not in choices:
            raise StruckError(f"{self.place}: {key} is {value}; it must be {' or '.join(choices)}")
        return value

    def section(self, key: str) -> Section:
        """The table ``key`` inside, empty if it is not there."""
        return Section(f"{self.place} [{key}]", self.take(key, dict, {}))

    def refuse_rest(self) -> None:
        """Raise StruckError where something is left that nobody took."""
        if self.values:
            raise StruckError(f"{self.place}: unknown: {', '.join(sorted(self.values))}")
