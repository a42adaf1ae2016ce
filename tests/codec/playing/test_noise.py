"""The shared noise: loops, their spectrum, and what a voice makes of them."""

import numpy as np
import pytest
from scipy.signal import welch

from struck.codec.events.controls import noise_band_edges_hz
from struck.codec.events.event_spec import BANDWIDTH_HZ, NOISE_BAND_COUNT
from struck.codec.playing.decoder import Decoder
from struck.codec.playing.noise import loop_lengths_samples, noise_loops

from .decoder_events import FLAT_WEIGHTS, event
from .steadiness import fluctuation


def repeated(loop, length):
    return np.tile(loop, -(-length // len(loop)))[:length]


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_loops_have_unit_power_in_their_band(rate):
    edges = noise_band_edges_hz()
    for band, loop in enumerate(noise_loops(rate)):
        assert loop.dtype == np.float32
        assert np.sqrt(np.mean(loop.astype(np.float64) ** 2)) == pytest.approx(1.0, abs=1e-4)
        power = np.abs(np.fft.rfft(loop)) ** 2
        frequency = np.arange(len(power)) * rate / len(loop)
        width = edges[band + 1] - edges[band]
        inside = (frequency > edges[band] - 0.35 * width) & (frequency < edges[band + 1] + 0.45 * width)
        assert np.sum(power[~inside]) < 1e-6 * np.sum(power)


def test_no_loop_length_divides_another():
    lengths = loop_lengths_samples(48_000)
    assert len(set(lengths)) == NOISE_BAND_COUNT
    assert all(a == b or a % b for a in lengths for b in lengths)
    assert lengths.min() >= 1.3 * 48_000


def test_loops_are_the_same_sound_at_every_rate():
    low, high = noise_loops(22_050), noise_loops(44_100)
    assert all(np.max(np.abs(a - b[::2])) < 1e-3 for a, b in zip(low[:-1], high[:-1], strict=True))


def test_equal_gains_sum_to_a_spectrum_without_ripple():
    """Power per mel: flat but for what finite averages leave."""
    rate, length = 22_050, 1 << 20
    total = sum(repeated(loop, length) for loop in noise_loops(rate))
    frequency, power = welch(total, rate, nperseg=2048)
    inside = (frequency > 200.0) & (frequency < 0.95 * BANDWIDTH_HZ)
    per_mel = 10 * np.log10(power[inside] * (frequency[inside] + 700.0))
    smooth = np.convolve(per_mel, np.ones(9) / 9, "valid")
    assert np.max(np.abs(smooth - np.median(smooth))) < 0.5


@pytest.mark.parametrize(("window_samples", "most"), [(512, 0.19), (1024, 0.17), (2048, 0.15)])
def test_spectra_fluctuate_less_than_those_of_gaussian_noise(window_samples, most):
    """Which gives ``2 - sqrt(pi)``, 0.23, at any length; here all loops sound at once."""
    rate, length = 22_050, 1 << 17
    total = sum(repeated(loop, length) for loop in noise_loops(rate))
    white = np.random.default_rng(5).standard_normal(length)
    assert fluctuation(white, window_samples) == pytest.approx(2.0 - np.sqrt(np.pi), abs=0.01)
    assert fluctuation(total, window_samples) < most


def test_rates_must_fit():
    with pytest.raises(ValueError, match="rate"):
        noise_loops(11_025)


def noise_event(**values):
    return event(noisiness=0.9999, tilt=-30.0, attack=0.001, room_mix=0.0, **{"gain_db": -10.0, **values})


def test_noise_decays_with_its_t60():
    rate = 48_000
    powers = np.zeros(20)
    for onset in range(0, 480_000, 24_000):  # other stretches of the loops
        decoder = Decoder(FLAT_WEIGHTS, rate)
        decoder.process(onset)
        decoder.schedule(noise_event(noise_decay=1.0, hold=6.0), at_sample=onset)
        powers += [np.sum(decoder.process(960).astype(np.float64) ** 2) for _ in range(20)]
    slope = np.polyfit(np.arange(20) * 0.02, 10 * np.log10(powers), 1)[0]
    assert slope == pytest.approx(-60.0, rel=0.05)


def test_powers_of_voices_add():
    rate = 48_000
    levels = []
    for count in (1, 4):
        decoder = Decoder(FLAT_WEIGHTS, rate)
        for _ in range(count):
            decoder.schedule(noise_event(noise_decay=20.0, hold=6.0), at_sample=0)
        decoder.process(4800)
        levels.append(np.mean(decoder.process(9600).astype(np.float64) ** 2))
    assert levels[1] / levels[0] == pytest.approx(4.0, rel=0.01)


def test_noise_level_is_the_gain():
    decoder = Decoder(FLAT_WEIGHTS, 48_000)
    decoder.schedule(noise_event(noise_decay=20.0, hold=6.0), at_sample=0)
    decoder.process(480)
    assert 10 * np.log10(np.mean(decoder.process(24_000).astype(np.float64) ** 2)) == pytest.approx(
        -10.7, abs=0.5
    )
