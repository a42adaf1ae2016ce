"""The limiter: a ceiling that holds to the last bit, no change below it, and how it comes back."""

import numpy as np
import pytest

from struck.realtime.engine.limiter import LEAST_GAIN, LIMITED_FRAMES, limit, make_limiter

RATE = 48_000
CEILING = 10.0 ** (-0.3 / 20.0)


def run(sound, ceiling=CEILING, state=None, slicing=None, rate=RATE):
    """A limited copy of ``sound [F, C]``, cut into blocks of ``slicing`` frames in turn."""
    state = make_limiter(rate) if state is None else state
    out = np.array(sound, dtype=np.float32)
    slicing = slicing or [len(out)]
    done = i = 0
    while done < len(out):
        end = min(len(out), done + slicing[i % len(slicing)])
        limit(state, ceiling, out[done:end])
        done, i = end, i + 1
    return out


def noise(frames, channels, seed, most=4.0):
    rng = np.random.default_rng(seed)
    swell = np.abs(np.sin(np.arange(frames) / 700.0))[:, None]
    return (most * swell * rng.uniform(-1, 1, (frames, channels))).astype(np.float32)


@pytest.mark.parametrize("ceiling", [1.0, CEILING, 0.1, 0.7, 1.0 / 3.0, 0.063])
@pytest.mark.parametrize("channels", [1, 2])
def test_no_sample_exceeds_the_ceiling_not_even_by_rounding(ceiling, channels):
    out = run(noise(40_000, channels, seed=1), ceiling)
    assert float(np.max(np.abs(out))) <= ceiling  # compared in double precision
    assert float(np.max(np.abs(out))) > 0.999 * ceiling


def test_no_peak_of_any_size_comes_out_above_the_ceiling():
    """Each peak alone: what rounding does to one size says nothing about the next."""
    for ceiling in (0.1, 0.3, 0.7):
        peaks = np.random.default_rng(2).uniform(ceiling, 1e3, 3_000).astype(np.float32)
        for sign in (-1.0, 1.0):
            heights = [run([[sign * peak]], ceiling)[0, 0] for peak in peaks]
            assert np.max(np.abs(np.asarray(heights, dtype=np.float64))) <= ceiling
            assert np.min(sign * np.asarray(heights)) > 0.999_999 * ceiling


def test_below_the_ceiling_every_bit_stays():
    state = make_limiter(RATE)
    sound = noise(20_000, 2, seed=3, most=CEILING)
    sound[7] = np.nextafter(np.float32(CEILING), np.float32(0.0))
    sound[8] = -0.0
    assert run(sound, state=state).tobytes() == sound.tobytes()
    assert state[LEAST_GAIN] == 1.0
    assert state[LIMITED_FRAMES] == 0


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_after_a_peak_the_gain_is_held_10_ms_and_returns_20_db_in_150_ms(rate):
    sound = np.full((rate, 1), 1e-3, dtype=np.float32)
    sound[1000] = 10.0
    gain_db = 20.0 * np.log10(run(sound, 1.0, rate=rate)[:, 0].astype(np.float64) / sound[:, 0])
    held = 1000 + round(0.010 * rate)
    assert np.all(gain_db[:1000] == 0.0)
    assert gain_db[1000 : held + 1] == pytest.approx(-20.0, abs=1e-4)
    assert gain_db[held + round(0.075 * rate)] == pytest.approx(-10.0, abs=0.01)
    after = held + round(0.150 * rate)
    assert gain_db[after - 10] < 0.0
    assert np.all(gain_db[after + 2 :] == 0.0)
    assert np.all(np.diff(gain_db[held:]) >= -1e-5)


def test_a_steady_low_tone_is_scaled_and_not_bent():
    """The hold bridges the half waves of all above 50 Hz: what comes out is still a sine."""
    sine = np.sin(2.0 * np.pi * 100.0 * np.arange(RATE) / RATE)[:, None].astype(np.float32) * 3.0
    settled = run(sine, 0.5)[RATE // 2 :, 0].astype(np.float64)
    assert np.max(np.abs(settled - sine[RATE // 2 :, 0] / 6.0)) < 1e-6


def test_channels_get_the_same_gain():
    sound = np.full((2_000, 2), 0.25, dtype=np.float32)
    sound[500:, 0] = 2.0
    out = run(sound, 0.5)
    assert np.array_equal(out[:500], sound[:500])
    assert out[500:, 0] == pytest.approx(0.5)
    assert out[500:, 1] == pytest.approx(0.0625)


@pytest.mark.parametrize("slicing", [[1], [64], [32, 480, 7], [2048]])
def test_any_slicing_gives_the_same_bytes_also_while_the_ceiling_moves(slicing):
    sound = noise(12_000, 2, seed=4)
    outs = []
    for cut in (None, slicing):
        state = make_limiter(RATE)
        outs.append([run(sound, ceiling, state, cut) for ceiling in (0.9, 0.1, 0.5)])
    assert np.array_equal(outs[0], outs[1])


def test_a_new_ceiling_is_approached_without_a_jump_and_then_holds():
    state = make_limiter(RATE)
    steady = np.full((RATE // 10, 1), 1.0, dtype=np.float32)
    before = run(steady, 0.9, state)
    falling = run(steady, 0.1, state)
    after = run(steady, 0.1, state)
    assert before[-1, 0] == pytest.approx(0.9)
    assert np.max(np.abs(np.diff(np.concatenate([before, falling])[1:, 0]))) < 0.9 / 200.0
    assert float(np.max(after)) <= 0.1


def test_the_counters_say_what_was_limited():
    state = make_limiter(RATE)
    run(np.full((100, 2), 2.0), 0.5, state)
    assert state[LEAST_GAIN] == 0.25
    assert state[LIMITED_FRAMES] == 100
    run(np.zeros((RATE, 2)), 0.5, state)
    run(np.zeros((100, 2)), 0.5, state)
    assert state[LEAST_GAIN] == 1.0
    assert state[LIMITED_FRAMES] < 100 + RATE / 8


def test_silence_ends_in_silence_not_in_denormal_numbers():
    """An envelope that decays for ever gets slow: the processor handles denormal numbers by microcode."""
    state = make_limiter(RATE)
    run([[1.0]], 0.5, state)
    smallest = np.inf
    for _ in range(60):
        run(np.zeros((RATE, 1)), 0.5, state)
        smallest = min(smallest, state[0]) if state[0] > 0.0 else smallest
    assert state[0] == 0.0
    assert smallest > np.finfo(np.float64).tiny
