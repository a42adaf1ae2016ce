"""OSC address patterns: ``/struck/control/*`` means all controls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: What makes an address a pattern.
_SPECIAL: Final = frozenset("*?[{")

#: A part of a pattern, one character each: a set of those allowed (None: any), and whether it may stand for
#: any number of them.
_Step = tuple[frozenset[str] | None, bool]


def is_pattern(address: str) -> bool:
    """Whether ``address`` may mean several.

    >>> is_pattern("/struck/control/*"), is_pattern("/struck/panic")
    (True, False)
    """
    return not _SPECIAL.isdisjoint(address)


def matching(pattern: str, addresses: Iterable[str]) -> list[str]:
    """Those of ``addresses`` that ``pattern`` means, in their order.

    As OSC 1.0 has it: ``?`` is one character, ``*`` any number, ``[a-f]`` one of these, ``[!a-f]`` none of
    these, ``{dry,events}`` one of these texts; none of them crosses a ``/``. It takes no longer than the
    lengths of both times each other, whatever the pattern.

    >>> matching("/a/{dry,room}_*", ["/a/dry_db", "/a/room", "/a/room_mix"])
    ['/a/dry_db', '/a/room_mix']

    Raises:
        ValueError: a bracket is not closed.
    """
    wanted = [_read_part(part) for part in pattern.split("/")]
    found = []
    for address in addresses:
        parts = address.split("/")
        if len(parts) == len(wanted) and all(map(_fits, wanted, parts)):
            found.append(address)
    return found


def _read_part(part: str) -> list[list[list[_Step]]]:
    """A part of a pattern: a row of choices between sequences of steps."""
    row: list[list[list[_Step]]] = []
    at = 0
    while at < len(part):
        character = part[at]
        if character in "[{":
            closing = part.find("]" if character == "[" else "}", at)
            if closing < 0:
                raise ValueError(f"a '{character}' is not closed")
            inside = part[at + 1 : closing]
            if character == "{":
                row.append([[(frozenset(c), False) for c in text] for text in inside.split(",")])
            else:
                row.append([[_read_set(inside)]])
            at = closing
        elif character == "*":
            row.append([[(None, True)]])
        else:
            row.append([[(None if character == "?" else frozenset(character), False)]])
        at += 1
    return row


def _read_set(inside: str) -> _Step:
    negated = inside.startswith("!")
    body = inside[1:] if negated else inside
    allowed: set[str] = set()
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            low, high = sorted((min(ord(body[at]), 127), min(ord(body[at + 2]), 127)))
            allowed.update(map(chr, range(low, high + 1)))
            at += 3
        else:
            allowed.add(body[at])
            at += 1
    if negated:
        allowed = {chr(code) for code in range(32, 127)} - allowed
    return frozenset(allowed), False


def _fits(row: list[list[list[_Step]]], text: str) -> bool:
    places = {0}
    for choices in row:
        places = {end for steps in choices for end in _advance(steps, text, places)}
        if not places:
            return False
    return len(text) in places


def _advance(steps: list[_Step], text: str, places: set[int]) -> set[int]:
    """Where in ``text`` ``steps`` may end that begin at one of ``places``."""
    for allowed, any_number in steps:
        if any_number:
            places = set(range(min(places), len(text) + 1)) if places else places
        else:
            places = {at + 1 for at in places if at < len(text) and (allowed is None or text[at] in allowed)}
    return places
