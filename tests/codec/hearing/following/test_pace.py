"""Time that hearing has: where nothing is due all is done, and else what there is time for."""

import math

import pytest

from struck.codec.hearing.pace import Pace


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock)


def work(pace, clock, name, seconds, count=1):
    with pace.measure(name, count):
        clock.seconds += seconds


def test_where_nothing_is_due_all_is_done(pace, clock):
    work(pace, clock, "step", 1_000.0)
    assert math.isinf(pace.due_seconds)
    assert pace.count("step", 7, "telling") == 7


def test_as_much_is_done_as_there_is_time_for(pace, clock):
    work(pace, clock, "step", 0.012, count=12)
    work(pace, clock, "telling", 0.002)
    pace.due_seconds = clock() + 0.0075
    assert pace.count("step", 12) == 7
    assert pace.count("step", 12, "telling") == 5
    assert pace.count("step", 3, "telling") == 3
    clock.seconds += 0.006
    assert pace.count("step", 12, "telling") == 0
    clock.seconds += 1.0  # far too late
    assert pace.count("step", 12) == 0


def test_what_was_never_done_is_tried_while_there_is_time(pace, clock):
    pace.due_seconds = clock() + 0.001
    assert pace.count("step", 12) == 12
    pace.due_seconds = clock()
    assert pace.count("step", 12) == 0


def test_one_slow_piece_is_not_taken_for_the_rule_and_slow_ones_are(pace, clock):
    for _ in range(20):
        work(pace, clock, "step", 0.001)
    work(pace, clock, "step", 0.010)
    assert pace.seconds("step") < 0.003
    for _ in range(20):
        work(pace, clock, "step", 0.010)
    assert pace.seconds("step") == pytest.approx(0.010, rel=0.05)


def test_an_estimate_that_keeps_work_from_being_done_is_doubted(pace, clock):
    work(pace, clock, "step", 0.200)  # its first time: code was loaded
    for _ in range(200):
        pace.due_seconds = clock() + 0.005
        if pace.count("step", 1):
            work(pace, clock, "step", 0.001)
    assert pace.seconds("step") == pytest.approx(0.001, rel=0.05)


def test_where_there_is_no_time_at_all_nothing_is_learnt(pace, clock):
    work(pace, clock, "step", 0.002)
    pace.due_seconds = clock()
    assert pace.count("step", 3) == 0
    assert not pace.may_begin("step")
    assert pace.seconds("step") == pytest.approx(0.002)


def test_work_that_may_be_done_later_is_begun_where_it_will_be_in_time_then(pace, clock):
    assert pace.may_begin("reading", "telling")  # nothing is due
    work(pace, clock, "reading", 0.012)
    work(pace, clock, "telling", 0.002)
    pace.due_seconds = clock() + 0.003
    assert pace.may_begin("reading", "telling", later_seconds=0.0115)
    clock.seconds += 0.001
    assert not pace.may_begin("reading", "telling", later_seconds=0.0115)
    assert not pace.may_begin("reading", "telling")
