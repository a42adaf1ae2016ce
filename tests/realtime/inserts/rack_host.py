"""Drives a bay as an engine's callback would, with a sound of the test's own: step by step, or at a device's
pace, compiled, so that nothing in Python delays it."""

import sys
import threading
from pathlib import Path

import numpy as np
from numba import int64, njit, types

from struck.patches.insert_patch import InsertPatch
from struck.realtime.devices.scheduling import change_scheduling
from struck.realtime.engine.exchange import begin_racks, end_racks, make_rack_table, process_place
from struck.realtime.engine.rings import KERNEL, load_acquire, store_release
from struck.realtime.inserts.rack.bay import RackBay
from struck.realtime.inserts.rack.plan import RackPlan

RATE = 48_000
FAKE_COMMAND = (sys.executable, "-m", "tests.realtime.inserts.fake_rack")
ROOT = Path(__file__).parents[3]
PRIORITY = 20
MASTER = 3
NANOSECONDS = 1_000_000_000
_CLOCK_MONOTONIC, _TIMER_ABSTIME = 1, 1
# places of what the device is told and tells: whether to end; blocks; of these lost, for it woke later than
# the next was due; the longest that one took, in ns
ENDING, BLOCKS, LOST, LONGEST = range(4)

_sleep = types.ExternalFunction("clock_nanosleep", int64(int64, int64, int64, int64))
_clock = types.ExternalFunction("clock_gettime", int64(int64, int64))


def insert(plugin: str, place: str = "master", host: str = "lv2", **options) -> InsertPatch:
    options.setdefault("name", plugin)
    return InsertPatch(place, host, plugin, **options)


class RackHost:
    """A bay, its callback, and what was told."""

    def __init__(self, callback_frames=64, channels=2, patient=True, command=FAKE_COMMAND, log=None):
        self.frames, self.channels, self.patient = callback_frames, channels, patient
        self.told: list[str] = []
        self.bay = RackBay(RATE, 2_048, self.told.append, log, patient, command)
        self.table = make_rack_table(self.bay.state)
        self.position = 0

    def change(self, *inserts: InsertPatch) -> None:
        plan = RackPlan(tuple(inserts), RATE, self.frames, (self.channels,) * 4, self.patient)
        self.bay.change(plan)

    def step(self, block: np.ndarray, lane: int = 3) -> np.ndarray:
        """One callback with ``block [F, C]``; what comes back of it."""
        out = np.ascontiguousarray(block, np.float32).copy()
        begin_racks(self.table, self.position)
        process_place(self.table, lane, out, self.position)
        self.position += len(block)
        end_racks(self.table, self.position)
        return out

    def play(self, sound: np.ndarray, lane: int = 3) -> np.ndarray:
        """``sound [N, C]`` from file to file: after each callback the rack is waited for."""
        out = []
        for start in range(0, len(sound), self.frames):
            out.append(self.step(sound[start : start + self.frames], lane))
            if self.bay.rack is not None:
                self.bay.rack.settle()
        return np.concatenate(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bay.close()


@njit(**KERNEL)
def now(time):
    """In ns; ``time`` is int64 [2] to work with."""
    _clock(_CLOCK_MONOTONIC, time.ctypes.data)
    return time[0] * NANOSECONDS + time[1]


@njit(**KERNEL)
def sleep_until(time, nanoseconds):
    time[0], time[1] = nanoseconds // NANOSECONDS, nanoseconds % NANOSECONDS
    _sleep(_CLOCK_MONOTONIC, _TIMER_ABSTIME, time.ctypes.data, 0)


@njit(**KERNEL)  # compiled when it is called: not every system has these clocks
def _play(table, sound, out, told, period):
    """``sound [N, C]`` over and over, until it is to end or ``out [blocks, F, C]`` is full."""
    time = np.zeros(2, np.int64)
    frames = out.shape[1]
    due = now(time)
    for number in range(len(out)):
        if load_acquire(told, ENDING) != 0:
            return
        due += period
        sleep_until(time, due)
        began = now(time)
        place = number * frames % len(sound)
        out[number] = sound[place : place + frames]
        begin_racks(table, number * frames)
        process_place(table, MASTER, out[number], number * frames)
        end_racks(table, (number + 1) * frames)
        told[LONGEST] = max(told[LONGEST], now(time) - began)
        store_release(told, BLOCKS, number + 1)
        if began - due > period:
            told[LOST] += (began - due) // period
            due += (began - due) // period * period


class Device(threading.Thread):
    """A device that plays through a bay until it is told to end.

    Args:
        host: a bay and its callback, not called otherwise.
        sound: float32 [N, C] of whole blocks, played over and over.
        seconds: that it plays at most.
        realtime: it asks for real-time scheduling.
    """

    def __init__(self, host, sound, seconds, realtime=False):
        super().__init__(daemon=True)
        self._host, self._sound, self._realtime = host, np.ascontiguousarray(sound), realtime
        self._out = np.zeros((round(seconds * RATE / host.frames), host.frames, sound.shape[1]), np.float32)
        self._out.fill(0.0)  # maps the pages now
        self._told = np.zeros(8, np.int64)

    def run(self):
        if self._realtime:
            change_scheduling(PRIORITY)
        period = NANOSECONDS * self._host.frames // RATE
        _play(self._host.table, self._sound, self._out, self._told, period)

    def end(self):
        """What was heard, float32 ``[N, C]``."""
        self._told[ENDING] = 1
        self.join()
        return self._out[: self._told[BLOCKS]].reshape(-1, self._sound.shape[1])

    @property
    def lost_blocks(self):
        """Blocks for which it woke too late: the machine's doing."""
        return int(self._told[LOST])

    @property
    def longest_seconds(self):
        """That a block took, from waking on."""
        return self._told[LONGEST] / NANOSECONDS


def tone(seconds: float, channels: int = 2, frequency_hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, ``[N, C]``."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.repeat(0.5 * np.sin(2 * np.pi * frequency_hz * times)[:, None], channels, axis=1).astype(
        np.float32
    )


def largest_step(sound: np.ndarray) -> float:
    """Between neighbouring samples."""
    return float(np.abs(np.diff(sound, axis=0)).max())
