"""Takes as JSON lines: a header line, then a line per event, amendment, end or message, for people and their
scripts.

An event's line has its physical values by name and its vector. The values are what counts: the vector only
adds the digits that they leave out, field by field, as long as they agree. So a line may be edited in either
way: change a value, or take the vector away.

An amendment's line has the new values only, by name, and in ``vector`` an object of those of its fields.

Lines may stand in any order, as sorting by another column or joining files leaves them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np

from ..events.amendments import Amendment, End, StreamItem, check_id, stream_key
from ..events.errors import StruckError
from ..events.event_spec import FIELDS, INDEX, VECTOR_SIZE, Field, from_physical, to_physical
from ..events.events import Event
from ..files.part_files import part_file
from .format import CHANNELS, TakeHeader
from .reader import TakeMessage
from .writer import check_time

#: What a take holds.
Item: TypeAlias = StreamItem | TakeMessage

_MAX_LINE_CHARACTERS: Final = 2**20
_VALUE_KEYS: Final = {"gain_db", "vector", *INDEX}
#: The keys of a line, by the one that says what it is; an event's line may lack its id.
_KEYS: Final = {
    "id": {"channel", "id", "onset_seconds", *_VALUE_KEYS},
    "amend": {"channel", "amend", "at_seconds", *_VALUE_KEYS},
    "end": {"channel", "end", "at_seconds"},
}


def read_json_lines(path: Path) -> tuple[TakeHeader, float, Iterator[Item]]:
    """Header, duration in seconds and content, by time, of a JSON lines file.

    Raises:
        StruckError: there is no header, headers of joined files do not go together, a line is malformed, or
            it amends or ends what does not sound; the message has its number.
    """
    headers: list[_Header] = []
    placed: list[tuple[str, Item]] = []
    for place, values in _json_objects(path):
        if "take" in values:
            headers.append(_read_header(values, place))
        else:
            placed.append((place, _read_item(values, place)))
    if not headers:
        raise StruckError(
            f"{path}: no line holds the take's header, an object with 'take'; copy it from where the lines "
            "come from"
        )
    first = headers[0]
    for other in headers[1:]:
        if other.take.weights_hash != first.take.weights_hash:
            raise StruckError(
                f"{other.place}: a header of another take, whose weights are {other.take.weights_hash}, "
                f"not {first.take.weights_hash}: takes of different weights cannot be joined"
            )
    placed.sort(key=lambda pair: item_key(pair[1]))
    _refuse_strays(placed)
    duration_seconds = max(header.duration_seconds for header in headers)
    return first.take, duration_seconds, (item for _, item in placed)


def write_json_lines(path: Path, header: TakeHeader, duration_seconds: float, items: Iterable[Item]) -> None:
    """A JSON lines file from a take's parts.

    Raises:
        StruckError: the disk refuses; nothing is left behind.
    """
    with part_file(path) as beside, beside.open("w", encoding="utf-8") as file:
        first = {"take": header.to_dict(), "duration_seconds": duration_seconds}
        file.write(json.dumps(first, allow_nan=False) + "\n")
        for item in items:
            file.write(json.dumps(_item_to_json(item), allow_nan=False) + "\n")


def item_key(item: Item) -> tuple[float, int]:
    """What the content of a take is sorted by: its time, then as in a stream."""
    return (item.seconds, 0) if isinstance(item, TakeMessage) else stream_key(item)


def _refuse_strays(placed: Iterable[tuple[str, Item]]) -> None:
    """Raise StruckError where something, by time, amends or ends an event that does not sound."""
    begun: set[int] = set()
    for place, item in placed:
        if isinstance(item, Event):
            begun |= set() if item.id is None else {item.id}
        elif isinstance(item, Amendment | End):
            if item.id not in begun:
                raise StruckError(
                    f"{place}: no event {item.id} sounds at {item.at_seconds:g} s: "
                    "it has not begun, or has ended"
                )
            if isinstance(item, End):
                begun.remove(item.id)


def _item_to_json(item: Item) -> dict[str, Any]:
    if isinstance(item, TakeMessage):
        value = item.value.hex() if isinstance(item.value, bytes) else item.value
        return {"channel": item.channel, "seconds": item.seconds, "value": value}
    if isinstance(item, End):
        return {"end": item.id, "at_seconds": item.at_seconds}
    if isinstance(item, Amendment):
        assert item.vector is not None
        exact = {name: float(item.vector[INDEX[name]]) for name in item.fields}
        shown = {name: _shown(FIELDS[INDEX[name]], position) for name, position in exact.items()}
        gain = {} if item.gain_db is None else {"gain_db": item.gain_db}
        return {"amend": item.id, "at_seconds": item.at_seconds, **gain, **shown, "vector": exact}
    physical = {f.name: _shown(f, float(v)) for f, v in zip(FIELDS, item.vector, strict=True)}
    # A float32 as the float64 of the same value: read back, it rounds to the same bits.
    vector = item.vector.tolist()
    id = {} if item.id is None else {"id": item.id}
    return {**id, "onset_seconds": item.onset_seconds, "gain_db": item.gain_db, **physical, "vector": vector}


def _shown(field: Field, position: float) -> float:
    """The physical value of ``position`` as a line shows it."""
    return float(f"{to_physical(field, position):.6g}")


def _json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object with its place. A byte order mark may stand at the start of any of the files joined."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        with path.open(encoding="utf-8") as file:
            number = 0
            while line := file.readline(_MAX_LINE_CHARACTERS):
                number += 1
                place = f"{path}, line {number}"
                if len(line) == _MAX_LINE_CHARACTERS:
                    raise StruckError(f"{place}: the line is longer than {_MAX_LINE_CHARACTERS} characters")
                line = line.lstrip("\ufeff")
                if not line.strip():
                    continue
                try:
                    values = json.loads(line, parse_constant=refuse)
                except (ValueError, RecursionError) as error:
                    raise StruckError(f"{place}: not JSON: {error}") from error
                if not isinstance(values, dict):
                    raise StruckError(f"{place}: not a JSON object")
                yield place, values
    except OSError as error:
        raise StruckError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StruckError(f"{path} is not text in UTF-8") from error


@dataclass(frozen=True)
class _Header:
    place: str
    take: TakeHeader
    duration_seconds: float


def _read_header(values: Mapping[str, Any], place: str) -> _Header:
    take = values["take"]
    if not isinstance(take, dict):
        raise StruckError(f"{place}: 'take' is not an object")
    return _Header(place, TakeHeader.from_dict(take, place), _time(values, "duration_seconds", place))


def _read_item(values: Mapping[str, Any], place: str) -> Item:
    channel = values.get("channel", "/events")
    if channel == "/events":
        return _read_stream_item(values, place)
    if not isinstance(channel, str) or channel not in CHANNELS:
        raise StruckError(f"{place}: there is no channel {channel!r}")
    value: Any = values.get("value")
    if CHANNELS[channel].encoding != "json":
        try:
            value = bytes.fromhex(value)
        except (ValueError, TypeError) as error:
            raise StruckError(f"{place}: 'value' is not hexadecimal bytes") from error
    elif not isinstance(value, dict):
        raise StruckError(f"{place}: 'value' is not an object")
    return TakeMessage(_time(values, "seconds", place), channel, value)


def _read_stream_item(values: Mapping[str, Any], place: str) -> StreamItem:
    kind = next((kind for kind in ("amend", "end") if kind in values), "id")
    unknown = sorted(set(values) - _KEYS[kind])
    if unknown:  # a slip of the pen would change nothing, unsaid
        what = {"id": "an event", "amend": "an amendment", "end": "an end"}[kind]
        raise StruckError(f"{place}: {what} has no {unknown[0]!r}")
    try:
        if kind not in values:
            return _read_event(values, None, place)
        id = values[kind]
        check_id(id)
        if kind == "id":
            return _read_event(values, id, place)
        at_seconds = _time(values, "at_seconds", place)
        return End(id, at_seconds) if kind == "end" else _read_amendment(values, id, at_seconds, place)
    except ValueError as error:
        raise StruckError(f"{place}: {error}") from error


def _read_amendment(values: Mapping[str, Any], id: int, at_seconds: float, place: str) -> Amendment:
    exact = values.get("vector", {})
    if not isinstance(exact, dict) or not set(exact) <= set(INDEX):
        raise StruckError(f"{place}: 'vector' is not an object of fields")
    if not all(type(v) in (int, float) and -1 <= v <= 1 for v in exact.values()):
        raise StruckError(f"{place}: 'vector' holds something other than numbers from -1 to 1")
    vector = np.full(VECTOR_SIZE, np.nan, np.float32)
    for i, field in enumerate(FIELDS):
        if field.name in values or field.name in exact:
            position = float(np.float32(exact[field.name])) if field.name in exact else None
            vector[i] = _position(field, values, position, place)
    gain_db = _number(values, "gain_db", place) if "gain_db" in values else None
    return Amendment(id, at_seconds, gain_db, vector)


def _read_event(values: Mapping[str, Any], id: int | None, place: str) -> Event:
    onset_seconds, gain_db = _time(values, "onset_seconds", place), _number(values, "gain_db", place)
    exact = _exact_positions(values, place)
    positions = [
        _position(field, values, None if exact is None else exact[i], place) for i, field in enumerate(FIELDS)
    ]
    return Event(onset_seconds, gain_db, np.array(positions, np.float32), id)


def _exact_positions(values: Mapping[str, Any], place: str) -> list[float] | None:
    if "vector" not in values:
        return None
    vector = values["vector"]
    if not isinstance(vector, list) or len(vector) != VECTOR_SIZE:
        raise StruckError(f"{place}: 'vector' is not a list of {VECTOR_SIZE} numbers")
    # False for NaN, which no number is, and for integers too large for a float.
    if not all(type(v) in (int, float) and -1 <= v <= 1 for v in vector):
        raise StruckError(f"{place}: 'vector' holds something other than numbers from -1 to 1")
    return [float(np.float32(v)) for v in vector]


def _position(field: Field, values: Mapping[str, Any], exact: float | None, place: str) -> float:
    """Where ``field`` stands in [-1, 1]: the vector's number while the value by name agrees with it."""
    if field.name not in values and exact is not None:
        return exact
    value = _number(values, field.name, place)
    if exact is not None and value == _shown(field, exact):
        return exact
    low, high = (_shown(field, position) for position in (-1.0, 1.0))
    if not low <= value <= high:
        raise StruckError(f"{place}: '{field.name}' is {value:g}; the range is {low:g} to {high:g}")
    return from_physical(field, value)


def _number(values: Mapping[str, Any], key: str, place: str) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StruckError(f"{place}: '{key}' is missing or not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise StruckError(f"{place}: '{key}' is too large") from error
    if not isfinite(number):  # 1e999 is JSON
        raise StruckError(f"{place}: '{key}' is too large")
    return number


def _time(values: Mapping[str, Any], key: str, place: str) -> float:
    seconds = _number(values, key, place)
    try:
        check_time(seconds)
    except ValueError as error:
        raise StruckError(f"{place}: {error}") from error
    return seconds
