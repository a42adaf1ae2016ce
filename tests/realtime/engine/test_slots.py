"""Prepared sound in time: exact starts, loops without a seam, fades, and slots that play are left alone."""

import numpy as np
import pytest

from struck.realtime.engine.slots import (
    FADE,
    PLAYING,
    READY,
    STATE,
    fill_slot,
    join_slot,
    make_phrase_state,
    play_slots,
    start_slot,
    stop_slot,
)


def player(*sounds, capacity=10_000):
    """A player whose first slots are filled."""
    phrases = make_phrase_state(capacity)
    for slot, sound in enumerate(sounds):
        assert fill_slot(phrases, slot, np.asarray(sound, dtype=np.float32))
    return phrases


def play(phrases, frames, position=0, slicing=(64,)):
    """The next ``frames`` from stream sample ``position``, in blocks of ``slicing`` frames in turn."""
    out = np.zeros(frames, dtype=np.float32)
    done = i = 0
    while done < frames:
        end = min(frames, done + slicing[i % len(slicing)])
        play_slots(phrases, position + done, out[done:end])
        done, i = end, i + 1
    return out


def state_of(phrases, slot):
    return phrases.numbers[slot * 6 + STATE]


def hum(frames, period=100):
    return np.sin(2.0 * np.pi * np.arange(frames) / period).astype(np.float32)


@pytest.mark.parametrize("start", [0, 1, 63, 64, 65, 1000])
@pytest.mark.parametrize("slicing", [(1,), (64,), (480, 32, 7), (2048,)])
def test_a_phrase_starts_at_its_sample_and_plays_once_bit_for_bit(start, slicing):
    sound = np.random.default_rng(1).uniform(-1, 1, 900).astype(np.float32)
    phrases = player(sound)
    assert start_slot(phrases, 0, start, False, 1.0)
    out = play(phrases, 3_000, slicing=slicing)
    assert not out[:start].any()
    assert np.array_equal(out[start : start + 900], sound)
    assert not out[start + 900 :].any()
    assert state_of(phrases, 0) == READY


def test_the_stream_need_not_be_at_its_beginning_and_a_start_in_the_past_is_now():
    phrases = player([1.0, 2.0, 3.0])
    assert start_slot(phrases, 0, 10**12 + 5, False, 0.5)
    assert play(phrases, 10, position=10**12).tolist() == [0, 0, 0, 0, 0, 0.5, 1.0, 1.5, 0, 0]
    assert start_slot(phrases, 0, 7, False, 1.0)
    assert play(phrases, 4, position=10**12 + 10).tolist() == [1.0, 2.0, 3.0, 0]


def test_slots_add_up_and_add_to_what_is_there():
    phrases = player(np.full(100, 0.25), np.full(50, 0.5))
    assert start_slot(phrases, 0, 0, False, 1.0)
    assert start_slot(phrases, 1, 20, False, -2.0)
    out = np.ones(128, dtype=np.float32)
    play_slots(phrases, 0, out)
    assert np.all(out[:20] == 1.25)
    assert np.all(out[20:70] == 0.25)
    assert np.all(out[70:100] == 1.25)
    assert np.all(out[100:] == 1.0)


def test_a_loop_goes_on_without_a_seam():
    """900 samples are nine periods less the fade's 2.56: where the loop joins, a cut would jump."""
    sound = hum(900)
    phrases = player(sound)
    assert start_slot(phrases, 0, 0, True, 1.0)
    out = play(phrases, 10_000)
    assert np.array_equal(out[: 900 - FADE], sound[: 900 - FADE])
    slope = 2.0 * np.pi / 100 + 2.0 / FADE  # of the sine, and of the fade between two of them
    assert np.max(np.abs(np.diff(out))) < slope
    assert np.array_equal(out[900 - FADE : 4_000], out[2 * 900 - 2 * FADE : 4_000 + 900 - FADE])
    assert np.max(np.abs(out[-1000:])) > 0.5
    assert state_of(phrases, 0) == PLAYING


def test_a_loop_whose_ends_agree_is_the_endless_sound_itself():
    phrases = player(hum(1_000 + FADE))
    assert start_slot(phrases, 0, 0, True, 1.0)
    assert np.max(np.abs(play(phrases, 9_000) - hum(9_000))) < 1e-5


def test_what_is_too_short_for_a_loop_plays_once():
    phrases = player(np.ones(2 * FADE))
    assert start_slot(phrases, 0, 0, True, 1.0)
    assert play(phrases, 4 * FADE).sum() == 2 * FADE
    assert state_of(phrases, 0) == READY


@pytest.mark.parametrize("slicing", [(64,), (1,), (2048,), (7, 500)])
def test_a_phrase_that_joins_takes_over_as_a_loop_begins_again(slicing):
    """Of a constant: one goes as the other comes; the first one's beginning is not heard again."""
    first = np.ones(2_000 + FADE)
    first[:500] = 9.0
    phrases = player(first, np.ones(2_000 + FADE))
    assert start_slot(phrases, 0, 0, True, 1.0)
    assert join_slot(phrases, 1, 2_000, True, 1.0)
    stop_slot(phrases, 0, 2_000)
    out = play(phrases, 8_000, slicing=slicing)
    assert out[500:] == pytest.approx(np.ones(7_500), abs=1e-6)
    assert (state_of(phrases, 0), state_of(phrases, 1)) == (READY, PLAYING)


def test_a_stop_within_the_joint_fades_what_is_heard_there():
    phrases = player(hum(1_000 + FADE))
    assert start_slot(phrases, 0, 0, True, 1.0)
    stop_slot(phrases, 0, 1_000 + FADE // 2)
    out = play(phrases, 3_000)
    assert np.max(np.abs(np.diff(out))) < 2.0 * np.pi / 100 + 2.0 / FADE
    assert not out[1_000 + FADE // 2 + FADE :].any()


@pytest.mark.parametrize("stop", [100, 128, 1000])
def test_a_stopped_phrase_fades_straight_from_its_sample_on(stop):
    phrases = player(np.ones(5_000))
    assert start_slot(phrases, 0, 0, True, 1.0)
    stop_slot(phrases, 0, stop)
    stop_slot(phrases, 0, stop + 500)  # the first that comes holds
    out = play(phrases, 4_000, slicing=(64, 1, 333))
    assert np.all(out[: stop + 1] == 1.0)
    assert out[stop : stop + FADE] == pytest.approx(1.0 - np.arange(FADE) / FADE)
    assert not out[stop + FADE :].any()
    assert state_of(phrases, 0) == READY


def test_what_is_stopped_before_it_begins_is_never_heard():
    phrases = player(np.ones(5_000), np.ones(5_000))
    assert start_slot(phrases, 0, 1_000, False, 1.0)
    stop_slot(phrases, 0, 990)
    assert start_slot(phrases, 1, 1_000, False, 1.0)
    stop_slot(phrases, 1, 1_000)
    assert not play(phrases, 3_000).any()
    assert state_of(phrases, 0) == state_of(phrases, 1) == READY


def test_a_slot_that_plays_or_waits_is_neither_refilled_nor_started_again():
    phrases = player(np.ones(300))
    assert not start_slot(phrases, 1, 0, False, 1.0)  # empty
    assert start_slot(phrases, 0, 100, False, 1.0)
    for _ in range(2):  # waiting, then playing
        assert not fill_slot(phrases, 0, np.full(10, 9.0, dtype=np.float32))
        assert not start_slot(phrases, 0, 0, False, 7.0)
        play(phrases, 150)
    assert np.all(play(phrases, 100, position=150) == 1.0)
    play(phrases, 200, position=250)
    assert fill_slot(phrases, 0, np.full(10, 9.0, dtype=np.float32))
    assert start_slot(phrases, 0, 0, False, 1.0)
    assert play(phrases, 20, position=450).sum() == 90.0


def test_what_does_not_fit_is_refused_and_an_empty_phrase_ends_at_once():
    phrases = player(capacity=100)
    assert not fill_slot(phrases, 0, np.zeros(101, dtype=np.float32))
    assert not start_slot(phrases, 0, 0, False, 1.0)
    assert fill_slot(phrases, 0, np.zeros(100, dtype=np.float32))
    assert fill_slot(phrases, 1, np.zeros(0, dtype=np.float32))
    assert start_slot(phrases, 1, 0, True, 1.0)
    assert not play(phrases, 10).any()
    assert state_of(phrases, 1) == READY


def test_any_slicing_gives_the_same_bytes():
    rng = np.random.default_rng(5)
    sounds = [rng.uniform(-1, 1, int(frames)) for frames in (700, 5_000, 513, 2_000)]
    whole = None
    for slicing in ((20_000,), (1,), (64,), (480, 32, 7)):
        phrases = player(*sounds)
        for slot in range(len(sounds)):
            assert start_slot(phrases, slot, 333 * slot, slot != 1, 0.3 + slot)
        stop_slot(phrases, 2, 9_999)
        stop_slot(phrases, 3, 12_345)
        out = play(phrases, 20_000, slicing=slicing)
        whole = out if whole is None else whole
        assert out.tobytes() == whole.tobytes()
