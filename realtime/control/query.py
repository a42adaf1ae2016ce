"""OSCQuery: the address book as JSON, a whole tree or one attribute.

As https://github.com/Vidvox/OSCQueryProposal has it: 404 where there is nothing at a path, 400 for an
attribute that struck does not know, 204 where a node has none of it, such as the value of what is only
written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from ..osc.address_book import CONTAINERS, AddressBook, Leaf, containers
from ..osc.namespace import Argument

#: What clients can find out, beyond what all servers must have.
OPTIONAL: Final = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE", "CRITICAL")
_REQUIRED: Final = ("FULL_PATH", "CONTENTS", "TYPE")
_STREAMING: Final = ("LISTEN", "IGNORE", "PATH_CHANGED", "PATH_ADDED", "PATH_REMOVED")

#: Units as OSCQuery's list calls them; others go by their own name.
_UNITS: Final[dict[str, str]] = {
    "dB": "gain.db",
    "dBFS": "gain.db",
    "Hz": "time.hz",
    "s": "time.second",
    "BPM": "time.bpm",
    "MIDI note": "time.midinote",
    "MIDI velocity": "gain.midigain",
}
_READ, _WRITE = 1, 2


class Answer(NamedTuple):
    """What a request gets: a status, and JSON where there is some."""

    status: HTTPStatus
    body: str = ""


def host_info(name: str, port: int) -> dict[str, Any]:
    """What a client finds out first. Without addresses: they are those that it called."""
    return {
        "NAME": name,
        "OSC_PORT": port,
        "OSC_TRANSPORT": "UDP",
        "WS_PORT": port,
        "EXTENSIONS": dict.fromkeys((*OPTIONAL, *_STREAMING), True),
    }


def answer(book: AddressBook, info: Mapping[str, Any], path: str, attribute: str) -> Answer:
    """Answer one GET.

    Args:
        book: all addresses.
        info: from :func:`host_info`.
        path: of the URL, decoded.
        attribute: what stands behind its ``?``; "" asks for the whole node and all below it.
    """
    if attribute == "HOST_INFO":
        return _json(info)
    leaves = book.everything()
    path = path.rstrip("/") or "/"
    above = containers(leaves)
    if path not in above and path not in leaves:
        return Answer(HTTPStatus.NOT_FOUND)
    if not attribute:
        return _json(_node(path, leaves, above))
    if attribute not in (*_REQUIRED, *OPTIONAL):
        return Answer(HTTPStatus.BAD_REQUEST)
    node = _node(path, leaves, above)
    if attribute in node:
        return _json({attribute: node[attribute]})
    return _json({}) if attribute == "TYPE" else Answer(HTTPStatus.NO_CONTENT)


def tree(book: AddressBook) -> dict[str, Any]:
    """All nodes from the root on."""
    leaves = book.everything()
    return _node("/", leaves, containers(leaves))


def _node(path: str, leaves: Mapping[str, Leaf], above: set[str]) -> dict[str, Any]:
    if path not in above:
        return leaf_node(leaves[path])
    stem = path.rstrip("/") + "/"
    names = sorted(
        {found[len(stem) :].partition("/")[0] for found in (*leaves, *above) if found.startswith(stem)} - {""}
    )
    return {
        "FULL_PATH": path,
        "DESCRIPTION": CONTAINERS.get(path, path.rpartition("/")[2].replace("_", " ")),
        "ACCESS": 0,
        "CONTENTS": {name: _node(stem + name, leaves, above) for name in names},
    }


def leaf_node(leaf: Leaf) -> dict[str, Any]:
    """A node with no others below it."""
    found: dict[str, Any] = {
        "FULL_PATH": leaf.address,
        "DESCRIPTION": leaf.meaning,
        "TYPE": "".join(argument.tag for argument in leaf.arguments) or "N",
        "ACCESS": (_WRITE if leaf.route.comes_in else 0) | (_READ if leaf.read is not None else 0),
    }
    if leaf.read is not None:
        found["VALUE"] = [_value(value) for value in leaf.read()]
    ranges = [_range(argument) for argument in leaf.arguments]
    if any(ranges):
        found["RANGE"] = ranges
        if leaf.route.comes_in:
            clip = "both" if leaf.route.clips else "none"
            found["CLIPMODE"] = [clip if span else "none" for span in ranges]
    units = [_UNITS.get(argument.unit, argument.unit) or None for argument in leaf.arguments]
    if any(units):
        found["UNIT"] = units
    if leaf.route.critical:
        found["CRITICAL"] = True
    return found


def _range(argument: Argument) -> dict[str, Any]:
    if argument.tag == "b":  # a range is that of the numbers in it, which JSON does not show
        return {}
    if argument.texts and argument.tag == "s":
        return {"VALS": list(argument.texts)}
    ends = {"MIN": argument.low, "MAX": argument.high}
    return {end: value for end, value in ends.items() if value is not None}


def _value(value: Any) -> Any:
    """As JSON has it: no blobs, nothing that is not finite."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value if isinstance(value, int | str) else None


def _json(value: Mapping[str, Any]) -> Answer:
    return Answer(HTTPStatus.OK, json.dumps(value, separators=(",", ":")))
