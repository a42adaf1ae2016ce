"""Rings between threads: nothing torn, nothing lost unnoticed, and time that never shifts."""

import threading
from collections import deque

import numpy as np
import pytest
from numba import boolean, int64, njit, void

from struck.realtime.engine.rings import (
    LOST,
    OFFERED,
    RECORD_RING,
    SAMPLE_RING,
    count_free,
    count_readable,
    make_record_ring,
    make_sample_ring,
    pop_row,
    push_row,
    read_frames,
    write_frames,
)

HOLE_COUNT = 64


def ramp(first, count, channels=1):
    """Frames that tell their own position: sample n is n + 1, the other channel its negative."""
    frames = np.arange(first + 1, first + 1 + count, dtype=np.float32)
    return np.stack([frames, -frames][:channels], 1)


def offer(ring, frames):
    """Write the next ``frames`` of the ramp."""
    write_frames(ring, ramp(int(ring.index[OFFERED]), frames, ring.frames.shape[1]))


def take(ring, frames):
    """Read at most ``frames`` frames ``[F, C]``."""
    out = np.full((frames, ring.frames.shape[1]), np.nan, dtype=np.float32)
    return out[: read_frames(ring, out)]


class Model:
    """The ring of samples as its docstring tells it, one position at a time."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.stored = deque()  # positions and values; a hole is there as zeros
        self.holes = deque()  # one past the last position of each hole
        self.offered = self.end = self.read = self.lost = 0

    def write(self, frames):
        first, self.offered = self.offered, self.offered + frames
        waiting = self.end - self.read
        fits = frames <= self.capacity if waiting == 0 else self.offered - self.read <= self.capacity
        if first != self.end and len(self.holes) == HOLE_COUNT:
            fits = False
        if not fits:
            self.lost += frames
            return
        if first != self.end:
            self.holes.append(first)
        self.stored.extend([0.0] * (first - self.end))
        self.stored.extend(float(n + 1) for n in range(first, first + frames))
        self.end = first + frames

    def take(self, frames):
        count = min(frames, len(self.stored))
        self.read += count
        while self.holes and self.holes[0] <= self.read:
            self.holes.popleft()
        return [self.stored.popleft() for _ in range(count)]

    def free(self):
        return max(0, self.capacity - (self.offered - self.read)) if self.stored else self.capacity


# -- records


def test_rows_come_out_as_they_went_in_and_a_full_ring_refuses_and_counts():
    ring = make_record_ring(4, 3)
    row = np.zeros(3)
    assert not pop_row(ring, row)
    for turn in range(5):  # around the end several times
        for i in range(4):
            assert push_row(ring, np.array([turn, i, 0.5]))
        assert not push_row(ring, np.array([9.0, 9.0, 9.0]))
        assert ring.index[LOST] == turn + 1
        for i in range(4):
            assert pop_row(ring, row)
            assert list(row) == [turn, i, 0.5]
        assert not pop_row(ring, row)


def test_a_short_row_fills_the_first_columns():
    ring = make_record_ring(2, 4)
    assert push_row(ring, np.array([1.0, 2.0]))
    row = np.full(4, np.nan)
    assert pop_row(ring, row)
    assert list(row[:2]) == [1.0, 2.0]


@njit(void(RECORD_RING, int64), nogil=True)
def push_many(ring, count):
    """Rows whose numbers all follow from their own place; a full ring is tried again."""
    row = np.zeros(ring.rows.shape[1])
    for i in range(count):
        for j in range(row.shape[0]):
            row[j] = i * 1_000 + j
        while not push_row(ring, row):
            pass


@njit(int64(RECORD_RING, int64), nogil=True)
def pop_many(ring, count):
    """How many of ``count`` rows are not what :func:`push_many` sent in this place."""
    row = np.zeros(ring.rows.shape[1])
    wrong = 0
    for i in range(count):
        while not pop_row(ring, row):
            pass
        good = True
        for j in range(row.shape[0]):
            good = good and row[j] == i * 1_000 + j
        wrong += not good
    return wrong


@pytest.mark.parametrize("capacity", [1, 7, 64])
def test_between_two_threads_no_row_is_torn_lost_or_doubled(capacity):
    count = 2_000 if capacity == 1 else 50_000
    ring = make_record_ring(capacity, 40)
    producer = threading.Thread(target=push_many, args=(ring, count))
    producer.start()
    wrong = pop_many(ring, count)
    producer.join()
    assert wrong == 0
    assert not pop_row(ring, np.zeros(40))


# -- samples


@pytest.mark.parametrize("channels", [1, 2])
def test_frames_come_out_as_they_went_in_around_the_end(channels):
    ring = make_sample_ring(100, channels)
    got = []
    for _ in range(50):
        offer(ring, 37)
        offer(ring, 24)
        assert count_readable(ring) == 61
        assert count_free(ring) == 39
        got += [take(ring, 40), take(ring, 40)]
    assert np.array_equal(np.concatenate(got), ramp(0, 50 * 61, channels))
    assert ring.index[LOST] == 0


def test_a_full_ring_may_be_full_to_the_last_frame():
    ring = make_sample_ring(64, 1)
    offer(ring, 64)
    assert (count_free(ring), count_readable(ring), ring.index[LOST]) == (0, 64, 0)
    offer(ring, 1)
    assert ring.index[LOST] == 1
    assert np.array_equal(take(ring, 100), ramp(0, 64))


def test_what_found_no_room_is_read_as_zeros_of_the_same_length():
    ring = make_sample_ring(16, 2)
    for _ in range(3):  # the picture at the top of rings.py: a fits, b and c do not
        offer(ring, 8)
        offer(ring, 12)
        offer(ring, 12)
        assert len(take(ring, 4)) == 4
        offer(ring, 4)  # still full: the hole before it counts as long as frames wait
        assert len(take(ring, 4)) == 4
        offer(ring, 8)
        out = take(ring, 100)
        assert not out[:28].any()
        position = int(ring.index[OFFERED])
        assert np.array_equal(out[28:], ramp(position - 8, 8, 2))
        assert len(out) == 36
    assert ring.index[LOST] == 3 * 28
    assert ring.index[OFFERED] == 3 * 44


def test_a_hole_longer_than_the_ring_and_a_read_that_stops_inside_it():
    ring = make_sample_ring(10, 1)
    offer(ring, 10)
    for _ in range(1_000):
        offer(ring, 10)
    assert np.array_equal(take(ring, 10), ramp(0, 10))
    assert count_readable(ring) == 0
    assert count_free(ring) == 10
    offer(ring, 10)
    assert count_readable(ring) == 10_010
    for _ in range(10):
        assert not take(ring, 999).any()
    rest = take(ring, 999)
    assert np.array_equal(rest, np.concatenate([np.zeros((10, 1), np.float32), ramp(10_010, 10)]))


def test_a_block_longer_than_the_ring_is_lost_whole():
    ring = make_sample_ring(10, 1)
    offer(ring, 11)
    offer(ring, 5)
    assert ring.index[LOST] == 11
    assert np.array_equal(take(ring, 99), np.concatenate([np.zeros((11, 1), np.float32), ramp(11, 5)]))


def test_with_the_table_of_holes_full_more_is_lost_but_time_does_not_shift():
    """A full ring whose reader takes two frames for every two offered, the first of which finds no room."""
    ring = make_sample_ring(400, 1)
    model = Model(400)
    offer(ring, 400)
    model.write(400)
    turns = HOLE_COUNT + 20
    for _ in range(turns):
        for frames in (1, 0):
            offer(ring, frames)
            model.write(frames)
        assert take(ring, 2)[:, 0].tolist() == model.take(2)
        offer(ring, 1)
        model.write(1)
    assert ring.index[LOST] == model.lost
    assert model.lost > turns + 10  # the table was full
    for _ in range(3):
        assert take(ring, 300)[:, 0].tolist() == model.take(300)
        offer(ring, 100)
        model.write(100)
    assert ring.index[OFFERED] == model.offered == 700 + 2 * turns


@pytest.mark.parametrize("seed", range(12))
def test_any_schedule_does_what_the_model_does(seed):
    rng = np.random.default_rng(seed)
    capacity = int(rng.choice([1, 5, 64, 300]))
    ring = make_sample_ring(capacity, 1)
    model = Model(capacity)
    # some readers nap, some keep up; some read frame by frame
    longest_read = int(rng.choice([1, capacity, 4 * capacity]))
    nap = rng.choice([0.1, 0.9])
    for _ in range(1_500):
        if rng.random() < 0.5:
            frames = int(rng.integers(0, 2 * capacity if rng.random() < 0.05 else max(2, capacity // 2)))
            assert count_free(ring) == model.free()
            offer(ring, frames)
            model.write(frames)
        elif rng.random() > nap:
            frames = int(rng.integers(0, longest_read + 1))
            assert take(ring, frames)[:, 0].tolist() == model.take(frames)
        assert count_readable(ring) == len(model.stored)
        assert ring.index[LOST] == model.lost
        assert ring.index[OFFERED] == model.offered
    assert model.lost > 0


@njit(void(SAMPLE_RING, int64, int64), nogil=True)
def write_many(ring, frames, count):
    """``count`` blocks of the ramp, never waiting; then one more that gets through."""
    block = np.zeros((frames, 1), dtype=np.float32)
    position = 0
    for _ in range(count):
        for n in range(frames):
            block[n, 0] = position % 100_000 + n + 1
        write_frames(ring, block)
        position += frames
    # the end must be readable: offer until it is taken
    lost = ring.index[LOST]
    while True:
        for n in range(frames):
            block[n, 0] = position % 100_000 + n + 1
        write_frames(ring, block)
        position += frames
        if ring.index[LOST] == lost:
            break
        lost = ring.index[LOST]


@njit(int64(SAMPLE_RING, int64, boolean[::1], int64[::1]), nogil=True)
def read_many(ring, frames, done, found):
    """Frames that are neither what belongs at their position nor zero; ``found``: frames, zeros."""
    out = np.zeros((frames, 1), dtype=np.float32)
    position = 0
    wrong = 0
    while True:
        finished = done[0]
        count = read_frames(ring, out)
        for n in range(count):
            first = position - position % 37  # of its block
            if out[n, 0] == 0.0:
                found[1] += 1
            elif out[n, 0] != first % 100_000 + position % 37 + 1:
                wrong += 1
            position += 1
        if finished and count == 0:
            found[0] = position
            return wrong


def test_between_two_threads_frames_keep_their_places_and_zeros_are_what_was_lost():
    ring = make_sample_ring(500, 1)
    done = np.zeros(1, dtype=np.bool_)
    found = np.zeros(2, dtype=np.int64)

    def produce():
        write_many(ring, 37, 200_000)
        done[0] = True

    producer = threading.Thread(target=produce)
    producer.start()
    wrong = read_many(ring, 53, done, found)
    producer.join()
    assert wrong == 0
    assert found[0] == ring.index[OFFERED]
    assert found[1] == ring.index[LOST]
