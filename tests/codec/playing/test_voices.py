"""Physics of a voice: pitch, decay, force, glide, and the modes that are skipped."""

import numpy as np
import pytest
from scipy.signal import hilbert

from struck.codec.events.controls import LN_1000, compute_controls, make_tables
from struck.codec.events.event_spec import FIELDS, INDEX, MODE_COUNT, VECTOR_SIZE, to_physical
from struck.codec.playing.decoder import Decoder
from struck.codec.playing.partials import sum_partials
from struck.codec.playing.voice_records import CHUNK, MODE, RECORD_SIZE, mode_life_chunks
from struck.codec.playing.voice_state import D_A, D_Y, MODES, A, K, Y

from .decoder_events import FLAT_WEIGHTS, RANDOM_WEIGHTS, random_events, tone
from .inner_kernels import outer


def play(event, seconds, rate):
    decoder = Decoder(FLAT_WEIGHTS, rate)
    decoder.schedule(event, at_sample=0)
    return decoder.process(round(seconds * rate)).astype(np.float64)


def frequency_by_phase_slope(sound, rate, about_hz):
    """Mean frequency from the phase of windowed demodulations at the sound's two ends."""
    size = len(sound) // 4
    window = np.blackman(size)
    time = np.arange(size) / rate
    turn = np.exp(-2j * np.pi * about_hz * time) * window
    early, late = np.sum(sound[:size] * turn), np.sum(sound[-size:] * turn)
    gap = (len(sound) - size) / rate
    drift = np.angle(late / early * np.exp(-2j * np.pi * about_hz * gap))
    return about_hz + drift / (2 * np.pi * gap)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("pitch", [21.0, 33.0, 69.0, 93.0, 117.0])
def test_a_tone_is_in_tune_within_a_tenth_of_a_cent(rate, pitch):
    """Pitch 21 is 27.5 Hz, the piano's lowest."""
    event = tone(pitch=pitch)
    # the vector is float32: the pitch meant is the one it holds
    wanted = 440.0 * 2 ** ((to_physical(FIELDS[0], float(event.vector[0])) - 69.0) / 12.0)
    got = frequency_by_phase_slope(play(event, 2.0, rate)[rate // 10 :], rate, wanted)
    assert abs(1200 * np.log2(got / wanted)) < 0.1
    assert wanted == pytest.approx(440.0 * 2 ** ((pitch - 69.0) / 12.0), rel=1e-6)


def test_no_drift_over_a_minute():
    rate = 22_050
    decoder = Decoder(FLAT_WEIGHTS, rate)
    decoder.schedule(
        tone(gain_db=0.0, release=4.0, hold=6.0, tail=0.9, tail_ratio=10.0, noisiness=0.0001), at_sample=0
    )
    early = decoder.process(2 * rate)[rate:].astype(np.float64)
    decoder.process(5 * rate)
    late = decoder.process(rate).astype(np.float64)
    time = np.arange(rate) / rate
    turn = np.exp(-2j * np.pi * 440.0 * time) * np.blackman(rate)
    # both windows begin a whole number of periods after the onset (440 Hz, whole seconds)
    assert abs(np.angle(np.sum(late * turn) / np.sum(early * turn))) < 2e-3


@pytest.mark.parametrize("rate", [22_050, 48_000])
@pytest.mark.parametrize("decay", [0.1, 1.0, 8.0])
def test_decay_is_the_t60_within_one_percent(rate, decay):
    event = tone(pitch=81.0, decay=decay, gain_db=0.0)
    seconds = min(2.0, 0.6 * decay)
    sound = play(event, seconds, rate)
    level = 20 * np.log10(np.abs(hilbert(sound)))
    use = slice(int(0.1 * len(sound)), int(0.8 * len(sound)))
    t60 = -60.0 / np.polyfit(np.arange(len(sound))[use] / rate, level[use], 1)[0]
    wanted = to_physical(FIELDS[INDEX["decay"]], float(event.vector[INDEX["decay"]]))
    assert t60 == pytest.approx(wanted, rel=0.01)


def test_two_stage_decay():
    event = tone(pitch=81.0, decay=0.2, tail=0.1, tail_ratio=10.0, gain_db=0.0)
    level = 20 * np.log10(np.abs(hilbert(play(event, 1.6, 48_000))))
    slope = np.polyfit(np.arange(24_000) / 48_000, level[43_200:67_200], 1)[0]  # 0.9 s to 1.4 s
    assert slope == pytest.approx(-60.0 / 2.0, rel=0.02)


def test_force_rises_holds_and_releases():
    rate = 48_000
    sound = play(tone(pitch=93.0, attack=0.1, hold=0.2, release=0.3, gain_db=0.0), 0.6, rate)
    envelope = np.abs(hilbert(sound))
    full = envelope[rate // 5]
    assert envelope[rate // 20] == pytest.approx(0.5 * full, rel=0.06)
    level = 20 * np.log10(envelope[int(0.35 * rate) : int(0.5 * rate)])
    slope = np.polyfit(np.arange(len(level)) / rate, level, 1)[0]
    assert slope == pytest.approx(-60.0 / 0.3, rel=0.03)


def test_the_level_at_the_attack_is_the_gain():
    decoder = Decoder(RANDOM_WEIGHTS, 48_000)
    for gain_db in (-50.0, -6.0):
        records = decoder.make_records([tone(gain_db=gain_db)])
        gains = sum(records[0, MODE[s] : MODE[s] + MODE_COUNT] for s in ("stage1", "stage2"))
        assert 10 * np.log10(0.5 * np.sum(gains**2)) == pytest.approx(gain_db, abs=0.01)


@pytest.mark.parametrize("glide", [-6.0, 5.0])
def test_a_glide_settles_exactly(glide):
    rate = 48_000
    event = tone(pitch=93.0, glide=glide, glide_time=0.3)
    sound = play(event, 1.5, rate)
    ratio = 2 ** (glide / 12) - 1
    wanted = 1760.0 * (1 + ratio * (1 - 0.045 / 0.3))  # mean over 30 to 60 ms
    start = frequency_by_phase_slope(sound[1440:2880], rate, wanted)
    assert start == pytest.approx(wanted, rel=2e-3)
    assert frequency_by_phase_slope(sound[int(0.31 * rate) :], rate, 1760.0) == pytest.approx(
        1760.0, abs=4e-3
    )


def test_a_glide_brings_nothing_above_the_band_edge():
    """Partials near 11 kHz that start half an octave higher must neither alias nor be heard there."""
    event = tone(pitch=45.0, glide=6.0, glide_time=1.5, tilt=6.0, noisiness=1e-4, gain_db=0.0)
    for rate in (22_050, 48_000):
        sound = play(event, 0.5, rate)
        spectrum = np.abs(np.fft.rfft(sound * np.blackman(len(sound)))) ** 2
        frequency = np.fft.rfftfreq(len(sound), 1 / rate)
        assert np.sum(spectrum[frequency > 11_100.0]) < 1e-6 * np.sum(spectrum)
        below_first = frequency < 90.0  # aliases would fall anywhere
        assert np.sum(spectrum[below_first]) < 1e-4 * np.sum(spectrum)


def test_inaudible_modes_are_skipped_in_order_of_their_lives():
    decoder = Decoder(FLAT_WEIGHTS, 48_000)
    decoder.schedule(tone(gain_db=-20.0, decay=0.5, decay_tilt=1.0), at_sample=0)
    counts = []
    for _ in range(60):
        decoder.process(480)
        counts.append(int(decoder.state.voices.counts[0, MODES]))
    assert 0 < counts[0] < MODE_COUNT
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0]


def test_records_hold_finite_numbers_and_sorted_lives():
    decoder = Decoder(RANDOM_WEIGHTS, 44_100)
    events = random_events(50, seed=6)
    records = decoder.make_records(events)
    assert records.shape == (50, RECORD_SIZE)
    assert np.all(np.isfinite(records))
    life = records[:, MODE["life_chunks"] : MODE["life_chunks"] + MODE_COUNT]
    assert np.all(np.diff(life, axis=-1) <= 0)
    assert np.max(life) <= 60 * 44_100 / 64 + 1


def test_life_ends_where_the_amplitude_is_inaudible():
    rng = np.random.default_rng(2)
    tables = make_tables(lambda array: np.asarray(array, dtype=np.float64))
    weights = {name: array.astype(np.float64) for name, array in RANDOM_WEIGHTS.decoder.items()}
    c = compute_controls(weights, np.full(30, -20.0), rng.uniform(-1, 1, (30, VECTOR_SIZE)), tables, np)
    seconds = mode_life_chunks(c, 48_000) * 64 / 48_000
    stages = (1 - c.tail_share[:, None]) * np.exp(-c.decay_rate * seconds)
    stages += c.tail_share[:, None] * np.exp(-c.tail_rate * seconds)
    past_hold = np.maximum(0.0, seconds - (c.attack_seconds + c.hold_seconds)[:, None])
    amplitude = c.mode_gain * stages * np.exp(-c.release_rate[:, None] * past_hold)
    assert np.max(amplitude[seconds < 59.0]) <= 2.0e-6
    assert pytest.approx(np.log(1000.0)) == LN_1000


@pytest.mark.parametrize("low_hz", [20.0, 5000.0])
def test_the_kernel_its_python_source_and_the_sines_agree(low_hz):
    """Within a chunk; -80 dB is promised, also at 20 Hz and 96 kHz where a plain recurrence fails."""
    rng = np.random.default_rng(4)
    turn = 2 * np.pi * rng.uniform(low_hz, 2 * low_hz, MODE_COUNT) / 96_000
    phase = rng.uniform(0, 2 * np.pi, MODE_COUNT)
    start, step = rng.uniform(0, 1, MODE_COUNT), rng.uniform(-0.01, 0.01, MODE_COUNT)
    n = np.arange(CHUNK)[:, None]
    wanted = np.sum((start + n * step) * np.sin(phase + n * turn), -1)
    for function in (outer(sum_partials), getattr(sum_partials, "py_func", sum_partials)):
        scratch = np.zeros((5, MODE_COUNT), dtype=np.float32)
        scratch[Y], scratch[D_Y] = np.sin(phase), np.sin(phase) - np.sin(phase - turn)
        scratch[K], scratch[A], scratch[D_A] = 2 - 2 * np.cos(turn), start, step
        out = np.zeros(CHUNK, dtype=np.float32)
        function(scratch, MODE_COUNT, out, 0, CHUNK)
        assert np.sqrt(np.mean((out - wanted) ** 2) / np.mean(wanted**2)) < 1e-4
