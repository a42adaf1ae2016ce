"""Sound that is late by a whole number of frames."""

from __future__ import annotations

import numpy as np

from ..plugins.plugin import FloatArray


class DelayLine:
    """Delays ``[C, B]`` blocks by a whole number of frames."""

    def __init__(self, frames: int, channels: int, block_frames: int) -> None:
        self._frames = frames
        self._line = np.zeros((channels, frames + block_frames), np.float32)

    def process(self, block: FloatArray) -> FloatArray:
        """The block that went in so many frames ago; a view, valid until the next call."""
        if self._frames == 0:
            return block
        size = block.shape[1]
        self._line[:, :-size] = self._line[:, size:]
        self._line[:, -size:] = block
        return self._line[:, :size]
