"""What was heard last, as frames of one window length, whatever the encoder's own is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..spectrum import HOP, frames_to_magnitudes


class Memory:
    """The last frames of a sound, filled as it comes.

    A long window tells pitches apart that a short one does not; what a hasty encoder guessed from the short
    one is mended by the long one, a few frames later.

    Args:
        n_fft: window length.
        rows: frames kept.
    """

    def __init__(self, n_fft: int, rows: int) -> None:
        self._n_fft, self._rows = n_fft, rows
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next sample is sample 0."""
        #: Magnitudes ``[rows, F]``, zeros before the stream began.
        self.observed: NDArray[np.float32] = np.zeros((self._rows, self._n_fft // 2 + 1), np.float32)
        #: Of the stream: the one after the last row.
        self.end_frame = 0
        self._samples = np.zeros(self._n_fft // 2, np.float32)  # frame 0 is centred on sample 0

    @property
    def first_frame(self) -> int:
        """Of the stream, in row 0; negative before the memory is full."""
        return self.end_frame - self._rows

    def hear(self, sound: NDArray[np.float32]) -> None:
        """Take samples ``[N]``; every frame whose window is full is computed."""
        self._samples = np.concatenate([self._samples, sound])
        count = (len(self._samples) - self._n_fft) // HOP + 1
        if count < 1:
            return
        view = np.lib.stride_tricks.sliding_window_view(self._samples, self._n_fft)
        fresh = frames_to_magnitudes(view[: count * HOP : HOP])
        self.observed = np.concatenate([self.observed, fresh])[-self._rows :]
        self._samples = self._samples[count * HOP :]
        self.end_frame += count
