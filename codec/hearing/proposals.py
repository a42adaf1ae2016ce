"""Where the next events might be: onsets of pitches and of noise in the residual spectrogram.

Salience of a pitch in a frame is a weighted sum of compressed residual magnitude over its harmonics, less
what lies between them (after Klapuri, ISMIR 2006). An onset is where salience rises and stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter1d

from .lobes import sum_harmonics
from .spectrum import ANALYSIS_RATE

LOWEST_PITCH: Final = 24.0
HIGHEST_PITCH: Final = 108.0
STEPS_PER_SEMITONE: Final = 3
HARMONICS: Final = 12
#: Frames after an onset over which a proposal's salience is averaged, and frames before that it must exceed.
FRAMES_AFTER: Final = 8
FRAMES_BEFORE: Final = 4
#: Frames of which an onset is the strongest.
PEAK_FRAMES: Final = 5
_NOISE_PITCH: Final = 60.0


@dataclass(frozen=True)
class Proposals:
    """Onset frames ``[E]``, pitches ``[E]`` (MIDI, fractional), kinds ``[E]`` (1 where noise-like).

    ``salience [E]`` is relative to the most salient pitch; noise has none.
    """

    frame: np.ndarray
    pitch_midi: np.ndarray
    noise_like: np.ndarray
    salience: np.ndarray

    def take(self, chosen: np.ndarray) -> Proposals:
        """Those at the places ``chosen``."""
        return Proposals(
            self.frame[chosen], self.pitch_midi[chosen], self.noise_like[chosen], self.salience[chosen]
        )


class Proposer:
    """Finds the most salient onsets of a residual.

    Args:
        n_fft: window length of the residual's frames.
        peak_frames: odd; an onset is where salience rises most in so many frames. 1 takes any rise in the
            frames that are searched: where few frames are known after them, a slow rise has its peak beyond
            what is known, until it lies before what is searched.
    """

    def __init__(self, n_fft: int, peak_frames: int = PEAK_FRAMES) -> None:
        self._peak_frames = peak_frames
        lowest = max(LOWEST_PITCH, 69.0 + 12.0 * np.log2(3.0 * ANALYSIS_RATE / n_fft / 440.0))
        count = int((HIGHEST_PITCH - lowest) * STEPS_PER_SEMITONE) + 1
        self._pitches = lowest + np.arange(count) / STEPS_PER_SEMITONE
        f0 = 440.0 * 2.0 ** ((self._pitches - 69.0) / 12.0)
        self._f0_bins = (f0 * n_fft / ANALYSIS_RATE).astype(np.float32)
        self._harmonic_weights = (0.82 ** np.arange(HARMONICS)).astype(np.float32)
        self._n_fft = n_fft

    def propose(self, residual: np.ndarray, first: int, last: int, count: int) -> Proposals:
        """The ``count`` best pitched onsets, best first, then an eighth as many of noise.

        They lie in frames ``[first, last)`` of ``residual [T, F]``.

        Frames before ``first`` are context; there must be at least ``FRAMES_BEFORE`` of them.
        """
        level = np.sqrt(np.maximum(residual, 0.0))
        between = uniform_filter1d(level, max(5, self._n_fft // 64), axis=1)
        salience = np.empty((len(level), len(self._pitches)), np.float32)
        sum_harmonics(level, between, self._f0_bins, self._harmonic_weights, salience)
        np.maximum(salience, 0.0, out=salience)

        total = np.concatenate([np.zeros((1, salience.shape[1]), np.float32), np.cumsum(salience, 0)])
        # Peaks are sought beyond both ends: an edge would make peaks of slopes.
        frames = np.arange(first - 2, min(last + FRAMES_AFTER, len(salience)))
        end = np.minimum(frames + FRAMES_AFTER, len(salience))
        after = (total[end] - total[frames]) / (end - frames)[:, None]
        before = (total[frames - 1] - total[frames - FRAMES_BEFORE]) / (FRAMES_BEFORE - 1)
        # A rise counts most, yet a sound that goes on unexplained must be found as well.
        onset = after - 0.7 * before
        peak = (onset == maximum_filter(onset, (self._peak_frames, 5))) & (onset > 1e-6)
        peak &= salience[frames] > 0.0
        peak &= ((frames >= first) & (frames < last))[:, None]
        place, pitch = np.nonzero(peak)
        best = np.argsort(-onset[place, pitch], kind="stable")[:count]
        place, pitch = place[best], pitch[best]
        strength = onset[place, pitch]
        midi = self._refine(level, frames[place], pitch)
        noise = self._noise_onsets(level, first, last, max(1, count // 8))
        return Proposals(
            np.concatenate([frames[place], noise]),
            np.concatenate([midi, np.full(len(noise), _NOISE_PITCH, np.float32)]),
            np.concatenate([np.zeros(len(midi), np.float32), np.ones(len(noise), np.float32)]),
            np.concatenate(
                [strength / max(strength.max(initial=0.0), 1e-9), np.zeros(len(noise), np.float32)]
            ),
        )

    def _noise_onsets(self, level: np.ndarray, first: int, last: int, count: int) -> np.ndarray:
        """Frames in which the level across all bins rises most; noise has no pitch to look for."""
        total = np.concatenate([[0.0], np.cumsum(level.mean(1, dtype=np.float64))])
        # As for pitches, peaks are sought beyond both ends.
        frames = np.arange(max(first - 2, FRAMES_BEFORE), min(last + FRAMES_AFTER, len(level)))
        end = np.minimum(frames + FRAMES_AFTER, len(level))
        after = (total[end] - total[frames]) / (end - frames)
        before = (total[frames - 1] - total[frames - FRAMES_BEFORE]) / (FRAMES_BEFORE - 1)
        rise = after - 0.7 * before
        inside = (frames >= first) & (frames < last)
        highest = rise == maximum_filter(rise, 2 * self._peak_frames - 1)
        peak = np.flatnonzero(highest & (rise > 1e-6) & inside)
        return frames[peak[np.argsort(-rise[peak], kind="stable")[:count]]]

    def _refine(self, level: np.ndarray, frame: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Pitch from the parabolic peaks near the first harmonics, weighted by level."""
        refined = self._pitches[pitch].astype(np.float64)
        spectra = {t: level[t : t + FRAMES_AFTER].mean(0) for t in set(frame.tolist())}
        for i, (t, p) in enumerate(zip(frame.tolist(), pitch, strict=True)):
            spectrum = spectra[t]
            numbers = np.arange(1, 9)
            place = self._f0_bins[p] * numbers
            numbers = numbers[place < len(spectrum) - 3]
            centre = np.round(place[: len(numbers)]).astype(int)
            near = centre[:, None] + np.arange(-1, 2)
            centre = near[np.arange(len(near)), np.argmax(spectrum[near], 1)]
            below, at, above = spectrum[centre - 1], spectrum[centre], spectrum[centre + 1]
            curve = below - 2.0 * at + above
            offset = np.clip(0.5 * (below - above) / np.minimum(curve, -1e-9), -0.5, 0.5)
            weight = np.maximum(at - 0.5 * (below + above), 0.0) * numbers
            f0 = (weight * (centre + offset) / numbers).sum() / (weight.sum() + 1e-12)
            if f0 > 0.0:
                cents = 12.0 * np.log2(f0 / self._f0_bins[p])
                refined[i] += np.clip(
                    cents, -0.5 / STEPS_PER_SEMITONE - 0.15, 0.5 / STEPS_PER_SEMITONE + 0.15
                )
        return refined.astype(np.float32)
