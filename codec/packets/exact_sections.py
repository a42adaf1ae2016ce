"""Events, amendments and ends as records of floats, every bit kept, all little-endian::

event        float64 onset, float64 gain, 32 x float32
with an id   int64 id (-1: none), then the same
amendment    float64 time, uint32 id, uint64 set, then float64 gain if bit 0 of the set is 1,
             float32 for every field i whose bit 1 + i is 1
end          float64 time, uint32 id
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from ..events.amendments import Amendment, End
from ..events.errors import StruckError
from ..events.event_spec import VECTOR_SIZE
from ..events.events import Event, stack_vectors

_EVENT: Final[list[Any]] = [("onset_seconds", "<f8"), ("gain_db", "<f8"), ("vector", "<f4", (VECTOR_SIZE,))]
_PLAIN: Final = np.dtype(_EVENT)
_WITH_ID: Final = np.dtype([("id", "<i8"), *_EVENT])
_AMENDMENT: Final = np.dtype([("at_seconds", "<f8"), ("id", "<u4"), ("set", "<u8")])
_END: Final = np.dtype([("at_seconds", "<f8"), ("id", "<u4")])
#: The records by what they tell.
RECORDS: Final = {
    "event of a plain packet": _PLAIN,
    "event of any other (id -1: it has none)": _WITH_ID,
    "amendment, before its values": _AMENDMENT,
    "end": _END,
}


def pack_events(events: Sequence[Event], with_ids: bool) -> bytes:
    records = np.empty(len(events), dtype=_WITH_ID if with_ids else _PLAIN)
    if with_ids:
        records["id"] = [-1 if event.id is None else event.id for event in events]
    records["onset_seconds"] = [event.onset_seconds for event in events]
    records["gain_db"] = [event.gain_db for event in events]
    records["vector"] = stack_vectors(events)
    return records.tobytes()


def unpack_events(data: bytes, count: int, with_ids: bool) -> list[Event]:
    """Events of :func:`pack_events`.

    Raises:
        StruckError: ``data`` is cut or damaged.
    """
    events = []
    for record in _records(data, _WITH_ID if with_ids else _PLAIN, count):
        id = int(record["id"]) if with_ids and record["id"] != -1 else None
        try:
            events.append(
                Event(float(record["onset_seconds"]), float(record["gain_db"]), record["vector"], id)
            )
        except ValueError as error:
            raise StruckError(f"an event packet is damaged: {error}") from error
    return events


def pack_amendments(amendments: Iterable[Amendment]) -> bytes:
    packed = bytearray()
    for amendment in amendments:
        assert amendment.vector is not None
        fields = np.flatnonzero(~np.isnan(amendment.vector))
        amended = sum(1 << 1 + int(i) for i in fields) | int(amendment.gain_db is not None)
        packed += np.array([(amendment.at_seconds, amendment.id, amended)], dtype=_AMENDMENT).tobytes()
        if amendment.gain_db is not None:
            packed += np.array([amendment.gain_db], "<f8").tobytes()
        packed += amendment.vector[fields].astype("<f4").tobytes()
    return bytes(packed)


def unpack_amendments(data: bytes, count: int) -> list[Amendment]:
    """Amendments of :func:`pack_amendments`.

    Raises:
        StruckError: ``data`` is cut or damaged.
    """
    amendments, position = [], 0
    for _ in range(count):
        (record,) = _records(data[position : position + _AMENDMENT.itemsize], _AMENDMENT, 1)
        position += _AMENDMENT.itemsize
        amended = int(record["set"])
        fields = [i for i in range(VECTOR_SIZE) if amended >> 1 + i & 1]
        size = 8 * (amended & 1) + 4 * len(fields)
        values, position = data[position : position + size], position + size
        if len(values) < size or amended >> 1 + VECTOR_SIZE:
            raise StruckError("an event packet is truncated")
        vector = np.full(VECTOR_SIZE, np.nan, np.float32)
        vector[fields] = np.frombuffer(values, "<f4", offset=8 * (amended & 1))
        gain_db = float(np.frombuffer(values, "<f8", 1)[0]) if amended & 1 else None
        try:
            amendments.append(Amendment(int(record["id"]), float(record["at_seconds"]), gain_db, vector))
        except ValueError as error:
            raise StruckError(f"an event packet is damaged: {error}") from error
    if position != len(data):
        raise StruckError("an event packet is truncated")
    return amendments


def pack_ends(ends: Sequence[End]) -> bytes:
    return np.array([(end.at_seconds, end.id) for end in ends], dtype=_END).tobytes()


def unpack_ends(data: bytes, count: int) -> list[End]:
    """Ends of :func:`pack_ends`.

    Raises:
        StruckError: ``data`` is cut or damaged.
    """
    try:
        return [End(int(r["id"]), float(r["at_seconds"])) for r in _records(data, _END, count)]
    except ValueError as error:
        raise StruckError(f"an event packet is damaged: {error}") from error


def _records(data: bytes, kind: np.dtype[Any], count: int) -> Any:
    if len(data) != count * kind.itemsize:
        raise StruckError("an event packet is truncated")
    return np.frombuffer(data, kind)
