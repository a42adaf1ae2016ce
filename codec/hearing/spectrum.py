"""Events in magnitude-STFT space: how loud and where each partial and noise band is in every frame.

Rendering a waveform to know an event's spectrogram is wasteful. A slowly varying partial of amplitude
``a`` shows in a frame as the main lobe of the window's transform, scaled by ``a`` averaged under the window;
noise shows as its power averaged under the squared window. Everything up to placing the lobes is here,
for numpy and torch alike; placing them is :mod:`struck.codec.hearing.lobes` (numba) and
:mod:`struck.models.codec.event_spectrum` (torch).

Spectrograms are normalised by ``2 / sum(window)``: a steady sine of amplitude 1 has magnitude 1.
Axes: E event, M mode, B noise band, F bin, T frame, J place under the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from ..events.controls import LN_1000, Controls, mel, mel_to_hz
from ..events.event_spec import ANALYSIS_RATE as ANALYSIS_RATE
from ..events.event_spec import (
    BANDWIDTH_HZ,
    FRAME_SAMPLES,
    NOISE_BAND_COUNT,
    ROOM_COUNT,
    ROOM_T60_SECONDS,
)
from ..playing.noise import noise_band_density

HOP: Final = FRAME_SAMPLES
WINDOW_PLACES: Final = 8

#: Bands in which mel distances are measured.
MEL_BANDS: Final = 80

#: Squared mean over mean square of a Rayleigh-distributed magnitude, pi / 4.
RAYLEIGH_SHARE: Final = 0.785398

#: Sines per bin that stand for noise.
_PLACES_PER_BIN: Final = 8

#: Faster decays than this are averaged under the window as if they had this rate (1/s).
_FASTEST_COMMON_RATE: Final = 120.0


@lru_cache(maxsize=8)
def hann_window(n_fft: int) -> np.ndarray:
    """Periodic Hann window, float32 ``[n_fft]``."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def frames_to_magnitudes(frames: np.ndarray) -> np.ndarray:
    """Normalised magnitudes ``[T, n_fft // 2 + 1]`` of windowless frames ``[T, n_fft]``."""
    window = hann_window(frames.shape[-1])
    return (np.abs(np.fft.rfft(frames * window)) * (2.0 / window.sum())).astype(np.float32)


def hann_lobe(distance: np.ndarray) -> np.ndarray:
    """Hann main lobe at ``distance`` bins from its peak, 1 at the peak: ``sinc(x) / (1 - x^2)``, |x| < 2."""
    x = np.abs(distance)
    near = np.abs(x - 1.0) < 1e-9
    lobe = np.where(near, 0.5, np.sinc(x) / np.where(near, 1.0, 1.0 - x * x))
    return np.where(x < 2.0, lobe, 0.0)


@lru_cache(maxsize=8)
def noise_band_matrix(n_fft: int) -> np.ndarray:
    """Mean squared magnitude ``[B, F]`` that the decoder's noise, RMS 1 in each band, shows in each bin.

    Noise is many sines of unknown phases: each shows as the window's main lobe, and powers add.
    """
    bins = n_fft // 2
    place = (np.arange(bins * _PLACES_PER_BIN) + 0.5) / _PLACES_PER_BIN
    frequency = place * ANALYSIS_RATE / n_fft
    density = np.stack([noise_band_density(frequency, band) for band in range(NOISE_BAND_COUNT)])
    power = density / density.sum(1, keepdims=True)
    shown = np.zeros((NOISE_BAND_COUNT, bins + 1))
    nearest = np.round(place).astype(int)
    for step in range(-2, 3):
        # What lies beyond 0 Hz or half the rate comes back from there.
        at = nearest + step
        lobe = hann_lobe(place - at) ** 2
        folded = np.where(at < 0, -at, np.where(at > bins, 2 * bins - at, at))
        # A real sine has a mirror image: bins 0 and n_fft / 2 receive both.
        lobe = np.where((at == 0) | (at == bins), 2.0 * lobe, lobe)
        for band in range(NOISE_BAND_COUNT):
            shown[band] += np.bincount(folded, 2.0 * power[band] * lobe, bins + 1)
    return shown.astype(np.float32)


@lru_cache(maxsize=8)
def mel_band_matrix(n_fft: int, bands: int = MEL_BANDS) -> np.ndarray:
    """Triangular mel bands that average power, float32 ``[F, bands]``."""
    top = float(mel(np.float64(BANDWIDTH_HZ)))
    edges = mel_to_hz(np.linspace(0.0, top, bands + 2)) * n_fft / ANALYSIS_RATE
    bins = np.arange(n_fft // 2 + 1)[:, None]
    rise = (bins - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], 1.0)
    fall = (edges[2:] - bins) / np.maximum(edges[2:] - edges[1:-1], 1.0)
    matrix = np.clip(np.minimum(rise, fall), 0.0, 1.0)
    # The narrowest bands fall between bins: give them their nearest.
    nearest = np.clip(np.round(edges[1:-1]).astype(int), 0, n_fft // 2)
    matrix[nearest, np.arange(bands)] = np.maximum(matrix[nearest, np.arange(bands)], 1e-3)
    return (matrix / matrix.sum(0)).astype(np.float32)


def mean_magnitude(power: Any, fourth: Any, xp: Any) -> Any:
    """Expected magnitude of bins in which partials and noise of unknown phases meet.

    Args:
        power: sum of squared tone amplitudes and noise power.
        fourth: sum of the tone amplitudes' fourth powers; it tells one strong partial from many.

    One partial alone gives its amplitude, many or noise alone the Rayleigh mean ``sqrt(pi / 4 power)``, a
    weak ``p`` beside a strong ``a`` gives ``a + p^2 / 4a`` as the Rice distribution does, and two alike are
    within 3 %. The error expected against an observed magnitude s is then ``s^2 - 2 s mean + power``.
    """
    square = xp.maximum(0.5 * (power + xp.sqrt(fourth + 1e-30)), RAYLEIGH_SHARE * power)
    return xp.sqrt(square + 1e-20)


@dataclass(frozen=True)
class FrameTables:
    """Constants for frames at fixed times after the onset; see :func:`make_frame_tables`."""

    times: Any  # [T] seconds from the onset to the centre of each frame
    places: Any  # [J] seconds from the centre of a frame
    window: Any  # [J] weights of amplitude under the window, sum 1
    window_squared: Any  # [J] weights of power under the window, sum 1
    rooms: Any  # [R, T, T] share of the power of frame j that a room shows in frame k


def make_frame_tables(offsets: np.ndarray, n_fft: int, convert: Any = np.asarray) -> FrameTables:
    """Tables for frames whose centres lie ``offsets * HOP`` samples after the onset (ascending)."""
    times = np.asarray(offsets, np.float64) * HOP / ANALYSIS_RATE
    places = ((np.arange(WINDOW_PLACES) + 0.5) / WINDOW_PLACES - 0.5) * n_fft / ANALYSIS_RATE
    window = 0.5 + 0.5 * np.cos(2.0 * np.pi * places * ANALYSIS_RATE / n_fft)
    # A room is an exponential tail of energy 1: what enters during an interval shows, later, in every frame.
    middle = 0.5 * (times[1:] + times[:-1])
    start = np.concatenate([[times[0] - 0.5 * HOP / ANALYSIS_RATE], middle])
    end = np.concatenate([middle, [times[-1] + 0.5 * HOP / ANALYSIS_RATE]])
    rooms = np.zeros((ROOM_COUNT, len(times), len(times)))
    for r, t60 in enumerate(ROOM_T60_SECONDS):
        rate = 2.0 * LN_1000 / t60
        since_start = np.maximum(times[:, None] - start[None, :], 0.0)
        since_end = np.maximum(times[:, None] - end[None, :], 0.0)
        rooms[r] = np.exp(-rate * since_end) - np.exp(-rate * since_start)
    return FrameTables(
        *(
            convert(a.astype(np.float32))
            for a in (times, places, window / window.sum(), window**2 / (window**2).sum(), rooms)
        )
    )


def compute_frames(
    controls: Controls,
    tables: FrameTables,
    onset_shift: Any,
    xp: Any,
    spans: tuple[Any, Any] | None = None,
) -> tuple[Any, Any, Any]:
    """Partials and noise of E events in T frames.

    Args:
        controls: from :func:`struck.codec.events.controls.compute_controls`.
        tables: the frames' times relative to a nominal onset.
        onset_shift: ``[E]`` seconds by which each onset comes after the nominal one.
        xp: ``numpy`` or ``torch``.
        spans: seconds after its onset from and until which each event sounds, ``[E]`` each; for the segments
            of amended events, whose sum is the event.

    Returns:
        amplitude ``[E, M, T]``, frequency in Hz ``[E, M, T]``, noise power per band ``[E, B, T]``.
    """
    time = tables.times - onset_shift[:, None]  # [E, T]
    t = time[..., None] + tables.places  # [E, T, J]
    since = xp.clip(t, 0.0, 1e3)
    reference = xp.clip(time, 0.0, 1e3)

    attack = controls.attack_seconds[:, None, None]
    rise = xp.clip(t / attack, 0.0, 1.0)
    released = xp.clip(t - attack - controls.hold_seconds[:, None, None], 0.0, 1e3)
    force = rise * xp.exp(-xp.clip(controls.release_rate[:, None, None] * released, 0.0, 60.0))
    inside: Any = 1.0
    if spans is not None:
        # each place stands for a stretch of the window, of which the event may have a part
        half = 0.5 * (tables.places[1] - tables.places[0])
        last = xp.minimum(t + half, spans[1][:, None, None])
        first = xp.maximum(t - half, spans[0][:, None, None])
        inside = xp.clip((last - first) / (2.0 * half), 0.0, 1.0)

    power = controls.mode_gain**2
    common = (power * controls.decay_rate).sum(-1) / power.sum(-1)
    common = xp.clip(common, 0.0, _FASTEST_COMMON_RATE)
    weight = tables.window * inside * force * xp.exp(-common[:, None, None] * (since - reference[..., None]))
    level = weight.sum(-1)  # [E, T]
    centre = (weight * (since - reference[..., None])).sum(-1) / (level + 1e-9)
    at = (reference + centre)[:, None, :]

    share = controls.tail_share[:, None, None]

    def decayed(rate: Any) -> Any:
        exponent = rate[..., None] * at - (common[:, None] * centre)[:, None, :]
        return xp.exp(-xp.clip(exponent, -20.0, 60.0))

    shape = (1.0 - share) * decayed(controls.decay_rate) + share * decayed(controls.tail_rate)
    amplitude = controls.mode_gain[..., None] * level[:, None, :] * shape

    bend = xp.clip(1.0 - at / controls.glide_seconds[:, None, None], 0.0, 1.0)
    frequency = controls.frequency_hz[..., None] * (1.0 + controls.glide_ratio[:, None, None] * bend)

    fade = xp.exp(-xp.clip(controls.noise_rate[:, None, None] * since, 0.0, 30.0))
    noise_level = (tables.window_squared * inside * (force * fade) ** 2).sum(-1)
    noise = controls.noise_gain[..., None] ** 2 * noise_level[:, None, :]

    # Power that reaches the listener by way of the rooms; T x T per event instead of per mode and frame.
    count = len(tables.times)
    rooms = (controls.room_weight**2 @ tables.rooms.reshape(ROOM_COUNT, -1)).reshape(-1, count, count)
    rooms = xp.swapaxes(rooms, -1, -2)
    direct = (controls.dry**2)[:, None, None]
    squared = amplitude**2
    amplitude = xp.sqrt(direct * squared + squared @ rooms + 1e-20)
    noise = direct * noise + noise @ rooms
    return amplitude, frequency, noise
