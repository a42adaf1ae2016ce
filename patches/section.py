"""A table of a TOML file, read with checks: what is not known, or not possible, is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from ..codec.events.errors import StruckError
from .toml_text import TomlText

_KINDS: Final = {
    str: "a string",
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class Section:
    """One table of a patch: what is taken from it is known, the rest is refused.

    Args:
        place: how messages begin.
        values: of the table.
        text: the file that it is of; messages then end in the line. path: of the table in it.
    """

    def __init__(
        self,
        place: str,
        values: Mapping[str, Any],
        text: TomlText | None = None,
        path: tuple[str | int, ...] = (),
    ) -> None:
        self.place = place
        self.values = dict(values)
        self._text, self._path = text, path

    @classmethod
    def of_text(cls, text: TomlText) -> Section:
        """A whole file."""
        return cls(text.place, text.values, text)

    @classmethod
    def of_file(cls, path: Path, what: str, format: int) -> Section:
        """A whole file, of this ``format``.

        Args:
            what: it is, as messages say: ``map``, say.

        Raises:
            StruckError: it cannot be read, or has another format.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StruckError(f"cannot read the {what} {path}: {error.strerror}") from error
        top = cls.of_text(TomlText(f"{what} {path.name}", data))
        number = top.take("format", int, format)
        if number != format:
            top.refuse("format", f"format is {number}; this struck reads {format}")
        return top

    def refuse(self, key: str, message: str) -> NoReturn:
        """Raise StruckError with the place, ``message``, and the line on which ``key`` stands."""
        line = None if self._text is None else self._text.line((*self._path, key) if key else self._path)
        raise StruckError(f"{self.place}: {message}" + ("" if line is None else f" (line {line})"))

    def take(self, key: str, kind: type, default: Any) -> Any:
        """The value of ``key``, of this type; whole numbers also stand for floats."""
        value = self.values.pop(key, default)
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not kind:
            self.refuse(key, f"{key} must be {_KINDS[kind]}, not {value!r}")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number in a range."""
        value: float = self.take(key, float, default)
        if not low <= value <= high:
            self.refuse(key, f"{key} is {value:g}; the range is {low:g} to {high:g}")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number in a range."""
        value: int = self.take(key, int, default)
        if not low <= value <= high:
            self.refuse(key, f"{key} is {value}; the range is {low} to {high}")
        return value

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """One of some words."""
        value: str = self.take(key, str, default)
        if value not in choices:
            self.refuse(key, f"{key} is {value}; it must be {' or '.join(choices)}")
        return value

    def words(self, key: str, default: Sequence[str], choices: Sequence[str]) -> tuple[str, ...]:
        """A list of some words."""
        values = self.take(key, list, list(default))
        for value in values:
            if value not in choices:
                self.refuse(key, f"{key} names {value!r}; it may name {', '.join(choices)}")
        return tuple(values)

    def section(self, key: str) -> Section:
        """The table ``key`` inside, empty if it is not there."""
        return Section(f"{self.place} [{key}]", self.take(key, dict, {}), self._text, (*self._path, key))

    def sections(self, key: str, most: int) -> list[Section]:
        """The tables of the list ``key`` inside, at most so many; none if it is not there."""
        tables = self.take(key, list, [])
        if len(tables) > most:
            self.refuse(key, f"{len(tables)} tables [[{key}]] are more than {most}")
        found = []
        for number, values in enumerate(tables):
            if type(values) is not dict:
                self.refuse(key, f"[[{key}]] {number + 1} must be a table, not {values!r}")
            place = f"{self.place} [[{key}]] {number + 1}"
            found.append(Section(place, values, self._text, (*self._path, key, number)))
        return found

    def refuse_rest(self) -> None:
        """Raise StruckError where something is left that nobody took."""
        if self.values:
            self.refuse(next(iter(self.values)), f"unknown: {', '.join(sorted(self.values))}")
