"""Takes to and from other files: JSON lines both ways; MIDI and CSV files from a take.

What comes in may be in any order, as other programs' merging and sorting leaves it; what goes out is in order
of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from ..events.amendments import StreamItem
from ..events.errors import StruckError
from ..events.events import Event
from ..events.settle import settle
from ..files.part_files import PART_SUFFIX, part_file
from ..transforms.edits import Edit, apply_edits
from ..weights.codec_weights import CodecWeights
from .csv_file import write_csv
from .format import TakeHeader
from .json_lines import Item, item_key, read_json_lines, write_json_lines
from .midi_file import TEMPO_MARK, Tempo, write_midi_file
from .reader import TakeMessage, TakeReader
from .writer import TakeWriter

Load = Callable[[Path], tuple[TakeHeader, float, Iterator[Item]]]
Save = Callable[[Path, TakeHeader, float, Iterable[Item]], None]


def convert(
    source: str | Path,
    destination: str | Path,
    weights: CodecWeights | None = None,
    *,
    settled: bool = False,
) -> None:
    """Convert a file, by the names' extensions.

    ``.mcap`` (also a recording's ``.mcap.part``) and ``.jsonl`` are read; ``.mcap``, ``.jsonl``, ``.mid``
    and ``.csv`` are written. A take that is written from a cut one ends in a mark ``cut``.

    Args:
        source, destination: the two files.
        weights: those the take was made with; they add what is heard of each event to a ``.csv``.
        settled: instead of events with amendments and ends, write for each the one event that is nearest to
            what it did; see :mod:`struck.codec.events.settle`.

    Raises:
        StruckError: there is no such conversion, the source is malformed, its weights are other ones, or the
            disk refuses.
    """
    source, destination = Path(source), Path(destination)
    load, save = _find(source, destination)
    if save is write_csv:
        save = partial(write_csv, weights=weights)
    header, duration_seconds, items = load(source)
    if settled:
        items = _changed(items, settle)
    save(destination, header, duration_seconds, items)


def edit_take(
    source: str | Path, destination: str | Path, edit: Edit, weights: CodecWeights | None = None
) -> tuple[int, int]:
    """Edit the events of a take, and what becomes of them, into another file, as :func:`convert` does.

    What was recorded beside the events is kept, and stretched with them.

    Args:
        source, destination: the two files.
        edit: what is done.
        weights: those the take was made with, for an edit that :attr:`~Edit.freezes`.

    Returns:
        How many events there were, and how many there are.

    Raises:
        StruckError: as :func:`convert`.
    """
    source, destination = Path(source), Path(destination)
    load, save = _find(source, destination)
    header, duration_seconds, loaded = load(source)
    items = list(loaded)
    decoder = None if weights is None else weights.decoder
    try:
        edited = list(_changed(items, lambda stream: apply_edits(stream, edit, decoder), edit.stretch))
    except ValueError as error:  # a turn that does not fit its transform
        raise StruckError(str(error)) from None
    last = max((item_key(item)[0] for item in edited), default=0.0)
    save(destination, header, max(duration_seconds * edit.stretch, last), iter(edited))
    before, after = (sum(isinstance(item, Event) for item in stream) for stream in (items, edited))
    return before, after


def describe_losses(source: str | Path) -> list[str]:
    """What of a source is missing, in lines for the user; of JSON lines nobody knows."""
    source = Path(source)
    return TakeReader(source).describe_losses() if _extension(source) == ".mcap" else []


def _changed(
    items: Iterable[Item],
    change: Callable[[Iterator[StreamItem]], Iterable[StreamItem]],
    stretch: float = 1.0,
) -> Iterator[Item]:
    """``items`` with their stream changed and the other messages beside it, by time."""
    messages: list[TakeMessage] = []
    changed: list[Item] = list(change(_set_aside(messages, items)))
    changed += [replace(message, seconds=message.seconds * stretch) for message in messages]
    return iter(sorted(changed, key=item_key))


def _set_aside(messages: list[TakeMessage], items: Iterable[Item]) -> Iterator[StreamItem]:
    """The stream in ``items``; what else there is goes to ``messages``."""
    for item in items:
        if isinstance(item, TakeMessage):
            messages.append(item)
        else:
            yield item


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

    return reader.header, reader.duration_seconds, iter(sorted(items(), key=item_key))


# ---- destinations --------------------------------------------------------------------------------------


def write_take(path: Path, header: TakeHeader, duration_seconds: float, items: Iterable[Item]) -> None:
    """A take from its parts.

    Raises:
        StruckError: the disk refuses; nothing is left behind.
    """
    with TakeWriter(path, header) as writer:
        for item in items:
            if isinstance(item, TakeMessage):
                writer.write_message(item.channel, item.seconds, item.value)
            else:
                writer.write(item)
        writer.close(duration_seconds)


def write_midi(path: Path, header: TakeHeader, duration_seconds: float, items: Iterable[Item]) -> None:
    """An MPE file of the stream, in the take's tempo; see :mod:`struck.codec.takes.midi_file`."""
    messages: list[TakeMessage] = []
    stream = list(_set_aside(messages, items))
    tempos = [Tempo.of_mark(m.seconds, m.value) for m in messages if _is_tempo(m)]
    with part_file(path) as beside:
        write_midi_file(beside, stream, tempos)


def _is_tempo(message: TakeMessage) -> bool:
    return message.channel == "/marks" and message.value.get("kind") == TEMPO_MARK


_SOURCES: Final[dict[str, Load]] = {".mcap": read_take, ".jsonl": read_json_lines}
_DESTINATIONS: Final[dict[str, Save]] = {
    ".mcap": write_take,
    ".jsonl": write_json_lines,
    ".mid": write_midi,
    ".csv": write_csv,
}
