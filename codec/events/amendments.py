"""What happens to an event after its onset: amendments and ends, and streams made of all three.

A stream is events, amendments and ends in the order of their times. An amendment says: from ``at`` on, the
event sounds as if it had been born with these values. An end releases it, as its ``release`` field says.
A stream without amendments and ends is a valid stream, and so is one whose events have no id.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar

import numpy as np

from .errors import StruckError
from .event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, VECTOR_SIZE, from_physical, read_field
from .events import Event, FloatArray

#: Ids are unsigned 32-bit numbers; after the last comes 0 again.
ID_COUNT: Final = 2**32

#: An encoder decides hop by hop and a take is written packet by packet: across their edges an item may stand
#: behind one that happens up to this much later.
_DISORDER_SECONDS: Final = 2.0
#: What is ended fades at least as fast as this where its sound has stopped already.
_LONGEST_RELEASE_SECONDS: Final = 0.05


@dataclass(frozen=True, eq=False)
class Amendment:
    """New values of an event that sounds.

    Args:
        id: of the event, in 0..2**32 - 1.
        at_seconds: stream time from which it has them, >= 0.
        gain_db: its new level in dB, in [-90, 12]; None leaves it.
        vector: float32 ``[32]``, NaN where a field stays as it is, the others in [-1, 1]; None leaves all.

    Raises:
        ValueError: a value is out of its range, or nothing is amended.
    """

    id: int
    at_seconds: float
    gain_db: float | None = None
    vector: FloatArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_id(self.id)
        check_time("at_seconds", self.at_seconds)
        vector = np.full(VECTOR_SIZE, np.nan, np.float32)
        if self.vector is not None:
            vector[:] = _check_vector(self.vector)
        if self.gain_db is not None and not GAIN_DB_LOW <= self.gain_db <= GAIN_DB_HIGH:
            raise ValueError(f"gain_db is {self.gain_db}; the range is {GAIN_DB_LOW} to {GAIN_DB_HIGH}")
        if self.gain_db is None and np.isnan(vector).all():
            raise ValueError(f"the amendment of event {self.id} at {self.at_seconds} s amends nothing")
        vector.flags.writeable = False
        object.__setattr__(self, "at_seconds", float(self.at_seconds))
        object.__setattr__(self, "gain_db", None if self.gain_db is None else float(self.gain_db))
        object.__setattr__(self, "vector", vector)

    @classmethod
    def of_fields(
        cls, id: int, at_seconds: float, values: Mapping[str, float], gain_db: float | None = None
    ) -> Amendment:
        """An amendment of fields given by name, in their units; values out of range land on the range's end.

        >>> amendment = Amendment.of_fields(7, 1.5, {"pitch": 61.0}, gain_db=-12.0)
        >>> amendment.fields, round(float(amendment.vector[0]), 3)
        (('pitch',), -0.183)

        Raises:
            ValueError: there is no such field, or a value is not finite.
        """
        vector = np.full(VECTOR_SIZE, np.nan, np.float32)
        for name, value in values.items():
            if name not in INDEX:
                raise ValueError(f"no field is called {name}; they are {', '.join(INDEX)}")
            if not np.isfinite(value):
                raise ValueError(f"{name} is {value}; it must be finite")
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
        return cls(id, at_seconds, gain_db, vector)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that it amends."""
        assert self.vector is not None
        return tuple(FIELDS[i].name for i in np.flatnonzero(~np.isnan(self.vector)))

    def apply(self, event: Event) -> Event:
        """``event`` as it is from now on; its onset and id stay."""
        assert self.vector is not None
        return replace(
            event,
            gain_db=event.gain_db if self.gain_db is None else self.gain_db,
            vector=np.where(np.isnan(self.vector), event.vector, self.vector),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Amendment):
            return NotImplemented
        assert self.vector is not None
        assert other.vector is not None
        return (self.id, self.at_seconds, self.gain_db) == (
            other.id,
            other.at_seconds,
            other.gain_db,
        ) and np.array_equal(self.vector, other.vector, equal_nan=True)

    def __hash__(self) -> int:
        return hash((self.id, self.at_seconds, self.gain_db))


@dataclass(frozen=True)
class End:
    """An event is released.

    Args:
        id: of the event, in 0..2**32 - 1.
        at_seconds: stream time of the release, >= 0.

    Raises:
        ValueError: a value is out of its range.
    """

    id: int
    at_seconds: float

    def __post_init__(self) -> None:
        check_id(self.id)
        check_time("at_seconds", self.at_seconds)
        object.__setattr__(self, "at_seconds", float(self.at_seconds))


#: What a stream is made of.
StreamItem: TypeAlias = Event | Amendment | End


def item_seconds(item: StreamItem) -> float:
    """Stream time of ``item``: the onset of an event, the ``at`` of the others."""
    return item.onset_seconds if isinstance(item, Event) else item.at_seconds


def stream_key(item: StreamItem) -> tuple[float, int]:
    """What streams are sorted by: the time; at the same time events first, then amendments, then ends."""
    return item_seconds(item), 0 if isinstance(item, Event) else 1 if isinstance(item, Amendment) else 2


def in_stream_order(items: Iterable[StreamItem]) -> list[StreamItem]:
    """``items`` by time; at the same time events first, then amendments, then ends, each as they came."""
    return sorted(items, key=stream_key)


_Item = TypeVar("_Item", bound=StreamItem)


def nearly_in_stream_order(items: Iterable[_Item]) -> Iterator[_Item]:
    """The same for items that are nearly in order already, lazily: the last two seconds are held back.

    Raises:
        StruckError: an item stands further behind than that.
    """
    waiting: list[tuple[tuple[float, int], int, _Item]] = []
    done_seconds = 0.0
    for count, item in enumerate(items):
        key = stream_key(item)
        if key[0] < done_seconds:
            raise StruckError(
                f"what is at {key[0]:.2f} s stands behind something at {done_seconds:.2f} s; "
                "`struck convert TAKE.mcap OTHER.mcap` puts a take in order"
            )
        heapq.heappush(waiting, (key, count, item))
        while waiting[0][0][0] < key[0] - _DISORDER_SECONDS:
            done_seconds = waiting[0][0][0]
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def end_sound(event: Event, at_seconds: float) -> list[Amendment | End]:
    """What makes ``event``, which has an id, stop at ``at_seconds``, however long its release is."""
    assert event.id is not None
    items: list[Amendment | End] = []
    if read_field(event.vector, "release") > _LONGEST_RELEASE_SECONDS:
        values = {"release": _LONGEST_RELEASE_SECONDS}
        items.append(Amendment.of_fields(event.id, at_seconds, values))
    return [*items, End(event.id, at_seconds)]


def difference(before: Event, after: Event, id: int, at_seconds: float) -> Amendment | None:
    """The amendment that makes ``after`` of ``before``; None where they sound alike."""
    vector = np.where(after.vector == before.vector, np.float32(np.nan), after.vector)
    gain_db = None if after.gain_db == before.gain_db else after.gain_db
    if gain_db is None and np.isnan(vector).all():
        return None
    return Amendment(id, at_seconds, gain_db, vector)


def check_id(id: int) -> None:
    """Raise ValueError where ``id`` is not an unsigned 32-bit number."""
    if isinstance(id, bool) or not isinstance(id, int | np.integer) or not 0 <= id < ID_COUNT:
        raise ValueError(f"an event's id is a whole number in 0..{ID_COUNT - 1}, not {id!r}")


def check_time(name: str, seconds: float) -> None:
    """Raise ValueError where ``seconds`` is not a time in a stream."""
    if not (np.isfinite(seconds) and seconds >= 0.0):
        raise ValueError(f"{name} is {seconds}; it must be finite and >= 0")


def _check_vector(vector: FloatArray) -> FloatArray:
    vector = np.asarray(vector, dtype=np.float32)
    if vector.shape != (VECTOR_SIZE,):
        raise ValueError(f"an amendment's vector has shape ({VECTOR_SIZE},), not {vector.shape}")
    if np.any(np.abs(vector) > 1.0):  # NaN stands for a field that stays
        raise ValueError("an amendment's vector holds numbers in [-1, 1], and NaN where a field stays")
    return vector
