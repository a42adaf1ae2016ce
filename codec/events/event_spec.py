"""The event vector as one table: every reader of a vector (controls, quantiser, docs, tests) uses it.

An event is an onset, a gain and ``VECTOR_SIZE`` numbers in [-1, 1]. Each number is a *field* of this
table. A field maps its position ``v`` to a physical value by a monotonic *scale*; with
``u = (v + 1) / 2``:

=============  =============================================================
scale          value
=============  =============================================================
linear         ``low + (high - low) * u``
log            ``low * (high / low) ** u``
power4         ``high * u ** 4`` (zero is reachable, small values are fine-grained)
square         ``high * u ** 2``
signed_square  ``high * v * |v|`` (zero in the middle, fine-grained around it)
logistic       ``1 / (1 + 10 ** (-v * high / 10))`` (a share of power, high = extreme ratio in dB)
latent         ``v`` itself; its meaning is learned
=============  =============================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MODE_COUNT: Final = 64
NOISE_BAND_COUNT: Final = 24
ENVELOPE_POINT_COUNT: Final = 32
ROOM_COUNT: Final = 4
#: Small to large, at the positions 0, 1, 2, 3 of the field ``room``.
ROOM_NAMES: Final = ("box", "room", "chamber", "hall")

#: 60 dB decay time of each room at mid frequencies (500 Hz to 1 kHz): the decoder synthesises it, the encoder
#: models it.
ROOM_T60_SECONDS: Final = (0.25, 0.6, 1.3, 2.6)

#: The encoder hears mono at this rate; onsets are whole samples at it.
ANALYSIS_RATE: Final = 22_050
#: Samples from one analysis frame to the next.
FRAME_SAMPLES: Final = 256

#: No partial or noise band sounds above this, whatever the device rate: it is what the encoder hears.
BANDWIDTH_HZ: Final = ANALYSIS_RATE / 2.0

GAIN_DB_LOW: Final = -90.0
GAIN_DB_HIGH: Final = 12.0
GAIN_BITS: Final = 7


#: From an amendment on, an event sounds as if it had been born with the new values: where it arrives is what
#: the formulas of :mod:`struck.codec.events.controls` say for its present age. This is how it gets there.
AMENDED_WAYS: Final[dict[str, str]] = {
    "frequency": "the partials slide to their new frequencies, their phases unbroken",
    "glide": "the partials slide to where the new glide is at this age; nothing once it is over",
    "force": "the level slides to what the new force is at this age; its attack is not heard again",
    "decay": "the levels slide to where they were, had they decayed like this since the onset",
    "level": "the partials slide to their new levels; one that was silent sounds again",
    "noise": "the power of each noise band moves from the old value to the new",
    "room": "the shares of the direct sound and of the rooms slide; what is in a room rings on",
}

#: Levels and frequencies are where an amendment wants them within this time.
AMENDMENT_SECONDS: Final = 0.01


@dataclass(frozen=True)
class Field:
    """One number of the event vector.

    ``bits`` is the resolution of the quantised form: ``2 ** bits - 1`` levels, so that 0 is a level.
    ``amended`` names how an amendment of this field reaches the sound, a key of :data:`AMENDED_WAYS`.
    """

    name: str
    scale: str
    low: float
    high: float
    unit: str
    bits: int
    amended: str
    meaning: str


FIELDS: Final[tuple[Field, ...]] = (
    Field("pitch", "linear", 12.0, 132.0, "MIDI note", 12, "frequency", "pitch the note settles on"),
    Field("glide", "signed_square", -6.0, 6.0, "semitones", 7, "glide", "offset of the pitch at the onset"),
    Field("glide_time", "log", 0.01, 2.0, "s", 5, "glide", "time to reach the settled pitch"),
    Field("stiffness", "power4", 0.0, 0.02, "", 7, "frequency", "inharmonicity B of a stiff string"),
    Field(
        "bar_membrane", "linear", -1.0, 1.0, "", 5, "frequency", "share of bar (+) or membrane (-) partials"
    ),
    Field("plate_bell", "linear", -1.0, 1.0, "", 5, "frequency", "share of plate (+) or bell (-) partials"),
    Field("attack", "log", 0.001, 1.0, "s", 6, "force", "rise of the force"),
    Field("hold", "log", 0.01, 6.0, "s", 6, "force", "time the force stays after the rise"),
    Field("release", "log", 0.005, 4.0, "s", 6, "force", "60 dB fall after the hold"),
    Field("decay", "log", 0.03, 40.0, "s", 6, "decay", "60 dB decay time of the lowest mode"),
    Field("decay_tilt", "linear", -0.5, 2.0, "", 5, "decay", "exponent by which higher modes decay faster"),
    Field("tail", "log", 0.003, 0.9, "", 5, "decay", "share of amplitude in the second decay stage"),
    Field("tail_ratio", "log", 1.0, 10.0, "", 5, "decay", "second stage decay time over the first"),
    Field("tilt", "linear", -30.0, 6.0, "dB/octave", 6, "level", "slope of the partials' levels"),
    *(
        Field(f"timbre{i}", "latent", -1.0, 1.0, "", 5, "level", "learned spectral shape")
        for i in range(1, 9)
    ),
    Field("evolution1", "latent", -1.0, 1.0, "", 5, "decay", "learned evolution of the modes"),
    Field("evolution2", "latent", -1.0, 1.0, "", 5, "decay", "learned evolution of the modes"),
    Field("noisiness", "logistic", -40.0, 40.0, "", 6, "noise", "share of noise in the power at the attack"),
    Field("noise_decay", "log", 0.02, 20.0, "s", 5, "noise", "60 dB decay time of the noise"),
    Field("noise_tilt", "linear", -18.0, 12.0, "dB/octave", 5, "noise", "slope of the noise bands' levels"),
    *(Field(f"noise{i}", "latent", -1.0, 1.0, "", 5, "noise", "learned noise colour") for i in range(1, 4)),
    Field("room_mix", "square", 0.0, 1.0, "", 5, "room", "share of the event's amplitude sent to the rooms"),
    Field("room", "linear", 0.0, ROOM_COUNT - 1.0, "", 4, "room", "place between the rooms, small to large"),
)

VECTOR_SIZE: Final = len(FIELDS)
INDEX: Final[dict[str, int]] = {field.name: index for index, field in enumerate(FIELDS)}

#: Fields whose meaning is learned, in vector order: the input of the timbre network.
LATENTS: Final[tuple[int, ...]] = tuple(i for i, field in enumerate(FIELDS) if field.scale == "latent")


def to_physical(field: Field, v: Any) -> Any:
    """Physical value of ``field`` at position ``v``; numpy and torch arrays both pass."""
    u = (v + 1.0) * 0.5
    if field.scale == "linear":
        return field.low + (field.high - field.low) * u
    if field.scale == "log":
        return field.low * (field.high / field.low) ** u
    if field.scale == "power4":
        return field.high * u**4
    if field.scale == "square":
        return field.high * u**2
    if field.scale == "signed_square":
        return field.high * v * abs(v)
    if field.scale == "logistic":
        return 1.0 / (1.0 + 10.0 ** (-v * field.high / 10.0))
    return v


def read_field(vectors: Any, name: str) -> Any:
    """Physical value of the field ``name`` in ``vectors [..., VECTOR_SIZE]``."""
    return to_physical(FIELDS[INDEX[name]], vectors[..., INDEX[name]])


def from_physical(field: Field, value: float) -> float:
    """Position in [-1, 1] of a physical value; values outside the field's range land on its ends."""
    from math import copysign, log, log10, sqrt

    if field.scale == "linear":
        u = (value - field.low) / (field.high - field.low)
    elif field.scale == "log":
        u = log(max(value, 1e-12) / field.low) / log(field.high / field.low)
    elif field.scale == "power4":
        u = (max(value, 0.0) / field.high) ** 0.25
    elif field.scale == "square":
        u = sqrt(max(value, 0.0) / field.high)
    elif field.scale == "signed_square":
        return min(1.0, max(-1.0, copysign(sqrt(abs(value) / field.high), value)))
    elif field.scale == "logistic":
        share = min(1.0 - 1e-9, max(1e-9, value))
        return min(1.0, max(-1.0, 10.0 * log10(share / (1.0 - share)) / field.high))
    else:
        return min(1.0, max(-1.0, value))
    return min(1.0, max(-1.0, 2.0 * u - 1.0))
