"""What MARS calls a spectrogram: sound to frames of bins and back, and the level in dB it is drawn in.

Frame k is centred on sample ``k * hop``; what lies before the first sample and after the last is zero::

    samples   |0        |hop      |2 hop         ...       |(T-1) hop   |T hop
    frame 0   ____/^\\____                                  ^ last frame
    frame 1             /^\\

so T frames stand for ``T * hop`` samples, and every sample lies under a frame's middle. In a loop, what lies
before the first sample is the end, and after the last comes the beginning.

A hop need not be whole: that of a phrase is a 44th of a beat. The window then stands on the nearest sample,
and phases are turned to the time that is meant, at most half a sample away: bins about a partial turn by as
much as it does, within a 300th of a radian, and the turn is undone exactly on the way back.

Phases count from the middle of the frame: an impulse there has phase 0 in all bins, and so has a cosine that
peaks there. Values are normalised by ``2 / sum(window)``: a steady sine of amplitude 1 has magnitude 1, 0 dB.

The bin at half the rate is left out, to have a power of two of them; going back it is taken as zero.
Axes: F bin, T frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, TypeVar

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.files.samples import as_mono
from struck.codec.hearing.spectrum import hann_window

Float32Array = NDArray[np.float32]
Complex64Array = NDArray[np.complex64]
R = TypeVar("R", np.float32, np.float64)

#: Levels relative to a full-scale sine. Nothing between -1 and 1 shows higher than 6 dB (a constant).
FLOOR_DB: Final = -80.0
CEILING_DB: Final = 20.0

_FLOOR_POWER: Final = np.float32(10.0 ** (FLOOR_DB / 10.0))


@dataclass(frozen=True)
class MarsFrames:
    """How frames are cut: a Hann window of ``window_samples``, every ``hop_samples``, around a loop or not.

    The defaults are those of MARS' single notes: 1,024 bins, and 352 frames in 90,112 samples.

    Raises:
        ValueError: the window is not even, or shorter than four hops (then its squares do not add up to
            something flat).
    """

    window_samples: int = 2048
    hop_samples: float = 256.0
    rate_hz: int = ANALYSIS_RATE
    is_loop: bool = False

    def __post_init__(self) -> None:
        if not self.hop_samples >= 1.0 or self.rate_hz < 1:
            raise ValueError(f"hop_samples {self.hop_samples} and rate_hz {self.rate_hz} must be at least 1")
        if self.window_samples % 2:
            raise ValueError(f"window_samples is {self.window_samples}; it must be even")
        if self.window_samples < 4.0 * self.hop_samples:
            raise ValueError(f"window_samples is {self.window_samples}; it must be at least four hops")

    @property
    def bin_count(self) -> int:
        """F, from 0 Hz up to, but without, half the rate."""
        return self.window_samples // 2

    def frame_count(self, sample_count: int) -> int:
        """T of a sound: its samples over the hop, rounded up; of a loop the nearest."""
        if self.is_loop:
            return max(1, round(sample_count / self.hop_samples))
        return math.ceil((sample_count - 0.5) / self.hop_samples)

    def sample_count(self, frame_count: int) -> int:
        """Samples that ``frame_count`` frames stand for."""
        return round(frame_count * self.hop_samples)

    def stft(self, samples: ArrayLike) -> Complex64Array:
        """Spectrum ``[F, T]`` of ``samples [N]``, T as :meth:`frame_count` says; in memory frame after frame.

        Raises:
            ValueError: the samples are not ``[N >= 1]``, or not finite, or a loop's are no whole frames.
        """
        signal = as_mono(samples)
        if signal.size == 0:
            raise ValueError(f"samples have the shape [N], N >= 1, not {signal.shape}")
        if not np.isfinite(signal).all():
            raise ValueError("samples must be finite")
        if self.is_loop and signal.size != self.sample_count(self.frame_count(signal.size)):
            raise ValueError(f"{signal.size} samples are no loop of frames of {self.hop_samples:g}")
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
        half = self.window_samples // 2
        centres, turns = _places(self, self.frame_count(signal.size))
        if self.is_loop:
            padded = np.pad(signal, half, mode="wrap")
        else:
            padded = np.zeros(max(signal.size, int(centres[-1])) + 2 * half, np.float32)
            padded[half : half + signal.size] = signal
        frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)[centres]
        spectrum = scipy.fft.rfft(frames * _analysis_window(self.window_samples), axis=1)[:, :-1]
        # From the frame's start to its middle are half a window's samples: half a turn per bin.
        np.negative(spectrum[:, 1::2], out=spectrum[:, 1::2])
        if turns is not None:
            spectrum *= turns
        return spectrum

    def synthesise(self, spectrum: Complex64Array) -> Float32Array:
        """:meth:`istft` of ``[T, F]``, unchecked."""
        count, half = len(spectrum), self.window_samples // 2
        centres, turns = _places(self, count)
        turned = np.zeros((count, self.bin_count + 1), np.complex64)
        turned[:, :-1] = spectrum
        if turns is not None:
            turned[:, :-1] *= turns.conj()
        np.negative(turned[:, 1::2], out=turned[:, 1::2])
        frames = scipy.fft.irfft(turned, axis=1, overwrite_x=True)
        frames *= _synthesis_window(self.window_samples)
        total = self.sample_count(count)
        added = np.zeros(max(total, int(centres[-1])) + 2 * half, np.float32)
        for centre, frame in zip(centres, frames, strict=True):
            added[centre : centre + 2 * half] += frame
        samples: Float32Array = _folded(added, total, half, self.is_loop) / _window_sum(self, count)
        return samples


def _folded(added: NDArray[R], total: int, half: int, is_loop: bool) -> NDArray[R]:
    """The ``total`` samples of a sum of frames that begins ``half`` samples earlier; in a loop all of it."""
    if not is_loop:
        return added[half : half + total]
    out = np.zeros(total, added.dtype)
    first = 0
    while first < added.size:
        # Where the loop's samples lie in the sum: one pass before, one after, more of a very short loop.
        place = (first - half) % total
        count = min(total - place, added.size - first)
        out[place : place + count] += added[first : first + count]
        first += count
    return out


#: The setting of MARS' single notes.
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


@lru_cache(maxsize=32)
def _places(frames: MarsFrames, frame_count: int) -> tuple[NDArray[np.int64], Complex64Array | None]:
    """Samples on which frames stand, and how much bins are turned from there ``[T, F]``; None: not at all."""
    meant = np.arange(frame_count) * frames.hop_samples
    centres = np.round(meant).astype(np.int64)
    beside = meant - centres
    if not beside.any():
        return centres, None
    turns = np.outer(beside, np.arange(frames.bin_count)) / frames.window_samples
    return centres, np.exp(2j * np.pi * turns).astype(np.complex64)


@lru_cache(maxsize=32)
def _window_sum(frames: MarsFrames, frame_count: int) -> Float32Array:
    """Sum of the squared windows over ``frame_count`` frames, ``[T * hop]``."""
    centres, _ = _places(frames, frame_count)
    total, half = frames.sample_count(frame_count), frames.window_samples // 2
    squares = hann_window(frames.window_samples).astype(np.float64) ** 2
    added = np.zeros(max(total, int(centres[-1])) + 2 * half)
    for centre in centres:
        added[centre : centre + 2 * half] += squares
    return _folded(added, total, half, frames.is_loop).astype(np.float32)


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
