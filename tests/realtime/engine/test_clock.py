"""Stream time: from stamps that come late by chance, exact to a fraction of a block."""

import numpy as np
import pytest

from struck.realtime.engine import clock as clock_module
from struck.realtime.engine.callback import (
    BLOCKS,
    SEQUENCE,
    STAMP_CYCLES,
    STAMP_POSITION,
    make_callback_state,
)
from struck.realtime.engine.clock import DeviceClock, FileClock
from struck.realtime.engine.state import POSITION, make_engine_state

RATE = 48_000
BLOCK = 64


class Cycles:
    """A nanosecond each."""

    cycles_per_second = 1e9

    def monotonic_at(self, cycles):
        return cycles * 1e-9


class Device:
    """Calls blocks at times of its own, by hand."""

    def __init__(self, monkeypatch, began=1_000.0):
        self.now = began
        self.began = began
        monkeypatch.setattr(clock_module.time, "perf_counter", lambda: self.now)
        engine = make_engine_state(
            22_050, ring_seconds=0.0, phrase_seconds=0.0, voice_count=1, pending_count=1
        )
        self.state = make_callback_state(engine, RATE, 1e9)
        self.clock = DeviceClock(self.state, Cycles(), RATE, BLOCK, 0.0)

    def call(self, position, at_seconds):
        """The callback began the block at ``position`` at this moment, which is now."""
        self.now = at_seconds
        stamps = self.state.stamps
        stamps[STAMP_POSITION], stamps[STAMP_CYCLES] = position, round(at_seconds * 1e9)
        stamps[SEQUENCE] += 2
        stamps[BLOCKS] += 1

    def run(self, seconds, late_seconds, first=0, every=1, seed=1, began=None):
        """Blocks that come late by chance, one of ``every`` looked at; the position after the last."""
        rng = np.random.default_rng(seed)
        began = self.began if began is None else began
        count = round(seconds * RATE / BLOCK)
        for block in range(count):
            position = first + block * BLOCK
            late = rng.exponential(late_seconds) if late_seconds else 0.0
            self.call(position, began + (position - first) / RATE + min(late, BLOCK / RATE))
            if block % every == 0:
                self.clock.observe()
        return first + count * BLOCK


@pytest.fixture
def device(monkeypatch):
    return Device(monkeypatch)


def test_before_the_first_block_it_is_sample_0(device):
    assert device.clock.position_samples() == 0
    assert device.clock.monotonic_at(480) == pytest.approx(device.now + 0.01)


def test_an_even_stream_is_known_to_the_sample(device):
    position = device.run(0.5, 0.0, every=40)
    device.now = device.began + position / RATE
    assert device.clock.position_samples() == pytest.approx(position, abs=1)
    for ahead in (-4_800, 0, 32, 4_800):
        at = device.began + (position + ahead) / RATE
        assert device.clock.sample_at(at) == pytest.approx(position + ahead, abs=1)
        assert device.clock.monotonic_at(position + ahead) == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize("every", [1, 38])  # as often as notes ask, or as the watch does
@pytest.mark.parametrize("late_seconds", [0.0002, 0.001])
def test_lateness_by_chance_does_not_move_it(device, late_seconds, every):
    position = device.run(4.0, late_seconds, every=every)
    device.now = device.began + position / RATE
    error_seconds = device.clock.position_samples() / RATE - position / RATE
    assert -0.0003 <= error_seconds <= 1e-4


def test_it_remembers_the_best_of_half_a_second_however_often_it_is_asked(device):
    """One block in time, then late ones."""

    def call_late(blocks):
        for block in blocks:
            device.call(block * BLOCK, device.began + block * BLOCK / RATE + 0.001)
            device.clock.observe()

    device.call(0, device.began)
    device.clock.observe()
    call_late(range(1, 300))
    assert device.clock.observe() == pytest.approx(device.began, abs=1e-6)
    call_late(range(300, 800))
    assert device.clock.observe() == pytest.approx(device.began + 0.001, abs=1e-6)


def test_a_clock_that_runs_off_is_followed(device):
    """A device 100 ppm slow: within a fifth of a millisecond, the memory's drift."""
    for block in range(7_500):
        device.call(block * BLOCK, device.began + block * BLOCK / RATE * 1.0001)
        if block % 38 == 0:
            device.clock.observe()
    device.now = device.began + 7_500 * BLOCK / RATE * 1.0001
    assert device.clock.position_samples() / RATE == pytest.approx(10.0, abs=2.5e-4)


def test_between_blocks_it_goes_on_as_far_as_the_next(device):
    position = device.run(0.1, 0.0)
    positions = []
    for step in range(10):
        device.now = device.began + (position - BLOCK) / RATE + step * 0.0001
        positions.append(device.clock.position_samples())
    assert np.all(np.abs(np.diff(positions) - 0.0001 * RATE) <= 1.0)
    device.now += 0.05  # the next block is late
    assert device.clock.position_samples() == pytest.approx(position, abs=1)


def test_blocks_that_were_lost_do_not_carry_it_ahead(device):
    """After a tenth of a second without blocks the stream is behind the wall clock by as much, for good."""
    position = device.run(0.3, 0.0, every=38)
    device.run(0.05, 0.0, first=position, began=device.began + position / RATE + 0.1, every=38)
    now_position = position + round(0.05 * RATE)
    device.now = device.began + 0.1 + now_position / RATE
    assert device.clock.position_samples() == pytest.approx(now_position, abs=BLOCK)
    assert device.clock.monotonic_at(now_position) == pytest.approx(device.now, abs=BLOCK / RATE)


def test_after_a_pause_it_starts_anew(device):
    position = device.run(1.0, 0.0)
    device.now = device.began + 11.0  # ten seconds without a device
    device.clock.restart()
    device.run(0.1, 0.0, first=position, began=device.began + 11.0)
    device.now = device.began + 11.1
    assert device.clock.position_samples() == pytest.approx(1.1 * RATE, abs=2)


def test_a_file_is_where_the_engine_is():
    state = make_callback_state(
        make_engine_state(22_050, ring_seconds=0.0, phrase_seconds=0.0, voice_count=1, pending_count=1),
        RATE,
        1e9,
    )
    now = 50.0
    clock = FileClock(state, RATE, BLOCK, now=lambda: now)
    assert clock.position_samples() == 0
    assert clock.sample_at(49.0) == 0  # never before the beginning
    state.engine.numbers[POSITION] = 96_000
    assert clock.position_samples() == 96_000
    assert clock.sample_at(now) == 96_000
    assert clock.sample_at(now - 0.5) == 72_000
    assert clock.monotonic_at(96_000 + 480) == pytest.approx(now + 0.01)
    assert clock.output_latency_seconds == 0.0
