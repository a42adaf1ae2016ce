"""Single-producer single-consumer rings: the only places where threads meet the audio thread.

Each index is written by one thread only, published with a release store and read by the other with an
acquire load, so that what it covers is seen whole. Nothing waits: a full ring refuses, and counts.

A ring of samples never shifts time. What found no room becomes a *hole*, which the reader gets as zeros of
the same length::

    offered   |aaaaaaaa|bbbbbbbb|cccccccc|dddddddd|      the reader was away during b and c
    stored    |aaaaaaaa|                 |dddddddd|      and hole [8, 24)
    read      |aaaaaaaa|0000000000000000 |dddddddd|
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba import boolean, float32, float64, int64, njit, typeof, types, void
from numba.extending import intrinsic

from ...codec.playing.kernel_options import EXACT

#: How kernels on the audio thread are compiled.
KERNEL: Final = EXACT

# places in the index arrays: the writer's and the reader's lie on cache lines of their own
WRITE, OFFERED, LOST, HOLES_WRITTEN = range(4)
READ, HOLES_READ = 16, 17
_INDEX_SIZE: Final = 32
_HOLE_COUNT: Final = 64


@intrinsic
def load_acquire(typing_context, array, index):
    """``array[index]`` of an int64 array; what was written before it was published is seen."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.gep(data, [arguments[1]], source_etype=ir.IntType(64))
        return builder.load_atomic(pointer, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), generate


@intrinsic
def store_release(typing_context, array, index, value):
    """``array[index] = value`` of an int64 array; all that was written before is seen with it."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.gep(data, [arguments[1]], source_etype=ir.IntType(64))
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate


class RecordRing(NamedTuple):
    """A ring of rows of numbers."""

    rows: np.ndarray  # float64 [N, R]
    index: np.ndarray  # type: ignore[assignment] # int64 [32]; hides tuple.index


class SampleRing(NamedTuple):
    """A ring of frames of samples that knows what it lost."""

    frames: np.ndarray  # float32 [N, C]
    holes: np.ndarray  # int64 [64, 2] first frame and the one after the last
    index: np.ndarray  # type: ignore[assignment] # int64 [32]; hides tuple.index


def make_record_ring(capacity: int, row_size: int) -> RecordRing:
    """An empty ring of ``capacity`` rows."""
    ring = RecordRing(np.zeros((capacity, row_size)), np.zeros(_INDEX_SIZE, dtype=np.int64))
    ring.rows.fill(0.0)  # np.zeros maps its pages on first use: let that be now, not in the audio thread
    return ring


def make_sample_ring(capacity: int, channels: int) -> SampleRing:
    """An empty ring of ``capacity`` frames."""
    ring = SampleRing(
        np.zeros((capacity, channels), dtype=np.float32),
        np.zeros((_HOLE_COUNT, 2), dtype=np.int64),
        np.zeros(_INDEX_SIZE, dtype=np.int64),
    )
    ring.frames.fill(0.0)
    return ring


RECORD_RING: Final = typeof(make_record_ring(1, 1))
SAMPLE_RING: Final = typeof(make_sample_ring(1, 1))


@njit(boolean(RECORD_RING, float64[::1]), **KERNEL)
def push_row(ring, row):
    """Append ``row [<= R]``; False, and counted as lost, if there is no room. The producer's thread."""
    write = ring.index[WRITE]
    if write - load_acquire(ring.index, READ) == ring.rows.shape[0]:
        ring.index[LOST] += 1
        return False
    place = ring.rows[write % ring.rows.shape[0]]
    for i in range(row.shape[0]):
        place[i] = row[i]
    store_release(ring.index, WRITE, write + 1)
    return True


@njit(boolean(RECORD_RING, float64[::1]), **KERNEL)
def pop_row(ring, row):
    """Take the oldest row to ``row [R]``; False if there is none. The consumer's thread."""
    read = ring.index[READ]
    if read == load_acquire(ring.index, WRITE):
        return False
    place = ring.rows[read % ring.rows.shape[0]]
    for i in range(row.shape[0]):
        row[i] = place[i]
    store_release(ring.index, READ, read + 1)
    return True


@njit(void(SAMPLE_RING, float32[:, ::1]), **KERNEL)
def write_frames(ring, block):
    """Append ``block [F, C]``, or lose it whole. The producer's thread."""
    index = ring.index
    write = index[WRITE]
    position = index[OFFERED]
    frames = block.shape[0]
    capacity = ring.frames.shape[0]
    read = load_acquire(index, READ)
    index[OFFERED] = position + frames
    full = position + frames - read > capacity and (read != write or frames > capacity)
    if not full and position != write:
        hole = index[HOLES_WRITTEN]
        if hole - load_acquire(index, HOLES_READ) == ring.holes.shape[0]:
            full = True
        else:
            ring.holes[hole % ring.holes.shape[0], 0] = write
            ring.holes[hole % ring.holes.shape[0], 1] = position
            store_release(index, HOLES_WRITTEN, hole + 1)
    if full:
        index[LOST] += frames
        return
    place = position % capacity
    for n in range(frames):
        for c in range(block.shape[1]):
            ring.frames[place, c] = block[n, c]
        place = place + 1 if place + 1 < capacity else 0
    store_release(index, WRITE, position + frames)


@njit(int64(SAMPLE_RING, float32[:, ::1]), **KERNEL)
def read_frames(ring, out):
    """Take up to ``len(out)`` frames to ``out [F, C]``, holes as zeros; how many. The consumer's thread."""
    index = ring.index
    read = index[READ]
    write = load_acquire(index, WRITE)
    capacity = ring.frames.shape[0]
    done = 0
    while done < out.shape[0] and read < write:
        end = min(write, read + out.shape[0] - done)
        hole = index[HOLES_READ]
        in_hole = False
        if hole < load_acquire(index, HOLES_WRITTEN):
            first = ring.holes[hole % ring.holes.shape[0], 0]
            after = ring.holes[hole % ring.holes.shape[0], 1]
            in_hole = first <= read
            end = min(end, after if in_hole else first)
            if in_hole and end == after:
                store_release(index, HOLES_READ, hole + 1)
        for position in range(read, end):
            for c in range(out.shape[1]):
                out[done, c] = np.float32(0.0) if in_hole else ring.frames[position % capacity, c]
            done += 1
        read = end
    store_release(index, READ, read)
    return done


@njit(int64(SAMPLE_RING), **KERNEL)
def count_readable(ring):
    """Frames that can be read now, holes among them. The consumer's thread."""
    return load_acquire(ring.index, WRITE) - ring.index[READ]


@njit(int64(SAMPLE_RING), **KERNEL)
def count_free(ring):
    """Frames for which there is room now. The producer's thread."""
    read = load_acquire(ring.index, READ)
    if read == ring.index[WRITE]:  # all is read; a hole that may follow takes no room
        return ring.frames.shape[0]
    return max(0, ring.frames.shape[0] - (ring.index[OFFERED] - read))
