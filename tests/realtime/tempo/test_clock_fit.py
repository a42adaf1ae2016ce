"""The line through clocks: what it makes of steady ones, late ones, lost ones, and another tempo."""

import pytest

from struck.realtime.tempo.clock_fit import WINDOW_CLOCKS, ClockFit, Recount

INTERVAL = 1 / 48  # 120 beats per minute


def fed(seconds):
    fit = ClockFit()
    recounts = []
    for at in seconds:
        fit.add(at)
        if fit.recount is not None:
            recounts.append(fit.recount)
    return fit, recounts


def steady(count, begin=10.0, interval=INTERVAL):
    return [begin + n * interval for n in range(count)]


def test_before_two_clocks_there_is_no_line():
    fit, _ = fed([1.0])
    assert fit.line is None
    assert fit.last_number == 0


def test_a_line_is_exact_where_the_clocks_are():
    fit, _ = fed(steady(300))
    assert len(fit) == WINDOW_CLOCKS
    assert fit.line.number == fit.last_number == 299
    assert fit.line.interval_seconds == pytest.approx(INTERVAL, rel=1e-9)
    assert fit.line.seconds_at(311) == pytest.approx(10.0 + 311 * INTERVAL, abs=1e-9)


@pytest.mark.parametrize("late", [1, 4])
def test_some_clocks_that_are_late_by_themselves_do_not_bend_it(late):
    seconds = steady(200)
    for n in range(180, 180 + late):
        seconds[n] += 0.015
    fit, recounts = fed(seconds)
    assert fit.line.seconds_at(200) == pytest.approx(10.0 + 200 * INTERVAL, abs=1e-5)
    assert len(fit) == WINDOW_CLOCKS
    assert recounts == []


@pytest.mark.parametrize("lost", [1, 3, 10])
def test_lost_clocks_are_counted_later(lost):
    seconds = steady(200)
    del seconds[150 : 150 + lost]
    fit, recounts = fed(seconds)
    assert recounts == [Recount(150, lost)]
    assert fit.line.interval_seconds == pytest.approx(INTERVAL, rel=1e-9)
    assert len(fit) == min(WINDOW_CLOCKS, 200 - lost)


def test_a_clock_that_came_twice_is_counted_back():
    seconds = steady(200)
    seconds.insert(150, seconds[150])
    _, recounts = fed(seconds)
    assert [recount.lost for recount in recounts] == [-1]


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.97, 1.03, 1.1, 2.0])
def test_another_tempo_begins_a_line_of_its_own(ratio):
    before = steady(200)
    after = steady(20, before[-1] + ratio * INTERVAL, ratio * INTERVAL)
    fit, recounts = fed(before + after)
    assert recounts == []
    assert len(fit) <= 22
    assert fit.line.interval_seconds == pytest.approx(ratio * INTERVAL, rel=1e-3)


def test_a_restart_keeps_the_tempo_and_moves_the_phase():
    fit, _ = fed(steady(100))
    fit.restart(20.0)
    assert fit.add(20.0) == 100
    assert fit.line.seconds_at(100) == pytest.approx(20.0, abs=1e-9)
    assert fit.line.interval_seconds == pytest.approx(INTERVAL, rel=1e-9)


@pytest.mark.parametrize("interval", [0.0, 0.002, 0.2])
def test_what_is_no_tempo_is_no_line(interval):
    fit, _ = fed(steady(50, interval=interval))
    assert fit.line is None
