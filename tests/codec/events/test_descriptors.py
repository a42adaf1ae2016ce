"""Descriptors: what is set is read back, and the others stay."""

import numpy as np
import pytest

from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.descriptors import OSC_FIELDS, Descriptors, read_descriptors, set_descriptor
from struck.codec.events.event_spec import INDEX, ROOM_NAMES, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.weights.codec_weights import CodecWeights

WEIGHTS = CodecWeights("test", make_initial_timbre_weights(7), {})
TOLERANCE = {
    "pitch_hz": (1e-5, 0.0), "loudness_db": (0.0, 0.0), "brightness": (0.0, 1e-3),
    "attack_seconds": (1e-5, 0.0), "decay_seconds": (1e-4, 0.0), "noisiness": (1e-4, 1e-6),
}  # fmt: skip
NEW_VALUES = {
    "pitch_hz": (110.0, 554.37), "loudness_db": (-50.0, 3.0), "brightness": (0.4, 1.2),
    "attack_seconds": (0.002, 0.5), "decay_seconds": (0.3, 4.0), "noisiness": (0.01, 0.9),
}  # fmt: skip


def moderate_event(rng):
    """Random, but with pitch and brightness where the tilt can still bring both back."""
    vector = rng.uniform(-0.9, 0.9, VECTOR_SIZE).astype(np.float32)
    vector[INDEX["pitch"]] = rng.uniform(-0.6, 0.0)
    vector[INDEX["decay"]] = rng.uniform(-0.2, 0.4)
    event = Event(1.0, float(rng.uniform(-60, 0)), vector)
    return set_descriptor(WEIGHTS, event, "brightness", float(rng.uniform(0.3, 1.0)))


def assert_close(name, got, wanted):
    relative, absolute = TOLERANCE[name]
    assert got == pytest.approx(wanted, rel=relative, abs=absolute), name


@pytest.mark.parametrize("name", NEW_VALUES)
def test_setting_one_leaves_the_others(name):
    rng = np.random.default_rng(11)
    for _ in range(12):
        event = moderate_event(rng)
        before = read_descriptors(WEIGHTS, event)
        value = float(rng.uniform(*NEW_VALUES[name]))
        after = read_descriptors(WEIGHTS, set_descriptor(WEIGHTS, event, name, value))
        for other in TOLERANCE:
            assert_close(other, getattr(after, other), value if other == name else getattr(before, other))
        assert after.room == before.room


@pytest.mark.parametrize("room", [*ROOM_NAMES, "dry"])
def test_rooms_are_set_by_name(room):
    rng = np.random.default_rng(12)
    for _ in range(5):
        event = moderate_event(rng)
        before = read_descriptors(WEIGHTS, event)
        after = read_descriptors(WEIGHTS, set_descriptor(WEIGHTS, event, "room", room))
        assert after.room == room
        for other in TOLERANCE:
            assert_close(other, getattr(after, other), getattr(before, other))


def test_a_value_out_of_reach_lands_on_the_end():
    event = moderate_event(np.random.default_rng(13))
    assert set_descriptor(WEIGHTS, event, "brightness", 99.0).vector[INDEX["tilt"]] == pytest.approx(1.0)
    assert set_descriptor(WEIGHTS, event, "pitch_hz", 0.0).vector[INDEX["pitch"]] == -1.0
    assert set_descriptor(WEIGHTS, event, "loudness_db", 500.0).gain_db == 12.0


@pytest.mark.parametrize(("name", "value"), [("colour", 1.0), ("pitch_hz", float("nan")), ("room", "cellar")])
def test_hostile_values(name, value):
    event = moderate_event(np.random.default_rng(14))
    with pytest.raises(ValueError, match=name if name != "room" else "cellar"):
        set_descriptor(WEIGHTS, event, name, value)


def test_osc_fields_are_descriptors():
    assert all(attribute in Descriptors.__dataclass_fields__ for _, _, attribute in OSC_FIELDS)
    assert [name for name, _, _ in OSC_FIELDS] == [
        "pitch_hz", "brightness", "attack_s", "decay_s", "noisiness", "room",
    ]  # fmt: skip
