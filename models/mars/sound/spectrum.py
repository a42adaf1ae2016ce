"""What MARS calls a spectrogram: sound to frames of bins and back, and the level in dB it is drawn in.

Frame k is centred on sample ``k * hop``; what lies before the first sample and after the last is zero::

    samples   |0        |hop      |2 hop         ...       |(T-1) hop   |T hop
    frame 0   ____/^\\____                                  ^ last frame
    frame 1             /^\\

so T frames stand for ``T * hop`` samples, and every sample lies under a frame's middle. Phases count from the
middle of the frame: an impulse there has phase 0 in all bins, and so has a cosine that peaks there. Values
are normalised by ``2 / sum(window)``: a steady sine of amplitude 1 has magnitude 1, or 0 dB.

The bin at half the rate is left out, to have a power of two of them; going back it is taken as zero.
Axes: F bin, T frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.spectrum import hann_window

from ....codec.files.samples import as_mono

Float32Array = NDArray[np.float32]
Complex64Array = NDArray[np.complex64]

#: Levels relative to a full-scale sine. Nothing between -1 and 1 shows higher than 6 dB (a constant).
FLOOR_DB: Final = -80.0
CEILING_DB: Final = 20.0

_FLOOR_POWER: Final = np.float32(10.0 ** (FLOOR_DB / 10.0))


@dataclass(frozen=True)
class MarsFrames:
    """How frames are cut: a Hann window of ``window_samples``, every ``hop_samples``.

    The defaults are those of MARS: 1,024 bins, and 352 frames in 90,112 samples.

    Raises:
        ValueError: the window is not even, or not a multiple of the hop, or shorter than four hops (then its
            squares do not add up to something flat).
    """

    window_samples: int = 2048
    hop_samples: int = 256
    rate_hz: int = ANALYSIS_RATE

    def __post_init__(self) -> None:
        if self.hop_samples < 1 or self.rate_hz < 1:
            raise ValueError(f"hop_samples {self.hop_samples} and rate_hz {self.rate_hz} must be at least 1")
        if self.window_samples % 2 or self.window_samples % self.hop_samples:
            raise ValueError(
                f"window_samples is {self.window_samples}; it must be even and a multiple of hop_samples "
                f"({self.hop_samples})"
            )
        if self.window_samples < 4 * self.hop_samples:
            raise ValueError(f"window_samples is {self.window_samples}; it must be at least four hops")

    @property
    def bin_count(self) -> int:
        """F, from 0 Hz up to, but without, half the rate."""
        return self.window_samples // 2

    def stft(self, samples: ArrayLike) -> Complex64Array:
        """Spectrum ``[F, T]`` of ``samples [N]``, ``T = ceil(N / hop)``; in memory one frame after another.

        Raises:
            ValueError: the samples are not ``[N >= 1]``, or not finite.
        """
        signal = as_mono(samples)
        if signal.size == 0:
            raise ValueError(f"samples have the shape [N], N >= 1, not {signal.shape}")
        if not np.isfinite(signal).all():
            raise ValueError("samples must be finite")
        return self.analyse(signal).T

    def istft(self, spectrum: ArrayLike) -> Float32Array:
        """Samples ``[T * hop]`` whose spectrum is nearest to ``spectrum [F, T]`` (least squares).

        Windowed again, added up, divided by the sum of the squared windows (Griffin and Lim 1984, "Signal
        estimation from modified short-time Fourier transform", eq. 6). What :meth:`stft` gave comes back as
        it was, but for what was at half the rate.

        Raises:
            ValueError: the spectrum is not ``[F, T >= 1]``, or not finite.
        """
        values = np.asarray(spectrum, np.complex64)
        self.check_shape(values)
        if not np.isfinite(values).all():
            raise ValueError("a spectrum must be finite")
        return self.synthesise(np.ascontiguousarray(values.T))

    def log_magnitude(self, samples: ArrayLike) -> Float32Array:
        """Level ``[F, T]`` of ``samples [N]`` in dB; see :func:`magnitude_to_db`."""
        return magnitude_to_db(np.abs(self.stft(samples)))

    def check_shape(self, values: NDArray) -> None:
        """Raise ``ValueError`` where ``values`` is not ``[F, T >= 1]``."""
        if values.ndim != 2 or values.shape[0] != self.bin_count or values.shape[1] < 1:
            raise ValueError(f"expected [{self.bin_count}, T >= 1], not {values.shape}")

    def analyse(self, signal: Float32Array) -> Complex64Array:
        """:meth:`stft` frame by frame, ``[T, F]``, unchecked."""
        half, hop = self.window_samples // 2, self.hop_samples
        count = -(-signal.size // hop)
        padded = np.zeros((count - 1) * hop + 2 * half + hop, np.float32)
        padded[half : half + signal.size] = signal
        frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)[: count * hop : hop]
        spectrum = scipy.fft.rfft(frames * _analysis_window(self.window_samples), axis=1)[:, :-1]
        # From the frame's start to its middle are half a window's samples: half a turn per bin.
        np.negative(spectrum[:, 1::2], out=spectrum[:, 1::2])
        return spectrum

    def synthesise(self, spectrum: Complex64Array) -> Float32Array:
        """:meth:`istft` of ``[T, F]``, unchecked."""
        hop, overlap = self.hop_samples, self.window_samples // self.hop_samples
        count = len(spectrum)
        turned = np.zeros((count, self.bin_count + 1), np.complex64)
        turned[:, :-1] = spectrum
        np.negative(turned[:, 1::2], out=turned[:, 1::2])
        frames = scipy.fft.irfft(turned, axis=1, overwrite_x=True)
        frames *= _synthesis_window(self.window_samples)
        parts = frames.reshape(count, overlap, hop)
        # Blocks of a hop: frame k lies on blocks k .. k + overlap - 1, half of them before its middle.
        blocks = np.zeros((count + overlap - 1, hop), np.float32)
        for j in range(overlap):
            blocks[j : j + count] += parts[:, j]
        start = overlap * hop // 2
        samples = blocks.reshape(-1)[start : start + count * hop]
        return samples / _window_sum(self.window_samples, hop, count)


#: The setting of MARS.
MARS_FRAMES: Final = MarsFrames()


def magnitude_to_db(magnitude: ArrayLike) -> Float32Array:
    """dB relative to a full-scale sine, between ``FLOOR_DB`` and ``CEILING_DB``, any shape.

    The floor is soft, as if there were a noise of that power besides: ``10 log10(magnitude^2 + floor)``. So
    the way back, :func:`db_to_magnitude`, takes a network's small errors about the floor for almost nothing;
    a thousand bins that stay at -80 dB would be a hiss of -55 dB.
    """
    power = np.square(np.asarray(magnitude, np.float32)) + _FLOOR_POWER
    return np.minimum(np.float32(10.0) * np.log10(power), np.float32(CEILING_DB))


def db_to_magnitude(level_db: ArrayLike) -> Float32Array:
    """Magnitude of levels in dB, any shape; what lies at the floor or under it is 0."""
    level = np.minimum(np.asarray(level_db, np.float32), np.float32(CEILING_DB))
    power = np.exp(level * np.float32(np.log(10.0) / 10.0)) - _FLOOR_POWER
    return np.sqrt(np.maximum(power, np.float32(0.0)))


def convergence_db(magnitude: ArrayLike, samples: ArrayLike, frames: MarsFrames = MARS_FRAMES) -> float:
    """Spectral convergence: error of the magnitudes that ``samples`` show over ``magnitude [F, T]``, dB.

    ``20 log10(||S| - |STFT(x)||_F / ||S||_F)``; lower is better, 0 dB is what silence reaches. Silence for
    silence is -inf.
    """
    wanted = np.asarray(magnitude, np.float32)
    missing = float(np.linalg.norm(wanted - np.abs(frames.stft(samples))))
    total = float(np.linalg.norm(wanted))
    if missing == 0.0:
        return -np.inf
    return float(20.0 * np.log10(missing / total)) if total > 0.0 else np.inf


@lru_cache(maxsize=8)
def _analysis_window(window_samples: int) -> Float32Array:
    window = hann_window(window_samples)
    return window * np.float32(2.0 / window.sum(dtype=np.float64))


@lru_cache(maxsize=8)
def _synthesis_window(window_samples: int) -> Float32Array:
    window = hann_window(window_samples)
    return window * np.float32(window.sum(dtype=np.float64) / 2.0)


@lru_cache(maxsize=8)
def _window_sum(window_samples: int, hop_samples: int, frame_count: int) -> Float32Array:
    """Sum of the squared windows over ``frame_count`` frames, ``[T * hop]``."""
    overlap = window_samples // hop_samples
    squares = (hann_window(window_samples).astype(np.float64) ** 2).reshape(overlap, hop_samples)
    blocks = np.zeros((frame_count + overlap - 1, hop_samples))
    for j in range(overlap):
        blocks[j : j + frame_count] += squares[j]
    start = overlap * hop_samples // 2
    return blocks.reshape(-1)[start : start + frame_count * hop_samples].astype(np.float32)


@cache
def band_matrix(window_samples: int, lowest_pitch: float, count: int) -> Float32Array:
    """Triangles over power ``[window_samples / 2 + 1, count]``, half a semitone or one bin wide to each side.

    Args:
        lowest_pitch: MIDI pitch of the first one's centre; half a semitone lies between bands.
    """
    pitches = lowest_pitch + 0.5 * np.arange(-1, count + 1)
    edges = 440.0 * 2.0 ** ((pitches - 69.0) / 12.0) * window_samples / ANALYSIS_RATE
    centre = edges[1:-1]
    # Where half a semitone is less than a bin, the triangles interpolate between bins.
    below, above = np.maximum(centre - edges[:-2], 1.0), np.maximum(edges[2:] - centre, 1.0)
    bins = np.arange(window_samples // 2 + 1)[:, None]
    matrix = np.maximum(np.minimum((bins - centre + below) / below, (centre + above - bins) / above), 0.0)
    return matrix.astype(np.float32)
