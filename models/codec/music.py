"""Music and speech for the greedy stage: scores played by FluidSynth and by recorded notes, a talking synth.

Nothing here knows where its events are; the greedy stage needs no truth.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mido
import numpy as np
import soundfile
import soxr

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE

from .general_midi import render_midi
from .notes import Note, find_onset

CLIP_SECONDS: Final = 18.0
_PROGRAMS: Final = (
    0, 0, 4, 6, 11, 12, 13, 19, 21, 24, 25, 26, 29, 32, 40, 41, 42, 43, 46, 48, 52, 56, 57, 60, 64, 66, 68,
    70, 71, 73, 75, 80, 89,
)  # fmt: skip
_SYLLABLES: Final = (
    "ba", "da", "ka", "lo", "mi", "nu", "pa", "re", "si", "ta", "vu", "wo", "ye", "zi", "fra", "sto", "gli",
    "spe", "tro", "chi", "sha", "nge", "lum",
)  # fmt: skip


@dataclass(frozen=True)
class _Played:
    start: float
    seconds: float
    key: int
    velocity: int
    part: int


def _read_score(path: Path) -> list[_Played]:
    held: dict[tuple[int, int], tuple[float, int]] = {}
    notes = []
    now = 0.0
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity > 0:
            held[message.channel, message.note] = (now, message.velocity)
        elif message.type in ("note_on", "note_off"):
            began = held.pop((message.channel, message.note), None)
            if began is not None:
                notes.append(_Played(began[0], now - began[0], message.note, began[1], message.channel))
    return notes


class MusicSampler:
    """Draws clips of ``CLIP_SECONDS`` at the analysis rate; seeded, endless.

    Args:
        data: folder with ``midi/manifest.csv``.
        notes: recorded notes for the sampler.
        sound_fonts: one of them plays each clip that FluidSynth plays; None: the best that is installed.

    Raises:
        StruckError: there are no scores.
    """

    def __init__(
        self, data: Path, notes: list[Note], seed: int, sound_fonts: list[Path] | None = None
    ) -> None:
        manifest = data / "midi" / "manifest.csv"
        if not manifest.is_file():
            raise StruckError(f"no training scores: {manifest} is missing")
        with manifest.open(encoding="utf-8", newline="") as file:
            self._scores = [manifest.parent / row["file"] for row in csv.DictReader(file)]
        self._rng = np.random.default_rng(seed)
        self._sound_fonts = sound_fonts
        self._instruments: dict[str, list[Note]] = {}
        for note in notes:
            self._instruments.setdefault(note.instrument, []).append(note)
        self._speaks = shutil.which("espeak-ng") is not None

    def draw(self) -> np.ndarray:
        """One clip, peak between -20 and -1 dBFS, sometimes in a room, sometimes noisy."""
        rng = self._rng
        choice = rng.random()
        if choice < 0.15 and self._speaks:
            clip = self._speech()
        else:
            notes = self._excerpt()
            clip = self._synthesise(notes) if choice < 0.55 else self._sample(notes)
        size = round(CLIP_SECONDS * ANALYSIS_RATE)
        clip = np.pad(clip[:size], (0, max(0, size - len(clip)))).astype(np.float32)
        if rng.random() < 0.4:
            t60 = rng.uniform(0.2, 2.5)
            t = np.arange(round(t60 * ANALYSIS_RATE)) / ANALYSIS_RATE
            response = rng.standard_normal(len(t)) * np.exp(-6.9 * t / t60)
            response *= rng.uniform(0.1, 0.6) / np.sqrt((response**2).sum())
            response[0] += 1.0
            total = size + len(response)
            clip = np.fft.irfft(np.fft.rfft(clip, total) * np.fft.rfft(response, total), total)[:size]
        clip *= 10.0 ** (rng.uniform(-20.0, -1.0) / 20.0) / (np.abs(clip).max() + 1e-9)
        if rng.random() < 0.5:
            level = np.abs(clip).max() * 10.0 ** (rng.uniform(-70.0, -25.0) / 20.0)
            hiss = np.cumsum(rng.standard_normal(size)) if rng.random() < 0.3 else rng.standard_normal(size)
            clip = clip + level * (hiss - hiss.mean()) / np.abs(hiss).max()
        return clip.astype(np.float32)

    def _excerpt(self) -> list[_Played]:
        rng = self._rng
        while True:
            notes = _read_score(self._scores[rng.integers(len(self._scores))])
            if not notes:
                continue
            speed = float(np.exp(rng.uniform(np.log(0.6), np.log(1.3))))
            start = rng.uniform(0.0, max(0.1, notes[-1].start - 10.0))
            parts = {note.part for note in notes}
            kept = {p for p in parts if rng.random() < 0.7} or parts
            shift = int(rng.integers(-4, 5))
            chosen = [
                _Played(
                    max(0.0, (n.start - start) / speed + rng.normal(0.0, 0.012)),
                    max(0.05, n.seconds / speed * rng.uniform(0.6, 1.0)),
                    n.key + shift,
                    int(np.clip(n.velocity + rng.normal(0.0, 12.0), 20, 127)),
                    n.part,
                )
                for n in notes
                if n.part in kept and start <= n.start < start + CLIP_SECONDS * speed
            ]
            if len(chosen) >= 4:
                return chosen

    def _synthesise(self, notes: list[_Played]) -> np.ndarray:
        midi = mido.MidiFile(ticks_per_beat=480)
        track = mido.MidiTrack()
        midi.tracks.append(track)
        messages = []
        for part in {n.part for n in notes}:
            program = int(self._rng.choice(_PROGRAMS))
            messages.append((0.0, mido.Message("program_change", channel=part, program=program)))
        for n in notes:
            key = int(np.clip(n.key, 0, 127))
            on = mido.Message("note_on", channel=n.part, note=key, velocity=n.velocity)
            messages.append((n.start, on))
            messages.append((n.start + n.seconds, mido.Message("note_off", channel=n.part, note=key)))
        messages.sort(key=lambda m: m[0])
        now = 0
        for seconds, message in messages:
            tick = round(seconds * 960)
            track.append(message.copy(time=tick - now))
            now = tick
        fonts = self._sound_fonts
        return render_midi(midi, fonts[int(self._rng.integers(len(fonts)))] if fonts else None)

    def _sample(self, notes: list[_Played]) -> np.ndarray:
        """Play ``notes`` with recorded ones, the nearest pitch resampled."""
        names = list(self._instruments)
        played_by = {part: names[self._rng.integers(len(names))] for part in {n.part for n in notes}}
        out = np.zeros(round((CLIP_SECONDS + 5.0) * ANALYSIS_RATE), np.float32)
        for n in notes:
            stock = self._instruments[played_by[n.part]]
            # An octave off beats a chipmunk: fold the key into the instrument's range.
            low, high = min(s.pitch_midi for s in stock), max(s.pitch_midi for s in stock)
            key = float(n.key)
            while key > high + 3:
                key -= 12.0
            while key < low - 3:
                key += 12.0
            near = sorted(stock, key=lambda s: abs(s.pitch_midi - key))[:3]
            source = near[self._rng.integers(len(near))]
            step = 2.0 ** ((key - source.pitch_midi) / 12.0)
            begin = max(0, find_onset(source.samples) - 60)
            length = int(min((len(source.samples) - begin - 1) / step, (n.seconds + 0.15) * ANALYSIS_RATE))
            place = begin + np.arange(max(length, 0)) * step
            sound = np.interp(place, np.arange(len(source.samples)), source.samples)
            fade = min(len(sound), round(0.1 * ANALYSIS_RATE))
            if fade:
                sound[-fade:] *= np.linspace(1.0, 0.0, fade)
            sound *= (n.velocity / 127.0) ** 2 / (np.abs(source.samples).max() + 1e-9)
            at = round(n.start * ANALYSIS_RATE)
            end = min(len(out), at + len(sound))
            out[at:end] += sound[: end - at]
        return out

    def _speech(self) -> np.ndarray:
        """Invented words from a formant synthesiser, as audio with pitch glides and consonants."""
        rng = self._rng
        words = ["".join(rng.choice(_SYLLABLES, rng.integers(1, 4))) for _ in range(40)]
        voice = f"en+{rng.choice(['m1', 'm3', 'm7', 'f1', 'f2', 'f4'])}"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            options = ["-v", voice, "-s", str(rng.integers(90, 180)), "-p", str(rng.integers(20, 80))]
            done = subprocess.run(
                ["espeak-ng", *options, "-w", path, " ".join(words)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise StruckError(f"espeak-ng failed: {done.stderr.strip()[-200:]}")
            samples, rate = soundfile.read(path, dtype="float32")
        resampled: np.ndarray = soxr.resample(samples, rate, ANALYSIS_RATE)
        return resampled
