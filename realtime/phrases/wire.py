"""What the live host and the process that makes phrases say to each other, through pipes.

To the process, JSON lines: first the job (:class:`Job`), then one request at a time, and ``{"stop": id}``.
From it, messages: a JSON line, then as many bytes as its ``byte_count`` says::

    {"kind": "note", "line": ...}              for the performer
    {"kind": "ready", "line": ...}             loaded and warmed up
    {"kind": "phrase", "id", "frames", ...}    and the sound, float32, and its stream, float64 [I, 36]
    {"kind": "stopped", "id"}                  given up, as it was told
    {"kind": "failed", "line"}                 it ends
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from queue import Queue
from typing import IO, Any, Final

import numpy as np

from ...codec.events.amendments import Amendment, End, StreamItem, item_seconds
from ...codec.events.errors import StruckError
from ...codec.events.event_spec import VECTOR_SIZE
from ...codec.events.events import Event

#: A message and the bytes after it, or why there are no more.
Received = tuple[dict[str, Any], bytes] | StruckError
#: More is no phrase of ours: 30 s at 192 kHz.
_BYTES_LIMIT: Final = 32 << 20
#: Of an item: what it is (a place in ``_KINDS``), id, time, gain, vector. What it does not have is NaN.
_ITEM_NUMBERS: Final = 4 + VECTOR_SIZE
_KINDS: Final = (Event, Amendment, End)


@dataclass(frozen=True)
class Job:
    """What a process is to be.

    Args:
        rate: of the device, in Hz.
        weights: of MARS; empty: those shipped.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: for torch.
        codec_weights: for phrases that are to be heard as events.
    """

    rate: int
    weights: str = ""
    device: str = "auto"
    threads: int = 1
    codec_weights: str = ""

    def to_line(self) -> bytes:
        return to_line(asdict(self))


def to_line(values: dict[str, Any]) -> bytes:
    """One JSON line."""
    return json.dumps(values, allow_nan=False).encode() + b"\n"


def pack_items(items: Sequence[StreamItem]) -> np.ndarray:
    """A stream as float64 ``[I, 36]``."""
    rows = np.full((len(items), _ITEM_NUMBERS), np.nan)
    for row, item in zip(rows, items, strict=True):
        row[0], row[2] = _KINDS.index(type(item)), item_seconds(item)
        row[1] = np.nan if item.id is None else item.id
        if not isinstance(item, End):
            row[3] = np.nan if item.gain_db is None else item.gain_db
            row[4:] = item.vector
    return rows


def unpack_items(rows: np.ndarray) -> tuple[StreamItem, ...]:
    """What :func:`pack_items` packed."""
    return tuple(_unpack(row) for row in rows)


def _unpack(row: np.ndarray) -> StreamItem:
    kind, seconds = _KINDS[int(row[0])], float(row[2])
    gain_db = None if np.isnan(row[3]) else float(row[3])
    vector = row[4:].astype(np.float32)
    if kind is End:
        return End(int(row[1]), seconds)
    if kind is Amendment:
        return Amendment(int(row[1]), seconds, gain_db, vector)
    return Event(seconds, float(row[3]), vector, None if np.isnan(row[1]) else int(row[1]))


def write_message(stream: IO[bytes], values: dict[str, Any], *arrays: np.ndarray) -> None:
    """Write a message and the bytes of ``arrays`` after it."""
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    stream.write(to_line({**values, "byte_count": len(body)}) + body)
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next message and the bytes after it; None at the end.

    Raises:
        StruckError: what comes is no message.
    """
    line = stream.readline(1 << 20)
    if not line.endswith(b"\n"):
        return None
    try:
        values = json.loads(line)
        count = int(values["byte_count"])
        if not isinstance(values["kind"], str) or not 0 <= count <= _BYTES_LIMIT:
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise StruckError("protocol error: the phrase process sent something unexpected") from None
    body = stream.read(count)
    return (values, body) if len(body) == count else None


def receive_messages(stream: IO[bytes], messages: Queue[Received]) -> None:
    """Put all messages of a stream into a queue, then why they ended; a thread's work.

    To ask a pipe whether something has come, as ``select`` does, is not possible on Windows; a thread that
    waits for it is, everywhere.
    """
    ended: Received = StruckError("the process that makes phrases has died")
    try:
        while (message := read_message(stream)) is not None:
            messages.put(message)
    except StruckError as error:
        ended = error
    except (OSError, ValueError):  # closed on this side
        pass
    messages.put(ended)


def receive_lines(stream: IO[bytes], lines: Queue[dict[str, Any] | None]) -> None:
    """Put all JSON lines of a stream into a queue, then None; a thread's work."""
    for line in stream:
        if line.endswith(b"\n"):
            lines.put(json.loads(line))
    lines.put(None)


def read_phrase(values: dict[str, Any], body: bytes) -> tuple[np.ndarray, tuple[StreamItem, ...]]:
    """Sound and stream of a message of the kind ``phrase``."""
    frames = int(values["frames"])
    sound = np.frombuffer(body, np.float32, frames).copy()  # kernels take what can be written
    rows = np.frombuffer(body, np.float64, offset=sound.nbytes)
    return sound, unpack_items(rows.reshape(-1, _ITEM_NUMBERS))
