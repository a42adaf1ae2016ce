"""Sound files: read as a stream of mono samples at a wanted rate, written whole or not at all.

Read is whatever soundfile (libsndfile) reads: WAV, FLAC, Ogg, MP3, AIFF and more, any sample format. Written
are ``.wav``, ``.flac`` and ``.ogg``. Memory stays flat: a file of an hour costs no more than one of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..events.errors import StruckError
from .audio_writer import WRITABLE, AudioWriter

__all__ = ["WRITABLE", "AudioReader", "AudioWriter", "open_audio", "read_mono"]

FloatArray = NDArray[np.float32]

#: Samples (frames times channels) taken from a file at a time. Fixed, so that what comes out does not
#: depend on how much the caller asks for.
_READ_SAMPLES: Final = 1 << 16
_SOURCE_RATE_LOW, _SOURCE_RATE_HIGH = 1_000, 768_000
#: A file that really has no samples is no larger than its headers; others lost their length with their end.
_EMPTY_BYTES_LIMIT: Final = 1 << 13
#: 120 dB over full scale: not sound but damage, and its square would leave float32.
_MAGNITUDE_LIMIT: Final = 1e6


class AudioReader:
    """A sound file as mono float32 at ``rate``; use :func:`open_audio`. Iterate with :meth:`blocks`.

    Channels are averaged. Damaged samples (NaN, infinite, beyond 120 dB over full scale) become 0. What the
    user should know is in :attr:`notes`, complete once the end has been reached.
    """

    def __init__(self, path: Path, rate: int | None) -> None:
        self.path = path
        self._file = _open_sound_file(path)
        self.source_rate: int = self._file.samplerate
        self.source_channels: int = self._file.channels
        #: Length in seconds by the file's header.
        self.duration_seconds: float = self._file.frames / self.source_rate
        self.rate = self.source_rate if rate is None else rate
        #: Number of samples to expect at ``rate``, by the file's header.
        self.frame_count = round(self._file.frames * self.rate / self.source_rate)
        #: Damaged samples replaced by 0 so far.
        self.replaced_count = 0
        self.notes: list[str] = _truncation_notes(self._file, path)
        self._source_frames_read = 0
        self._chunks = self._read_chunks()
        self._pending: FloatArray = np.zeros(0, np.float32)

    def read(self, count: int) -> FloatArray:
        """The next ``count`` samples, ``[T]``; fewer at the end, none after it."""
        pieces, missing = [self._pending], count - len(self._pending)
        while missing > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            pieces.append(chunk)
            missing -= len(chunk)
        samples = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
        self._pending = samples[count:]
        return samples[:count]

    def blocks(self, size: int = 4096) -> Iterator[FloatArray]:
        """All remaining samples in blocks of ``size``; the last may be shorter.

        Raises:
            ValueError: ``size`` is less than 1.
            StruckError: the file cannot be read on.
        """
        if size < 1:
            raise ValueError(f"a block has at least 1 sample, not {size}")
        while len(block := self.read(size)):
            yield block

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read_chunks(self) -> Iterator[FloatArray]:
        resampler = None
        if self.rate != self.source_rate:
            resampler = soxr.ResampleStream(self.source_rate, self.rate, 1, dtype="float32", quality="HQ")
        frames = max(64, _READ_SAMPLES // self.source_channels)
        while len(source := self._read_source(frames)):
            mono = source.mean(axis=1, dtype=np.float32) if source.shape[1] > 1 else source[:, 0]
            yield mono if resampler is None else resampler.resample_chunk(mono)
        if resampler is not None and self._source_frames_read:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        if self.replaced_count:
            self.notes.append(f"{self.path}: {self.replaced_count} damaged samples (NaN, inf) replaced by 0")

    def _read_source(self, frames: int) -> FloatArray:
        """Up to ``frames`` frames ``[T, C]``; none at the end, or where a cut compressed file breaks off."""
        try:
            source: FloatArray = self._file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            seconds = self._source_frames_read / self.source_rate
            if not self._source_frames_read:
                raise StruckError(f"cannot read {self.path}: {reason}") from error
            self.notes.append(f"{self.path}: damaged or cut off; read the first {seconds:.2f} s ({reason})")
            return np.zeros((0, self.source_channels), np.float32)
        self._source_frames_read += len(source)
        damaged = ~(np.abs(source) <= _MAGNITUDE_LIMIT)  # true for NaN too
        if damaged.any():
            self.replaced_count += int(damaged.sum())
            source[damaged] = 0.0
        return source


def open_audio(path: str | Path, rate: int | None = None) -> AudioReader:
    """Open a sound file as a stream of mono float32 samples; close it or use ``with``.

    Args:
        path: any file that libsndfile reads. A file of no samples is valid: it yields none.
        rate: wanted rate in Hz; None keeps the file's own.

    Raises:
        ValueError: ``rate`` is outside 1,000 to 768,000 Hz.
        StruckError: the file is missing, empty, not a sound file, or of an impossible rate.
    """
    if rate is not None and not _SOURCE_RATE_LOW <= rate <= _SOURCE_RATE_HIGH:
        raise ValueError(f"rate is {rate}; the range is {_SOURCE_RATE_LOW} to {_SOURCE_RATE_HIGH} Hz")
    return AudioReader(Path(path), rate)


def read_mono(path: str | Path, rate: int) -> FloatArray:
    """All samples of a sound file, ``[T]`` at ``rate`` Hz; for what fits in memory.

    Raises:
        ValueError, StruckError: as :func:`open_audio`.
    """
    with open_audio(path, rate) as reader:
        blocks = list(reader.blocks(1 << 16))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _open_sound_file(path: Path) -> Any:
    if path.is_dir():
        raise StruckError(f"{path} is a folder, not a sound file")
    if not path.exists():
        raise StruckError(f"sound file not found: {path}")
    if not path.is_file():
        raise StruckError(f"{path} is not a regular file")
    try:
        if path.stat().st_size == 0:
            raise StruckError(f"{path} is empty (0 bytes)")
        with path.open("rb"):  # libsndfile tells no more than "System error"
            pass
    except OSError as error:
        raise StruckError(f"cannot read {path}: {error.strerror}") from error
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise StruckError(f"{path} is not a readable sound file ({reason})") from error
    except TypeError as error:  # soundfile asks for the rate of a file named .raw, which has no header
        raise StruckError(f"{path} is not a readable sound file (no header)") from error
    if file.frames == 0 and (path.stat().st_size > _EMPTY_BYTES_LIMIT or _truncation_notes(file, path)):
        file.close()
        raise StruckError(f"cannot read {path}: it is damaged or cut off")
    if not _SOURCE_RATE_LOW <= file.samplerate <= _SOURCE_RATE_HIGH:
        file.close()
        raise StruckError(f"{path} has a sample rate of {file.samplerate} Hz, which cannot be read")
    return file


def _truncation_notes(file: Any, path: Path) -> list[str]:
    """One note where the file is seen to break off. FLAC and MP3 show it only when they are read."""
    seconds = file.frames / file.samplerate
    note = f"{path}: cut off; read the {seconds:.2f} s that are there"
    if file.format == "OGG":
        with path.open("rb") as data:
            data.seek(max(0, path.stat().st_size - (1 << 17)))  # an Ogg page has at most 65,307 bytes
            end = data.read()
        page = end.rfind(b"OggS")
        # Byte 5 of a page header: its bit 4 marks the end of the stream (RFC 3533, section 6).
        ended = 0 <= page < len(end) - 5 and end[page + 5] & 4
        return [] if ended else [note]
    # libsndfile logs where a WAV file holds less than its header promises, and reads on.
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    # Programs that write to a pipe do not know the length and put the highest number.
    if found is None or int(found[1]) >= 0x7FFF_0000 or int(found[1]) <= int(found[2]):
        return []
    return [note]
