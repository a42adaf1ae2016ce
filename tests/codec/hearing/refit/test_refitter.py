"""The refitter: events come nearer to what is heard, and only as they may."""

from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.event_spec import INDEX
from struck.codec.events.quantize import quantize_gains, quantize_vectors
from struck.codec.hearing.event_frames import FRAMES_BEFORE
from struck.codec.hearing.refit.refitter import Momentum, Refitter
from struck.codec.hearing.refit.window_events import WindowEvents

from .window_scenes import WEIGHTS, vector

ROWS, N_FFT = 96, 1024
BINS = N_FFT // 2 + 1
SILENCE = np.zeros((ROWS, BINS), np.float32)


def two_notes():
    """Two plucked notes, the second in a room."""
    first = vector(pitch=57.0, hold=2.0, decay=1.2, tilt=-9.0, noisiness=0.01, glide=0.0, room_mix=0.0)
    second = vector(
        pitch=64.0, hold=2.0, decay=0.7, tilt=-6.0, noisiness=0.05, glide=0.0, room_mix=0.4, room=1.0
    )
    gains = np.array([-20.0, -24.0], np.float32)
    return WindowEvents(gains, np.stack([first, second]), np.array([10, 26]), np.zeros(2, np.float32))


def heard(events, rows=ROWS):
    power, _ = Refitter(WEIGHTS, N_FFT, 1, stride=1).sums(events, rows)
    return np.sqrt(power)


def off(events):
    """The events, misread."""
    vectors = events.vectors.copy()
    vectors[:, INDEX["tilt"]] += 0.2
    vectors[:, INDEX["decay"]] -= 0.12
    vectors[:, INDEX["pitch"]] += 0.15 / 60.0
    return replace(events, gain_db=events.gain_db + 4.0, vectors=vectors)


@pytest.mark.parametrize("mel_weight", [0.0, 0.04])
def test_two_misread_notes_come_nearer(mel_weight):
    true = two_notes()
    observed = heard(true)
    refitter = Refitter(WEIGHTS, N_FFT, 30, mel_weight)
    before, apart_before = refitter.loss(observed, SILENCE, SILENCE, off(true))
    result = refitter.refit(observed, SILENCE, SILENCE, off(true))
    after, apart_after = refitter.loss(observed, SILENCE, SILENCE, result.events)
    assert after < 0.4 * before
    assert result.loss_before == pytest.approx(before + mel_weight * apart_before, rel=1e-5)
    assert result.loss_after == pytest.approx(after + mel_weight * apart_after, rel=1e-5)
    if mel_weight:
        assert apart_after < 0.6 * apart_before
    assert np.abs(result.events.gain_db - true.gain_db).max() < 2.5
    assert np.abs(result.events.vectors).max() <= 1.0


def test_the_same_twice():
    observed = heard(two_notes())
    results = [
        Refitter(WEIGHTS, N_FFT, 5, 0.04).refit(observed, SILENCE, SILENCE, off(two_notes())) for _ in "ab"
    ]
    for name in ("gain_db", "vectors", "shift_seconds"):
        first, second = (getattr(result.events, name) for result in results)
        assert first.tobytes() == second.tobytes()


def test_momentum_makes_few_steps_go_far():
    true = two_notes()
    observed = heard(true)
    refitter = Refitter(WEIGHTS, N_FFT, 2)
    kept = refitter.refit(observed, SILENCE, SILENCE, off(true))
    for _ in range(9):
        kept = refitter.refit(observed, SILENCE, SILENCE, kept.events, momentum=kept.momentum)
    assert np.array_equal(kept.momentum.steps, [20, 20])
    assert kept.loss_after < 0.5 * kept.loss_before or kept.loss_after < 0.05
    pair = kept.momentum.take(np.array([1])).join(Momentum.at_rest(1))
    assert np.array_equal(pair.steps, [20, 0])
    assert np.array_equal(pair.first[0], kept.momentum.first[1])


def test_what_is_not_trusted_stays():
    events = off(two_notes())
    trust = np.zeros((2, 34), np.float32)
    trust[0, 0] = 1.0  # the first one's gain alone
    refitter = Refitter(WEIGHTS, N_FFT, 6)
    moved = refitter.refit(heard(two_notes()), SILENCE, SILENCE, events, trust=trust).events
    assert moved.gain_db[0] < events.gain_db[0] - 0.5
    assert moved.gain_db[1] == events.gain_db[1]
    assert np.array_equal(moved.vectors, events.vectors)
    assert np.array_equal(moved.shift_seconds, events.shift_seconds)


def test_quantized_events_are_as_a_take_gives_them_back():
    refitter = Refitter(WEIGHTS, N_FFT, 12)
    result = refitter.refit(heard(two_notes()), SILENCE, SILENCE, off(two_notes()), quantized=True)
    assert np.array_equal(result.events.gain_db, quantize_gains(result.events.gain_db))
    assert np.array_equal(result.events.vectors, quantize_vectors(result.events.vectors))
    again = refitter.loss(heard(two_notes()), SILENCE, SILENCE, result.events)[0]
    assert again == pytest.approx(result.loss_after, rel=1e-6)
    assert result.loss_after < 0.6 * result.loss_before


def test_what_is_modelled_already_is_not_fitted_twice():
    events = two_notes()
    known, new = events.take(np.array([0])), events.take(np.array([1]))
    power, fourth = Refitter(WEIGHTS, N_FFT, 1, stride=1).sums(known, ROWS)
    refitter = Refitter(WEIGHTS, N_FFT, 10)
    result = refitter.refit(heard(events), power, fourth, new)
    assert result.loss_after <= result.loss_before < 0.05
    assert abs(result.events.gain_db[0] - new.gain_db[0]) < 2.0


def test_the_encoder_hands_it_a_hop():
    true, wrong = two_notes(), off(two_notes())
    observed = heard(true)
    refitter = Refitter(WEIGHTS, N_FFT, 15)
    arguments = (wrong.gain_db, wrong.vectors, wrong.shift_seconds)
    better = refitter(
        observed, SILENCE, SILENCE, true.onset_rows - FRAMES_BEFORE, np.array([512, 512]), *arguments
    )
    assert [a.shape for a in better] == [(2,), (2, 32), (2,)]
    expected = refitter.refit(observed, SILENCE, SILENCE, wrong).events
    assert np.array_equal(better[1], expected.vectors)


def test_events_of_a_hop_grow_no_louder_than_they_may():
    true = two_notes()
    quiet = true.gain_db - 12.0
    rows = (true.first_rows() - FRAMES_BEFORE, np.array([60, 60]))
    louder = [
        Refitter(WEIGHTS, N_FFT, 30, **limit)(
            heard(true), SILENCE, SILENCE, *rows, quiet, true.vectors, true.shift_seconds
        )[0]
        for limit in ({}, {"highest_rise_db": 4.0})
    ]
    assert np.all(louder[0] > quiet + 6.0)
    assert np.all(louder[1] <= quiet + 4.0 + 1e-3)
    assert np.all(louder[1] > quiet + 3.0)


def test_no_events_are_no_work():
    none = two_notes().take(np.zeros(0, np.int64))
    result = Refitter(WEIGHTS, N_FFT, 3).refit(heard(two_notes()), SILENCE, SILENCE, none)
    assert len(result.events) == 0
    assert result.loss_after == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": -3}, "steps is -3"),
        ({"stride": 0}, "stride is 0"),
        ({"mel_weight": -0.1}, "mel_weight is -0.1"),
        ({"mel_weight": float("nan")}, "mel_weight is nan"),
        ({"weights": {}}, "lack timbre.w1"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Refitter(**({"weights": WEIGHTS, "n_fft": N_FFT, "steps": 3} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain_db": np.zeros(3, np.float32)}, "3 events need"),
        ({"vectors": np.zeros((2, 31), np.float32)}, "vectors has shape"),
        ({"vectors": np.full((2, 32), 1.5, np.float32)}, r"\[-1, 1\]"),
        ({"shift_seconds": np.array([0.0, np.nan], np.float32)}, "shift_seconds must be finite"),
        ({"end_rows": np.zeros(1, np.int64)}, "end_rows has shape"),
    ],
)
def test_wrong_events_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(two_notes(), **change)


def test_wrong_frames_momentum_and_trust_are_refused():
    refitter, events = Refitter(WEIGHTS, N_FFT, 3), two_notes()
    with pytest.raises(ValueError, match="observed has shape"):
        refitter.refit(SILENCE[:, :-1], SILENCE, SILENCE, events)
    with pytest.raises(ValueError, match="fourth has shape"):
        refitter.refit(SILENCE, SILENCE, SILENCE[1:], events)
    with pytest.raises(ValueError, match="momentum is of 1 events"):
        refitter.refit(SILENCE, SILENCE, SILENCE, events, momentum=Momentum.at_rest(1))
    with pytest.raises(ValueError, match="trust has shape"):
        refitter.refit(SILENCE, SILENCE, SILENCE, events, trust=np.ones((2, 3), np.float32))
