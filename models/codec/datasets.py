"""Training sound: single notes as complex spectrogram frames, and mixtures of them with known truth.

Mixing happens in the STFT domain: a note's frames are stored once, turned by a random phase, coloured by a
random equaliser, cut by a random gate, and added. That makes a training example cost a gather, not an FFT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.event_network import FRAME_OFFSETS
from struck.codec.hearing.spectrum import HOP, hann_window

from .general_midi import render_general_midi_notes
from .notes import Note, find_onset, load_recorded_notes

FRAMES_BEFORE = 8
FRAMES_AFTER = 262
STORED_FRAMES = FRAMES_BEFORE + FRAMES_AFTER


def _vary(note: Note, rng: np.random.Generator) -> Note:
    """The note shifted in pitch, sometimes gliding into it, sometimes in a room of its own."""
    semitones = float(rng.uniform(-4.0, 4.0))
    length = len(note.samples)
    step = np.full(length, 2.0 ** (semitones / 12.0))
    if rng.random() < 0.35:
        depth, seconds = rng.normal(0.0, 1.5), rng.uniform(0.04, 0.4)
        bend = np.clip(1.0 - np.arange(length) / (seconds * ANALYSIS_RATE), 0.0, 1.0)
        onset = find_onset(note.samples)
        bend = np.concatenate([np.ones(onset), bend[: length - onset]])
        step = step * 2.0 ** (depth * bend / 12.0)
    place = np.cumsum(step) - step[0]
    place = place[place < length - 1]
    samples = np.interp(place, np.arange(length), note.samples).astype(np.float32)
    if rng.random() < 0.3:
        t60 = np.exp(rng.uniform(np.log(0.2), np.log(3.0)))
        t = np.arange(int(t60 * ANALYSIS_RATE)) / ANALYSIS_RATE
        response = rng.standard_normal(len(t)) * np.exp(-6.9 * t / t60)
        response *= rng.uniform(0.1, 0.7) / np.sqrt((response**2).sum())
        response[0] += 1.0
        size = len(samples) + len(response)
        spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
        samples = np.fft.irfft(spectrum, size)[: 4 * ANALYSIS_RATE].astype(np.float32)
    return Note(samples, note.pitch_midi + semitones, note.pitched, note.instrument)


def texture_note(rng: np.random.Generator) -> Note:
    """Coloured noise with a random envelope: rain, breath, surf, hiss, brushes."""
    length = 4 * ANALYSIS_RATE
    spectrum = np.fft.rfft(rng.standard_normal(length))
    octave = np.log2(np.maximum(np.fft.rfftfreq(length, 1.0 / ANALYSIS_RATE), 20.0) / 20.0)
    curve = np.interp(octave, np.linspace(0, 9.2, 10), rng.normal(0.0, 9.0, 10).cumsum() * 0.5)
    samples = np.fft.irfft(spectrum * 10.0 ** ((curve - curve.max()) / 20.0), length)
    t = np.arange(length) / ANALYSIS_RATE
    if rng.random() < 0.5:
        t60 = np.exp(rng.uniform(np.log(0.03), np.log(8.0)))
        samples *= np.exp(-6.9 * t / t60)
    samples *= np.minimum(1.0, t / np.exp(rng.uniform(np.log(0.001), np.log(0.4))))
    peak = np.abs(samples).max()
    return Note((0.5 * samples / peak).astype(np.float32), rng.uniform(36, 84), False, "noise")


def note_frames(note: Note, n_fft: int, rng: np.random.Generator) -> np.ndarray:
    """Frames ``[STORED_FRAMES, bins, 2]`` float16, the onset a random part of a hop from frame 8's centre."""
    samples = note.samples / (np.abs(note.samples).max() + 1e-9) * 0.5
    onset = find_onset(samples)
    lead = int(rng.integers(-HOP // 2, HOP // 2))
    start = onset - lead - FRAMES_BEFORE * HOP - n_fft // 2
    padded = np.zeros((STORED_FRAMES - 1) * HOP + n_fft, np.float32)
    source = samples[max(start, 0) : start + len(padded)]
    padded[max(-start, 0) : max(-start, 0) + len(source)] = source
    # What precedes the onset by more than 10 ms is not part of the note.
    padded[: max(0, onset - start - 220)] = 0.0
    window = hann_window(n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::HOP] * window
    spectrum = np.fft.rfft(frames) * (2.0 / window.sum())
    return np.stack([spectrum.real, spectrum.imag], -1).astype(np.float16)


def build_library(
    data: Path, n_fft: int, seed: int, variants: int, report: Callable[[str], None], textures: int = 300
) -> dict[str, np.ndarray]:
    """Frames, pitches and kinds of all notes: recorded ones (with variants), General MIDI, textures."""
    rng = np.random.default_rng(seed)
    recorded = load_recorded_notes(data)
    report(f"{len(recorded)} recorded notes")
    general = render_general_midi_notes(seed)
    report(f"{len(general)} General MIDI notes")
    notes = [*recorded, *(_vary(note, rng) for _ in range(variants) for note in recorded)]
    notes += [_vary(n, rng) if n.pitched and rng.random() < 0.5 else n for n in general]
    notes += [texture_note(rng) for _ in range(textures)]
    frames = np.empty((len(notes), STORED_FRAMES, n_fft // 2 + 1, 2), np.float16)
    for i, note in enumerate(notes):
        frames[i] = note_frames(note, n_fft, rng)
    return {
        "frames": frames,
        "pitch_midi": np.array([n.pitch_midi for n in notes], np.float32),
        "pitched": np.array([n.pitched for n in notes]),
        "noise": np.array([n.instrument == "noise" for n in notes]),
    }


def cached_library(
    folder: Path, data: Path, n_fft: int, seed: int, report: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """:func:`build_library`, kept in ``folder`` so that a resumed run starts at once; frames are mapped."""
    frames, labels = folder / f"library-{n_fft}-{seed}.npy", folder / f"library-{n_fft}-{seed}.npz"
    if not labels.is_file():
        library = build_library(data, n_fft, seed, 0, report)
        np.save(frames, library.pop("frames"))
        beside = labels.with_suffix(".part.npz")
        np.savez(beside, **dict[str, Any](library))
        beside.replace(labels)  # last, so that what is there is whole
    with np.load(labels) as stored:
        return dict(stored) | {"frames": np.load(frames, mmap_mode="r")}


def draw_lookaheads(n_fft: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Hops after the onset's frame that the encoder may know, ``[count]``: one network serves all profiles.

    The long window is that of studio (all is known) and live (12 to 16 hops); ``tight`` has 2 or 3 hops of a
    window of 1,024 samples, ``instant`` none or one of 512.
    """
    if n_fft >= 2048:
        return np.where(rng.random(count) < 0.4, 400, rng.integers(2, 20, count))
    return np.where(rng.random(count) < 0.7, rng.integers(0, 4, count), rng.integers(4, 20, count))


@dataclass(frozen=True)
class Mixtures:
    """A batch of targets inside mixtures, frames at the network's offsets. E example, T frame, F bin."""

    mixture: Tensor  # [E, T, F] magnitudes
    target: Tensor  # [E, T, F] magnitudes of the wanted note alone
    mask: Tensor  # [E, T] 1 where the encoder may look
    pitch_midi: Tensor  # [E] proposed pitch
    noise_like: Tensor  # [E]


class MixtureSampler:
    """Draws batches of mixtures from a library; seeded, endless."""

    def __init__(self, library: dict[str, np.ndarray], seed: int) -> None:
        self._frames = library["frames"]
        self._pitch = library["pitch_midi"]
        self._pitched = library["pitched"]
        self._noise = library["noise"]
        self._rng = np.random.default_rng(seed)
        self._bins = self._frames.shape[2]
        # Drawing fresh noise for every bin would cost more than all the rest: take it from a long strip.
        strip = self._rng.standard_normal(1 << 22, dtype=np.float32)
        self._hiss = strip.view(np.complex64)

    def _equaliser(self, count: int, spread_db: float) -> np.ndarray:
        knots = self._rng.normal(0.0, spread_db, (count, 9))
        place = np.sqrt(np.arange(self._bins) / (self._bins - 1)) * 8
        low = np.minimum(place.astype(int), 7)
        part = place - low
        curve = knots[:, low] * (1 - part) + knots[:, low + 1] * part
        return (10.0 ** (curve / 20.0)).astype(np.float32)

    def _gather(self, notes: np.ndarray, onsets: np.ndarray) -> np.ndarray:
        """Complex frames ``[E, T, F]`` of ``notes`` that start ``onsets`` hops after the targets."""
        index = FRAME_OFFSETS[None, :] - onsets[:, None] + FRAMES_BEFORE
        known = (index >= 0) & (index < STORED_FRAMES)
        raw = self._frames[notes[:, None], np.clip(index, 0, STORED_FRAMES - 1)].astype(np.float32)
        frames = raw.view(np.complex64)[..., 0]
        return frames * known[..., None]

    def _gates(self, onsets: np.ndarray, chance: float) -> np.ndarray:
        """Random note ends ``[E, T]``: a raised-cosine fall of a window's length or more."""
        count = len(onsets)
        length = np.exp(self._rng.uniform(np.log(4.0), np.log(200.0), count))
        fall = np.exp(self._rng.uniform(np.log(6.0), np.log(40.0), count))
        since = FRAME_OFFSETS[None, :] - onsets[:, None] - length[:, None]
        gate = 0.5 + 0.5 * np.cos(np.pi * np.clip(since / fall[:, None], 0.0, 1.0))
        return np.where(self._rng.random(count)[:, None] < chance, gate, 1.0).astype(np.float32)

    def draw(self, count: int) -> Mixtures:
        """``count`` examples."""
        rng = self._rng
        notes = rng.integers(0, len(self._frames), count)
        zeros = np.zeros(count, int)
        gain = 10.0 ** (rng.uniform(-36.0, 0.0, count) / 20.0)
        target = self._gather(notes, zeros) * self._gates(zeros, 0.5)[..., None]
        target *= (self._equaliser(count, 4.0) * gain[:, None])[:, None, :]
        level = np.sqrt((np.abs(target) ** 2).sum(-1).max(-1))
        mixture = target.copy()
        for _ in range(int(rng.integers(0, 5))):
            others = rng.integers(0, len(self._frames), count)
            onsets = rng.integers(-200, 200, count)
            added = self._gather(others, onsets) * self._gates(onsets, 0.5)[..., None]
            added *= self._equaliser(count, 4.0)[:, None, :]
            loudness = np.sqrt((np.abs(added) ** 2).sum(-1).max(-1)) + 1e-9
            ratio = 10.0 ** (rng.uniform(-30.0, 3.0, count) / 20.0)
            ratio = np.where(self._noise[notes], ratio * 2.0, ratio)
            turn = np.exp(2j * np.pi * rng.random(count))
            added *= (level / loudness * ratio * turn).astype(np.complex64)[:, None, None]
            mixture += added * (rng.random(count) < 0.8)[:, None, None]
        floor = (
            self._equaliser(count, 8.0) * (10.0 ** (rng.uniform(-80.0, -30.0, count) / 20.0) * level)[:, None]
        )
        size = mixture[0].size
        for example in range(count):
            start = int(rng.integers(0, len(self._hiss) - size))
            hiss = self._hiss[start : start + size].reshape(mixture[0].shape)
            mixture[example] += hiss * (floor[example] / np.sqrt(self._bins))

        lookahead = draw_lookaheads(2 * (self._bins - 1), count, rng)
        mask = (FRAME_OFFSETS[None, :] <= lookahead[:, None]).astype(np.float32)
        pitch = self._pitch[notes] + np.clip(rng.normal(0.0, 0.15, count), -0.45, 0.45)
        anywhere = rng.uniform(30.0, 90.0, count)
        pitch = np.where(self._pitched[notes], pitch, anywhere).astype(np.float32)
        return Mixtures(
            mixture=torch.from_numpy(np.abs(mixture)),
            target=torch.from_numpy(np.abs(target)),
            mask=torch.from_numpy(mask),
            pitch_midi=torch.from_numpy(pitch),
            noise_like=torch.from_numpy(self._noise[notes].astype(np.float32)),
        )
