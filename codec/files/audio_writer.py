"""A sound file being written: beside its destination first, in place only when it is whole."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..events.errors import StruckError
from .part_files import live_part_file, part_file
from .samples import as_samples

#: Extension -> (container, default sample format) of what can be written.
WRITABLE: Final[dict[str, tuple[str, str]]] = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
}
#: The length fields of a WAV file have 32 bits; the header takes less than 1 kB of that.
_WAV_BYTES_LIMIT: Final = (1 << 32) - 1024
#: libsndfile's Vorbis encoder keeps a whole write on the stack.
_WRITE_FRAMES: Final = 1 << 14
#: libsndfile's commands, which soundfile has no names for: make a RIFF of an RF64 file while it is below
#: 4 GB; write the header as it stands now.
_RF64_AUTO_DOWNGRADE: Final = 0x1210
_UPDATE_HEADER_NOW: Final = 0x1060


class AudioWriter:
    """Context manager that writes a sound file beside ``path`` and renames it at success.

    On any exception inside the ``with`` block the part is removed and what stood there stays as it was.

    A *live* file, always ``.wav``, stands in ``part_path(path)`` until it is whole. Its header is renewed
    every second of sound, so that the part can be read at any time and all but its last second survives the
    death of the process; on failure it stays. Beyond 4 GB it becomes an RF64 file (EBU Tech 3306), which
    libsndfile and most editors read.

    Args:
        path: the destination; its extension (.wav, .flac, .ogg) chooses the format.
        rate: in Hz.
        channels: number of channels.
        subtype: sample format as libsndfile names it (``PCM_16``, ``PCM_24``, ``FLOAT`` ...); None takes
            24 bits for .wav and .flac, Vorbis for .ogg. All but ``FLOAT`` and ``DOUBLE`` clip at full scale.
        live: what is written is a recording that cannot be made again.

    Raises:
        StruckError: unknown extension, a rate or subtype that the format cannot hold; on entering, an
            unwritable destination, or for a live file that an unfinished one exists; on writing or leaving, a
            full disk.
    """

    def __init__(
        self,
        path: str | Path,
        rate: int,
        channels: int = 1,
        subtype: str | None = None,
        *,
        live: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in WRITABLE:
            known = ", ".join(WRITABLE)
            raise StruckError(f"cannot write {self.path}: the extension must be one of {known}")
        self._container, default_subtype = WRITABLE[self.path.suffix.lower()]
        self._live = live
        if live:
            # A FLAC file that was never closed does not know its length, and few programs play it.
            if self._container != "WAV":
                raise StruckError(f"cannot record {self.path}: the extension must be .wav")
            self._container = "RF64"
        self.subtype = subtype or default_subtype
        self.rate, self.channels = rate, channels
        if not soundfile.check_format(self._container, self.subtype):
            raise StruckError(f"cannot write {self.path}: {self._container} cannot hold {self.subtype}")
        #: Frames written, and samples that were beyond full scale and were clipped.
        self.frame_count = self.clipped_count = 0
        self._header_frames = 0
        self._clips = self.subtype not in ("FLOAT", "DOUBLE")
        self._stack = ExitStack()

    @property
    def notes(self) -> list[str]:
        """What the user should know: one line where samples were clipped."""
        if not self.clipped_count:
            return []
        return [f"{self.path}: {self.clipped_count} samples were beyond full scale and were clipped"]

    def __enter__(self) -> AudioWriter:
        with ExitStack() as stack:
            part_of = live_part_file if self._live else part_file
            part = stack.enter_context(part_of(self.path))
            # Unbuffered: what a full disk has refused must not be tried again behind the header that is told.
            file = stack.enter_context(part.open("wb", buffering=0))
            self._sink = _Sink(file)
            try:
                self._file = soundfile.SoundFile(
                    self._sink, "w", self.rate, self.channels, self.subtype, format=self._container
                )
            except soundfile.LibsndfileError as error:
                reason = error.error_string.rstrip(".")
                raise StruckError(
                    f"cannot write {self.path} at {self.rate} Hz with {self.channels} channels ({reason})"
                ) from error
            stack.callback(self._file.close)
            if self._live:
                self._command(_RF64_AUTO_DOWNGRADE, 1)
                self._update_header()
            self._stack = stack.pop_all()
        return self

    def write(self, block: NDArray[Any]) -> None:
        """Append ``block``, ``[T]`` (one channel) or ``[T, C]``: floats with full scale at 1, int16 or int32.

        Raises:
            TypeError: whole numbers of another size.
            ValueError: the shape does not fit, or a sample is not finite.
            StruckError: the disk is full, or the format's size is exceeded.
        """
        block = as_samples(block)
        shaped = block[:, None] if block.ndim == 1 else block
        if shaped.ndim != 2 or shaped.shape[1] != self.channels:
            raise ValueError(f"a block of shape {block.shape} does not fit {self.channels} channels")
        if not np.isfinite(shaped).all():
            raise ValueError("a block to be written holds NaN or infinite samples")
        if self._clips:
            self.clipped_count += int(np.count_nonzero(np.abs(shaped) > 1.0))
            shaped = np.clip(shaped, -1.0, 1.0)
        for start in range(0, len(shaped), _WRITE_FRAMES):
            piece = shaped[start : start + _WRITE_FRAMES]
            try:
                self._file.write(piece)
            except (soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts a full write
                self._sink.check(self.path)
                raise StruckError(f"cannot write {self.path}: {error}") from error
            self._sink.check(self.path)
            self.frame_count += len(piece)
            if self._live and self.frame_count - self._header_frames >= self.rate:
                self._update_header()
        if self._container == "WAV" and self._sink.tell() > _WAV_BYTES_LIMIT:
            raise StruckError(f"cannot write {self.path}: a WAV file ends at 4 GB; write .flac instead")

    def _update_header(self) -> None:
        self._command(_UPDATE_HEADER_NOW, 0)
        self._sink.check(self.path)
        self._header_frames = self.frame_count

    def _command(self, number: int, value: int) -> None:
        soundfile._snd.sf_command(self._file._file, number, soundfile._ffi.NULL, value)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._file.close()  # writes the last samples and the header, so the sink is asked once more
            self._sink.check(self.path)
            if self._container == "FLAC" and not self.frame_count:
                raise StruckError(f"cannot write {self.path}: FLAC cannot hold a sound of no samples")


class _Sink:
    """A file for libsndfile's callbacks, out of which no exception can pass: it is kept and raised after."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: BaseException | None = None

    def write(self, data: bytes) -> int:
        if self._error is not None:
            return 0
        count = 0
        try:
            while count < len(data):  # the operating system may take a part
                count += self._file.write(data[count:])
        except BaseException as error:  # Ctrl-C may land here too
            self._error = error
        return count

    def read(self, count: int) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def check(self, path: Path) -> None:
        """Raise what happened inside a callback."""
        if isinstance(self._error, OSError):
            raise StruckError(f"cannot write {path}: {self._error.strerror}") from self._error
        if self._error is not None:
            raise self._error
