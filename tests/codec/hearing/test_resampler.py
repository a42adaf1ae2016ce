"""The encoder's resampler: in time to the sample, clean, and the same however the stream is sliced."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.resampler import StreamingResampler

RATES = (22_050, 24_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)


def resample(sound, rate, slicing=None):
    resampler = StreamingResampler(rate)
    pieces, done, turn = [], 0, 0
    while done < len(sound):
        count = len(sound) if slicing is None else slicing[turn % len(slicing)]
        pieces.append(resampler.process(sound[done : done + count]))
        done, turn = done + count, turn + 1
    return np.concatenate([*pieces, resampler.flush()])


def sine(frequency_hz, rate, seconds=0.3, phase=0.0):
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate)) / rate + phase)


def level_db(frequency_hz, rate):
    """Of what comes out for a sine of 0 dB, in the middle: all of it, or in the band the sine itself."""
    out = resample(sine(frequency_hz, rate).astype(np.float32), rate)[2_000:-2_000].astype(np.float64)
    if frequency_hz < ANALYSIS_RATE / 2:
        turn = 2 * np.pi * frequency_hz * np.arange(len(out)) / ANALYSIS_RATE
        found = np.linalg.lstsq(np.stack([np.sin(turn), np.cos(turn)], 1), out, rcond=None)[0]
        return 20.0 * np.log10(np.hypot(*found))
    return 10.0 * np.log10(2.0 * np.mean(out**2) + 1e-20)


@pytest.mark.parametrize("rate", RATES)
def test_any_slicing_gives_the_same_bytes(rate):
    sound = np.random.default_rng(1).standard_normal(6_001).astype(np.float32)
    whole = resample(sound, rate)
    for slicing in ((1,), (64,), (960,), (7, 0, 1, 500), (3_000,)):
        assert resample(sound, rate, slicing).tobytes() == whole.tobytes()


@pytest.mark.parametrize("rate", RATES)
def test_flushing_completes_the_sound(rate):
    for length in (1, 2, 100, 4_801):
        out = resample(np.ones(length, np.float32), rate)
        assert len(out) == -(-length * ANALYSIS_RATE // rate)
        assert np.all(np.isfinite(out))


@pytest.mark.parametrize("rate", RATES)
def test_its_delay_is_what_it_says(rate):
    """After n samples in, all are out whose time lies at least the delay back."""
    resampler = StreamingResampler(rate)
    assert resampler.latency_samples / rate <= 0.0025
    out = resampler.process(np.zeros(10_000, np.float32))
    due = 1 + (10_000 - 1 - resampler.latency_samples) * ANALYSIS_RATE // rate
    assert due <= len(out) <= due + 1  # one whose time lies between two samples needs no more than they


@pytest.mark.parametrize("rate", RATES)
def test_nothing_is_moved_in_time(rate):
    sound = sine(1_000.0, rate, phase=0.4).astype(np.float32)
    out = resample(sound, rate)[500:-500]
    expected = sine(1_000.0, ANALYSIS_RATE, phase=0.4)[500 : 500 + len(out)]
    assert np.max(np.abs(out[: len(expected)] - expected[: len(out)])) < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_stays_where_it_is(rate):
    """Symmetric around its time: a delay of no fraction of a sample."""
    step = rate // np.gcd(rate, ANALYSIS_RATE)
    place = step * max(1, -(-rate // 50 // step))  # where both grids have a sample
    sound = np.zeros(2 * place, np.float32)
    sound[place] = 1.0
    out = resample(sound, rate).astype(np.float64)
    centre = place * ANALYSIS_RATE // rate
    assert np.argmax(np.abs(out)) == centre
    reach = min(centre, len(out) - centre - 1, 100)
    assert np.max(np.abs(out[centre - reach : centre] - out[centre + reach : centre : -1])) < 1e-6


@pytest.mark.parametrize("rate", RATES)
def test_a_constant_stays_one(rate):
    out = resample(np.full(20_000, 0.5, np.float32), rate)[200:-200]
    assert np.max(np.abs(out - 0.5)) < 1e-6


@pytest.mark.parametrize("rate", RATES[1:])
def test_the_passband_is_flat_and_what_would_fold_below_it_is_gone(rate):
    for frequency_hz in (50.0, 1_000.0, 5_000.0, 8_500.0):
        assert level_db(frequency_hz, rate) == pytest.approx(0.0, abs=0.02)
    assert level_db(9_900.0, rate) == pytest.approx(-0.6, abs=0.2)
    folds = [f for f in (ANALYSIS_RATE - 9_900.0, 15_000.0, 20_000.0, 0.45 * rate) if f < 0.5 * rate]
    for frequency_hz in [f for f in folds if f >= ANALYSIS_RATE - 9_900.0]:
        assert level_db(frequency_hz, rate) < -78.0


def test_at_the_encoders_own_rate_samples_pass_untouched():
    sound = np.random.default_rng(2).standard_normal(1_000).astype(np.float32)
    assert resample(sound, ANALYSIS_RATE).tobytes() == sound.tobytes()


def test_reset_forgets_everything():
    resampler = StreamingResampler(48_000)
    sound = np.random.default_rng(3).standard_normal(3_000).astype(np.float32)
    first = resampler.process(sound)
    resampler.process(np.full(777, 1e3, np.float32))
    resampler.reset()
    assert resampler.process(sound).tobytes() == first.tobytes()


@pytest.mark.parametrize("rate", [0, 8_000, 22_049])
def test_rates_below_the_encoders_are_refused(rate):
    with pytest.raises(ValueError, match="the lowest is 22050 Hz"):
        StreamingResampler(rate)
