"""Sound to learn from that nobody annotated: recordings in a folder, single notes, and rendered music."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.files.audio_files import read_mono

from .music import MusicSampler
from .notes import load_recorded_notes
from .sound_fonts import find_sound_fonts

#: Four hops of the studio profile.
CLIP_SAMPLES: Final = 4 * 65_536
#: Chances of a recording, and of single notes one after the other; what remains is music.
_RECORDING_CHANCE: Final = 0.5
_NOTES_CHANCE: Final = 0.15
#: Recordings shorter than this are hits and notes: several of them make a clip.
_SHORT_SECONDS: Final = 4.0


class SoundSampler:
    """Draws clips of ``CLIP_SAMPLES``; seeded, endless.

    Args:
        data: folder with ``notes/`` and ``midi/`` and their manifests, and, if it likes, ``sounds/`` with
            recordings of any kind, at any depth.

    Raises:
        StruckError: there are no notes or scores.
    """

    def __init__(self, data: Path, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        notes = load_recorded_notes(data)
        self._notes = [note.samples for note in notes]
        self._music = MusicSampler(data, notes, seed + 1, find_sound_fonts())
        self._long: list[Path] = []
        self._short: list[Path] = []
        endings = {f".{name.lower()}" for name in soundfile.available_formats()}
        for path in sorted((data / "sounds").rglob("*")):
            if path.suffix.lower() in endings:
                try:
                    short = soundfile.info(path).duration < _SHORT_SECONDS
                except soundfile.LibsndfileError:
                    continue  # by its name a sound, by its content none
                (self._short if short else self._long).append(path)

    def draw(self) -> np.ndarray:
        """One clip, peak between -20 and -1 dBFS."""
        choice = self._rng.random()
        if choice < _RECORDING_CHANCE and (self._long or self._short):
            # A clip of one long recording says as much as one of many short ones.
            long = self._rng.random() * (len(self._long) + len(self._short)) < len(self._long)
            clip = self._excerpt() if long else self._string(self._short)
        elif choice < _RECORDING_CHANCE + _NOTES_CHANCE:
            clip = self._string(self._notes)
        else:
            clip = self._music.draw()
            start = int(self._rng.integers(0, max(1, len(clip) - CLIP_SAMPLES)))
            clip = clip[start:]
        clip = np.pad(clip[:CLIP_SAMPLES], (0, max(0, CLIP_SAMPLES - len(clip))))
        level = 10.0 ** (self._rng.uniform(-20.0, -1.0) / 20.0)
        return (clip * (level / (np.abs(clip).max() + 1e-9))).astype(np.float32)

    def _excerpt(self) -> np.ndarray:
        """A stretch of a long recording."""
        path = self._long[int(self._rng.integers(len(self._long)))]
        with soundfile.SoundFile(path) as file:
            wanted = int(CLIP_SAMPLES / ANALYSIS_RATE * file.samplerate)
            file.seek(int(self._rng.integers(0, max(1, file.frames - wanted))))
            sound = file.read(wanted, dtype="float32", always_2d=True).mean(1)
            return _resample(sound, file.samplerate)

    def _string(self, stock: list[Path] | list[np.ndarray]) -> np.ndarray:
        """Short sounds at random moments, each ringing on under the next."""
        rng = self._rng
        clip = np.zeros(CLIP_SAMPLES, np.float32)
        few = [stock[int(i)] for i in rng.integers(0, len(stock), int(rng.integers(1, 6)))]
        sounds = [one if isinstance(one, np.ndarray) else _read(one) for one in few]
        gap = float(np.exp(rng.uniform(np.log(0.15), np.log(2.5))))
        at = rng.uniform(0.0, 0.5)
        while at * ANALYSIS_RATE < CLIP_SAMPLES - ANALYSIS_RATE // 4:
            start = round(at * ANALYSIS_RATE)
            sound = sounds[int(rng.integers(len(sounds)))][: CLIP_SAMPLES - start]
            clip[start : start + len(sound)] += sound * 10.0 ** (rng.uniform(-18.0, 0.0) / 20.0)
            at += gap * rng.choice((0.5, 1.0, 1.0, 2.0)) + rng.normal(0.0, 0.01)
        return clip


def _read(path: Path) -> np.ndarray:
    try:
        return read_mono(path, ANALYSIS_RATE)
    except ValueError as error:
        raise StruckError(f"{path}: {error}") from error


def _resample(sound: np.ndarray, rate: int) -> np.ndarray:
    import soxr

    resampled: np.ndarray = soxr.resample(sound, rate, ANALYSIS_RATE)
    return resampled
