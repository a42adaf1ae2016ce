"""A patch as it has been played: its file's text with the values that were turned, comments and all kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import tomlkit

#: What is heard of a value ends long before this.
_DIGITS: Final = 6


@dataclass(frozen=True)
class InsertValues:
    """What is to be written of one insert: its share, its bypass, and those parameters that were turned.

    ``file`` is its whole path, if it has one: a copy of the patch lies in another folder.
    """

    wet: float = 1.0
    bypass: bool = False
    parameters: Mapping[str, float] = field(default_factory=dict)
    file: str = ""


def played_patch(
    text: str,
    controls: Mapping[str, float],
    defaults: Mapping[str, float],
    inserts: list[InsertValues],
    is_copy: bool = False,
) -> str:
    """The text of a patch's file with other values; whatever else stands in it stays as it is.

    Args:
        text: of a valid patch.
        controls: where they stand. Those that the text does not name are left out at their defaults.
        defaults: of the controls.
        inserts: in the order of the text's tables ``[[insert]]``.
        is_copy: it gets another name; the program stays that of the first.

    >>> print(played_patch("[controls]\\ndecay = 2.0  # long\\n", {"decay": 1.5, "room": -1.0},
    ...     {"decay": 1.0, "room": -1.0}, []), end="")
    [controls]
    decay = 1.5  # long
    """
    document = tomlkit.parse(text)
    if is_copy:
        document.pop("program", None)
        document.pop("bank", None)
    turned = {name: value for name, value in controls.items() if value != defaults.get(name)}
    table: Any = document.get("controls", {})
    _put(document, "controls", {**{name: controls[name] for name in table if name in controls}, **turned})
    for values, own in zip(inserts, document.get("insert", []), strict=True):
        for key, value, default in (("wet", values.wet, 1.0), ("bypass", values.bypass, False)):
            if key in own or value != default:
                own[key] = value if isinstance(value, bool) else _rounded(value)
        if is_copy and values.file:
            own["file"] = values.file
        _put(own, "parameters", values.parameters)
    return tomlkit.dumps(document)


def _put(parent: Any, key: str, values: Mapping[str, float]) -> None:
    """Set values in the table ``key`` of ``parent``; one that has none to set is not begun."""
    if not values:
        return
    if key not in parent:
        parent[key] = tomlkit.table()
    for name, value in values.items():
        if name not in parent[key] or float(parent[key][name]) != _rounded(value):
            parent[key][name] = _rounded(value)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
