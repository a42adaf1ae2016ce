"""Events as magnitude frames for the encoder: the numpy twin of the training renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from ..events.controls import LN_1000, Controls, compute_controls, make_tables
from ..events.event_spec import ANALYSIS_RATE
from ..events.lives import EventLife
from ..events.segments import end_controls, sounding_spans, tabulate_lives
from .lobes import make_lobe_table, place_lobes
from .spectrum import HOP, FrameTables, compute_frames, make_frame_tables, noise_band_matrix

#: Frames rendered before the onset: its window reaches back that far.
FRAMES_BEFORE: Final = 4
_LENGTHS: Final = (16, 32, 64, 128, 256, 512)


@lru_cache(maxsize=16)
def _frame_tables(length: int, n_fft: int) -> FrameTables:
    return make_frame_tables(np.arange(-FRAMES_BEFORE, length - FRAMES_BEFORE), n_fft)


class EventFrames:
    """Renders events to tone amplitude and noise power, ``[T, F]`` each.

    Frames begin ``FRAMES_BEFORE`` before the onset's and last until the event has faded.

    Args:
        weights: the decoder's weights.
        n_fft: window length of the analysis.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], n_fft: int) -> None:
        self.n_fft = n_fft
        self._weights = weights
        self._tables = make_tables()
        self._lobes = make_lobe_table()
        self._bands = noise_band_matrix(n_fft)

    def render(
        self,
        gain_db: np.ndarray,
        vectors: np.ndarray,
        shift_seconds: np.ndarray,
        frame_limit: int | None = None,
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Tone amplitude and noise power of each event.

        Args:
            gain_db: ``[E]``.
            vectors: ``[E, 32]``.
            shift_seconds: ``[E]``, distance of each onset from its frame's centre.
            frame_limit: render no more frames than about this; those rendered are the same (all is causal).
        """
        controls = compute_controls(self._weights, gain_db, vectors, self._tables, np)
        lengths = self._lengths(controls)
        if frame_limit is not None:
            lengths = np.minimum(lengths, _tabled_lengths(np.array(frame_limit)))
        rendered: list[tuple[np.ndarray, np.ndarray]] = [(np.empty((0, 0)), np.empty((0, 0)))] * len(gain_db)
        for length in np.unique(lengths):
            chosen = np.flatnonzero(lengths == length)
            part = Controls(**{name: value[chosen] for name, value in vars(controls).items()})
            amplitude, frequency, noise = compute_frames(
                part, _frame_tables(int(length), self.n_fft), shift_seconds[chosen], np
            )
            for row, event in enumerate(chosen):
                rendered[event] = self._place(amplitude[row], frequency[row], noise[row])
        return rendered

    def render_lives(
        self, lives: Sequence[EventLife], shift_seconds: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Tone amplitude and noise power of each life: the sums over its segments.

        Args:
            lives: events, amended and ended.
            shift_seconds: ``[L]``, distance of each onset from its frame's centre.
        """
        table = tabulate_lives(lives)
        controls = compute_controls(self._weights, table.gain_db, table.vectors, self._tables, np)
        controls = end_controls(controls, table.end_seconds, np)
        spans = sounding_spans(table)
        lengths = self._lengths(controls)
        rendered = []
        for number, shift in enumerate(shift_seconds):
            rows = np.flatnonzero(table.life == number)
            amplitude, frequency, noise = compute_frames(
                Controls(**{name: value[rows] for name, value in vars(controls).items()}),
                _frame_tables(int(lengths[rows].max()), self.n_fft),
                np.full(len(rows), shift),
                np,
                (spans[0][rows], spans[1][rows]),
            )
            parts = [self._place(*part) for part in zip(amplitude, frequency, noise, strict=True)]
            tones, noises = zip(*parts, strict=True)
            rendered.append((np.sum(tones, 0), np.sum(noises, 0)))
        return rendered

    def _place(
        self, amplitude: np.ndarray, frequency: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        frames = np.zeros((amplitude.shape[1], self.n_fft // 2 + 1), np.float32)
        place_lobes(
            frames,
            np.ascontiguousarray(amplitude, np.float32),
            np.ascontiguousarray(frequency, np.float32),
            np.float32(self.n_fft / ANALYSIS_RATE),
            self._lobes,
        )
        return frames, np.ascontiguousarray(noise.T, np.float32) @ self._bands

    def _lengths(self, controls: Controls) -> np.ndarray:
        """Frames until the event is 60 dB down, rounded up to a length with tables."""
        force = controls.attack_seconds + controls.hold_seconds + LN_1000 / controls.release_rate
        free = np.maximum(LN_1000 / controls.tail_rate.min(-1), LN_1000 / controls.noise_rate)
        rooms = 1.0 * (controls.room_weight.max(-1) > 0.05)
        seconds = np.minimum(force, controls.attack_seconds + free) + rooms
        frames = seconds * ANALYSIS_RATE / HOP + FRAMES_BEFORE + 4
        return _tabled_lengths(frames)


def _tabled_lengths(frames: np.ndarray) -> np.ndarray:
    """The least lengths with tables that hold ``frames``; the longest if none does."""
    return np.array(_LENGTHS)[np.minimum(np.searchsorted(_LENGTHS, frames), len(_LENGTHS) - 1)]
