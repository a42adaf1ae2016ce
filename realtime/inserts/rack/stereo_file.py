"""A sound file read at its own rate and in its own channels, up to two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from ....codec.events.errors import StruckError
from ..plugins.plugin import FloatArray

_BLOCK_FRAMES: Final = 8_192


class StereoFile:
    """Context manager that reads a sound file.

    Args:
        path: of the file.

    Raises:
        StruckError: it cannot be read, or has more than two channels.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StruckError(f"sound file not found: {path}")  # libsndfile says no more than "System error"
        try:
            self._file = soundfile.SoundFile(path)
        except (OSError, soundfile.LibsndfileError) as error:
            reason = getattr(error, "error_string", None) or error
            raise StruckError(f"cannot read {path}: {reason}") from None
        self.rate: int = self._file.samplerate
        self.seconds: float = self._file.frames / self.rate
        if self._file.channels > 2:
            self._file.close()
            raise StruckError(f"{path} has {self._file.channels} channels; two are the most")

    def blocks(self) -> Iterator[FloatArray]:
        """All of it, float32 ``[F, C]``."""
        while len(block := self._file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield np.ascontiguousarray(block)

    def __enter__(self) -> StereoFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
