"""Single notes as training sound: recorded ones from a folder, and where a note begins."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE


@dataclass(frozen=True)
class Note:
    """A single note as samples at the analysis rate, its pitch (MIDI, fractional) and whether it has one."""

    samples: np.ndarray
    pitch_midi: float
    pitched: bool
    instrument: str
    family: str = ""
    velocity: int = 100


def load_recorded_notes(data: Path) -> list[Note]:
    """Every note of ``data/notes/manifest.csv``.

    Raises:
        StruckError: no manifest is there.
    """
    manifest = data / "notes" / "manifest.csv"
    if not manifest.is_file():
        raise StruckError(f"no training notes: {manifest} is missing")
    notes = []
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            samples, rate = soundfile.read(manifest.parent / row["file"], dtype="float32", always_2d=True)
            mono = soxr.resample(samples.mean(1), rate, ANALYSIS_RATE)
            f0 = float(row["f0_hz"] or 0.0)
            pitch = 69.0 + 12.0 * np.log2(f0 / 440.0) if f0 > 0 else float(row["midi_pitch"])
            family, velocity = row.get("family", ""), int(row.get("velocity") or 100)
            notes.append(Note(mono, float(pitch), True, row["instrument"], family, velocity))
    return notes


def find_onset(samples: np.ndarray) -> int:
    """First sample at which the level, over 3 ms, is within 26 dB of the note's loudest 20 ms."""
    square = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    long, short = 441, 66
    if len(samples) <= long:
        return 0
    loudest = np.max(square[long:] - square[:-long]) / long
    level = (square[short:] - square[:-short]) / short
    return int(np.argmax(level > loudest * 10.0**-2.6))
