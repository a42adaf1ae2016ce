"""What the host and a rack's process share: sound addressed by stream position, indices, commands.

It is a file without a name, mapped by both: nothing is left behind whoever dies, however. Every index is
written by one side; both sides' lie on cache lines of their own. The frame of stream sample n stands at
n modulo RING_FRAMES on its way in (``dry``) and out (``wet``)::

    dry   ......|bbbbbbbb|bbbbbbbb|bbb            callback writes up to WRITTEN
    wet   ..|bbbbbbbb|bbbbbbbb|                   process has written from FROM up to DONE, whole blocks
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Any, Final, NamedTuple

import numpy as np
from numba import typeof

from .rings import RecordRing, make_record_ring

#: A lane is a place in the signal path, in the order of :data:`struck.patches.insert_patch.PLACES`.
INPUT_LANE, EVENTS_LANE, PHRASES_LANE, MASTER_LANE = range(4)
LANE_COUNT: Final = 4
CHANNEL_COUNT: Final = 2
#: Frames of a lane in either direction, a power of two and a multiple of every block.
RING_FRAMES: Final = 8_192
#: Over this a result fades in again, and the step at a missing one goes away: on either side.
FADE_FRAMES: Final = 1_024
_COMMAND_COUNT: Final = 4_096

# places in RackMemory.indices; of the callback: frames written, and when, in cycles; the first frame that is
# meant, plus one
WRITTEN, WRITTEN_AT, BEGIN = 0, 1, 8
# of the process: frames done, the first of those that are valid, blocks that were not finite, frames that it
# could not catch up with, notes that came too late, the insert that runs now, plus one
DONE, FROM, DAMAGED_BLOCKS, SKIPPED_FRAMES, LATE_NOTES, CURRENT = 16, 17, 18, 19, 20, 21
# of whoever waits: the process for WRITTEN, the host, from file to file, for DONE
PROCESS_WAITS, HOST_WAITS = 24, 32
_INDEX_COUNT: Final = 64

# columns of a command row, and what it may be; what a kind does not list is 0
KIND, AT_SAMPLE, INSERT, EVENT_ID, FIRST, SECOND, THIRD, FADES_AT = range(8)
_COMMAND_SIZE: Final = 8
#: FIRST: number of the parameter, SECOND: its value, THIRD: 1 where it goes there over a while.
SET_PARAMETER: Final = 0.0
#: FIRST: share of the insert's sound; over the next block.
SET_WET: Final = 1.0
#: FIRST: 1 passes the sound by, 0 does not; over the next block.
SET_BYPASS: Final = 2.0
#: An event begins on an instrument, at AT_SAMPLE of the lane's input. FIRST to THIRD: its gain in dB, and in
#: its vector pitch and tilt; FADES_AT: sample at which it will have faded.
BEGIN_NOTE: Final = 3.0
#: It becomes another; fields as before, the gain NaN where the level stays.
AMEND_NOTE: Final = 4.0
#: It is released. FIRST: 1 where it has been taken back: if it has not begun by then, it never does.
END_NOTE: Final = 5.0
#: All notes end, each with its release; none begins any more.
RELEASE: Final = 6.0
#: All notes are silent, at once.
PANIC: Final = 7.0


class RackMemory(NamedTuple):
    """Views of the shared memory."""

    indices: np.ndarray  # int64 [64]
    commands: RecordRing  # to the process
    dry: np.ndarray  # float32 [LANE_COUNT, CHANNEL_COUNT, RING_FRAMES]
    wet: np.ndarray  # float32 [LANE_COUNT, CHANNEL_COUNT, RING_FRAMES]


def make_memory_file() -> int:
    """File descriptor of zeroed memory for one rack; whoever calls closes it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("struck-rack")
    else:
        descriptor, path = tempfile.mkstemp(prefix="struck-rack-")
        os.unlink(path)
    os.ftruncate(descriptor, _BYTE_COUNT)
    return descriptor


def map_memory(descriptor: int) -> RackMemory:
    """The views of a file of :func:`make_memory_file`; they keep it mapped while they live.

    Raises:
        ValueError: the file is too short.
    """
    data = memoryview(mmap.mmap(descriptor, _BYTE_COUNT))
    views: list[Any] = []
    start = 0
    for dtype, shape in _PARTS:
        size = int(np.dtype(dtype).itemsize * np.prod(shape))
        views.append(np.frombuffer(data[start : start + size], dtype).reshape(shape))
        start += size
    indices, rows, ring_indices, dry, wet = views
    return RackMemory(indices, RecordRing(rows, ring_indices), dry, wet)


_RING: Final = make_record_ring(_COMMAND_COUNT, _COMMAND_SIZE)
_SOUND_SHAPE: Final = (LANE_COUNT, CHANNEL_COUNT, RING_FRAMES)
#: In the order of :class:`RackMemory`; all are multiples of a cache line.
_PARTS: Final[tuple[tuple[type, tuple[int, ...]], ...]] = (
    (np.int64, (_INDEX_COUNT,)),
    (np.float64, _RING.rows.shape),
    (np.int64, _RING.index.shape),
    (np.float32, _SOUND_SHAPE),
    (np.float32, _SOUND_SHAPE),
)
_BYTE_COUNT: Final = sum(int(np.dtype(dtype).itemsize * np.prod(shape)) for dtype, shape in _PARTS)

MEMORY: Final = typeof(
    RackMemory(np.zeros(1, np.int64), _RING, np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32))
)
