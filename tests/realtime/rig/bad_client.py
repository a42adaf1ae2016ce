"""Run as a program: a JACK client ``bad`` half of whose sound is no number, beside a flood of MIDI."""

from __future__ import annotations

import random
import signal
import time
from typing import Any

import numpy as np
from numba import carray

from struck.realtime.devices.jack import JackClient, load_jack
from struck.realtime.devices.jack_stream import UNCONNECTED, JackStream
from struck.realtime.engine.c_pointers import STREAM_CALLBACK, c_callback
from struck.realtime.midi.connections import close_client
from struck.realtime.midi.ports import import_rtmidi

MESSAGES_AT_ONCE = 50
PAUSE_SECONDS = 0.005
RATE = 48_000


@c_callback(STREAM_CALLBACK)
def _play_damage(source, sink, frames, time_info, flags, userdata):
    count = carray(userdata, (1,), np.int64)
    out = carray(sink, (np.int64(frames) * 2,), np.float32)
    count[0] += 1
    for n in range(frames):
        out[2 * n] = np.float32(0.1) if n % 64 < 32 else np.float32(-0.1)
        out[2 * n + 1] = out[2 * n]
    if count[0] % 2 == 0:
        out[0] = np.nan
        out[1] = np.inf
        for n in range(8, 40):
            out[n] = np.float32(-3e38)
            out[n + 40] = -np.inf
    return 0


class Bad:
    """libjack whose clients are called ``bad``."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def open_client(self, name: str) -> JackClient | None:
        return self._library.open_client("bad")

    def address_of(self, function: str) -> int:
        return self._library.address_of(function)


def garbage(dice: random.Random) -> list[int]:
    """A message, or what remains of one after a bad cable."""
    kind = dice.randrange(4)
    if kind == 0:
        return [0x90 | dice.randrange(16), dice.randrange(128), dice.randrange(128)]
    if kind == 1:  # running status, whose status nobody has seen
        return [dice.randrange(128) for _ in range(dice.randrange(1, 4))]
    if kind == 2:
        return [dice.randrange(256) for _ in range(dice.randrange(1, 4))]
    return [0xF0, *(dice.randrange(256) for _ in range(dice.randrange(200)))]


def main() -> None:
    counts = np.zeros(1, np.int64)
    library: Any = Bad(load_jack())
    stream = JackStream(library, None, UNCONNECTED, RATE, 256, 0, 2, _play_damage.address, counts.ctypes.data)
    stream.start()
    rtmidi = import_rtmidi()
    port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="bad midi")
    port.open_virtual_port("out")
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    dice = random.Random(1)
    while not ended:
        for _ in range(MESSAGES_AT_ONCE):
            port.send_message(garbage(dice))
        time.sleep(PAUSE_SECONDS)
    close_client(port)
    stream.close()


main()
