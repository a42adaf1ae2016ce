"""A take as a table for spreadsheets: a row per event, amendment and end, by time.

========  ==============================================================
column
========  ==============================================================
kind      ``event``, ``amendment`` or ``end``
id        of the event; empty where it has none
seconds   when it begins, is amended or ends
gain_db   level; empty where it stays as it is
...       what is heard from then on, where the weights are given
field...  every field of the vector; empty where it stays as it is
========  ==============================================================

Filtering by ``kind`` gives the events alone; sorting by ``id``, then ``seconds``, gives life after life.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Final

import numpy as np

from ..events.amendments import Amendment, End, StreamItem, item_seconds
from ..events.descriptors import Descriptors, read_descriptors
from ..events.event_spec import FIELDS, to_physical
from ..events.events import Event
from ..files.part_files import part_file
from ..weights.codec_weights import CodecWeights
from .format import TakeHeader
from .json_lines import Item
from .reader import TakeMessage

#: The loudness of an event is its gain, which has a column of its own.
_HEARD: Final = tuple(f.name for f in fields(Descriptors) if f.name != "loudness_db")
_KINDS: Final = {Event: "event", Amendment: "amendment", End: "end"}


def write_csv(
    path: Path,
    header: TakeHeader,
    duration_seconds: float,
    items: Iterable[Item],
    weights: CodecWeights | None = None,
) -> None:
    """The table of a take's stream; what is heard of it where ``weights`` are given.

    Raises:
        StruckError: the weights are not the take's, or the disk refuses.
    """
    if weights is not None:
        header.check_weights(weights, "the take")
    heard = _HEARD if weights is not None else ()
    columns = ["kind", "id", "seconds", "gain_db", *heard, *(f"field.{f.name}" for f in FIELDS)]
    sounding: dict[int, Event] = {}
    with part_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for item in items:
            if isinstance(item, TakeMessage):
                continue
            now = _now(item, sounding)
            row = [_KINDS[type(item)], "" if item.id is None else str(item.id), _text(item_seconds(item))]
            row += ["" if isinstance(item, End) or item.gain_db is None else _text(item.gain_db)]
            if weights is not None:
                row += _descriptors(weights, now)
            table.writerow(row + _fields(item))


def _now(item: StreamItem, sounding: dict[int, Event]) -> Event | None:
    """The event as it is from ``item`` on; None where it ends or is unknown."""
    if isinstance(item, End):
        sounding.pop(item.id, None)
        return None
    now: Event | None
    if isinstance(item, Amendment):
        before = sounding.get(item.id)
        now = None if before is None else item.apply(before)
    else:
        now = item
    if now is not None and now.id is not None:
        sounding[now.id] = now
    return now


def _descriptors(weights: CodecWeights, event: Event | None) -> list[str]:
    if event is None:
        return [""] * len(_HEARD)
    descriptors = read_descriptors(weights, event)
    return [_text(getattr(descriptors, name)) for name in _HEARD]


def _fields(item: StreamItem) -> list[str]:
    if isinstance(item, End):
        return [""] * len(FIELDS)
    assert item.vector is not None
    return [
        "" if np.isnan(position) else _text(to_physical(field, float(position)))
        for field, position in zip(FIELDS, item.vector, strict=True)
    ]


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"
