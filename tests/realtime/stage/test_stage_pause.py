"""The stage and its clock while the device is away: nothing piles up, nothing moves."""

import time

import numpy as np
import pytest

from struck.codec.events.events import Event
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.realtime.engine.callback import make_callback_state, run_block
from struck.realtime.engine.clock import DeviceClock
from struck.realtime.engine.commands import KIND, PANIC
from struck.realtime.engine.cycles import CycleClock
from struck.realtime.engine.parameters import ENGINE_PARAMETERS, gain_from_db
from struck.realtime.engine.rings import READ, WRITE
from struck.realtime.engine.state import POSITION, make_engine_state
from struck.realtime.stage.shaping import Expression
from struck.realtime.stage.stage import Stage

RATE = 48_000
NOTE = Event(0.0, -12.0, np.zeros(32, np.float32))


class Rig:
    """A stage on an engine that is driven by hand."""

    def __init__(self):
        self.cycles = CycleClock()
        self.engine = make_engine_state(RATE)
        self.state = make_callback_state(self.engine, RATE, self.cycles.cycles_per_second)
        self.clock = DeviceClock(self.state, self.cycles, RATE, 64, 0.0)
        self.told = []
        self.stage = Stage(
            self.engine, load_codec_weights(default_codec_weights_path()), self.clock, self.told.append
        )

    def run(self, blocks):
        """Frames of output, ``[F]``."""
        played = []
        for _ in range(blocks):
            out = np.zeros((64, 2), np.float32)
            run_block(self.state, np.zeros((64, 1), np.float32), out, 0)
            self.clock.observe()
            played.append(out[:, 0])
        return np.concatenate(played)

    def waiting(self):
        return int(self.engine.commands.index[WRITE] - self.engine.commands.index[READ])


@pytest.fixture
def rig():
    return Rig()


def test_what_is_played_while_it_is_away_never_sounds(rig):
    rig.run(10)
    rig.stage.pause()
    for _ in range(1_000):
        assert rig.stage.play(NOTE, "midi") is None
        rig.stage.end(1, 0.2)
        rig.stage.set_control("output_db", -6.0)
        rig.stage.express(1, Expression(bend_semitones=1.0))
        rig.stage.send_expressions()
    assert rig.waiting() == 0
    assert rig.stage.counts()["events_unplayed"] == 1_000
    assert "commands_refused" not in rig.stage.counts()
    assert rig.stage.resume()
    assert rig.engine.commands.rows[0, KIND] == PANIC
    assert np.abs(rig.run(200)).max() == 0.0
    # but what was turned holds, and the next note sounds
    assert rig.engine.targets[ENGINE_PARAMETERS.index("output_db")] == pytest.approx(gain_from_db(-6.0))
    assert rig.stage.play(NOTE, "midi") is not None
    assert np.abs(rig.run(200)).max() > 1e-3


def test_what_waited_when_it_went_is_forgotten(rig):
    rig.run(10)
    cancelled = []
    rig.stage.add_panic(cancelled.append)
    rig.stage.play(Event(0.1, -12.0, NOTE.vector), "heard")
    rig.stage.pause()
    assert rig.stage.resume()
    assert np.abs(rig.run(200)).max() == 0.0
    assert cancelled == [pytest.approx(640 / RATE)]


def test_an_engine_that_takes_nothing_is_not_waited_for_long(rig):
    while rig.stage.play(NOTE, "midi") is not None:
        pass
    began = time.monotonic()
    assert not rig.stage.resume()
    assert time.monotonic() - began < 10.0


def test_time_stands_still_while_it_is_away(rig):
    rig.run(10)
    rig.clock.hold()
    position = int(rig.engine.numbers[POSITION])
    time.sleep(0.05)
    assert rig.clock.position_samples() == pytest.approx(position, abs=50)
    earliest = time.monotonic()
    in_a_second = rig.clock.monotonic_at(position + RATE)
    assert earliest + 0.998 < in_a_second < time.monotonic() + 1.002
    rig.clock.restart()
    # until the first block comes it stands still as well, rather than at the beginning
    assert rig.clock.position_samples() == pytest.approx(position, abs=50)
    rig.run(1)
    time.sleep(0.01)
    assert position < rig.clock.position_samples() < position + RATE
