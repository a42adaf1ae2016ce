"""Sound files whose header does not tell their length, presented to libsndfile with one that does.

A recorder that dies leaves a length of 0, or the one of its last renewal; a program that writes into a pipe
cannot know the length and leaves 0 or the highest number; BW64 (ITU-R BS.2088) is RF64 under another name,
which libsndfile does not know. The sound itself is sound: a new header is put before it, on the fly.

Formats: Microsoft RIFF; EBU Tech 3306 (RF64); AIFF and CAF as Apple describes them; AU as Sun did.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from .mp3_frames import unknown_length_prefix

#: Lengths from here on are what programs write that do not know any.
_UNKNOWN: Final = 0x7FFF_0000
_RIFF_LIMIT: Final = 0xFFFF_0000
_HEADER_LIMIT: Final = 1 << 20
#: What may follow a sound outside its container, put there by programs for music collections.
_TAGS: Final = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")
_USUAL_CHUNKS: Final = (
    b"LIST",
    b"JUNK",
    b"bext",
    b"cue ",
    b"smpl",
    b"iXML",
    b"id3 ",
    b"PEAK",
    b"axml",
    b"chna",
)

UNFINISHED: Final = "its header was never finished"
CUT: Final = "it is cut off"
UNKNOWN: Final = "its header does not tell how long it is"


@dataclass(frozen=True)
class Mend:
    """A new header, and where in the file the sound lies that it stands before.

    ``reason`` says what was wrong; empty if nothing was but the name of the format.
    """

    prefix: bytes
    start_byte: int
    byte_count: int
    reason: str


class MendedSound:
    """What libsndfile reads: the header of a :class:`Mend`, then the sound of the file."""

    def __init__(self, path: Path, mend: Mend) -> None:
        self._file = path.open("rb")
        self._mend = mend
        self._position = 0

    def read(self, count: int) -> bytes:
        prefix, mend = self._mend.prefix, self._mend
        head = prefix[self._position : self._position + count]
        offset = max(0, self._position - len(prefix))
        self._file.seek(mend.start_byte + offset)
        body = self._file.read(max(0, min(count - len(head), mend.byte_count - offset)))
        self._position += len(head) + len(body)
        return head + body

    def seek(self, offset: int, whence: int = 0) -> int:
        size = len(self._mend.prefix) + self._mend.byte_count
        self._position = max(0, offset + (0, self._position, size)[whence])
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()


def find_mend(path: Path) -> Mend | None:
    """What the header of a sound file needs; None where it tells the truth, or is of another kind."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        mend = None
        if start[:4] in (b"RIFF", b"RF64", b"BW64") and start[8:] == b"WAVE":
            mend = _mend_wave(file, size, start[:4])
        elif start[:4] == b"FORM" and start[8:] in (b"AIFF", b"AIFC"):
            mend = _mend_aiff(file, size)
        elif start[:4] == b"caff":
            mend = _mend_caf(file, size)
        elif start[:4] == b".snd":
            mend = _mend_au(file, size)
        else:
            found = unknown_length_prefix(file, size)
            if found is not None:
                prefix, at = found
                mend = Mend(prefix, at, size - at, UNKNOWN)
    return mend if mend is not None and mend.byte_count > 0 else None


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start_byte: int  # of its body
    byte_count: int  # as it claims


def _chunks(file: BinaryIO, position: int, end: int, form: str) -> Iterator[_Chunk]:
    """Chunks as their lengths place them; ``form`` is the length's, as :mod:`struct` writes it."""
    head_bytes = 4 + struct.calcsize(form)
    while position + head_bytes <= end:
        file.seek(position)
        head = file.read(head_bytes)
        (count,) = struct.unpack(form, head[4:])
        yield _Chunk(head[:4], position + head_bytes, count)
        padding = count % 2 if form[-1] == "I" else 0  # CAF has none
        position += head_bytes + count + padding


def _body(file: BinaryIO, chunk: _Chunk) -> bytes:
    file.seek(chunk.start_byte)
    return file.read(min(chunk.byte_count, _HEADER_LIMIT))


def _mend_wave(file: BinaryIO, size: int, name: bytes) -> Mend | None:
    kept: dict[bytes, bytes] = {}
    for chunk in _chunks(file, 12, size, "<I"):
        if chunk.name == b"data":
            break
        if chunk.name in (b"ds64", b"fmt ", b"fact"):
            kept[chunk.name] = _body(file, chunk)
    else:
        return None
    if len(kept.get(b"fmt ", b"")) < 16:
        return None
    claimed, there = chunk.byte_count, size - chunk.start_byte
    wide = name != b"RIFF" and len(kept.get(b"ds64", b"")) >= 16
    if wide and claimed == 0xFFFFFFFF:
        (claimed,) = struct.unpack_from("<Q", kept[b"ds64"], 8)
    elif claimed >= _UNKNOWN and claimed > there:
        claimed = -1
    reason = ""
    if claimed < 0:
        reason = UNKNOWN
    elif _is_sound(file, chunk.start_byte, claimed, size, "<I"):
        reason = UNFINISHED
    elif name != b"BW64":
        return None
    count = there if reason else min(claimed, there)
    if not reason and claimed > there:
        reason = CUT
    block = max(1, struct.unpack_from("<H", kept[b"fmt "], 12)[0])
    count -= count % block
    inner = [(b"fmt ", kept[b"fmt "])]
    if b"fact" in kept and not reason:
        inner.append((b"fact", kept[b"fact"]))
    if count > _RIFF_LIMIT:
        inner.insert(0, (b"ds64", struct.pack("<QQQI", count + len(kept[b"fmt "]) + 72, count, 0, 0)))
    body = b"".join(n + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for n, b in inner)
    whole = 4 + len(body) + 8 + count
    if count > _RIFF_LIMIT:
        head, length = b"RF64" + b"\xff" * 4, b"\xff" * 4
    else:
        head, length = b"RIFF" + struct.pack("<I", whole), struct.pack("<I", count)
    return Mend(head + b"WAVE" + body + b"data" + length, chunk.start_byte, count, reason)


def _mend_aiff(file: BinaryIO, size: int) -> Mend | None:
    common: _Chunk | None = None
    for chunk in _chunks(file, 12, size, ">I"):
        if chunk.name == b"COMM":
            common = chunk
        if chunk.name == b"SSND":
            break
    else:
        return None
    # An SSND chunk begins with an offset and a block size of 4 bytes each, which are 0 in practice.
    start, claimed = chunk.start_byte + 8, chunk.byte_count - 8
    if common is None or common.byte_count < 18 or not _is_sound(file, start, claimed, size, ">I"):
        return None
    channels, _, bits = struct.unpack_from(">HIH", _body(file, common))
    frame_bytes = channels * (-(-bits // 8))
    if not frame_bytes:
        return None
    count = size - start
    file.seek(0)
    prefix = bytearray(file.read(start))
    struct.pack_into(">I", prefix, 4, min(0xFFFFFFFF, size - 8))
    struct.pack_into(">I", prefix, chunk.start_byte - 4, min(0xFFFFFFFF, count + 8))
    struct.pack_into(">I", prefix, common.start_byte + 2, min(0xFFFFFFFF, count // frame_bytes))
    return Mend(bytes(prefix), start, count, UNFINISHED)


def _mend_caf(file: BinaryIO, size: int) -> Mend | None:
    for chunk in _chunks(file, 8, size, ">q"):
        if chunk.name == b"data":
            break
        if chunk.byte_count < 0:
            return None
    else:
        return None
    # The body begins with an edit count of 4 bytes. A length of -1 means: up to the end of the file.
    start, claimed = chunk.start_byte + 4, chunk.byte_count - 4
    if chunk.byte_count >= 0 and not _is_sound(file, start, claimed, size, ">q"):
        return None
    file.seek(0)
    prefix = bytearray(file.read(start))
    struct.pack_into(">q", prefix, chunk.start_byte - 8, size - chunk.start_byte)
    return Mend(bytes(prefix), start, size - start, UNKNOWN if chunk.byte_count < 0 else UNFINISHED)


def _mend_au(file: BinaryIO, size: int) -> Mend | None:
    file.seek(0)
    head = file.read(24)
    if len(head) < 24:
        return None
    start, claimed = struct.unpack_from(">II", head, 4)
    if not 24 <= start <= min(size, _HEADER_LIMIT):
        return None
    if claimed != 0xFFFFFFFF and not _is_sound(file, start, claimed, size, ">I"):
        return None
    file.seek(0)
    prefix = file.read(start)
    # The highest number means "unknown" in this format, and libsndfile takes all there is.
    reason = UNKNOWN if claimed == 0xFFFFFFFF else UNFINISHED
    return Mend(prefix[:8] + b"\xff" * 4 + prefix[12:], start, size - start, reason)


def _is_sound(file: BinaryIO, start_byte: int, claimed: int, size: int, form: str) -> bool:
    """Whether what follows the claimed sound is sound too: not chunks, tags, or zeros that fill a block."""
    end = start_byte + max(0, claimed)
    if size - end < 8:
        return False
    file.seek(end)
    if file.read(16).startswith(_TAGS) or any(_are_chunks(file, at, size, form) for at in (end, end + 1)):
        return False
    file.seek(end)
    while block := file.read(1 << 16):
        if block.strip(b"\0"):
            return True
    return False


def _are_chunks(file: BinaryIO, position: int, size: int, form: str) -> bool:
    for chunk in _chunks(file, position, size, form):
        if not (chunk.name.isascii() and chunk.name.decode("ascii").isprintable()):
            return False
        if chunk.start_byte + chunk.byte_count > size:
            return chunk.name in _USUAL_CHUNKS  # cut off itself
    return True
