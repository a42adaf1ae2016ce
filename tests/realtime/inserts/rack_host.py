"""Drives a bay as an engine's callback would, with a sound of the test's own."""

import sys
from pathlib import Path

import numpy as np

from struck.patches.insert_patch import InsertPatch
from struck.realtime.engine.exchange import begin_racks, end_racks, make_rack_table, process_place
from struck.realtime.inserts.rack.bay import RackBay
from struck.realtime.inserts.rack.plan import RackPlan

RATE = 48_000
FAKE_COMMAND = (sys.executable, "-m", "tests.realtime.inserts.fake_rack")
ROOT = Path(__file__).parents[3]


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


def tone(seconds: float, channels: int = 2, frequency_hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, ``[N, C]``."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.repeat(0.5 * np.sin(2 * np.pi * frequency_hz * times)[:, None], channels, axis=1).astype(
        np.float32
    )


def largest_step(sound: np.ndarray) -> float:
    """Between neighbouring samples."""
    return float(np.abs(np.diff(sound, axis=0)).max())
