"""Walks the records of an MCAP file that may be cut or damaged anywhere, with bounded memory.

The ``mcap`` package's readers trust the lengths they read and need an intact end. This walk checks each
length against the file before it reads, stops where the framing is lost, and opens chunks only
after their sizes and CRC have been verified. Format: https://mcap.dev/spec
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, Final

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Metadata
from mcap.stream_reader import breakup_chunk
from mcap.writer import MCAP0_MAGIC

#: No record is read, and no chunk unpacked, beyond this; common writers make chunks of up to 4 MiB.
MAX_RECORD_BYTES: Final = 16 * 2**20

#: What the mcap package raises on bytes that are not what they claim to be.
_MALFORMED: Final = (McapError, struct.error, ValueError, OverflowError, zstandard.ZstdError, RuntimeError)


class DamagedRecordError(Exception):
    """A record was found whose content cannot be trusted."""


class RecordWalk:
    """Top-level records of an open file.

    After iteration ``has_clean_end`` tells whether the closing magic was reached.

    Raises:
        DamagedRecordError: the file does not start as an MCAP file.
    """

    def __init__(self, file: BinaryIO, wanted: frozenset[Opcode]) -> None:
        self._file = file
        self._wanted = wanted
        self._size = os.fstat(file.fileno()).st_size
        self.has_clean_end = False
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise DamagedRecordError("no MCAP signature")

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        """Opcode and body of the wanted records in order; the body is None if it is too large to read."""
        position = len(MCAP0_MAGIC)
        while len(head := self._file.read(9)) == 9:
            opcode, length = struct.unpack("<BQ", head)
            position += 9 + length
            if position > self._size:
                return
            if opcode in self._wanted:
                yield opcode, self._file.read(length) if length <= MAX_RECORD_BYTES else None
            self._file.seek(position)
            if opcode == Opcode.FOOTER:
                self.has_clean_end = self._file.read(len(MCAP0_MAGIC)) == MCAP0_MAGIC
                return


def parse_record(opcode: int, body: bytes | None) -> list[McapRecord]:
    """Channel, message or metadata in a record's body; the records inside, if it is a chunk.

    Raises:
        DamagedRecordError: the body is missing, malformed or fails its CRC.
    """
    if body is None:
        raise DamagedRecordError("a record is too large")
    stream = ReadDataStream(BytesIO(body))
    try:
        if opcode == Opcode.CHUNK:
            return _open_chunk(Chunk.read(stream))
        if opcode == Opcode.MESSAGE:
            return [Message.read(stream, len(body))]
        if opcode == Opcode.CHANNEL:
            return [Channel.read(stream)]
        if opcode == Opcode.METADATA:
            return [Metadata.read(stream)]
    except _MALFORMED as error:
        raise DamagedRecordError(str(error)) from error
    raise ValueError(f"opcode {opcode} is not one that this function parses")


def _open_chunk(chunk: Chunk) -> list[McapRecord]:
    size = chunk.uncompressed_size
    if size > MAX_RECORD_BYTES:
        raise DamagedRecordError(f"a chunk claims {size} bytes")
    # Unpacked here and not by the package, which allocates what the compressed frame claims.
    if chunk.compression == "zstd":
        unpack = zstandard.ZstdDecompressor(max_window_size=MAX_RECORD_BYTES)
        data = unpack.stream_reader(chunk.data).read(size + 1)
    elif chunk.compression == "lz4":
        data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size + 1)
    elif chunk.compression == "":
        data = chunk.data
    else:
        raise DamagedRecordError(f"a chunk is compressed by {chunk.compression!r}")
    if len(data) != size:
        raise DamagedRecordError("a chunk's size is not what it claims")
    plain = Chunk("", data, chunk.message_end_time, chunk.message_start_time, chunk.uncompressed_crc, size)
    return breakup_chunk(plain, validate_crc=True)
