"""Events and weights for the decoder's tests."""

from dataclasses import replace

import numpy as np

from struck.codec.events.amendments import Amendment, End, in_stream_order
from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.weights.codec_weights import CodecWeights

#: Random shapes, and shapes that do nothing.
RANDOM_WEIGHTS = CodecWeights("random", make_initial_timbre_weights(3), {})
FLAT_WEIGHTS = CodecWeights(
    "flat", {name: np.zeros_like(array) for name, array in make_initial_timbre_weights(0).items()}, {}
)


def event(onset_seconds=0.0, gain_db=-20.0, **values):
    """An event whose named fields have these physical values, the others stand in the middle."""
    vector = np.zeros(VECTOR_SIZE, dtype=np.float64)
    for name, value in values.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(onset_seconds, gain_db, vector.astype(np.float32))


def tone(onset_seconds=0.0, gain_db=-20.0, **values):
    """Practically one sine: no glide, no noise, dry, one decay stage, -30 dB per octave."""
    base = {
        "pitch": 69.0, "glide": 0.0, "glide_time": 0.01, "stiffness": 0.0, "attack": 0.002, "hold": 6.0,
        "decay": 40.0, "decay_tilt": 0.0, "tail": 0.003, "tail_ratio": 1.0, "tilt": -30.0,
        "noisiness": 1e-4, "noise_decay": 0.02, "room_mix": 0.0,
    }  # fmt: skip
    return event(onset_seconds, gain_db, **{**base, **values})


def random_events(count, seed, longest_onset_seconds=0.0):
    """Events with vectors uniform in [-1, 1] and gains from -40 to 0 dB, in onset order."""
    rng = np.random.default_rng(seed)
    onsets = np.sort(rng.uniform(0.0, longest_onset_seconds, count))
    return [
        Event(float(onset), float(rng.uniform(-40, 0)), rng.uniform(-1, 1, VECTOR_SIZE).astype(np.float32))
        for onset in onsets
    ]


def named(event, id):
    """``event`` with an id."""
    return replace(event, id=id)


def random_amendment(rng, id, at_seconds):
    """One to four fields and sometimes the gain, anywhere in their ranges."""
    vector = np.full(VECTOR_SIZE, np.nan, np.float32)
    chosen = rng.choice(VECTOR_SIZE, rng.integers(1, 5), replace=False)
    vector[chosen] = rng.uniform(-1, 1, len(chosen))
    gain_db = float(rng.uniform(-40, 0)) if rng.random() < 0.5 else None
    return Amendment(id, at_seconds, gain_db, vector)


def amended_stream(count, seed, rate, samples):
    """``count`` random events over ``samples``, amended about five times each, a third of them ended."""
    rng = np.random.default_rng(seed)
    items = []
    for id, each in enumerate(random_events(count, seed, 0.6 * samples / rate)):
        items.append(named(each, id))
        left = samples / rate - each.onset_seconds
        for at in np.sort(rng.uniform(0.0, left, rng.integers(3, 8))):
            items.append(random_amendment(rng, id, each.onset_seconds + float(at)))
        if rng.random() < 0.35:
            items.append(End(id, each.onset_seconds + float(rng.uniform(0.0, left))))
    return in_stream_order(items)
