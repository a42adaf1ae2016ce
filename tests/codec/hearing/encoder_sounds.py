"""Sounds for the encoder's tests."""

import numpy as np

from struck.codec.events.event_spec import ANALYSIS_RATE


def silence(seconds):
    return np.zeros(round(seconds * ANALYSIS_RATE), np.float32)


def midi_to_hz(pitch):
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def add_note(sound, onset_seconds, pitch, decay_rate=4.0):
    """Add a struck note of ten partials to ``sound``."""
    start = round(onset_seconds * ANALYSIS_RATE)
    time = np.arange(len(sound) - start) / ANALYSIS_RATE
    for n in range(1, 11):
        frequency = n * midi_to_hz(pitch)
        if frequency < 10_000:
            partial = np.exp(-decay_rate * (0.7 + 0.3 * n) * time) * np.sin(2 * np.pi * frequency * time) / n
            sound[start:] += (0.15 * partial).astype(np.float32)
    return sound


def melody(pitches, first_seconds=0.15, step_seconds=0.3, rest_seconds=0.1):
    """Notes one after the other."""
    sound = silence(first_seconds + step_seconds * len(pitches) + rest_seconds)
    for i, pitch in enumerate(pitches):
        add_note(sound, first_seconds + i * step_seconds, pitch)
    return sound
