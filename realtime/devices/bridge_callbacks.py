"""The two stream callbacks of a bridge.

The input device's writes; the output device's reads and goes on to the engine's, which cannot tell the bridge
from an input of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray, float64, int64, njit, typeof

from ..engine.address_tables import make_address_table, state_reader
from ..engine.c_pointers import CONTINUE, STREAM_CALLBACK, as_address, c_callback, call_stream_callback
from ..engine.cycles import CycleClock, read_cycles
from ..engine.rings import KERNEL
from .bridge import BridgeState, bridge_read, bridge_write, make_bridge

# places in BridgeCallbackState.calls: addresses of the engine's stream callback, of what it is handed, and of
# the source; blocks that came from the input device
CALLBACK, USERDATA, SOURCE, WRITTEN = range(4)


class BridgeCallbackState(NamedTuple):
    """A bridge, and what its two callbacks take beside it."""

    bridge: BridgeState
    source: np.ndarray  # float32 [N, C] what the engine is given as its input
    clock: np.ndarray  # float64 [2] cycles when it was made; seconds of a cycle
    calls: np.ndarray  # int64 [4]


_state_at = state_reader(
    typeof(
        BridgeCallbackState(
            make_bridge(1, 48_000, 48_000, 64, 64),
            source=np.zeros((1, 1), np.float32),
            clock=np.zeros(2),
            calls=np.zeros(4, np.int64),
        )
    )
)


@njit(**KERNEL)
def _now(clock):
    """Seconds since the callbacks were made."""
    return (float64(read_cycles()) - clock[0]) * clock[1]


@c_callback(STREAM_CALLBACK)
def _write(source, sink, frames, time_info, flags, userdata):
    """The input device's thread."""
    state = _state_at(userdata)
    if as_address(source) != 0:
        block = carray(source, (int64(frames), state.source.shape[1]), np.float32)
        bridge_write(state.bridge, block, _now(state.clock))
    state.calls[WRITTEN] += 1
    return CONTINUE


@c_callback(STREAM_CALLBACK)
def _read(source, sink, frames, time_info, flags, userdata):
    """The output device's thread."""
    state = _state_at(userdata)
    bridge_read(state.bridge, state.source[: int64(frames)], _now(state.clock))
    return call_stream_callback(
        state.calls[CALLBACK], state.calls[SOURCE], as_address(sink), int64(frames), as_address(time_info),
        int64(flags), state.calls[USERDATA],
    )  # fmt: skip


class BridgeCallbacks:
    """Addresses of the callbacks of a bridge, and all they need; keep it as long as the streams.

    Args:
        state: the bridge.
        output_block_frames: most frames that the output device asks for at once.
        callback, userdata: addresses of the engine's stream callback and of what it is handed.
    """

    def __init__(self, state: BridgeState, output_block_frames: int, callback: int, userdata: int) -> None:
        source = np.ones((output_block_frames, len(state.last)), dtype=np.float32)
        self._state = BridgeCallbackState(
            bridge=state,
            source=source,
            clock=np.array([float(read_cycles()), 1.0 / CycleClock().cycles_per_second]),
            calls=np.array([callback, userdata, source.ctypes.data, 0]),
        )
        self._table = make_address_table(self._state)
        self.write_callback: int = _write.address
        self.read_callback: int = _read.address
        self.userdata: int = self._table.ctypes.data

    @property
    def state(self) -> BridgeState:
        """The bridge."""
        return self._state.bridge

    @property
    def blocks_written(self) -> int:
        """Blocks that came from the input device."""
        return int(self._state.calls[WRITTEN])
