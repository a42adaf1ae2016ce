"""Segments of lives as arrays, ends as controls, and the fade between segments."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.controls import compute_controls, make_initial_timbre_weights, make_tables
from struck.codec.events.event_spec import AMENDMENT_SECONDS
from struck.codec.events.events import Event
from struck.codec.events.lives import collect_lives
from struck.codec.events.segments import end_controls, fade_weight, sounding_spans, tabulate_lives

ZERO = np.zeros(32, np.float32)


def test_segments_stand_one_after_another_and_count_from_the_onset():
    stream = [
        Event(1.0, -20.0, ZERO, 1),
        Event(1.5, -30.0, ZERO, 2),
        Amendment.of_fields(1, 2.0, {"pitch": 60.0}),
        Amendment(1, 3.0, gain_db=-6.0),
        End(1, 4.0),
    ]
    table = tabulate_lives(collect_lives(stream))
    assert table.life.tolist() == [0, 0, 0, 1]
    assert table.from_seconds.tolist() == [0.0, 1.0, 2.0, 0.0]
    assert table.until_seconds.tolist() == [1.0, 2.0, np.inf, np.inf]
    assert table.end_seconds.tolist() == [3.0, 3.0, 3.0, np.inf]
    assert table.gain_db.tolist() == [-20.0, -20.0, -6.0, -30.0]
    assert table.vectors[0, 0] == 0.0
    assert table.vectors[2, 0] == table.vectors[1, 0] != 0.0
    first, last = sounding_spans(table)
    assert first[[0, 3]].tolist() == [-np.inf, -np.inf]
    assert first[1] == last[0] == pytest.approx(1.0 + AMENDMENT_SECONDS / 2)


@pytest.mark.parametrize("end_seconds", [0.0, 0.02, 0.1, 0.3, 5.0, np.inf])
def test_an_end_lets_the_force_go_from_where_it_is(end_seconds):
    tables = make_tables(lambda array: np.asarray(array, np.float64))
    c = compute_controls(make_initial_timbre_weights(1), np.array([-20.0]), np.zeros((1, 32)), tables, np)
    ended = end_controls(c, np.array([end_seconds]), np)
    t = np.linspace(0.0, 1.0, 1001)

    def force(controls, gain):
        attack, hold = controls.attack_seconds[0], controls.hold_seconds[0]
        rise = np.clip(t / attack, 0.0, 1.0)
        return gain * rise * np.exp(-controls.release_rate[0] * np.maximum(0.0, t - attack - hold))

    natural = c.attack_seconds[0] + c.hold_seconds[0]
    until = min(end_seconds, natural)
    wanted = np.clip(np.minimum(t, until) / c.attack_seconds[0], 0.0, 1.0)
    wanted = wanted * np.exp(-c.release_rate[0] * np.maximum(0.0, t - until))
    ratio = ended.mode_gain[0, 0] / c.mode_gain[0, 0]
    np.testing.assert_allclose(force(ended, ratio), wanted, atol=1e-9)
    np.testing.assert_allclose(ended.noise_gain / c.noise_gain, ratio)


def test_a_fade_begins_and_ends_at_rest():
    weight = fade_weight(np.linspace(-0.5, 1.5, 2001))
    assert np.all(np.diff(weight) <= 0)
    assert weight[0] == 1.0
    assert weight[-1] == 0.0
    assert np.max(np.abs(np.diff(weight, 2))) < 1e-4
