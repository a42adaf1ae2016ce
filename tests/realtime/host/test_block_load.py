"""What the callback wrote down, read: shares of a block, and who was late."""

import numpy as np
import pytest

from struck.realtime.engine.callback import BUSY, HISTOGRAM_STEP, INTERVAL, make_callback_state, run_block
from struck.realtime.engine.rings import push_row
from struck.realtime.engine.state import make_engine_state
from struck.realtime.host.block_load import Dropout, LoadMeter, quantile

BLOCK_SECONDS = 64 / 48_000


@pytest.fixture
def state():
    engine = make_engine_state(22_050, ring_seconds=0.0, phrase_seconds=0.0, voice_count=1, pending_count=1)
    return make_callback_state(engine, 22_050, 1e15)


def note(state, row, share, count=1):
    state.histogram[row, min(1_999, int(share / HISTOGRAM_STEP))] += count
    state.worst[row] = max(state.worst[row], share)


def test_figures_are_those_since_the_call_before(state):
    meter = LoadMeter(state)
    assert meter.since_before() == (0.0, 0.0)
    note(state, BUSY, 0.101, 9)
    note(state, BUSY, 0.501)
    mean, worst = meter.since_before()
    assert mean == pytest.approx(14.25, abs=0.01)
    assert worst == pytest.approx(50.5)
    note(state, BUSY, 0.201)
    assert meter.since_before() == pytest.approx((20.25, 20.5))
    assert meter.since_before() == (0.0, 0.0)


def test_summary_of_the_whole_stream(state):
    for row in (BUSY, INTERVAL):
        note(state, row, 0.1, 9_980)
        note(state, row, 0.4, 15)
        note(state, row, 3.0, 5)
    summary = LoadMeter(state).summary(paced=True)
    for name in ("callback", "interval"):
        assert summary[f"{name}_median_percent"] == pytest.approx(10.5, abs=0.6)
        assert summary[f"{name}_p99_percent"] == pytest.approx(10.5, abs=0.6)
        assert summary[f"{name}_p999_percent"] == pytest.approx(40.5, abs=0.6)
        assert summary[f"{name}_worst_percent"] == 300.0
    assert "interval_median_percent" not in LoadMeter(state).summary(paced=False)


def test_quantiles():
    assert quantile(np.zeros(10, np.int64), 0.5) == 0.0
    counts = np.zeros(10, np.int64)
    counts[3], counts[7] = 99, 1
    assert quantile(counts, 0.99) == pytest.approx(4 * HISTOGRAM_STEP)
    assert quantile(counts, 0.999) == pytest.approx(8 * HISTOGRAM_STEP)


def test_dropouts_are_read_once(state):
    meter = LoadMeter(state)
    assert meter.dropouts() == []
    push_row(state.reports, np.array([640.0, 1.5, 1.0, 0.0]))
    push_row(state.reports, np.array([704.0, 0.1, 4.0, 4.0]))
    assert meter.dropouts() == [Dropout(640, 1.5, 1.0, 0), Dropout(704, 0.1, 4.0, 4)]
    assert meter.dropouts() == []


def test_what_the_device_says_was_lost_arrives_here(state):
    silence, out = np.zeros((64, 1), np.float32), np.zeros((64, 2), np.float32)
    run_block(state, silence, out, 0)
    run_block(state, silence, out, 4)  # output underflow
    dropout = LoadMeter(state).dropouts()[-1]
    assert (dropout.position_samples, dropout.flags) == (64, 4)


@pytest.mark.parametrize(
    ("busy", "interval", "words"),
    [
        (2.0, 3.0, "a block took 2.7 ms of its 1.3 ms"),
        (0.2, 4.0, "the machine called 4.0 ms late"),
        (0.2, 1.1, "the device, or another program on it, was late"),
    ],
)
def test_who_was_late(busy, interval, words):
    assert Dropout(0, busy, interval, 4).describe(BLOCK_SECONDS) == words
