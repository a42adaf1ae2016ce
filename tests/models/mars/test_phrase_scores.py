"""Invented scores keep to what was asked: the grid, the chord, the phrase's length."""

import numpy as np
import pytest

from struck.models.mars.conditions import HARMONY_SLOTS, STYLES
from struck.models.mars.phrase_scores import GRID_STEPS_PER_BEAT, draw_conditions, vary, write_score


@pytest.mark.parametrize("style", STYLES)
def test_notes_are_on_the_grid_of_the_chord_and_inside_the_phrase(style):
    rng = np.random.default_rng(5)
    for _ in range(60):
        conditions = draw_conditions(rng, style)
        assert conditions.style == style
        notes = write_score(conditions, rng)
        assert notes
        step = 60.0 / conditions.tempo_bpm / GRID_STEPS_PER_BEAT
        for note in notes:
            assert 0.0 <= note.start < conditions.loop_seconds
            assert note.seconds > 0.0
            assert 1 <= note.velocity <= 127
            off_grid = note.start - step * round(note.start / step)
            assert abs(off_grid) < 0.02
            slot = int((note.start + 0.25 * step) / conditions.loop_seconds * HARMONY_SLOTS)
            if conditions.notes:
                assert note.key in conditions.slot_notes[slot]


def test_the_same_seed_writes_the_same():
    first, second = (np.random.default_rng(9) for _ in range(2))
    for _ in range(20):
        conditions = draw_conditions(first)
        assert conditions == draw_conditions(second)
        assert write_score(conditions, first) == write_score(conditions, second)


def test_what_follows_keeps_player_and_tempo():
    rng = np.random.default_rng(3)
    changed = 0
    for _ in range(100):
        conditions = draw_conditions(rng)
        following = vary(conditions, rng)
        assert (following.style, following.instrument, following.tempo_bpm) == (
            conditions.style,
            conditions.instrument,
            conditions.tempo_bpm,
        )
        changed += following != conditions
    assert 10 < changed < 70


def test_chords_change_within_phrases_and_pads_change_with_them():
    rng = np.random.default_rng(11)
    counts = [0, 0, 0]
    for _ in range(300):
        conditions = draw_conditions(rng, "pad")
        counts[len(conditions.chords) // 2] += 1
        if len(conditions.chords) == 2:
            half = conditions.loop_seconds / 2
            for note in write_score(conditions, rng):
                begins = 0.0 if note.start < 0.02 else half
                assert note.start == pytest.approx(begins, abs=0.02)
                assert note.start + note.seconds <= begins + half + 0.02
    assert min(counts) > 5
    assert counts[0] > counts[1] > counts[2]
