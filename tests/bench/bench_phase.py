"""Phases by heap integration against Griffin and Lim's 30 rounds: how near, and how fast.

    python -m tests.bench.bench_phase                       synthesised and FluidSynth's sounds, two minutes
    python -m tests.bench.bench_phase --notes DIR           also recordings: sound files anywhere under DIR
    python -m tests.bench.bench_phase --count 4 --json
    python -m tests.bench.bench_phase --kinds generated     what MARS makes of conditions by chance

Run it from the root of the repository. Of every sound only the magnitudes of 4 s are given. Nearness is the
spectral convergence in dB, lower is better: medians over the sounds of a class, and the worst difference of a
sound. It is measured against the magnitudes that were given, for four kinds of them:

- ``exact``: the sound's own;
- ``blurred``: its levels in dB averaged over 3 x 3 bins, as a network smooths;
- ``rough``: its levels with normal errors of 2 dB, as a network errs;
- ``generated``: no sound's at all, but those that MARS makes, a class for each style.

``heap`` is the integration alone, ``+ 1`` with the one round of Griffin and Lim's it ends with by default.
All run on one thread, in turn; times and their ratios are medians over the sounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import mido
import numpy as np
import scipy.ndimage
import soundfile
import soxr

from struck.codec.events.errors import StruckError
from struck.models.codec.general_midi import render_midi
from struck.models.mars.condition_inputs import frames_of
from struck.models.mars.conditions import STYLES
from struck.models.mars.mars import Mars
from struck.models.mars.phrase_scores import draw_conditions
from struck.models.mars.sound.griffin_lim import griffin_lim
from struck.models.mars.sound.phase import sound_from_magnitude
from struck.models.mars.sound.spectrum import (
    MARS_FRAMES,
    MarsFrames,
    convergence_db,
    db_to_magnitude,
    magnitude_to_db,
)

from ..models.mars.phase_sounds import (
    RATE,
    SAMPLES,
    make_chirp,
    make_chord,
    make_noise,
    make_pluck,
    make_tone,
)

#: General MIDI programs by class, 0 is the first; "drums" are keys of the percussion channel.
GM_CLASSES = {
    "GM keys, mallets": (0, 4, 6, 7, 8, 9, 11, 12, 13, 14),
    "GM organs, reeds": (16, 19, 20, 21, 22, 65, 66, 68, 70, 71),
    "GM guitars, basses": (24, 25, 26, 29, 30, 32, 33, 34, 36, 38),
    "GM strings, brass": (40, 42, 45, 46, 48, 50, 56, 57, 60, 61),
    "GM voices, synths": (52, 53, 54, 73, 75, 79, 80, 81, 88, 94),
    "GM ethnic": (104, 105, 106, 107, 108, 109, 110, 111, 112, 114),
}
TICKS_PER_SECOND = 960


def render_notes(programs: Iterable[int], rng: np.random.Generator) -> list[np.ndarray]:
    """One note of each program, 4 s with what rings on."""
    events: list[tuple[float, mido.Message]] = []
    for slot, program in enumerate(programs):
        key, velocity = int(rng.integers(36, 84)), int(rng.integers(50, 120))
        at = 6.0 * slot
        events.append((at, mido.Message("program_change", program=program)))
        events.append((at, mido.Message("note_on", note=key, velocity=velocity)))
        events.append((at + rng.uniform(0.3, 3.5), mido.Message("note_off", note=key)))
        events.append((at + 4.2, mido.Message("control_change", control=120)))
    return cut(render(events), 6.0)


def render_drums(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Sixteen hits of drums and cymbals each."""
    events: list[tuple[float, mido.Message]] = []
    for slot in range(count):
        for step in range(16):
            key, velocity = int(rng.integers(35, 70)), int(rng.integers(50, 120))
            note = mido.Message("note_on", channel=9, note=key, velocity=velocity)
            events.append((6.0 * slot + 0.25 * step, note))
    return cut(render(events), 6.0)


def render_phrases(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """A bass, a chord and a melody of chance programs."""
    events: list[tuple[float, mido.Message]] = []
    for slot in range(count):
        at, root = 6.0 * slot, int(rng.integers(36, 48))
        chords, leads = rng.choice([0, 4, 16, 24, 48]), rng.choice([11, 40, 56, 65, 73, 80])
        programs = (rng.integers(32, 40), chords, leads)
        for channel, program in enumerate(programs):
            events.append((at, mido.Message("program_change", channel=channel, program=int(program))))
        beat = float(rng.uniform(0.3, 0.6))
        for step in range(int(4.0 / beat)):
            lead = root + 24 + int(rng.choice([0, 2, 4, 7, 9, 12]))
            keys = [(0, root + int(rng.choice([0, 7, 12]))), (2, lead)]
            if step % 4 == 0:
                keys += [(1, root + 12 + n) for n in (0, 4, 7, 11)]
            for channel, key in keys:
                start = at + step * beat
                end = min(start + beat * (4.0 if channel == 1 else 0.8), at + 4.0)
                events.append((start, mido.Message("note_on", channel=channel, note=key, velocity=90)))
                events.append((end, mido.Message("note_off", channel=channel, note=key)))
    return cut(render(events), 6.0)


def render(events: list[tuple[float, mido.Message]]) -> np.ndarray:
    """Sound of messages at times in seconds."""
    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    before = 0
    for seconds, message in sorted(events, key=lambda event: event[0]):
        tick = round(seconds * TICKS_PER_SECOND)
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.Message("control_change", control=120, time=4 * TICKS_PER_SECOND))
    return render_midi(midi)


def cut(sound: np.ndarray, slot_seconds: float) -> list[np.ndarray]:
    """The first ``SAMPLES`` of each slot, those that are not silent."""
    slot = round(slot_seconds * RATE)
    pieces = [fit(sound[start : start + SAMPLES]) for start in range(0, len(sound), slot)]
    return [piece for piece in pieces if np.abs(piece).max() > 1e-3]


def fit(sound: np.ndarray) -> np.ndarray:
    return np.pad(sound[:SAMPLES], (0, max(0, SAMPLES - len(sound)))).astype(np.float32)


def read_recordings(folder: Path, count: int) -> dict[str, list[np.ndarray]]:
    """Up to ``count`` files of each folder directly under ``folder``, evenly chosen."""
    classes: dict[str, list[np.ndarray]] = {}
    for family in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = sorted(path for path in family.rglob("*") if path.suffix in (".flac", ".wav", ".ogg"))
        for path in paths[:: max(1, -(-len(paths) // count))]:
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
            mono = soxr.resample(sound.mean(1), rate, RATE)
            classes.setdefault(f"recorded {family.name}", []).append(fit(mono))
    return classes


def make_classes(count: int, notes: Path | None) -> dict[str, list[np.ndarray]]:
    """All sounds by class."""
    rng = np.random.default_rng(5)
    classes = {
        "tones, a glide": [make_tone(f) for f in (65.4, 220.0, 523.3, 2093.0)[:count]] + [make_chirp()],
        "plucks": [make_pluck(rng) for _ in range(count)],
        "chords": [make_chord(rng) for _ in range(count)],
        "noise bursts": [make_noise(rng) for _ in range(count)],
    }
    try:
        for name, programs in GM_CLASSES.items():
            classes[name] = render_notes(programs[:count], rng)
        classes["GM drums"] = render_drums(rng, count)
        classes["GM phrases"] = render_phrases(rng, count)
    except StruckError as error:
        print(f"without FluidSynth's sounds: {error}", file=sys.stderr)
    if notes is not None:
        classes.update(read_recordings(notes, count))
    return classes


def blur(magnitude: np.ndarray) -> np.ndarray:
    return db_to_magnitude(scipy.ndimage.uniform_filter(magnitude_to_db(magnitude), 3, mode="nearest"))


def roughen(magnitude: np.ndarray) -> np.ndarray:
    error_db = 2.0 * np.random.default_rng(1).standard_normal(magnitude.shape, np.float32)
    return db_to_magnitude(magnitude_to_db(magnitude) + error_db)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exact": lambda magnitude: magnitude,
    "blurred": blur,
    "rough": roughen,
}
#: Beside them: magnitudes that are no sound's.
GENERATED = "generated"

#: The ways to a sound, the reference last.
WAYS: dict[str, Callable[[np.ndarray, MarsFrames], np.ndarray]] = {
    "heap": lambda magnitude, frames: sound_from_magnitude(magnitude, frames, rounds=0),
    "+ 1": sound_from_magnitude,
    "G-L 30": griffin_lim,
}
COLUMNS = ("heap dB", "+ 1 dB", "G-L 30 dB", "heap worst", "+ 1 worst", "heap ms", "+ 1 ms", "G-L 30 ms")


#: Magnitudes and how they are cut.
Cut = tuple[np.ndarray, MarsFrames]


def generate_classes(count: int) -> dict[str, list[Cut]]:
    """Magnitudes of MARS' phrases by style."""
    mars, rng = Mars.load(None, "cpu"), np.random.default_rng(5)
    classes: dict[str, list[Cut]] = {}
    for style in STYLES:
        phrases = [mars.generate(draw_conditions(rng, style), seed=k) for k in range(count)]
        cut = [(db_to_magnitude(p.log_magnitude), frames_of(p.conditions)) for p in phrases]
        classes[f"MARS {style}"] = cut
    return classes


def measure(magnitudes: list[Cut]) -> list[float]:
    """``COLUMNS`` of one class, then how many times faster the first two ways are than the last."""
    levels, times = np.zeros((len(magnitudes), 3)), np.zeros((len(magnitudes), 3))
    for k, (magnitude, frames) in enumerate(magnitudes):
        for way, make in enumerate(WAYS.values()):
            before = time.perf_counter()
            found = make(magnitude, frames)
            times[k, way] = 1e3 * (time.perf_counter() - before)
            levels[k, way] = convergence_db(magnitude, found, frames)
    worst = (levels[:, :2] - levels[:, 2:]).max(0)
    ratio = np.median(times[:, 2:] / times[:, :2], axis=0)
    return [float(x) for x in (*np.median(levels, axis=0), *worst, *np.median(times, axis=0), *ratio)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=Path, help="folder of recordings, one folder a class")
    parser.add_argument("--count", type=int, default=8, help="sounds of each class (default 8)")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=[*KINDS, GENERATED])
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()

    sound_from_magnitude(np.ones((MARS_FRAMES.bin_count, 2), np.float32))
    sounds = {} if options.kinds == [GENERATED] else make_classes(options.count, options.notes)
    table: dict[str, dict[str, dict[str, float]]] = {}
    names = (*COLUMNS, "heap ratio", "+ 1 ratio")
    if not options.json:
        print("| magnitudes | sounds | " + " | ".join(names) + " |")
        print("| --- | --- |" + " ---: |" * len(names))
    for kind in options.kinds:
        if kind == GENERATED:
            classes = generate_classes(options.count)
        else:
            spectra = {name: [np.abs(MARS_FRAMES.stft(sound)) for sound in of] for name, of in sounds.items()}
            classes = {name: [(KINDS[kind](m), MARS_FRAMES) for m in of] for name, of in spectra.items()}
        for name, magnitudes in classes.items():
            row = measure(magnitudes)
            table.setdefault(kind, {})[name] = dict(zip(names, row, strict=True))
            if not options.json:
                values = [f"{x:.1f}" for x in row[:3]] + [f"{x:+.1f}" for x in row[3:5]]
                values += [f"{x:.0f}" for x in row[5:]]
                print(f"| {kind} | {len(magnitudes)} {name} | " + " | ".join(values) + " |", flush=True)
    if options.json:
        print(json.dumps(table))


if __name__ == "__main__":
    main()
