"""Takes to and from other files: JSON lines both ways; MIDI and CSV files from a take.

What comes in may be in any order, as other programs' merging and sorting leaves it; what goes out is in order
of time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Final

from ..events.descriptors import Descriptors, read_descriptors
from ..events.errors import StruckError
from ..events.event_spec import FIELDS, to_physical
from ..events.events import Event
from ..events.transforms import Edit, apply_edits
from ..files.part_files import PART_SUFFIX, part_file
from ..weights.codec_weights import CodecWeights
from .format import TakeHeader
from .json_lines import Item, item_seconds, read_json_lines, write_json_lines
from .midi_file import write_midi_file
from .reader import TakeMessage, TakeReader
from .writer import TakeWriter

Load = Callable[[Path], tuple[TakeHeader, float, Iterator[Item]]]
Save = Callable[[Path, TakeHeader, float, Iterable[Item]], None]


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
    messages: list[TakeMessage] = []
    edited: list[Item] = list(apply_edits(_set_aside(messages, items), edit))
    edited += [replace(message, seconds=message.seconds * edit.stretch) for message in messages]
    save(destination, header, duration_seconds * edit.stretch, sorted(edited, key=item_seconds))


def _set_aside(messages: list[TakeMessage], items: Iterable[Item]) -> Iterator[Event]:
    """Events of ``items``; what else there is goes to ``messages``."""
    for item in items:
        if isinstance(item, Event):
            yield item
        else:
            messages.append(item)


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
    """Of what the file holds, in small letters: recorders and Windows write capitals."""
    name = path.name.lower()
    return ".mcap" if name.endswith(".mcap" + PART_SUFFIX) else path.suffix.lower()


# ---- sources -------------------------------------------------------------------------------------------


def read_take(path: Path) -> tuple[TakeHeader, float, Iterator[Item]]:
    """Header, duration in seconds and content, by time, of a take."""
    reader = TakeReader(path)

    def items() -> Iterator[Item]:
        yield from reader.stream()
        if reader.truncated:
            yield TakeMessage(reader.duration_seconds, "/marks", {"kind": "cut"})

    return reader.header, reader.duration_seconds, iter(sorted(items(), key=item_seconds))


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
        write_midi_file(beside, _only_events(items))


def _only_events(items: Iterable[Item]) -> Iterator[Event]:
    return (item for item in items if isinstance(item, Event))


_SOURCES: Final[dict[str, Load]] = {".mcap": read_take, ".jsonl": read_json_lines}
_DESTINATIONS: Final[dict[str, Save]] = {
    ".mcap": write_take,
    ".jsonl": write_json_lines,
    ".mid": write_midi,
    ".csv": write_csv,
}
