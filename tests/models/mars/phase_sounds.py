"""Sounds of known make, four seconds each, for tests and benchmark of phases."""

import numpy as np
import scipy.signal

RATE = 22_050
SAMPLES = 352 * 256
TIME = np.arange(SAMPLES) / RATE


def make_tone(frequency_hz, samples=SAMPLES):
    """A steady tone with eight harmonics that fall as 1/n, those under half the rate."""
    time = np.arange(samples) / RATE
    numbers = [n for n in range(1, 9) if n * frequency_hz < 0.48 * RATE]
    sound = sum(np.sin(2 * np.pi * n * frequency_hz * time + n * n) / n for n in numbers)
    return (0.3 * sound).astype(np.float32)


def make_chirp(low_hz=100.0, high_hz=8000.0):
    """A sine that glides over the whole length, exponentially."""
    return (0.5 * scipy.signal.chirp(TIME, low_hz, TIME[-1], high_hz, "logarithmic")).astype(np.float32)


def make_pluck(rng, pitch=None, onset_seconds=None):
    """A struck string, slightly inharmonic, its high partials the first to go."""
    pitch = rng.uniform(33, 90) if pitch is None else pitch
    onset = rng.uniform(0.0, 0.3) if onset_seconds is None else onset_seconds
    f0 = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    since = TIME - onset
    sound = np.zeros(SAMPLES)
    stretch, slowness = 10.0 ** rng.uniform(-5, -3.3), rng.uniform(0.5, 3.0)
    for n in range(1, 41):
        frequency = n * f0 * np.sqrt(1.0 + stretch * n * n)
        if frequency > 0.48 * RATE:
            break
        decay = slowness * (1.0 + 0.25 * n)
        sound += (
            np.exp(-decay * np.maximum(since, 0.0))
            * np.sin(2 * np.pi * frequency * since + rng.uniform(0, 2 * np.pi))
            / n
            * np.abs(np.sin(np.pi * n * 0.21))
        )
    attack = np.clip(since / 0.002, 0.0, 1.0)
    return (0.3 * attack * sound).astype(np.float32)


def make_chord(rng):
    """Three to five plucked strings, some a little later than others."""
    root = rng.integers(40, 65)
    pitches = root + np.array([0, 4, 7, 12, 16])[: rng.integers(3, 6)]
    return sum(make_pluck(rng, pitch, rng.uniform(0.0, 0.2)) for pitch in pitches)


def make_noise(rng):
    """Bursts of band-limited noise with fast attacks, as of brushes and snares."""
    sound = np.zeros(SAMPLES)
    for _ in range(6):
        low = rng.uniform(0.01, 0.3)
        band = scipy.signal.butter(2, [low, rng.uniform(low + 0.1, 0.9)], "band", output="sos")
        since = TIME - rng.uniform(0.0, 3.5)
        fade = np.where(since > 0.0, np.exp(-rng.uniform(2.0, 30.0) * np.maximum(since, 0.0)), 0.0)
        sound += scipy.signal.sosfilt(band, rng.standard_normal(SAMPLES)) * fade
    return (0.2 * sound).astype(np.float32)


def make_impulse(sample=SAMPLES // 2):
    """One sample of 1, the rest 0."""
    sound = np.zeros(SAMPLES, np.float32)
    sound[sample] = 1.0
    return sound
