"""Clips, a judge and a MARS that cost nothing, for tests of the evaluation."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.mars.condition_inputs import frames_of
from struck.models.mars.conditions import FAMILIES, PhraseConditions
from struck.models.mars.phrase_data import PhraseData
from struck.models.mars.sound.spectrum import FLOOR_DB
from struck.models.mars.tokenizer import Tokenizer

from ..mars.mars_fixtures import TINY_TOKENIZER


def play(conditions: PhraseConditions, colour: float = 0.0) -> np.ndarray:
    """A clip that is what was asked: families differ in how their partials fall off."""
    kind = FAMILIES.index(conditions.instrument)
    decay = 0.5 + 0.4 * (kind % 4)
    notes = conditions.notes or (conditions.pitch,)
    count = conditions.sample_count
    clip = np.zeros(count)
    for i in range(1 if conditions.style == "single" else 16):  # a phrase plays eighths
        begin = i * count // 16
        since = np.arange(count - begin) / ANALYSIS_RATE
        hz = 440.0 * 2.0 ** ((notes[i % len(notes)] - 69.0) / 12.0)
        for n in range(1, 9):
            if n * hz < 10_000.0 and (n == 1 or (n + kind) % 3):
                level = n ** -(1.0 + 0.15 * kind + colour)
                clip[begin:] += level * np.sin(2.0 * np.pi * n * hz * since) * np.exp(-decay * since)
    return (0.5 * conditions.velocity / 127.0 * clip / np.abs(clip).max()).astype(np.float32)


def write_data(folder: Path, training: int = 60, held_out: int = 12, phrases: int = 4) -> PhraseData:
    """Single notes of three families and arpeggios; what is held out has another colour."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(training + held_out):
        family = ("piano", "organ", "flute")[i % 3]
        conditions = PhraseConditions(int(rng.integers(45, 80)), 100, "single", family)
        rows.append((conditions, i >= training))
    for i in range(2 * phrases):
        pitch = int(rng.integers(45, 60))
        rows.append((PhraseConditions(pitch, 90, "arpeggio", "organ", "minor", 120.0), i >= phrases))
    sounds = [play(c, 0.2 if held else float(rng.uniform(0.0, 0.1))) for c, held in rows]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "audio.npy", np.concatenate([np.round(32767.0 * s).astype(np.int16) for s in sounds]))
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        names = ("pitch", "velocity", "style", "instrument", "chord", "tempo_bpm", "chords")
        writer.writerow((*names, "source", "held_out", "recorded", "previous"))
        for conditions, held in rows:
            asked = conditions.as_dict() | {"chords": "[]"}
            writer.writerow((*(asked[name] for name in names), "fake:0", int(held), 0, -1))
    return PhraseData(folder)


@dataclass(frozen=True)
class FakePhrase:
    """What a MARS gives, as far as the evaluation looks."""

    samples: np.ndarray
    log_magnitude: np.ndarray
    tokens: tuple[np.ndarray, ...]


class FakeMars:
    """Plays what is asked, ``detune`` semitones off; its tokenizer errs by ``error_db``."""

    def __init__(self, detune: int = 0, error_db: float = 8.0) -> None:
        self.detune, self.error_db = detune, error_db
        self.tokenizers = {
            "notes": Tokenizer(replace(TINY_TOKENIZER, layout="seconds")).eval(),
            "phrases": Tokenizer(TINY_TOKENIZER).eval(),
        }
        self.notes, self.phrases = (SimpleNamespace(tokenizer=one) for one in self.tokenizers.values())

    def generate(self, conditions: PhraseConditions, *, seed: int = 0) -> FakePhrase:
        asked = conditions.as_dict() | {"pitch": conditions.pitch + self.detune}
        samples = play(PhraseConditions(**asked), 0.05)
        shapes = ((1, 1), (2, 2), (4, 3))
        return FakePhrase(
            samples,
            frames_of(conditions).log_magnitude(samples),
            tuple(np.zeros(s, np.int64) for s in shapes),
        )

    def reconstruct(self, samples: np.ndarray, conditions: PhraseConditions) -> np.ndarray:
        return frames_of(conditions).log_magnitude(samples) - np.float32(self.error_db)

    def scales(self, tokens: tuple[np.ndarray, ...], conditions: PhraseConditions) -> list[np.ndarray]:
        level = self.generate(conditions).log_magnitude
        return [np.maximum(level - 10.0 * i, FLOOR_DB) for i in reversed(range(len(tokens)))]
