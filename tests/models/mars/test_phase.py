"""Frames of MARS, phases from magnitudes: physics, the reference, what is refused."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from struck.models.mars.sound import phase
from struck.models.mars.sound.griffin_lim import griffin_lim
from struck.models.mars.sound.phase import integrate_phase, sound_from_magnitude
from struck.models.mars.sound.spectrum import (
    CEILING_DB,
    FLOOR_DB,
    MARS_FRAMES,
    MarsFrames,
    convergence_db,
    db_to_magnitude,
    magnitude_to_db,
)

from .phase_sounds import (
    RATE,
    SAMPLES,
    TIME,
    make_chirp,
    make_chord,
    make_impulse,
    make_noise,
    make_pluck,
    make_tone,
)

SMALL = MarsFrames(window_samples=64, hop_samples=8)


def magnitude_of(sound):
    return np.abs(MARS_FRAMES.stft(sound))


def pitch_hz(sound, near_hz):
    """Frequency of the strongest partial within 5 % of ``near_hz``, by a long window's parabola in dB."""
    middle = sound[RATE // 2 : RATE // 2 + 65536] * np.hanning(65536)
    level = 20 * np.log10(np.abs(np.fft.rfft(middle, 1 << 18)) + 1e-12)
    bins_per_hz = (1 << 18) / RATE
    low = int(near_hz * 0.95 * bins_per_hz)
    peak = low + int(np.argmax(level[low : int(near_hz * 1.05 * bins_per_hz)]))
    left, top, right = level[peak - 1 : peak + 2]
    return (peak + 0.5 * (left - right) / (left - 2 * top + right)) / bins_per_hz


def test_round_trip_of_what_lies_under_half_the_rate():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(SAMPLES) * (np.abs(TIME - 2.0) < 1.8)
    sound = scipy.signal.sosfilt(scipy.signal.butter(10, 0.6, output="sos"), sound).astype(np.float32)
    spectrum = MARS_FRAMES.stft(sound)
    assert spectrum.shape == (1024, 352)
    assert spectrum.dtype == np.complex64
    back = MARS_FRAMES.istft(spectrum)
    assert back.shape == sound.shape
    assert back.dtype == np.float32
    assert np.abs(back - sound).max() < 1e-5 * np.abs(sound).max()


def test_a_full_scale_sine_on_a_bin_is_0_db_and_its_phase_is_that_at_the_frames_middle():
    turns = 100 / 2048
    sine = np.cos(2 * np.pi * turns * np.arange(SAMPLES) + 0.5)
    spectrum = MARS_FRAMES.stft(sine)[100, 10:-10]
    np.testing.assert_allclose(np.abs(spectrum), 1.0, atol=1e-4)
    expected = np.exp(1j * (2 * np.pi * turns * 256 * np.arange(10, 342) + 0.5))
    np.testing.assert_allclose(spectrum, expected, atol=1e-3)
    np.testing.assert_allclose(MARS_FRAMES.log_magnitude(sine)[100, 10:-10], 0.0, atol=1e-3)


def test_an_impulse_in_a_frames_middle_has_phase_0_in_all_bins():
    spectrum = MARS_FRAMES.stft(make_impulse(20 * 256))[:, 20]
    np.testing.assert_allclose(spectrum, abs(spectrum[0]), rtol=1e-4)


@pytest.mark.parametrize("hop_samples", [125.3, 250.568, 501.14])
@pytest.mark.parametrize("is_loop", [False, True])
def test_a_hop_need_not_be_whole(hop_samples, is_loop):
    """What was cut comes back, and a sine's phase goes on by its frequency from frame to frame."""
    frames = MarsFrames(hop_samples=hop_samples, is_loop=is_loop)
    count = frames.sample_count(100)
    cycles = round(440.0 * count / RATE)  # a loop's sine fits in
    turns = cycles / count
    sine = 0.5 * np.cos(2 * np.pi * turns * np.arange(count) + 0.3)
    spectrum = frames.stft(sine)
    assert spectrum.shape == (1024, 100)
    # A sine that is cut off has something at half the rate, which is left out.
    assert np.abs(frames.istft(spectrum) - sine).max() < (1e-5 if is_loop else 5e-4)
    peak = round(turns * 2048)
    inner = np.arange(100) if is_loop else np.arange(20, 80)
    meant = np.exp(1j * (2 * np.pi * turns * hop_samples * inner + 0.3))
    assert np.abs(np.angle(spectrum[peak, inner] / meant)).max() < 2e-3


def test_a_loop_goes_round():
    """A sine that fits into the loop has no end: its magnitudes are alike, and so it comes back from them."""
    frames = MarsFrames(hop_samples=250.568, is_loop=True)
    count = frames.sample_count(352)
    sine = 0.5 * np.cos(2 * np.pi * 1760 / count * np.arange(count))
    magnitude = np.abs(frames.stft(sine))
    np.testing.assert_allclose(magnitude, magnitude[:, :1].repeat(352, 1), atol=1e-3)
    found = sound_from_magnitude(magnitude, frames)
    assert found.shape == (count,)
    assert convergence_db(magnitude, found, frames) < -30.0
    around = np.concatenate([found[-2000:], found[:2000]])
    # A sine's second difference is its value times a constant: a seam would stick out of it.
    turn = np.abs(np.diff(around, 2))
    assert turn[1990:2010].max() < 1.1 * turn[:1900].max()


def test_level_and_back():
    magnitude = np.float32([0.0, 1e-4, 1e-3, 0.1, 1.0, 2.0])
    level = magnitude_to_db(magnitude)
    assert level[0] == pytest.approx(FLOOR_DB, abs=1e-4)
    assert level[4] == pytest.approx(0.0, abs=1e-4)
    np.testing.assert_allclose(db_to_magnitude(level), magnitude, rtol=1e-3, atol=1e-6)
    assert db_to_magnitude(FLOOR_DB - 5.0) == 0.0
    assert magnitude_to_db(1e6) == CEILING_DB
    assert level.dtype == db_to_magnitude(level).dtype == np.float32


@pytest.mark.parametrize("frequency_hz", [65.4, 220.0, 523.25, 2093.0])
@pytest.mark.parametrize("blurred", [False, True])
def test_a_tone_keeps_its_pitch(frequency_hz, blurred):
    magnitude = magnitude_of(make_tone(frequency_hz))
    if blurred:
        magnitude = db_to_magnitude(scipy.ndimage.uniform_filter(magnitude_to_db(magnitude), 3))
    found = sound_from_magnitude(magnitude, rounds=0)
    cents = 1200 * np.log2(pitch_hz(found, frequency_hz) / frequency_hz)
    # Blurring 3 x 3 bins moves the neighbours of a peak that lies between two bins: up to a tenth of a bin.
    assert abs(cents) < (12.0 if blurred else 1.0)


def test_a_glide_stays_one_sine():
    magnitude = magnitude_of(make_chirp())
    assert convergence_db(magnitude, sound_from_magnitude(magnitude, rounds=0)) < -28.0


@pytest.mark.parametrize("place", [20_480, 20_531])
def test_an_impulse_comes_back_where_it_was(place):
    found = sound_from_magnitude(magnitude_of(make_impulse(place)), rounds=0)
    assert np.abs(found).argmax() == pytest.approx(place, abs=1)
    near = np.sum(found[place - 16 : place + 17] ** 2)
    assert near > 0.9 * np.sum(found**2)


@pytest.mark.parametrize("make", [make_pluck, make_chord, make_noise])
def test_the_heap_alone_is_nearer_than_thirty_rounds(make):
    magnitude = magnitude_of(make(np.random.default_rng(3)))
    alone = convergence_db(magnitude, sound_from_magnitude(magnitude, rounds=0))
    assert alone < convergence_db(magnitude, griffin_lim(magnitude)) - 3.0
    assert convergence_db(magnitude, sound_from_magnitude(magnitude)) < alone


def test_griffin_lim_comes_nearer_with_every_round_and_faster_with_momentum():
    magnitude = magnitude_of(make_chord(np.random.default_rng(3)))
    levels = [convergence_db(magnitude, griffin_lim(magnitude, iterations=n)) for n in (0, 1, 4, 8)]
    assert levels == sorted(levels, reverse=True)
    assert convergence_db(magnitude, griffin_lim(magnitude, iterations=8, momentum=0.99)) < levels[-1]


def test_griffin_lim_leaves_a_solution_alone():
    sound = make_pluck(np.random.default_rng(1))
    spectrum = MARS_FRAMES.stft(sound)
    found = griffin_lim(np.abs(spectrum), iterations=2, start=spectrum)
    np.testing.assert_allclose(found, sound, atol=1e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_phases():
    magnitude = magnitude_of(make_noise(np.random.default_rng(2)))[:, :40]
    first = sound_from_magnitude(magnitude, seed=7)
    assert first.tobytes() == sound_from_magnitude(magnitude, seed=7).tobytes()
    assert first.tobytes() == sound_from_magnitude(np.asfortranarray(magnitude), seed=7).tobytes()
    assert first.tobytes() != sound_from_magnitude(magnitude, seed=8).tobytes()


def test_magnitudes_are_kept():
    magnitude = magnitude_of(make_noise(np.random.default_rng(2)))[:, :40]
    np.testing.assert_allclose(np.abs(integrate_phase(magnitude)), magnitude, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1e-30])
def test_silence_stays_silent(value):
    found = sound_from_magnitude(np.full((1024, 5), value))
    assert found.shape == (5 * 256,)
    assert np.abs(found).max() <= 1e-25


@pytest.mark.parametrize("scale", [1e-12, 1e6])
def test_scale_does_not_matter(scale):
    magnitude = magnitude_of(make_chord(np.random.default_rng(2)))[:, :60]
    found = sound_from_magnitude(magnitude * np.float32(scale))
    assert convergence_db(magnitude, found / np.float32(scale)) < -20.0


def test_one_frame():
    found = sound_from_magnitude(magnitude_of(make_tone(440.0))[:, 100:101])
    assert found.shape == (256,)
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0.1
    assert MARS_FRAMES.stft(np.ones(1)).shape == (1024, 1)


@pytest.mark.parametrize("is_loop", [False, True])
def test_kernels_do_as_the_code_they_are_made_of(is_loop):
    magnitude = np.abs(SMALL.stft(make_pluck(np.random.default_rng(4), 80, 0.005)[:400])).T
    magnitude = np.ascontiguousarray(magnitude)
    shape = (magnitude.shape[0] + 2, magnitude.shape[1] + 2, 4)
    results = []
    for plain in (False, True):
        fill, spread = phase.fill_steps, phase.spread
        if plain:
            fill, spread = getattr(fill, "py_func", fill), getattr(spread, "py_func", spread)
        cells = np.full(shape, -1, np.int16)
        with np.errstate(over="ignore"):
            fill(magnitude, 0.125, is_loop, cells)
            cells[1:-1, 1:-1, phase.LEVEL] = np.clip(40 + 4 * np.log2(magnitude + 1e-9), -1, 60)
            cells[..., phase.TURNS] = 0
            spread(cells, np.exp2(0.5 * np.arange(61, dtype=np.float32)), is_loop)
        results.append(cells.astype(int))
    assert (results[0][..., phase.LEVEL] >= 0).sum() > 500
    # Where a step is rounded differently, 2^-16 turns add up along the way.
    difference = (results[0] - results[1] + 32768) % 65536 - 32768
    assert np.abs(difference).max() < 64


@pytest.mark.parametrize("make", [sound_from_magnitude, griffin_lim])
@pytest.mark.parametrize(
    ("magnitude", "message"),
    [
        (np.full((1024, 3), np.nan), "finite"),
        (np.full((1024, 3), np.inf), "finite"),
        (np.full((1024, 3), -1.0), ">= 0"),
        (np.zeros((1025, 3)), r"\[1024, T >= 1\]"),
        (np.zeros((1024, 0)), r"\[1024, T >= 1\]"),
        (np.zeros(1024), r"\[1024, T >= 1\]"),
    ],
)
def test_wrong_magnitudes_are_refused(make, magnitude, message):
    with pytest.raises(ValueError, match=message):
        make(magnitude)


def test_other_wrong_values_are_refused():
    magnitude = np.ones((1024, 3))
    with pytest.raises(ValueError, match="tolerance"):
        integrate_phase(magnitude, tolerance=0.0)
    with pytest.raises(ValueError, match="rounds"):
        sound_from_magnitude(magnitude, rounds=-1)
    with pytest.raises(ValueError, match="iterations"):
        griffin_lim(magnitude, iterations=-1)
    with pytest.raises(ValueError, match="finite"):
        MARS_FRAMES.stft(np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="finite"):
        MARS_FRAMES.istft(np.full((1024, 2), np.nan))
    with pytest.raises(ValueError, match="shape"):
        MARS_FRAMES.stft(np.zeros((2, 100)))
    with pytest.raises(ValueError, match="even"):
        MarsFrames(window_samples=2047)
    with pytest.raises(ValueError, match="at least 1"):
        MarsFrames(hop_samples=float("nan"))
    with pytest.raises(ValueError, match="no loop of frames"):
        MarsFrames(hop_samples=250.5, is_loop=True).stft(np.zeros(251 * 4))
    with pytest.raises(ValueError, match="four hops"):
        MarsFrames(window_samples=512, hop_samples=256)
