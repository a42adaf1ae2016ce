"""Waiting for an index that another thread or process moves: in time, asleep, and never for too long."""

import threading
import time

import numpy as np
import pytest

from struck.realtime.engine import waking
from struck.realtime.engine.cycles import read_cycles
from struck.realtime.engine.waking import PacedWaiter, Waiter, publish

PLACE, MOVED_AT, WAITING = 0, 1, 8
PACE = 0.01
#: Longer than a busy machine keeps a thread from its core.
LONG = 30.0


def make_indices():
    return np.zeros(16, np.int64)


def make_waiter(indices, paced=True):
    if paced:
        return PacedWaiter(indices, PLACE, WAITING, MOVED_AT, PACE)
    return Waiter(indices, PLACE, WAITING)


class Moments:
    """A clock of nanoseconds in place of the processor's; it goes on only while somebody sleeps.

    Args:
        monkeypatch: pytest's.
        indices: of the waiter.
        due: seconds at which the index moves to 1.
    """

    def __init__(self, monkeypatch, indices, due):
        self.now, self.slept, self.flags = 5.0, [], []
        self._indices, self._due = indices, due
        monkeypatch.setattr(waking, "read_cycles", lambda: int(1e9 * self.now))
        monkeypatch.setattr(waking.time, "sleep", self.sleep)
        monkeypatch.setattr(waking, "CycleClock", lambda: self)
        self.cycles_per_second = 1e9

    def sleep(self, seconds):
        self.flags.append(int(self._indices[WAITING]))
        self.slept.append(seconds)
        self.now += seconds
        if self.now >= self._due:
            self._indices[PLACE] = 1


def test_in_time_it_sleeps_until_a_little_after_the_index_is_due(monkeypatch):
    indices = make_indices()
    moments = Moments(monkeypatch, indices, due=5.0 + 0.5 * PACE)
    indices[MOVED_AT] = int(1e9 * (5.0 - 0.5 * PACE))
    waiter = make_waiter(indices)
    assert waiter.wait(0, LONG) == 1
    assert len(moments.slept) == 1
    assert 0.5 * PACE < moments.slept[0] < 0.7 * PACE
    assert moments.flags == [0]  # so whoever moves it makes no call


def test_it_returns_at_once_when_the_index_has_moved_already(monkeypatch):
    indices = make_indices()
    moments = Moments(monkeypatch, indices, due=9.0)
    waiter = make_waiter(indices)
    indices[PLACE], indices[MOVED_AT] = 3, int(1e9 * moments.now)
    assert waiter.wait(2, LONG) == 3
    assert moments.slept == []


def test_it_never_sleeps_longer_than_it_may(monkeypatch):
    """What else the thread has to look at, such as a request to end, comes every ``seconds``."""
    indices = make_indices()
    moments = Moments(monkeypatch, indices, due=9.0)
    indices[MOVED_AT] = int(1e9 * moments.now)
    waiter = make_waiter(indices)
    assert waiter.wait(0, 0.3 * PACE) == 0
    assert moments.slept == [0.3 * PACE]


def test_one_that_works_most_of_the_time_is_woken_instead(monkeypatch):
    indices = make_indices()
    moments = Moments(monkeypatch, indices, due=9.0)
    waiter = make_waiter(indices)
    moments.now += 0.8 * PACE
    indices[MOVED_AT] = int(1e9 * moments.now)
    woken = []
    monkeypatch.setattr(Waiter, "wait", lambda self, value, seconds: woken.append(seconds) or 1)
    assert waiter.wait(0, LONG) == 1
    assert woken == [LONG]
    assert moments.slept == []


@pytest.mark.parametrize("paced", [False, True])
def test_an_index_that_is_late_wakes_it(paced):
    """Its time is over after ``LONG``; whoever moves the index waits until it has said that it waits."""
    indices = make_indices()
    waiter = make_waiter(indices, paced)
    indices[MOVED_AT] = read_cycles()
    found = []
    thread = threading.Thread(target=lambda: found.append(waiter.wait(0, 10 * LONG)), daemon=True)
    began = time.monotonic()
    thread.start()
    while indices[WAITING] == 0 and waking.HAS_FUTEX and time.monotonic() < began + LONG:
        time.sleep(0.001)
    publish(indices, PLACE, 1, WAITING)
    thread.join(LONG)
    assert found == [1]
    assert indices[WAITING] == 0


@pytest.mark.parametrize("paced", [False, True])
def test_without_a_move_it_gives_up_after_its_time(paced):
    indices = make_indices()
    waiter = make_waiter(indices, paced)
    indices[MOVED_AT] = read_cycles()
    assert waiter.wait(0, 2 * PACE) == 0


def test_a_steady_pace_is_followed_asleep():
    """A hundred moves at a pace: none is missed, and the thread hardly computes."""
    indices = make_indices()
    waiter = make_waiter(indices)

    def move():
        for number in range(1, 101):
            time.sleep(PACE)
            publish(indices, PLACE, number, WAITING)
            indices[MOVED_AT] = read_cycles()

    thread = threading.Thread(target=move)
    thread.start()
    waiter.wait(0, LONG)
    began, computed = time.monotonic(), time.thread_time()
    found = int(indices[PLACE])
    while found < 100:
        before, found = found, waiter.wait(found, LONG)
        assert found > before
    computed, lasted = time.thread_time() - computed, time.monotonic() - began
    thread.join()
    assert computed < 0.3 * lasted
