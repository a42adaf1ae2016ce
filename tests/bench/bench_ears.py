"""Phrases as others hear them: onsets by librosa, notes by librosa's YIN and by Spotify's Basic Pitch.

    pip install librosa                                     basic-pitch and onnxruntime too, for its rows
    python -m tests.bench.bench_ears --data runs/mars/data

Run it from the root of the repository; struck itself needs none of these. Four rows: what held-out
instruments played, what comes back from its tokens, what MARS makes of the same conditions, and *plucks*,
scores of the same styles by tones and noises that begin at once and exactly on the grid. Onsets
(``librosa.onset.onset_detect``, backtrack=False) are held against the grid of sixteenths, arpeggio, bass,
comping and percussion together, then by style and by tempo: as librosa tells them, and with its own lateness
taken away, which is what it says of the plucks.

Arpeggios are transcribed twice: a note at each of librosa's onsets with the pitch that its probabilistic YIN
hears between this onset and the next (one voice: a note that still rings may hide the one that begins), and
by Basic Pitch, which hears many voices (and octaves of them: precision is low for what was really played).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.evaluation.phrases.figures import RHYTHMIC, Rhythm, measure_rhythm
from struck.models.evaluation.phrases.transcription import HeardNote, score_arpeggio
from struck.models.mars.condition_inputs import frames_of
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.mars import Mars, sound_of
from struck.models.mars.phrase_data import PhraseData
from struck.models.mars.phrase_scores import GRID_STEPS_PER_BEAT, write_score

try:
    import librosa
except ImportError:
    sys.exit("this benchmark needs librosa, which struck does not: pip install librosa")

PLUCKS: Final = "plucks"
HOPS: Final = (128, 512)
TEMPI: Final = ((60.0, 90.0), (90.0, 130.0), (130.0, 241.0))
#: Silence before a phrase, so that its first note has a beginning.
_LEAD_SECONDS: Final = 0.25
_SHORTEST_NOTE_MS: Final = 60
_PLUCK_SECONDS: Final = 0.5

Sounds = list[np.ndarray]
Transcriber = Callable[[np.ndarray], list[HeardNote]]


def make_sounds(
    data: PhraseData, mars: Mars, each: int, seed: int
) -> tuple[list[PhraseConditions], dict[str, Sounds]]:
    """Conditions of held-out phrases, ``each`` of a style, and who plays them."""
    held: dict[str, list[int]] = {style: [] for style in RHYTHMIC}
    for row in np.random.default_rng(seed).permutation(np.flatnonzero(data.held_out & (data.previous < 0))):
        held.get(data.clips[row].conditions.style, []).append(int(row))
    rows = [row for style in RHYTHMIC for row in held[style][:each]]
    asked = [data.clips[row].conditions for row in rows]
    restored = [mars.reconstruct(data.samples(row), one) for row, one in zip(rows, asked, strict=True)]
    return asked, {
        "held-out real": [data.samples(row) for row in rows],
        "reconstruction": [
            sound_of(level, frames_of(one)) for level, one in zip(restored, asked, strict=True)
        ],
        "MARS": [mars.generate(one, seed=seed + i).samples for i, one in enumerate(asked)],
        PLUCKS: [pluck(one, seed + i) for i, one in enumerate(asked)],
    }


def pluck(conditions: PhraseConditions, seed: int) -> np.ndarray:
    """A score for these conditions, each note exactly on its sixteenth: a loop float32 [sample_count]."""
    rng = np.random.default_rng(seed)
    loop = np.zeros(conditions.sample_count)
    step = 60.0 / conditions.tempo_bpm / GRID_STEPS_PER_BEAT
    seconds = np.arange(round(_PLUCK_SECONDS * ANALYSIS_RATE)) / ANALYSIS_RATE
    decay = 0.02 if conditions.style == "percussion" else 0.1
    fall = np.exp(-seconds / decay) * np.minimum(1.0, seconds / 0.002)
    for note in write_score(conditions, rng):
        if conditions.style == "percussion":
            sound = rng.standard_normal(len(seconds)) * fall
        else:
            hz = 440.0 * 2.0 ** ((note.key - 69) / 12.0)
            partials = [n for n in range(1, 9) if n * hz < 0.45 * ANALYSIS_RATE]
            sound = fall * np.sum([np.sin(2.0 * np.pi * n * hz * seconds) / n for n in partials], 0)
        begin = round(round(note.start / step) * step * ANALYSIS_RATE)
        loop[(begin + np.arange(len(sound))) % len(loop)] += 0.1 * sound
    return loop.astype(np.float32)


def hear_onsets(sound: np.ndarray, hop: int) -> np.ndarray:
    """Seconds of librosa's onsets."""
    lead = round(_LEAD_SECONDS * ANALYSIS_RATE)
    found = librosa.onset.onset_detect(
        y=np.pad(sound, (lead, 0)), sr=ANALYSIS_RATE, hop_length=hop, units="time", backtrack=False
    )
    return np.asarray(found) - _LEAD_SECONDS


def transcribe_by_yin(sound: np.ndarray) -> list[HeardNote]:
    """A note at each onset, with the median pitch until the next."""
    hop = HOPS[0]
    pitch, voiced, _ = librosa.pyin(
        sound, fmin=librosa.midi_to_hz(26), fmax=librosa.midi_to_hz(98), sr=ANALYSIS_RATE, hop_length=hop
    )
    onsets = hear_onsets(sound, hop)
    notes = []
    for begin, end in zip(onsets, [*onsets[1:], len(sound) / ANALYSIS_RATE], strict=True):
        part = slice(max(0, int(begin * ANALYSIS_RATE / hop)), int(end * ANALYSIS_RATE / hop))
        there = pitch[part][voiced[part]]
        if len(there):
            notes.append(HeardNote(float(begin), float(librosa.hz_to_midi(np.median(there)))))
    return notes


def load_basic_pitch() -> Transcriber | None:
    """Basic Pitch, where it is installed with onnxruntime."""
    try:
        import basic_pitch
        from basic_pitch.inference import Model, predict
    except ImportError:
        return None
    model = Model(Path(basic_pitch.__file__).parent / "saved_models/icassp_2022/nmp.onnx")
    lead = round(_LEAD_SECONDS * ANALYSIS_RATE)

    def transcribe(sound: np.ndarray) -> list[HeardNote]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file, contextlib.redirect_stdout(io.StringIO()):
            soundfile.write(file.name, np.pad(sound, (lead, 0)), ANALYSIS_RATE)
            _, _, notes = predict(file.name, model, minimum_note_length=_SHORTEST_NOTE_MS)
        return [HeardNote(note[0] - _LEAD_SECONDS, float(note[2])) for note in notes]

    return transcribe


def late_ms(onsets: Sequence[np.ndarray], steps: Sequence[float]) -> float:
    """Median of how far onsets are after the nearest step."""
    late = [times - step * np.round(times / step) for times, step in zip(onsets, steps, strict=True)]
    return 1e3 * float(np.median(np.concatenate(late)))


def groups(asked: Sequence[PhraseConditions]) -> dict[str, list[int]]:
    """Rows of the table: all, by style, by tempo."""
    found = {"all": list(range(len(asked)))}
    found |= {style: [i for i, one in enumerate(asked) if one.style == style] for style in RHYTHMIC}
    for low, high in TEMPI:
        found[f"{low:.0f} to {high - 1:.0f} bpm"] = [
            i for i, one in enumerate(asked) if low <= one.tempo_bpm < high
        ]
    return {name: rows for name, rows in found.items() if rows}


def tell_onsets(asked: Sequence[PhraseConditions], sounds: dict[str, Sounds], hop: int) -> dict[str, Any]:
    """Print a table of onsets on the grid; its figures."""
    steps = [60.0 / one.tempo_bpm / GRID_STEPS_PER_BEAT for one in asked]
    heard = {name: [hear_onsets(sound, hop) for sound in of] for name, of in sounds.items()}
    own = late_ms(heard[PLUCKS], steps)
    print(f"\nlibrosa, hop {hop}; it hears notes that begin on the grid {own:.1f} ms late\n")
    names = (
        "within 30 ms",
        "median ms",
        "late ms",
        "less its own: within 30 ms",
        "median ms",
        "chance",
        "onsets each",
    )
    print("| phrases | who | " + " | ".join(names) + " |\n| --- | --- |" + " ---: |" * len(names))
    figures: dict[str, Any] = {"own_late_ms": own}
    for group, rows in groups(asked).items():
        for name, onsets in heard.items():
            there, its = [onsets[i] for i in rows], [steps[i] for i in rows]
            raw = measure_rhythm(there, its)
            moved = measure_rhythm([times - 1e-3 * own for times in there], its)
            late = late_ms(there, its)
            figures[f"{group}, {name}"] = {"raw": vars(raw), "moved": vars(moved), "late_ms": late}
            cells = (*_cells(raw), f"{late:.1f}", *_cells(moved), f"{100 * raw.chance_on_grid:.0f} %")
            print(
                f"| {group} | {name} | " + " | ".join(cells) + f" | {raw.onsets / len(rows):.1f} |",
                flush=True,
            )
    return figures


def _cells(rhythm: Rhythm) -> tuple[str, str]:
    if rhythm.on_grid is None or rhythm.error_ms is None:
        return "-", "-"
    return f"{100.0 * rhythm.on_grid:.0f} %", f"{rhythm.error_ms:.1f}"


def tell_arpeggios(asked: Sequence[PhraseConditions], sounds: dict[str, Sounds]) -> dict[str, Any]:
    """Print a table of arpeggios' notes against what was asked; its figures."""
    transcribers: dict[str, Transcriber] = {"librosa's onsets and YIN": transcribe_by_yin}
    basic_pitch = load_basic_pitch()
    if basic_pitch is None:
        print("\nBasic Pitch is not installed (pip install basic-pitch onnxruntime): it has no rows")
    else:
        transcribers["Basic Pitch"] = basic_pitch
    print("\n| arpeggios | transcriber | precision | recall | F |\n| --- | --- | ---: | ---: | ---: |")
    figures: dict[str, Any] = {}
    rows = [i for i, one in enumerate(asked) if one.style == "arpeggio"]
    for how, transcribe in transcribers.items():
        for name, of in sounds.items():
            scores = [score_arpeggio(transcribe(of[i]), asked[i]) for i in rows]
            row = [
                float(np.mean([getattr(score, part) for score in scores]))
                for part in ("precision", "recall", "f")
            ]
            figures[f"{how}, {name}"] = row
            print(f"| {name} | {how} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="clips with held-out ones among them")
    parser.add_argument("--weights", type=Path, help="of MARS (default: those shipped)")
    parser.add_argument("--each", type=int, default=30, help="phrases of each style, at most (default 30)")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--json", type=Path, help="figures into this file too")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="librosa")
    mars = Mars.load(options.weights, "cpu")
    asked, sounds = make_sounds(PhraseData(options.data), mars, options.each, options.seed)
    figures = {f"onsets_hop_{hop}": tell_onsets(asked, sounds, hop) for hop in HOPS}
    figures["arpeggios"] = tell_arpeggios(asked, sounds)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
