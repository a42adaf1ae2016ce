"""Controls to voice records: all exponentials and sines of a voice, computed before the audio thread sees it.

A record is one float64 row of ``RECORD_SIZE``: ``MODE_FIELDS`` blocks of ``MODE_COUNT`` numbers, then the
scalars, the noise gains and the bus weights. Modes are sorted by how long they are heard, longest first, so
that the sounding ones are always a prefix. Rates count in samples of the device, ages in chunks of ``CHUNK``
samples.

A mode is heard while its amplitude may exceed ``AUDIBLE`` (-120 dB re full scale), given its two decays and
the force's release; a voice is cut after ``LONGEST_VOICE_SECONDS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ..events.controls import Controls, compute_controls, make_tables
from ..events.event_spec import AMENDMENT_SECONDS, BANDWIDTH_HZ, MODE_COUNT, NOISE_BAND_COUNT, ROOM_COUNT
from ..events.events import Event, stack_gains, stack_vectors
from ..weights.codec_weights import CodecWeights
from .noise import check_rate

#: Samples between two values of the amplitudes, counted from each voice's own onset; linear in between.
CHUNK: Final = 64
AUDIBLE: Final = 1e-6
LONGEST_VOICE_SECONDS: Final = 60.0
BUS_COUNT: Final = 1 + ROOM_COUNT

#: Starting phase of mode m (0 is the lowest) is ``PHASE_CURVATURE * m ** 2`` radians. Sines that all start
#: at zero peak 18 dB above their RMS when flat, 15 dB at -3 dB/octave; this quadratic keeps -12 to 0
#: dB/octave below 7 dB (a scan over curvatures). It cannot click: all amplitudes rise from zero.
PHASE_CURVATURE: Final = 0.315 * np.pi

#: Per mode: rotation per sample at the onset, its factor per chunk while gliding, settled rotation, starting
#: phasor, both decay stages and their factors per chunk, settled frequency, width of the glide's band-edge
#: fade, lifetime, number of the mode (0 is the lowest).
MODE_FIELDS: Final = (
    "rotation_re", "rotation_im", "glide_re", "glide_im", "settled_re", "settled_im",
    "phasor_re", "phasor_im",
    "stage1", "stage2", "factor1", "factor2", "frequency_hz", "fade_hz", "life_chunks",
    "mode_number",
)  # fmt: skip
SCALARS: Final = (
    "attack_step",  # force per sample while rising
    "hold_end",  # samples
    "release_per_sample",
    "release_chunk",  # first chunk boundary in the release
    "release_first",  # force there
    "release_factor",  # force per chunk afterwards
    "glide_ratio",
    "glide_per_chunk",  # share of the glide done per chunk
    "glide_chunks",
    "noise_per_sample",
    "noise_factor",  # per chunk
    "noise_life",  # samples
    "noise_power",
    "tone_power",
    "fade_chunks",  # that an amendment's slide lasts
    "radians_per_hz",  # 2 pi over the rate
)
MODE: Final = {name: i * MODE_COUNT for i, name in enumerate(MODE_FIELDS)}
SCALAR: Final = {name: len(MODE_FIELDS) * MODE_COUNT + i for i, name in enumerate(SCALARS)}
NOISE_AT: Final = len(MODE_FIELDS) * MODE_COUNT + len(SCALARS)
BUS_AT: Final = NOISE_AT + NOISE_BAND_COUNT
RECORD_SIZE: Final = BUS_AT + BUS_COUNT


def fade_chunks(rate: int) -> int:
    """Chunks that the slide of an amendment lasts: with the wait for a voice's own next chunk, no longer than
    ``AMENDMENT_SECONDS``."""
    return max(1, int(AMENDMENT_SECONDS * rate / CHUNK) - 1)


def glide_fade_hz(frequency_hz: np.ndarray) -> np.ndarray:
    """Width in hertz of the fade of a mode that glides above the band edge.

    Its amplitude is scaled by ``clip((BANDWIDTH_HZ - freq(t)) / glide_fade_hz, 0, 1)``, which is 1 once
    settled: controls take care of settled frequencies, this of what a downward glide brings above the edge.
    """
    return np.clip(BANDWIDTH_HZ - frequency_hz, 1.0, 0.06 * BANDWIDTH_HZ)


def mode_life_chunks(controls: Controls, rate: int) -> np.ndarray:
    """Chunk boundary from which on each mode is silent, ``[E, M]``; controls are numpy arrays."""
    c = controls
    hold_end = (c.attack_seconds + c.hold_seconds)[:, None]
    release_rate = c.release_rate[:, None]
    tail = c.mode_gain * c.tail_share[:, None]
    life = np.maximum(
        _life_seconds(c.mode_gain - tail, c.decay_rate, hold_end, release_rate),
        _life_seconds(tail, c.tail_rate, hold_end, release_rate),
    )
    return np.ceil(life * (rate / CHUNK))


def noise_life_samples(controls: Controls, rate: int) -> np.ndarray:
    """Age from which on each event's noise is silent, ``[E]``; controls are numpy arrays."""
    c = controls
    rms = np.sqrt(np.sum(c.noise_gain**2, -1))
    return np.floor(
        _life_seconds(rms, c.noise_rate, c.attack_seconds + c.hold_seconds, c.release_rate) * rate
    )


def make_voice_records(controls: Controls, rate: int) -> np.ndarray:
    """Records of E voices, float64 ``[E, RECORD_SIZE]``.

    Args:
        controls: numpy arrays, float64 for exact pitch.
        rate: device rate in Hz.
    """
    c = controls
    event_count = len(c.dry)
    records = np.zeros((event_count, RECORD_SIZE))
    chunk_seconds = CHUNK / rate

    def scalar(name: str, value: np.ndarray) -> None:
        records[:, SCALAR[name]] = value

    hold_end = c.attack_seconds + c.hold_seconds
    release_chunk = np.ceil(hold_end / chunk_seconds)
    glide_chunks = np.where(c.glide_ratio == 0.0, 0.0, np.ceil(c.glide_seconds / chunk_seconds - 0.5))
    glide_per_chunk = chunk_seconds / c.glide_seconds
    noise_power = np.sum(c.noise_gain**2, -1)
    scalar("attack_step", 1.0 / (c.attack_seconds * rate))
    scalar("hold_end", hold_end * rate)
    scalar("release_per_sample", c.release_rate / rate)
    scalar("release_chunk", release_chunk)
    scalar("release_first", np.exp(-c.release_rate * (release_chunk * chunk_seconds - hold_end)))
    scalar("release_factor", np.exp(-c.release_rate * chunk_seconds))
    scalar("glide_ratio", c.glide_ratio)
    scalar("glide_per_chunk", glide_per_chunk)
    scalar("glide_chunks", glide_chunks)
    scalar("noise_per_sample", c.noise_rate / rate)
    scalar("noise_factor", np.exp(-c.noise_rate * chunk_seconds))
    scalar("noise_life", noise_life_samples(c, rate))
    scalar("noise_power", noise_power)
    scalar("tone_power", np.sum(c.mode_gain**2, -1))
    records[:, SCALAR["fade_chunks"]] = fade_chunks(rate)
    records[:, SCALAR["radians_per_hz"]] = 2.0 * np.pi / rate

    stage2 = c.mode_gain * c.tail_share[:, None]
    stage1 = c.mode_gain - stage2
    life_chunks = mode_life_chunks(c, rate)
    order = np.argsort(-life_chunks, axis=-1, kind="stable")
    per_sample = 2.0 * np.pi * c.frequency_hz / rate
    first = per_sample * (1.0 + (c.glide_ratio * np.maximum(0.0, 1.0 - 0.5 * glide_per_chunk))[:, None])
    glide = -per_sample * (c.glide_ratio * glide_per_chunk)[:, None]
    phase = np.broadcast_to(PHASE_CURVATURE * np.arange(MODE_COUNT) ** 2, per_sample.shape)
    modes = {
        "rotation_re": np.cos(first),
        "rotation_im": np.sin(first),
        "glide_re": np.cos(glide),
        "glide_im": np.sin(glide),
        "settled_re": np.cos(per_sample),
        "settled_im": np.sin(per_sample),
        "phasor_re": np.cos(phase),
        "phasor_im": np.sin(phase),
        "stage1": stage1,
        "stage2": stage2,
        "factor1": np.exp(-c.decay_rate * chunk_seconds),
        "factor2": np.exp(-c.tail_rate * chunk_seconds),
        "frequency_hz": c.frequency_hz,
        "fade_hz": glide_fade_hz(c.frequency_hz),
        "life_chunks": life_chunks,
        "mode_number": np.broadcast_to(np.arange(float(MODE_COUNT)), per_sample.shape),
    }
    stacked = np.stack([modes[name] for name in MODE_FIELDS], 1)
    sorted_modes = np.take_along_axis(stacked, order[:, None], -1)
    records[:, : len(MODE_FIELDS) * MODE_COUNT] = sorted_modes.reshape(event_count, -1)
    records[:, NOISE_AT:BUS_AT] = c.noise_gain
    records[:, BUS_AT] = c.dry
    records[:, BUS_AT + 1 :] = c.room_weight
    return records


class RecordMaker:
    """Makes the rows that :func:`~struck.codec.playing.arrivals.insert_event` takes.

    Args:
        weights: the codec's weights; only the decoder's part is used.
        rate: device rate in Hz, a multiple of 150 from 22,050 to 192,000.

    Raises:
        ValueError: the rate is out of range.
    """

    def __init__(self, weights: CodecWeights, rate: int) -> None:
        self.rate = check_rate(rate)
        # double precision: pitch is then exact to 1e-9 cent, and both decoders agree over minutes
        self._weights = {name: array.astype(np.float64) for name, array in weights.decoder.items()}
        self._tables = make_tables(lambda array: np.asarray(array, dtype=np.float64))

    def make(self, events: Sequence[Event]) -> np.ndarray:
        """Voice records, float64 ``[E, RECORD_SIZE]``; the onsets are not in them."""
        gains = stack_gains(events).astype(np.float64)
        vectors = stack_vectors(events).astype(np.float64)
        controls = compute_controls(self._weights, gains, vectors, self._tables, np)
        return make_voice_records(controls, self.rate)


def _life_seconds(
    amplitude: np.ndarray, rate: np.ndarray, hold_end: np.ndarray, release_rate: np.ndarray
) -> np.ndarray:
    """Time until ``amplitude exp(-rate t) release(t)`` falls below ``AUDIBLE``; 0 if it never rises above."""
    excess = np.log(np.maximum(amplitude, AUDIBLE) / AUDIBLE)
    free = excess / rate
    released = (excess + release_rate * hold_end) / (rate + release_rate)
    return np.minimum(np.where(free <= hold_end, free, released), LONGEST_VOICE_SECONDS)
