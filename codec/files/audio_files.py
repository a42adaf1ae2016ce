"""Sound files: read as a stream of mono samples at a wanted rate, written whole or not at all.

Read is whatever soundfile (libsndfile) reads: WAV, FLAC, Ogg, MP3, AIFF and more, any sample format. Written
are ``.wav``, ``.flac`` and ``.ogg``. Memory stays flat: a file of an hour costs no more than one of a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..events.errors import StruckError
from .audio_writer import WRITABLE, AudioWriter
from .mended_sound import CUT, UNKNOWN, MendedSound, find_mend

__all__ = ["WRITABLE", "AudioReader", "AudioWriter", "open_audio", "read_mono"]

FloatArray = NDArray[np.float32]
#: Of a number of channels, the weight of each.
Weigh = Callable[[int], Sequence[float]]

#: Samples (frames times channels) taken from a file at a time. Fixed, so that what comes out does not
#: depend on how much the caller asks for.
_READ_SAMPLES: Final = 1 << 16
_SOURCE_RATE_LOW, _SOURCE_RATE_HIGH = 1_000, 768_000
#: libsndfile says "unknown" with the highest number; half of it would sound for longer than the Earth is old.
_FRAMES_LIMIT: Final = 1 << 62
#: A file that really has no samples is no larger than its headers; others lost their length with their end.
_EMPTY_BYTES_LIMIT: Final = 1 << 13
#: By this much a file may be shorter than it promises without being cut: MP3 counts whole frames.
_INEXACT_SECONDS: Final = 0.25
#: 120 dB over full scale: not sound but damage, and its square would leave float32.
_MAGNITUDE_LIMIT: Final = 1e6


class AudioReader:
    """A sound file as mono float32 at ``rate``; use :func:`open_audio`. Iterate with :meth:`blocks`.

    Channels are averaged, or weighed. Damaged samples (NaN, infinite, beyond 120 dB over full scale) are 0.
    What the user should know is in :attr:`notes`, complete once the end has been reached.
    """

    def __init__(self, path: Path, rate: int | None, weigh: Weigh | None = None) -> None:
        self.path = path
        self._file, self._mended, self.notes = _open_sound_file(path)
        self._weights: FloatArray | None = None
        if weigh is not None:
            try:
                self._weights = np.asarray(weigh(self._file.channels), np.float32)
            except StruckError:
                self.close()
                raise
        self.source_rate: int = self._file.samplerate
        self.source_channels: int = self._file.channels
        self._promised_frames: int | None = None if _tells_no_length(self._file) else self._file.frames
        #: Length in seconds: as the header tells it, 0 where it tells none; once the end has been reached, of
        #: what was there.
        self.duration_seconds: float = (self._promised_frames or 0) / self.source_rate
        self.rate = self.source_rate if rate is None else rate
        #: Damaged samples replaced by 0 so far.
        self.replaced_count = 0
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
        if self._mended is not None:
            self._mended.close()

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
            mono = self._mono(source)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        if resampler is not None and self._source_frames_read:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        promised_seconds = self.duration_seconds
        self.duration_seconds = self._source_frames_read / self.source_rate
        if not self.notes and promised_seconds - self.duration_seconds > _INEXACT_SECONDS:
            self.notes.append(_read_what_is_there(self.path, CUT, self.duration_seconds))
        if self._promised_frames is None:
            self.notes.append(_read_what_is_there(self.path, UNKNOWN, self.duration_seconds))
        if self.replaced_count:
            self.notes.append(f"{self.path}: {self.replaced_count} damaged samples (NaN, inf) replaced by 0")

    def _mono(self, source: FloatArray) -> FloatArray:
        if source.shape[1] == 1:
            return source[:, 0]
        return source.mean(axis=1, dtype=np.float32) if self._weights is None else source @ self._weights

    def _read_source(self, frames: int) -> FloatArray:
        """Up to ``frames`` frames ``[T, C]``; none at the end, or where a cut compressed file breaks off."""
        source = np.empty((frames, self.source_channels), np.float32)
        # soundfile's own read seeks after each block, which no FLAC file of unknown length allows.
        pointer = soundfile._ffi.cast("float *", source.ctypes.data)
        count = soundfile._snd.sf_readf_float(self._file._file, pointer, frames)
        fault = soundfile._snd.sf_error(self._file._file)
        source = source[:count]
        self._source_frames_read += count
        if fault and not count:
            reason = soundfile.LibsndfileError(fault).error_string.rstrip(".")
            if not self._source_frames_read:
                raise StruckError(f"cannot read {self.path}: {reason}")
            seconds = self._source_frames_read / self.source_rate
            self.notes.append(f"{self.path}: damaged or cut off; read the first {seconds:.2f} s ({reason})")
            return source
        damaged = ~(np.abs(source) <= _MAGNITUDE_LIMIT)  # true for NaN too
        if damaged.any():
            self.replaced_count += int(damaged.sum())
            source[damaged] = 0.0
        return source


def open_audio(path: str | Path, rate: int | None = None, weigh: Weigh | None = None) -> AudioReader:
    """Open a sound file as a stream of mono float32 samples; close it or use ``with``.

    Args:
        path: any file that libsndfile reads. A file of no samples is valid: it yields none.
        rate: wanted rate in Hz; None keeps the file's own.
        weigh: says how much each of so many channels counts; None averages them.

    Raises:
        ValueError: ``rate`` is outside 1,000 to 768,000 Hz.
        StruckError: the file is missing, empty, not a sound file, or its rate is impossible; what ``weigh``
            raises.
    """
    if rate is not None and not _SOURCE_RATE_LOW <= rate <= _SOURCE_RATE_HIGH:
        raise ValueError(f"rate is {rate}; the range is {_SOURCE_RATE_LOW} to {_SOURCE_RATE_HIGH} Hz")
    return AudioReader(Path(path), rate, weigh)


def read_mono(path: str | Path, rate: int, tell: Callable[[str], None] = lambda note: None) -> FloatArray:
    """All samples of a sound file, ``[T]`` at ``rate`` Hz; for what fits in memory.

    Args:
        path, rate: as of :func:`open_audio`.
        tell: gets each line that the user should know.

    Raises:
        ValueError, StruckError: as :func:`open_audio`.
    """
    with open_audio(path, rate) as reader:
        blocks = list(reader.blocks(1 << 16))
    for note in reader.notes:
        tell(note)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _open_sound_file(path: Path) -> tuple[Any, MendedSound | None, list[str]]:
    """The file as soundfile has it, what it reads in its place where the header is wrong, and notes."""
    if path.is_dir():
        raise StruckError(f"{path} is a folder, not a sound file")
    if not path.exists():
        raise StruckError(f"sound file not found: {path}")
    if not path.is_file():
        raise StruckError(f"{path} is not a regular file")
    try:
        if path.stat().st_size == 0:
            raise StruckError(f"{path} is empty (0 bytes)")
        mend = find_mend(path)  # opens it: libsndfile tells no more than "System error"
    except OSError as error:
        raise StruckError(f"cannot read {path}: {error.strerror}") from error
    mended = None if mend is None else MendedSound(path, mend)
    try:
        # soundfile encodes a name strictly; one that is not UTF-8 passes as the bytes it has.
        file = soundfile.SoundFile(mended or (os.fsencode(path) if os.name == "posix" else str(path)))
    except (soundfile.LibsndfileError, TypeError) as error:
        if mended is not None:
            mended.close()
        # TypeError: soundfile asks for the rate of a file named .raw, which has no header.
        reason = "no header" if isinstance(error, TypeError) else error.error_string.rstrip(".")
        raise StruckError(f"{path} is not a readable sound file ({reason})") from error
    if mend is not None and mend.reason:
        notes = [_read_what_is_there(path, mend.reason, file.frames / file.samplerate)]
    else:
        notes = _truncation_notes(file, path)
    if file.frames == 0 and (path.stat().st_size > _EMPTY_BYTES_LIMIT or notes):
        file.close()
        raise StruckError(f"cannot read {path}: it is damaged or cut off")
    if not _SOURCE_RATE_LOW <= file.samplerate <= _SOURCE_RATE_HIGH:
        file.close()
        raise StruckError(f"{path} has a sample rate of {file.samplerate} Hz, which cannot be read")
    return file, mended, notes


def _tells_no_length(file: Any) -> bool:
    return bool(file.frames > _FRAMES_LIMIT)


def _read_what_is_there(path: Path, reason: str, seconds: float) -> str:
    return f"{path}: {reason}; read the {seconds:.2f} s that are there"


def _truncation_notes(file: Any, path: Path) -> list[str]:
    """One note where the file is seen to break off. FLAC and MP3 show it only when they are read."""
    note = _read_what_is_there(path, CUT, file.frames / file.samplerate)
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
    return [] if found is None or int(found[1]) <= int(found[2]) else [note]
