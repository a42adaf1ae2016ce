"""Inserts in the engine: places, delays, what is heard, taken out and put in; none changes nothing."""

import numpy as np
import pytest

from struck.realtime.engine.engine import process_engine
from struck.realtime.engine.exchange import IN_USE, publish_number
from struck.realtime.engine.rings import read_frames
from struck.realtime.engine.shared_memory import (
    BEGIN_NOTE,
    EVENTS_LANE,
    INPUT_LANE,
    MASTER_LANE,
    PHRASES_LANE,
)
from struck.realtime.engine.state import DRY, SLICE_FRAMES, make_engine_state
from struck.realtime.inserts.rack.bay import RackBay
from struck.realtime.inserts.rack.plan import RackPlan

from .rack_host import FAKE_COMMAND, RATE, insert

FRAMES = 128
NOISE = np.random.default_rng(1).uniform(-0.1, 0.1, (100 * FRAMES, 1)).astype(np.float32)


class Engine:
    """An engine whose dry sound is heard, with a bay."""

    def __init__(self, outputs=2):
        self.bay = RackBay(RATE, SLICE_FRAMES, lambda line: None, patient=True, command=FAKE_COMMAND)
        self.state = make_engine_state(RATE, 1, outputs, racks=self.bay.state)
        self.state.targets[DRY] = self.state.gains[DRY] = 1.0
        self.outputs = outputs

    def change(self, *inserts):
        publish_number(self.state.racks[0], IN_USE, 1)
        channels = (1, *[self.outputs] * 3)
        self.bay.change(RackPlan(inserts, RATE, FRAMES, channels, patient=True))

    def play(self, sound=NOISE):
        out = np.zeros((len(sound), self.outputs), np.float32)
        for start in range(0, len(sound), FRAMES):
            process_engine(self.state, sound[start : start + FRAMES], out[start : start + FRAMES])
            if self.bay.rack is not None:
                self.bay.rack.settle()
        return out

    def delay(self, lane):
        return self.bay.rack.slot.delay_frames(lane)


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.bay.close()


def later(sound, frames):
    return np.concatenate([np.zeros((frames, sound.shape[1]), np.float32), sound])[: len(sound)]


def test_without_inserts_the_bits_are_the_same(engine):
    plain = make_engine_state(RATE, 1, 2)
    plain.targets[DRY] = plain.gains[DRY] = 1.0
    out = np.zeros((len(NOISE), 2), np.float32)
    process_engine(plain, NOISE, out)
    np.testing.assert_array_equal(engine.play(), out)


@pytest.mark.parametrize("outputs", [1, 2])
def test_master_is_before_the_limiter_and_as_late_as_stated(outputs):
    engine = Engine(outputs)
    engine.change(insert("half"))
    assert [engine.delay(lane) for lane in (INPUT_LANE, EVENTS_LANE, PHRASES_LANE, MASTER_LANE)] == [
        0, 0, 0, FRAMES,
    ]  # fmt: skip
    np.testing.assert_allclose(engine.play(), later(0.5 * np.repeat(NOISE, outputs, 1), FRAMES), atol=1e-7)
    engine.bay.close()


def test_what_is_at_the_input_is_heard_by_the_encoder_too(engine):
    engine.change(insert("delay:50", place="input"), insert("half", place="input"))
    out = engine.play()
    expected = later(0.5 * NOISE, FRAMES + 50)
    np.testing.assert_allclose(out, np.repeat(expected, 2, 1), atol=1e-7)
    heard = np.zeros_like(NOISE)
    assert read_frames(engine.state.capture, heard) == len(NOISE)
    np.testing.assert_allclose(heard, expected, atol=1e-7)


def test_events_and_phrases_pass_their_own_places_only(engine):
    engine.change(insert("half", place="events"), insert("half", place="phrases", name="other"))
    np.testing.assert_array_equal(engine.play(), np.repeat(NOISE, 2, 1))
    # the decoder's sound is mono; an instrument in its place is heard on both sides, at its sample
    engine.change(insert("click", place="events"))
    start = int(engine.state.numbers[0]) + 700
    engine.bay.rack.note_sender(0)(BEGIN_NOTE, start, 1, -12.0, 0.0, 0.0, start + 500)
    before = int(engine.state.numbers[0])
    out = engine.play(np.zeros_like(NOISE))
    loud = np.flatnonzero(out[:, 0] > 0.9)
    np.testing.assert_array_equal(loud, [start - before + engine.delay(EVENTS_LANE)])
    np.testing.assert_array_equal(out[:, 0], out[:, 1])


def test_inserts_come_in_and_go_out_while_it_plays(engine):
    first = engine.play()
    engine.change(insert("gain"))
    with_rack = engine.play()
    engine.change()
    engine.play()
    for _ in range(9):  # the tail of the rack that left
        last = engine.play()
    np.testing.assert_array_equal(first, last)
    np.testing.assert_array_equal(with_rack[4_096:, 0], NOISE[4_096 - FRAMES : -FRAMES, 0])
