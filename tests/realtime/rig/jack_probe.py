"""A JACK client that plays a sound once and records what it hears, for tests and measurements of the rig.

One client plays and another records, so that no loop through the host makes JACK put a period between them::

    player ─┬─► struck ─► tape 1
            └───────────► tape 2        the same frames: the difference of the two tapes is struck's doing
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numba import carray

from struck.realtime.devices.jack import JackLibrary, load_jack
from struck.realtime.devices.jack_stream import UNCONNECTED, JackStream
from struck.realtime.engine.c_pointers import CONTINUE, STREAM_CALLBACK, as_address, as_pointer, c_callback
from struck.realtime.engine.cycles import CycleClock, read_cycles

from .jack_rig import JackServer

# places in the table that the callbacks know the probe by
POSITION, CYCLES, SOUND, SOUND_FRAMES, BEGIN, TAPE, TAPE_FRAMES, LOST = range(8)
_SIZE: Final = 8
_NEVER: Final = 2**62


@c_callback(STREAM_CALLBACK)
def _play(source, sink, frames, time_info, flags, userdata):
    table = carray(userdata, (_SIZE,), np.int64)
    out = carray(sink, (np.int64(frames),), np.float32)
    sound = carray(as_pointer(table[SOUND]), (table[SOUND_FRAMES],), np.float32)
    for n in range(frames):
        place = table[POSITION] + n - table[BEGIN]
        out[n] = sound[place] if 0 <= place < table[SOUND_FRAMES] else np.float32(0.0)
    table[POSITION] += frames
    return CONTINUE


@c_callback(STREAM_CALLBACK)
def _record(source, sink, frames, time_info, flags, userdata):
    table = carray(userdata, (_SIZE,), np.int64)
    table[CYCLES] = read_cycles()
    table[LOST] += flags != 0
    if as_address(source) != 0:
        heard = carray(source, (2 * np.int64(frames),), np.float32)
        tape = carray(as_pointer(table[TAPE]), (2 * table[TAPE_FRAMES],), np.float32)
        count = min(np.int64(frames), table[TAPE_FRAMES] - table[POSITION])
        for n in range(2 * count):
            tape[2 * table[POSITION] + n] = heard[n]
    table[POSITION] += frames
    return CONTINUE


class JackProbe:
    """The two clients while they run; times are frames of the tape.

    Args:
        library: libjack.
        server: theirs.
        seconds: of tape.
    """

    def __init__(self, library: JackLibrary, server: JackServer, seconds: float) -> None:
        self._server = server
        self.rate = server.rate
        self._clock = CycleClock()
        self._tape = np.zeros((round(seconds * server.rate), 2), np.float32)
        self._tape.fill(0.0)  # maps the pages now
        self._sounds: list[np.ndarray] = [np.zeros(1, np.float32)]
        self._player_table = np.zeros(_SIZE, np.int64)
        self._player_table[[SOUND, SOUND_FRAMES, BEGIN]] = self._sounds[0].ctypes.data, 1, _NEVER
        self._table = np.zeros(_SIZE, np.int64)
        self._table[[TAPE, TAPE_FRAMES]] = self._tape.ctypes.data, len(self._tape)
        block = server.block
        self._player = JackStream(
            library, None, UNCONNECTED, self.rate, block, 0, 1, _play.address, self._player_table.ctypes.data
        )
        self._recorder = JackStream(
            library, UNCONNECTED, None, self.rate, block, 2, 0, _record.address, self._table.ctypes.data
        )
        self._player.start()
        self._recorder.start()
        #: Full names of the ports; ``tape`` are the two tracks'.
        self.out = f"{self._player.name}:out_1"
        self.tape = (f"{self._recorder.name}:in_1", f"{self._recorder.name}:in_2")
        #: Client name of the one that plays: struck's ``--input jack:NAME``.
        self.name = self._player.name

    def play(self, sound: np.ndarray) -> None:
        """Play ``sound [T]`` from some period after now on; whatever played before is cut."""
        self._player_table[BEGIN] = _NEVER
        time.sleep(4.0 * self._server.block / self.rate)  # no callback reads the old table any more
        self._sounds.append(np.ascontiguousarray(sound, np.float32))
        self._player_table[SOUND_FRAMES] = 0
        self._player_table[SOUND] = self._sounds[-1].ctypes.data
        self._player_table[SOUND_FRAMES] = len(sound)
        self._player_table[BEGIN] = self._player_table[POSITION] + 2 * self._server.block

    @property
    def finished(self) -> bool:
        """Whether all that was to be played has been."""
        return bool(
            self._player_table[POSITION] >= self._player_table[BEGIN] + self._player_table[SOUND_FRAMES]
        )

    @property
    def frame_count(self) -> int:
        """Frames recorded."""
        return int(min(self._table[POSITION], len(self._tape)))

    @property
    def lost(self) -> int:
        """Periods in which some client was late: the tapes may have slipped against each other."""
        return int(self._table[LOST])

    def recorded(self) -> np.ndarray:
        """Both tracks so far, float32 ``[T, 2]``."""
        return self._tape[: self.frame_count].copy()

    def frame_at(self, monotonic_seconds: float) -> float:
        """The tape's frame at a moment near now, as the last period's beginning tells."""
        self._clock.refine()
        while True:
            position, cycles = int(self._table[POSITION]), int(self._table[CYCLES])
            if position == int(self._table[POSITION]):
                break
        # the position is that of the period's end, the cycles are its beginning's
        began = self._clock.monotonic_at(cycles)
        return position - self._server.block + (monotonic_seconds - began) * self.rate

    def close(self) -> None:
        """End both clients."""
        self._player.close()
        self._recorder.close()


@contextmanager
def jack_probe(server: JackServer, seconds: float) -> Iterator[JackProbe]:
    """A probe with ``seconds`` of tape while the body runs."""
    library = load_jack()
    assert library is not None, "jackd is there and libjack is not"
    probe = JackProbe(library, server, seconds)
    try:
        yield probe
    finally:
        probe.close()
