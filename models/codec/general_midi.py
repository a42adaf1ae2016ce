"""Training notes and music rendered by FluidSynth from General MIDI sound fonts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE

from .notes import Note
from .sound_fonts import find_sound_font

_SLOT_SECONDS = 4.5
_TICKS = 480
# What recorded notes lack: mallets, organs, electric guitars and basses, ensembles, pipes, synths, plucked.
_PROGRAMS = (
    *range(8, 40), 46, 48, 50, 52, 61, 73, 75, 79, 80, 81, 88, 89, 104, 105, 108,
)  # fmt: skip
_DRUMS = range(35, 76)


def render_midi(midi: mido.MidiFile, sound_font: Path | None = None) -> np.ndarray:
    """Mono float32 at the analysis rate.

    Raises:
        StruckError: FluidSynth or a sound font is missing, or FluidSynth fails.
    """
    if shutil.which("fluidsynth") is None:
        raise StruckError("fluidsynth is not installed; training data is rendered with it")
    font = sound_font or find_sound_font()
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        midi.save(score)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(ANALYSIS_RATE), "-R", "0", "-C", "0"]
        done = subprocess.run(
            [*command, "-F", sound, font, score], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not sound.is_file():
            raise StruckError(f"fluidsynth failed: {done.stderr.strip()[-300:]}")
        samples, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    return samples.mean(1)


def _notes_score(notes: list[tuple[int, int, int, int, float]]) -> mido.MidiFile:
    """One note per slot: (channel, program, key, velocity, seconds held)."""
    midi = mido.MidiFile(ticks_per_beat=_TICKS)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    ticks_per_second = 2 * _TICKS  # at the default 120 beats per minute
    for channel, program, key, velocity, held in notes:
        track.append(mido.Message("program_change", channel=channel, program=program))
        track.append(mido.Message("note_on", channel=channel, note=key, velocity=velocity))
        on = round(held * ticks_per_second)
        track.append(mido.Message("note_off", channel=channel, note=key, time=on))
        rest = mido.Message("control_change", channel=channel, control=120, value=0)
        rest.time = round(_SLOT_SECONDS * ticks_per_second) - on
        track.append(rest)
    return midi


def render_general_midi_notes(seed: int) -> list[Note]:
    """Single notes of the programs recorded notes lack, and drums."""
    rng = np.random.default_rng(seed)
    wanted: list[tuple[int, int, int, int, float]] = []
    for program in _PROGRAMS:
        low, high = (28, 60) if 32 <= program < 40 else (40, 96)
        for _ in range(24):
            held = float(np.exp(rng.uniform(np.log(0.08), np.log(3.5))))
            key, velocity = int(rng.integers(low, high)), int(rng.integers(40, 127))
            wanted.append((0, program, key, velocity, held))
    for drum in _DRUMS:
        for _ in range(5):
            wanted.append((9, 0, drum, int(rng.integers(50, 127)), 1.0))
    sound = render_midi(_notes_score(wanted))
    notes = []
    slot = round(_SLOT_SECONDS * ANALYSIS_RATE)
    for i, (channel, program, key, _, _) in enumerate(wanted):
        samples = sound[i * slot : i * slot + 4 * ANALYSIS_RATE]
        if len(samples) and np.abs(samples).max() > 1e-3:
            drum = channel == 9
            notes.append(Note(samples, float(key), not drum, f"drum {key}" if drum else f"gm {program}"))
    return notes
