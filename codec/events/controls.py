"""Event vectors to physical controls: everything the two decoders share, above their recursions.

Written once so that numpy and torch arrays both pass: each function takes the array namespace ``xp``
(``numpy`` or ``torch``) and uses only what both spell alike. Axes: E event, M mode, B noise band, R room.

What a voice does with the controls, with t seconds since the onset::

    force(t)  = min(1, t / attack)                      while t < attack + hold
              = exp(-release_rate (t - attack - hold))  afterwards
    mode_m(t) = mode_gain_m ((1 - tail_share) exp(-decay_rate_m t) + tail_share exp(-tail_rate_m t))
    freq_m(t) = frequency_hz_m (1 + glide_ratio max(0, 1 - t / glide_seconds))
    noise_b(t) = noise_gain_b exp(-noise_rate t)
    sound(t)  = force(t) (sum_m mode_m(t) sin(phase_m(t)) + sum_b noise_b(t) band_noise_b(t))
    out       = dry sound + sum_r room_weight_r (sound * room_r)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .event_spec import (
    BANDWIDTH_HZ,
    ENVELOPE_POINT_COUNT,
    FIELDS,
    INDEX,
    LATENTS,
    MODE_COUNT,
    NOISE_BAND_COUNT,
    ROOM_COUNT,
    to_physical,
)
from .modes import family_weights, log_ratios, ratio_tables

#: Amplitude decay rate times T60: a fall of 60 dB.
LN_1000: Final = 6.907755

#: Shapes of the timbre network, the only learned part of the decoder.
TIMBRE_HIDDEN: Final = 128
TIMBRE_INPUTS: Final = len(LATENTS) + 1
TIMBRE_OUTPUTS: Final = MODE_COUNT + ENVELOPE_POINT_COUNT + MODE_COUNT + NOISE_BAND_COUNT
TIMBRE_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "timbre.w1": (TIMBRE_INPUTS, TIMBRE_HIDDEN),
    "timbre.b1": (TIMBRE_HIDDEN,),
    "timbre.w2": (TIMBRE_HIDDEN, TIMBRE_HIDDEN),
    "timbre.b2": (TIMBRE_HIDDEN,),
    "timbre.w3": (TIMBRE_HIDDEN, TIMBRE_OUTPUTS),
    "timbre.b3": (TIMBRE_OUTPUTS,),
}


def mel(frequency_hz: Any, xp: Any = np) -> Any:
    """Mel scale (O'Shaughnessy 1987): ``2595 log10(1 + f / 700)``."""
    return 2595.0 * xp.log10(1.0 + frequency_hz / 700.0)


def mel_to_hz(mels: np.ndarray) -> np.ndarray:
    """Inverse of :func:`mel`."""
    return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)


def noise_band_edges_hz() -> np.ndarray:
    """Edges ``[NOISE_BAND_COUNT + 1]`` of the noise bands, equally wide in mel from 0 to the bandwidth."""
    return mel_to_hz(np.linspace(0.0, mel(np.float64(BANDWIDTH_HZ)), NOISE_BAND_COUNT + 1))


def noise_band_centres_hz() -> np.ndarray:
    """Geometric-like centres ``[NOISE_BAND_COUNT]``: the mel midpoint of each band."""
    edges = mel(noise_band_edges_hz())
    return mel_to_hz(0.5 * (edges[1:] + edges[:-1]))


@dataclass(frozen=True)
class Controls:
    """Physical controls of E events; see the module's formulas. Arrays of numpy or torch."""

    frequency_hz: Any  # [E, M]
    mode_gain: Any  # [E, M] linear amplitude
    decay_rate: Any  # [E, M] 1/s
    tail_rate: Any  # [E, M] 1/s
    tail_share: Any  # [E]
    glide_ratio: Any  # [E]
    glide_seconds: Any  # [E]
    attack_seconds: Any  # [E]
    hold_seconds: Any  # [E]
    release_rate: Any  # [E] 1/s
    noise_gain: Any  # [E, B] RMS in each band
    noise_rate: Any  # [E] 1/s
    dry: Any  # [E]
    room_weight: Any  # [E, R]


@dataclass(frozen=True)
class ControlTables:
    """Constants of :func:`compute_controls` as arrays of one namespace; make once per decoder."""

    ratios: tuple[Any, Any, Any]
    noise_octaves: Any  # [B] octaves of each noise band's centre above 1 kHz
    envelope_points: Any  # [ENVELOPE_POINT_COUNT] 0, 1, 2 ...
    rooms: Any  # [R] 0, 1, 2 ...


def make_tables(convert: Any = np.asarray) -> ControlTables:
    """Tables with each constant (float32 numpy) passed through ``convert``."""
    return ControlTables(
        ratios=ratio_tables(convert),
        noise_octaves=convert(np.log2(noise_band_centres_hz() / 1000.0).astype(np.float32)),
        envelope_points=convert(np.arange(ENVELOPE_POINT_COUNT, dtype=np.float32)),
        rooms=convert(np.arange(ROOM_COUNT, dtype=np.float32)),
    )


def run_timbre_network(weights: Mapping[str, Any], vectors: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
    """Learned shapes of ``vectors [E, 32]``.

    Returns:
        mode levels in dB ``[E, M]`` by mode number, envelope in dB ``[E, ENVELOPE_POINT_COUNT]`` over
        mel-spaced absolute frequency, log2 of the decay time factors ``[E, M]``, noise band levels in dB
        ``[E, B]``.
    """
    inputs = xp.stack([vectors[..., i] for i in (*LATENTS, INDEX["pitch"])], -1)
    hidden = xp.tanh(inputs @ weights["timbre.w1"] + weights["timbre.b1"])
    hidden = hidden + xp.tanh(hidden @ weights["timbre.w2"] + weights["timbre.b2"])
    out = hidden @ weights["timbre.w3"] + weights["timbre.b3"]
    a, b, c = MODE_COUNT, MODE_COUNT + ENVELOPE_POINT_COUNT, 2 * MODE_COUNT + ENVELOPE_POINT_COUNT
    return (
        20.0 * out[..., :a],
        20.0 * out[..., a:b],
        3.0 * xp.tanh(out[..., b:c]),
        20.0 * out[..., c:],
    )


def compute_controls(
    weights: Mapping[str, Any], gain_db: Any, vectors: Any, tables: ControlTables, xp: Any
) -> Controls:
    """Controls of E events.

    Args:
        weights: the timbre network, arrays of ``xp`` with the shapes of ``TIMBRE_SHAPES``.
        gain_db: ``[E]``, RMS level at the attack in dB re full scale; the modes and noise below the
            bandwidth carry exactly this power.
        vectors: ``[E, 32]`` in [-1, 1].
        tables: from :func:`make_tables`, in the same namespace.
        xp: ``numpy`` or ``torch``.
    """
    value = {f.name: to_physical(f, vectors[..., i]) for i, f in enumerate(FIELDS) if f.scale != "latent"}
    mode_db, envelope_db, decay_log2, noise_db = run_timbre_network(weights, vectors, xp)

    families = family_weights(value["bar_membrane"], value["plate_bell"], xp)
    log_ratio = log_ratios(value["stiffness"], families, tables.ratios, xp)
    f0 = 440.0 * 2.0 ** ((value["pitch"] - 69.0) / 12.0)
    # Modes far above hearing are parked at a harmless frequency: their gain is zero below.
    frequency = xp.clip(f0[..., None] * xp.exp(log_ratio), 1.0, 4.0 * BANDWIDTH_HZ)

    # The envelope is piecewise linear in mel; hat functions interpolate it in either namespace.
    place = mel(frequency, xp) * ((ENVELOPE_POINT_COUNT - 1) / float(mel(np.float64(BANDWIDTH_HZ))))
    place = xp.clip(place, 0.0, ENVELOPE_POINT_COUNT - 1.0)
    hats = xp.clip(1.0 - xp.abs(place[..., None] - tables.envelope_points), 0.0, 1.0)
    octave = log_ratio * 1.442695
    level_db = mode_db + (hats * envelope_db[..., None, :]).sum(-1) + value["tilt"][..., None] * octave
    # A smooth roll-off over the last semitone before the band edge: a glide must not click there.
    audible = xp.clip((BANDWIDTH_HZ - frequency) / (0.06 * BANDWIDTH_HZ), 0.0, 1.0)
    mode_power = 10.0 ** (xp.clip(level_db, -120.0, 120.0) / 10.0) * audible
    mode_power = mode_power / (mode_power.sum(-1)[..., None] + 1e-12)

    noise_level_db = noise_db + value["noise_tilt"][..., None] * tables.noise_octaves
    noise_power = 10.0 ** (xp.clip(noise_level_db, -120.0, 120.0) / 10.0)
    noise_power = noise_power / noise_power.sum(-1)[..., None]

    power = 10.0 ** (gain_db / 10.0)
    noisiness = value["noisiness"]
    tone_power = ((1.0 - noisiness) * power)[..., None] * mode_power
    decay_seconds = xp.clip(
        value["decay"][..., None] * xp.exp(-value["decay_tilt"][..., None] * log_ratio) * 2.0**decay_log2,
        0.004,
        80.0,
    )
    decay_rate = LN_1000 / decay_seconds

    wet = value["room_mix"]
    near = xp.clip(1.0 - xp.abs(value["room"][..., None] - tables.rooms), 0.0, 1.0)
    return Controls(
        frequency_hz=frequency,
        mode_gain=xp.sqrt(2.0 * tone_power + 1e-20),
        decay_rate=decay_rate,
        tail_rate=decay_rate / value["tail_ratio"][..., None],
        tail_share=value["tail"],
        glide_ratio=2.0 ** (value["glide"] / 12.0) - 1.0,
        glide_seconds=value["glide_time"],
        attack_seconds=value["attack"],
        hold_seconds=value["hold"],
        release_rate=LN_1000 / value["release"],
        noise_gain=xp.sqrt((noisiness * power)[..., None] * noise_power + 1e-20),
        noise_rate=LN_1000 / value["noise_decay"],
        dry=1.0 - wet,
        room_weight=wet[..., None] * near,
    )


def make_initial_timbre_weights(seed: int) -> dict[str, np.ndarray]:
    """Small random weights to start training from, float32."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in TIMBRE_SHAPES.items():
        scale = 0.0 if len(shape) == 1 else (0.3 if name.endswith("w3") else 1.0) / np.sqrt(shape[0])
        weights[name] = (scale * rng.standard_normal(shape)).astype(np.float32)
    return weights
