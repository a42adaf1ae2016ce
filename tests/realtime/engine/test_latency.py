"""The latency ledger: whole in both sample grids, and as short as the profiles promise."""

import math

import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.resampler import StreamingResampler
from struck.realtime.engine.latency import make_ledger

RATES = (22_050, 24_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)


def ledger_of(profile, rate=48_000, block_frames=64, **others):
    resampling_seconds = StreamingResampler(rate).latency_samples / rate
    return make_ledger(PROFILES[profile], rate, block_frames, resampling_seconds, **others)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block_frames", [32, 64, 1_000, 2_048])
@pytest.mark.parametrize("profile", ["live", "tight", "instant"])
def test_the_engines_sum_is_whole_in_samples_of_device_and_encoder(profile, rate, block_frames):
    ledger = ledger_of(profile, rate, block_frames)
    for grid in (rate, ANALYSIS_RATE):
        samples = ledger.engine_seconds * grid
        assert samples == pytest.approx(round(samples), abs=1e-6)
    assert ledger.engine_samples == pytest.approx(ledger.engine_seconds * rate)
    # so an onset on the encoder's grid stays on it
    assert round((1_234 / ANALYSIS_RATE + ledger.engine_seconds) * ANALYSIS_RATE) == 1_234 + round(
        ledger.engine_seconds * ANALYSIS_RATE
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("profile", ["live", "tight", "instant"])
def test_the_terms_are_what_they_say_and_rounding_goes_to_the_encoder(profile, rate):
    ledger = ledger_of(profile, rate, 128, compute_seconds=0.02)
    assert ledger.lookahead_seconds == PROFILES[profile].lookahead_samples / ANALYSIS_RATE
    assert ledger.hop_seconds == PROFILES[profile].wait_samples / ANALYSIS_RATE
    assert ledger.block_seconds == 128 / rate
    assert 0.02 - 1e-9 <= ledger.compute_seconds < 0.02 + 1.0 / math.gcd(rate, ANALYSIS_RATE)
    terms = ("lookahead", "hop", "resampling", "block", "compute")
    assert sum(getattr(ledger, f"{term}_seconds") for term in terms) == pytest.approx(ledger.engine_seconds)


@pytest.mark.parametrize(("profile", "most_seconds"), [("instant", 0.030), ("tight", 0.060), ("live", 0.290)])
def test_promises_with_jack_at_48_khz_and_64_frames(profile, most_seconds):
    ledger = ledger_of(profile, output_device_seconds=128 / 48_000)
    assert ledger.total_seconds == pytest.approx(ledger.engine_seconds + 128 / 48_000)
    assert ledger.total_seconds <= most_seconds


def test_how_it_reads():
    ledger = ledger_of("tight", input_device_seconds=0.001, output_device_seconds=0.002)
    values = ledger.to_dict()
    assert values["total_seconds"] == pytest.approx(ledger.engine_seconds + 0.003)
    line = ledger.describe()
    assert line.startswith(f"latency {1e3 * ledger.total_seconds:.1f} ms = lookahead 34.8 + hop 5.8 + ")
    assert line.endswith("device in 1.0 + device out 2.0")
    parts = [float(part.rsplit(" ", 1)[1]) for part in line.split("= ")[1].split(" + ")]
    assert sum(parts) == pytest.approx(1e3 * ledger.total_seconds, abs=0.05 * len(parts))


def test_what_is_refused():
    with pytest.raises(ValueError, match="studio"):
        ledger_of("studio")
    with pytest.raises(ValueError, match="negative"):
        ledger_of("live", compute_seconds=-0.001)
