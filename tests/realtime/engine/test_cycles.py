"""The processor's clock: it counts, and its seconds are those of time.monotonic."""

import time
from itertools import pairwise

import pytest

from struck.realtime.engine import cycles
from struck.realtime.engine.cycles import CycleClock, read_cycles


def test_cycles_count_upward_at_a_rate_that_processors_have():
    clock = CycleClock()
    assert 1e6 < clock.cycles_per_second < 1e11
    readings = [read_cycles() for _ in range(10_000)]
    # between cores the counters may differ a little: by less than a microsecond
    assert all(later - earlier > -1e-6 * clock.cycles_per_second for earlier, later in pairwise(readings))
    assert readings[-1] > readings[0]


@pytest.mark.wall_clock
def test_its_seconds_are_those_of_the_monotonic_clock():
    clock = CycleClock()
    time.sleep(0.2)
    clock.refine()
    # an interruption between the two readings only ever makes the pair useless: the best of some counts
    errors = []
    for _ in range(20):
        before = time.monotonic()
        read = read_cycles()
        after = time.monotonic()
        errors.append(max(before - clock.monotonic_at(read), clock.monotonic_at(read) - after))
    assert min(errors) < 50e-6


def test_refining_measures_over_the_whole_time(monkeypatch):
    """A counter of 1 GHz whose readings came up to 1 ms late: the longer, the less that matters."""
    moments = iter([(1_000, 5.0), (1_000 + 20_000_000, 5.021), (1_000 + 10 * 10**9, 15.001)])
    monkeypatch.setattr(CycleClock, "_pair", staticmethod(lambda: next(moments)))
    clock = CycleClock(0.0)
    assert clock.cycles_per_second == pytest.approx(20e6 / 0.021)
    clock.refine()
    assert clock.cycles_per_second == pytest.approx(1e9, rel=2e-4)
    assert clock.monotonic_at(1_000) == 5.0
    assert clock.monotonic_at(1_000 + 10 * 10**9) == pytest.approx(15.001)


def test_a_counter_that_stands_still_is_a_fault(monkeypatch):
    monkeypatch.setattr(cycles, "read_cycles", lambda: 42)
    with pytest.raises(RuntimeError, match="does not count"):
        CycleClock(0.0)
