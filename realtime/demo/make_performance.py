"""Make the demo performance: a score of our own, played by FluidSynth with the sound font FluidR3 GM.

    .venv/bin/python realtime/demo/make_performance.py

writes ``performance.mid`` and ``performance.flac`` beside this file. Needs the Debian packages ``fluidsynth``
and ``fluid-soundfont-gm``. Four bars in D and a last chord: harp figures that grow denser, a vibraphone that
sings over them, a plucked bass, a piano that joins in the third bar, a slowing, and all is left to ring.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import mido
import numpy as np
import soundfile

from struck.codec.files.audio_files import AudioWriter
from struck.models.codec.sound_fonts import find_sound_fonts

HERE: Final = Path(__file__).parent
FONT_NAME: Final = "FluidR3_GM.sf2"
RATE: Final = 44_100
TICKS_PER_BEAT: Final = 480
TEMPO_BPM: Final = 92
#: Beat -> tempo from there on: the last bar slows down.
RITARDANDO: Final = {12.0: 88, 13.0: 84, 14.0: 78, 15.0: 68, 15.5: 60}
PEAK: Final = 0.7


class Part(NamedTuple):
    """One player: General MIDI program (0-based), level 0-127, place 0 (left) to 127."""

    program: int
    level: int
    pan: int


class Note(NamedTuple):
    """``beat`` from the start, ``length`` in beats, MIDI ``pitch``, ``velocity`` 1-127."""

    part: str
    beat: float
    length: float
    pitch: int
    velocity: int


PARTS: Final = {
    "harp": Part(46, 104, 44),
    "vibraphone": Part(11, 112, 80),
    "bass": Part(32, 108, 64),
    "piano": Part(0, 84, 56),
}


def harp() -> list[Note]:
    """Quarters, eighths, then sixteenths, each chord broken upward and back."""
    figures = [  # (first beat, step in beats, pitches, velocity)
        (0.0, 1.0, (50, 57, 62, 66), 66),
        (4.0, 0.5, (47, 54, 57, 62, 66, 62, 57, 54), 68),
        (8.0, 0.25, (43, 50, 54, 59, 62, 66, 69, 71, 74, 71, 69, 66, 62, 59, 54, 50), 64),
        (12.0, 0.5, (45, 52, 57, 62, 64, 61, 57, 52), 60),
    ]
    notes = []
    for first, step, pitches, velocity in figures:
        for i, pitch in enumerate(pitches):
            accent = 10 if i == 0 else 0
            swell = round(14 * np.sin(np.pi * i / len(pitches)))
            notes.append(Note("harp", first + i * step, 2.5 * step + 0.5, pitch, velocity + accent + swell))
    return notes


def vibraphone() -> list[Note]:
    line = [  # (beat, length, pitch, velocity)
        (1.5, 0.5, 69, 62), (2.0, 1.0, 74, 74), (3.0, 1.0, 78, 82),
        (4.0, 1.5, 76, 84), (5.5, 0.5, 74, 68), (6.0, 1.0, 71, 72), (7.0, 0.5, 73, 70), (7.5, 0.5, 74, 78),
        (8.0, 1.5, 78, 92), (9.5, 0.5, 79, 84), (10.0, 1.0, 81, 98), (11.0, 1.0, 78, 86),
        (12.0, 1.0, 76, 82), (13.0, 0.5, 74, 70), (13.5, 0.5, 73, 68), (14.0, 0.75, 71, 64),
        (15.0, 1.0, 76, 60),
        (16.0, 4.0, 78, 66), (16.12, 4.0, 81, 58),
    ]  # fmt: skip
    return [Note("vibraphone", *played) for played in line]


def bass() -> list[Note]:
    line = [
        (0.0, 1.8, 38, 84), (2.5, 0.5, 45, 66), (3.0, 0.9, 42, 72),
        (4.0, 1.8, 35, 86), (6.5, 0.5, 42, 68), (7.5, 0.5, 45, 70),
        (8.0, 1.4, 43, 92), (9.5, 0.4, 43, 72), (10.0, 0.9, 38, 80), (11.0, 0.5, 42, 76), (11.5, 0.5, 43, 78),
        (12.0, 1.9, 45, 84), (14.0, 0.9, 33, 76), (15.5, 0.5, 37, 60),
        (16.0, 4.0, 38, 82),
    ]  # fmt: skip
    return [Note("bass", *played) for played in line]


def piano() -> list[Note]:
    chords = [  # (beat, length, pitches, velocity, seconds between its notes in beats)
        (8.5, 0.4, (59, 62, 66), 52, 0.0),
        (9.5, 0.9, (59, 62, 69), 56, 0.01),
        (11.5, 0.4, (57, 62, 66), 54, 0.0),
        (12.5, 1.2, (57, 62, 64), 50, 0.02),
        (14.5, 0.8, (55, 61, 64), 46, 0.03),
        (16.0, 4.0, (50, 57, 62, 64, 66, 74), 60, 0.09),  # the last chord is rolled
    ]
    return [
        Note("piano", beat + i * roll, length, pitch, velocity + 2 * i)
        for beat, length, pitches, velocity, roll in chords
        for i, pitch in enumerate(pitches)
    ]


def perform(notes: list[Note], seed: int) -> mido.MidiFile:
    """The notes as four players would play them: not quite together, never twice equally loud."""
    chance = random.Random(seed)
    tempo_changes = {0.0: TEMPO_BPM, **RITARDANDO}
    tempo_track = mido.MidiTrack()
    previous = 0
    for beat, bpm in tempo_changes.items():
        tick = round(beat * TICKS_PER_BEAT)
        tempo_track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=tick - previous))
        previous = tick
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(tempo_track)

    for channel, (name, part) in enumerate(PARTS.items()):
        timed: list[tuple[int, mido.Message]] = []
        for note in notes:
            if note.part != name:
                continue
            tick = max(0, round(note.beat * TICKS_PER_BEAT + chance.gauss(0.0, 5.0)))
            end = tick + round(note.length * TICKS_PER_BEAT)
            velocity = min(127, max(1, note.velocity + chance.randint(-4, 4)))
            timed.append((tick, mido.Message("note_on", channel=channel, note=note.pitch, velocity=velocity)))
            timed.append((end, mido.Message("note_off", channel=channel, note=note.pitch)))
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("track_name", name=name))
        track.append(mido.Message("program_change", channel=channel, program=part.program))
        for control, value in ((7, part.level), (10, part.pan), (91, 52)):
            track.append(mido.Message("control_change", channel=channel, control=control, value=value))
        previous = 0
        for tick, message in sorted(timed, key=lambda pair: pair[0]):
            track.append(message.copy(time=tick - previous))
            previous = tick
        file.tracks.append(track)
    return file


def play(score: Path, sound_font: Path) -> np.ndarray:
    """The score as FluidSynth plays it, mono ``[T]`` at ``RATE``, its end a natural decay."""
    with TemporaryDirectory() as folder:
        wave = Path(folder) / "performance.wav"
        command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", str(RATE), "-F", str(wave)]
        subprocess.run([*command, "-O", "float", str(sound_font), str(score)], check=True)
        stereo, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    mono = stereo.mean(axis=1)
    mono *= PEAK / np.abs(mono).max()
    last = int(np.flatnonzero(np.abs(mono) > 1e-4)[-1])
    return mono[: last + RATE // 10]


def main() -> None:
    fonts = [font for font in find_sound_fonts() if font.name == FONT_NAME]
    if not fonts:
        sys.exit(f"{FONT_NAME} is missing: apt-get install fluidsynth fluid-soundfont-gm")
    score = HERE / "performance.mid"
    file = perform(harp() + vibraphone() + bass() + piano(), seed=11)
    file.save(score)
    sound = play(score, fonts[0])
    with AudioWriter(HERE / "performance.flac", RATE, subtype="PCM_16") as writer:
        writer.write(sound)
    print(f"{score.name}: {file.length:.1f} s; {writer.path.name}: {len(sound) / RATE:.1f} s of sound")


if __name__ == "__main__":
    main()
