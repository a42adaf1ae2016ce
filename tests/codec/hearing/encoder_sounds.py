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


def plucked_string(pitch, seconds, seed=0):
    """Karplus and Strong's string, tuned by an allpass (Jaffe and Smith, CMJ 7:2, 1983)."""
    period = ANALYSIS_RATE / midi_to_hz(pitch)
    delay = int(period - 0.6)
    part = period - 0.5 - delay
    coefficient = (1.0 - part) / (1.0 + part)
    burst = np.random.default_rng(seed).uniform(-1.0, 1.0, delay)
    string = np.zeros(round(seconds * ANALYSIS_RATE) + delay + 1)
    string[1 : delay + 1] = burst - burst.mean()
    last_in = last_out = 0.0
    for i in range(delay + 1, len(string)):
        mean = 0.499 * (string[i - delay] + string[i - delay - 1])
        last_out = coefficient * (mean - last_out) + last_in
        last_in = mean
        string[i] = last_out
    sound = string[delay + 1 :]
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)
