"""A tiny folder of training data."""

import csv

import mido
import numpy as np
import soundfile

RATE = 44_100
PITCHES = (50, 57, 64, 71)


def synthesise_note(pitch, seconds=1.0, rate=RATE):
    """A struck note that begins after 20 ms of silence."""
    time = np.arange(round(seconds * rate)) / rate - 0.02
    f0 = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    sound = sum(np.exp(-(2 + n) * time) * np.sin(2 * np.pi * n * f0 * time) / n for n in range(1, 9))
    return np.where(time >= 0.0, 0.2 * sound, 0.0).astype(np.float32)


def make_training_data(folder):
    """``notes/`` with four notes and ``midi/`` with one score, each with its manifest."""
    rows = []
    (folder / "notes" / "piano").mkdir(parents=True)
    for pitch in PITCHES:
        name = f"piano/{pitch}.flac"
        soundfile.write(folder / "notes" / name, synthesise_note(pitch), RATE)
        # half of them know their pitch exactly
        f0 = f"{440.0 * 2.0 ** ((pitch + 0.1 - 69.0) / 12.0):.3f}" if pitch % 2 else ""
        rows.append({"file": name, "instrument": "piano", "midi_pitch": pitch, "f0_hz": f0})
    write_manifest(folder / "notes" / "manifest.csv", rows)

    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    for i in range(60):
        track.append(mido.Message("note_on", note=50 + 7 * i % 24, velocity=80))
        track.append(mido.Message("note_off", note=50 + 7 * i % 24, time=240))
    (folder / "midi").mkdir()
    midi.save(folder / "midi" / "scale.mid")
    write_manifest(folder / "midi" / "manifest.csv", [{"file": "scale.mid"}])
    return folder


def write_manifest(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
