"""How steady the decoder's noise is beside Gaussian noise, and how near either comes to other Gaussian noise.

    python -m tests.bench.bench_noise

All noise is white per mel, 16 s. What is told: the fluctuation of short-time spectra by window length, the
envelope's modulation in auditory bands, and the measures of ``struck evaluate codec`` against a recording
that is Gaussian noise of the same spectrum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, hilbert, sosfilt, welch

from struck.codec.events.event_spec import ANALYSIS_RATE, NOISE_BAND_COUNT
from struck.codec.measures.metrics import energy_removed_db, mel_distance_db
from struck.codec.playing.noise import noise_band_density, noise_loops

from ..codec.playing.steadiness import fluctuation

Sound = NDArray[np.float64]

LENGTH = 16 * ANALYSIS_RATE
WINDOWS = (256, 512, 1024, 2048, 4096, 8192)
CENTRES_HZ = (250.0, 1000.0, 4000.0)
MODULATIONS_HZ = ((1.0, 8.0), (8.0, 32.0), (32.0, 128.0))
GAINS_DB = (0.0, -0.5, -1.0)


def gaussian(seed: int) -> Sound:
    """RMS ``sqrt(NOISE_BAND_COUNT)``, like the sum of the loops."""
    frequency = np.fft.rfftfreq(LENGTH, 1.0 / ANALYSIS_RATE)
    bands = [noise_band_density(frequency, band) for band in range(NOISE_BAND_COUNT)]
    power = np.sum([one / one.sum() for one in bands], 0)
    real, imaginary = np.random.default_rng(seed).standard_normal((2, len(frequency)))
    sound = np.fft.irfft(np.sqrt(power) * (real + 1j * imaginary), n=LENGTH)
    return np.asarray(sound * np.sqrt(NOISE_BAND_COUNT / np.mean(sound**2)))


def loops() -> Sound:
    """All loops at once."""
    return np.sum([np.tile(one, -(-LENGTH // len(one)))[:LENGTH] for one in noise_loops(ANALYSIS_RATE)], 0)


def modulations_db(sound: Sound, centre_hz: float) -> list[float]:
    """Power of the envelope's modulation over its mean's, in a band as wide as the ear's (ERB, Glasberg and
    Moore 1990)."""
    width = 24.7 * (4.37 * centre_hz / 1000.0 + 1.0)
    edges = (centre_hz - 0.5 * width, centre_hz + 0.5 * width)
    band = sosfilt(butter(2, edges, "bandpass", fs=ANALYSIS_RATE, output="sos"), sound)
    envelope = np.abs(hilbert(band))[ANALYSIS_RATE // 4 :]
    frequency, power = welch(envelope / envelope.mean() - 1.0, ANALYSIS_RATE, nperseg=1 << 15)
    step = frequency[1]
    inside = [(frequency >= low) & (frequency < high) for low, high in MODULATIONS_HZ]
    return [float(10.0 * np.log10(power[one].sum() * step)) for one in inside]


def main() -> None:
    heard = gaussian(1)
    noises = {"Gaussian": gaussian(2), "loops": loops()}
    for name, sound in noises.items():
        print(f"{name}:")
        print("  fluctuation:", ", ".join(f"{n}: {fluctuation(sound, n):.3f}" for n in WINDOWS))
        print(f"  kurtosis {np.mean(sound**4) / np.mean(sound**2) ** 2:.2f}")
        for centre in CENTRES_HZ:
            values = zip(MODULATIONS_HZ, modulations_db(sound, centre), strict=True)
            told = ", ".join(f"{low:.0f} to {high:.0f} Hz: {db:.1f} dB" for (low, high), db in values)
            print(f"  modulation at {centre:.0f} Hz: {told}")
        for gain_db in GAINS_DB:
            copy = sound * 10.0 ** (gain_db / 20.0)
            energy, mel = energy_removed_db(heard, copy), mel_distance_db(heard, copy)
            print(
                f"  as a copy, {gain_db:+.1f} dB: energy removed {energy:.2f} dB, mel distance {mel:.2f} dB"
            )


if __name__ == "__main__":
    main()
