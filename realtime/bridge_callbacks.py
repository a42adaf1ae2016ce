"""The two stream callbacks of a bridge.

The input device's writes; the output device's reads and goes on to the engine's, which cannot tell the bridge
from an input of its own.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import carray, float64, int64, njit

from .bridge import TAPS, BridgeState, bridge_read, bridge_write
from .c_calls import (
    CONTINUE,
    STREAM_CALLBACK,
    as_address,
    as_pointer,
    c_callback,
    call_stream_callback,
)
from .cycles import CycleClock, read_cycles
from .rings import KERNEL, SampleRing

# places in the table: addresses of the state's arrays, and what else it takes
(
    FRAMES, HOLES, INDEX, STAMPS, STAMP_INDEX, SINC, HISTORY, LAST, NUMBERS, COUNTS,
    CAPACITY, HISTORY_SIZE, CHANNELS, SOURCE, CLOCK, CALLBACK, USERDATA, WRITTEN,
) = range(18)  # fmt: skip
_TABLE_SIZE: Final = 18


@njit(**KERNEL)
def _rebuild(table):
    """The state again, from its addresses."""
    channels = table[CHANNELS]
    ring = SampleRing(
        carray(as_pointer(table[FRAMES]), (table[CAPACITY], channels), np.float32),
        carray(as_pointer(table[HOLES]), (64, 2), np.int64),
        carray(as_pointer(table[INDEX]), (32,), np.int64),
    )
    return BridgeState(
        ring,
        carray(as_pointer(table[STAMPS]), (16, 2), np.float64),
        carray(as_pointer(table[STAMP_INDEX]), (16,), np.int64),
        carray(as_pointer(table[SINC]), (257, TAPS), np.float32),
        carray(as_pointer(table[HISTORY]), (table[HISTORY_SIZE], channels), np.float32),
        carray(as_pointer(table[LAST]), (channels,), np.float32),
        carray(as_pointer(table[NUMBERS]), (12,), np.float64),
        carray(as_pointer(table[COUNTS]), (5,), np.int64),
    )


@njit(**KERNEL)
def _now(table):
    """Seconds since the callbacks were made."""
    clock = carray(as_pointer(table[CLOCK]), (2,), np.float64)
    return (float64(read_cycles()) - clock[0]) * clock[1]


@c_callback(STREAM_CALLBACK)
def _write(source, sink, frames, time_info, flags, userdata):
    """The input device's thread."""
    table = carray(userdata, (_TABLE_SIZE,), np.int64)
    if as_address(source) != 0:
        block = carray(source, (int64(frames), table[CHANNELS]), np.float32)
        bridge_write(_rebuild(table), block, _now(table))
    table[WRITTEN] += 1
    return CONTINUE


@c_callback(STREAM_CALLBACK)
def _read(source, sink, frames, time_info, flags, userdata):
    """The output device's thread."""
    table = carray(userdata, (_TABLE_SIZE,), np.int64)
    block = carray(as_pointer(table[SOURCE]), (int64(frames), table[CHANNELS]), np.float32)
    bridge_read(_rebuild(table), block, _now(table))
    return call_stream_callback(
        table[CALLBACK], table[SOURCE], as_address(sink), int64(frames), as_address(time_info), int64(flags),
        table[USERDATA],
    )  # fmt: skip


class BridgeCallbacks:
    """Addresses of the callbacks of a bridge, and all they need; keep it as long as the streams.

    Args:
        state: the bridge.
        output_block_frames: most frames that the output device asks for at once.
        callback, userdata: addresses of the engine's stream callback and of what it is handed.
    """

    def __init__(self, state: BridgeState, output_block_frames: int, callback: int, userdata: int) -> None:
        self.state = state
        channels = state.last.shape[0]
        self._source = np.ones((output_block_frames, channels), dtype=np.float32)
        clock = CycleClock()
        self._clock = np.array([float(read_cycles()), 1.0 / clock.cycles_per_second])
        leaves: list[Any] = [*state.ring, *state[1:]]
        table = np.zeros(_TABLE_SIZE, dtype=np.int64)
        table[: len(leaves)] = [leaf.ctypes.data for leaf in leaves]
        table[CAPACITY], table[HISTORY_SIZE] = len(state.ring.frames), len(state.history)
        table[CHANNELS] = channels
        table[SOURCE], table[CLOCK] = self._source.ctypes.data, self._clock.ctypes.data
        table[CALLBACK], table[USERDATA] = callback, userdata
        self._table = table
        self.write_callback: int = _write.address
        self.read_callback: int = _read.address
        self.userdata: int = table.ctypes.data

    @property
    def blocks_written(self) -> int:
        """Blocks that came from the input device."""
        return int(self._table[WRITTEN])
