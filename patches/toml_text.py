"""The text of a TOML file: its values, and the line on which each of them stands."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from ..codec.events.errors import StruckError

#: Nobody writes a larger one by hand.
LARGEST_BYTES: Final = 1 << 18


class TomlText:
    """A TOML file, read.

    Args:
        place: how messages begin: ``patch NAME``, say.
        data: the file's bytes.

    Raises:
        StruckError: it is no TOML; the line and column are told.
    """

    def __init__(self, place: str, data: bytes) -> None:
        self.place = place
        if len(data) > LARGEST_BYTES:
            raise StruckError(f"{place}: {len(data)} bytes are more than {LARGEST_BYTES}")
        try:
            self.text = data.decode("utf-8-sig")  # Windows saves text with a mark
            self.values: dict[str, Any] = tomllib.loads(self.text)
        except UnicodeDecodeError as error:
            raise StruckError(f"{place}: it is no text in UTF-8 (byte {error.start + 1})") from None
        except ValueError as error:  # tomllib's own, and of whole numbers beyond Python's limit
            raise StruckError(f"{place}: {error}") from error
        except RecursionError:
            raise StruckError(f"{place}: it is nested too deeply") from None

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def line(self, path: Sequence[str | int]) -> int | None:
        """Number of the line, from 1, on which a value begins; None where it is not in the file.

        Found by reading the file up to a line: the least that has the value ends with it.

        Args:
            path: keys of tables, and places in lists, from the outermost in.
        """
        if not path or not _has(self.values, path):
            return None
        low, high = 0, len(self._lines)  # nothing whole up to `low` has it; the first `high` lines do
        while high - low > 1:
            middle = (low + high) // 2
            count, values = self._whole(middle, low)
            if _has(values, path):
                high = count
            else:
                low = middle
        # a value that spans lines stands on the first of them
        return self._whole(high - 1, 0)[0] + 1

    def _whole(self, most: int, least: int) -> tuple[int, dict[str, Any]]:
        """The most lines, up to ``most``, that do not break off inside a value, and what they say."""
        for count in range(most, least, -1):
            try:
                return count, tomllib.loads("\n".join(self._lines[:count]))
            except ValueError:
                continue
        return least, {}


def _has(values: Any, path: Sequence[str | int]) -> bool:
    for key in path:
        if isinstance(key, int):
            if not isinstance(values, list) or key >= len(values):
                return False
        elif not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
