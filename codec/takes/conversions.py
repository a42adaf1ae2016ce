"""Takes to and from other files: JSON lines both ways; MIDI and CSV files from a take.

The JSON lines hold all that a take holds: a header line, then a line per event or message. An event's line
has its physical values for people and its vector for machines; only onset, gain and vector are read back.
"""

from __future__ import annotations

import csv
import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from ..events.descriptors import Descriptors, read_descriptors
from ..events.errors import StruckError
from ..events.event_spec import FIELDS, to_physical
from ..events.events import Event
from ..events.transforms import Edit, apply_edits
from ..files.part_files import PART_SUFFIX, part_file
from ..weights.codec_weights import CodecWeights
from .format import CHANNELS, TakeHeader
from .midi_file import write_midi_file
from .reader import TakeMessage, TakeReader
from .writer import TakeWriter, check_time

Item = Event | TakeMessage
Load = Callable[[Path], tuple[TakeHeader, float, Iterator[Item]]]
Save = Callable[[Path, TakeHeader, float, Iterable[Item]], None]

_MAX_LINE_CHARACTERS: Final = 2**20


def convert(source: str | Path, destination: str | Path, weights: CodecWeights | None = None) -> None:
    """Convert a file, by the names' extensions.

    ``.mcap`` (also a recording's ``.mcap.part``) and ``.jsonl`` are read; ``.mcap``, ``.jsonl``, ``.mid``
    and ``.csv`` are written. A take that is written from a cut one ends in a mark ``cut``.

    Args:
        source, destination: the two files.
        weights: those the take was made with; they add what is heard of each event to a ``.csv``.

    Raises:
        StruckError: there is no such conversion, the source is malformed, its weights are other ones, or the
            disk refuses.
    """
    source, destination = Path(source), Path(destination)
    load, save = _find(source, destination)
    if save is write_csv:
        save = partial(write_csv, weights=weights)
    save(destination, *load(source))


def edit_take(source: str | Path, destination: str | Path, edit: Edit) -> None:
    """Edit the events of a take into another file; the files are those of :func:`convert`.

    What was recorded beside the events is kept, and stretched with them.

    Raises:
        StruckError: as :func:`convert`.
    """
    source, destination = Path(source), Path(destination)
    load, save = _find(source, destination)
    header, duration_seconds, items = load(source)
    events: Iterator[Item] = iter(apply_edits(_only_events(items), edit))
    messages: Iterator[Item] = (
        replace(item, seconds=item.seconds * edit.stretch)
        for item in load(source)[2]
        if isinstance(item, TakeMessage)
    )
    merged = heapq.merge(events, messages, key=_seconds)
    save(destination, header, duration_seconds * edit.stretch, merged)


def _seconds(item: Item) -> float:
    return item.onset_seconds if isinstance(item, Event) else item.seconds


def _find(source: Path, destination: Path) -> tuple[Load, Save]:
    load = _SOURCES.get(_extension(source))
    save = _DESTINATIONS.get(_extension(destination))
    if load is None or save is None:
        raise StruckError(
            f"cannot convert {source.name} to {destination.name}: from {', '.join(_SOURCES)} "
            f"to {', '.join(_DESTINATIONS)}"
        )
    return load, save


def _extension(path: Path) -> str:
    return ".mcap" if path.name.endswith(".mcap" + PART_SUFFIX) else path.suffix


# ---- sources -------------------------------------------------------------------------------------------


def read_take(path: Path) -> tuple[TakeHeader, float, Iterator[Item]]:
    """Header, duration in seconds and content of a take."""
    reader = TakeReader(path)

    def items() -> Iterator[Item]:
        yield from reader.stream()
        if reader.truncated:
            yield TakeMessage(reader.duration_seconds, "/marks", {"kind": "cut"})

    return reader.header, reader.duration_seconds, items()


def read_json_lines(path: Path) -> tuple[TakeHeader, float, Iterator[Item]]:
    """Header, duration in seconds and content of a JSON lines file; the lines are read lazily.

    Raises:
        StruckError: a line is malformed; the message has its number. Also while the content is read.
    """
    lines = _json_objects(path)
    place, first = next(lines, (f"{path}", {}))
    take = first.get("take")
    if not isinstance(take, dict):
        raise StruckError(f"{place}: the first line must be an object with the take's header as 'take'")
    header = TakeHeader.from_dict(take, place)
    duration = _time(first, "duration_seconds", place)

    def items() -> Iterator[Item]:
        for place, values in lines:
            yield _item_from_json(values, place)

    return header, duration, items()


def _json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _number(values: Mapping[str, Any], key: str, place: str) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StruckError(f"{place}: '{key}' is missing or not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise StruckError(f"{place}: '{key}' is too large") from error


def _time(values: Mapping[str, Any], key: str, place: str) -> float:
    seconds = _number(values, key, place)
    try:
        check_time(seconds)
    except ValueError as error:
        raise StruckError(f"{place}: {error}") from error
    return seconds


def _item_from_json(values: Mapping[str, Any], place: str) -> Item:
    channel = values.get("channel", "/events")
    if channel == "/events":
        vector = values.get("vector")
        if not isinstance(vector, list) or not all(type(v) in (int, float) for v in vector):
            raise StruckError(f"{place}: 'vector' is missing or not a list of numbers")
        onset_seconds = _time(values, "onset_seconds", place)
        try:
            return Event(onset_seconds, _number(values, "gain_db", place), np.array(vector, np.float32))
        except (ValueError, OverflowError) as error:
            raise StruckError(f"{place}: {error}") from error
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


# ---- destinations --------------------------------------------------------------------------------------


def write_take(path: Path, header: TakeHeader, duration_seconds: float, items: Iterable[Item]) -> None:
    """A take from its parts.

    Raises:
        StruckError: the disk refuses; nothing is left behind.
    """
    with TakeWriter(path, header) as writer:
        for item in items:
            if isinstance(item, Event):
                writer.write(item)
            else:
                writer.write_message(item.channel, item.seconds, item.value)
        writer.close(duration_seconds)


def write_json_lines(path: Path, header: TakeHeader, duration_seconds: float, items: Iterable[Item]) -> None:
    with part_file(path) as beside, beside.open("w", encoding="utf-8") as file:
        first = {"take": header.to_dict(), "duration_seconds": duration_seconds}
        file.write(json.dumps(first, allow_nan=False) + "\n")
        for item in items:
            file.write(json.dumps(_item_to_json(item), allow_nan=False) + "\n")


def _item_to_json(item: Item) -> dict[str, Any]:
    if isinstance(item, TakeMessage):
        value = item.value.hex() if isinstance(item.value, bytes) else item.value
        return {"channel": item.channel, "seconds": item.seconds, "value": value}
    physical = {
        field.name: float(f"{to_physical(field, float(v)):.6g}")
        for field, v in zip(FIELDS, item.vector, strict=True)
    }
    # A float32 as the float64 of the same value: read back, it rounds to the same bits.
    vector = item.vector.tolist()
    return {"onset_seconds": item.onset_seconds, "gain_db": item.gain_db, **physical, "vector": vector}


#: The loudness of an event is its gain, which has a column of its own.
_DESCRIPTOR_COLUMNS: Final = tuple(f.name for f in fields(Descriptors) if f.name != "loudness_db")


def write_csv(
    path: Path,
    header: TakeHeader,
    duration_seconds: float,
    items: Iterable[Item],
    weights: CodecWeights | None = None,
) -> None:
    """One row per event: onset, gain, descriptors where ``weights`` are given, every field as ``field.NAME``.

    Raises:
        StruckError: the weights are not the take's, or the disk refuses.
    """
    if weights is not None:
        header.check_weights(weights, "the take")
    heard = _DESCRIPTOR_COLUMNS if weights is not None else ()
    columns = ["onset_seconds", "gain_db", *heard, *(f"field.{f.name}" for f in FIELDS)]
    with part_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for event in _only_events(items):
            row: list[float | str] = [event.onset_seconds, event.gain_db]
            if weights is not None:
                descriptors = read_descriptors(weights, event)
                row += [getattr(descriptors, name) for name in _DESCRIPTOR_COLUMNS]
            row += [to_physical(f, float(v)) for f, v in zip(FIELDS, event.vector, strict=True)]
            table.writerow([x if isinstance(x, str) else f"{x:.9g}" for x in row])


def write_midi(path: Path, header: TakeHeader, duration_seconds: float, items: Iterable[Item]) -> None:
    """An MPE file of the events; see :mod:`struck.codec.takes.midi_file`."""
    with part_file(path) as beside:
        write_midi_file(beside, sorted(_only_events(items), key=lambda event: event.onset_seconds))


def _only_events(items: Iterable[Item]) -> Iterator[Event]:
    return (item for item in items if isinstance(item, Event))


_SOURCES: Final[dict[str, Load]] = {".mcap": read_take, ".jsonl": read_json_lines}
_DESTINATIONS: Final[dict[str, Save]] = {
    ".mcap": write_take,
    ".jsonl": write_json_lines,
    ".mid": write_midi,
    ".csv": write_csv,
}
