"""Swing: where sixteenths go, what of an attack stays, and that a loop stays one."""

import numpy as np
import pytest

from struck.models.mars.conditions import FRAMES, FRAMES_PER_BEAT, SWING_RANGE_PERCENT, PhraseConditions
from struck.models.mars.lateness import Lateness
from struck.models.mars.mars import Mars
from struck.models.mars.sound.swing import swung

from .mars_fixtures import tiny_mars


def strokes(late_frames=0.0):
    """A stroke on every sixteenth, which rises within a frame and falls slowly."""
    place = (np.arange(FRAMES) - late_frames) % (FRAMES_PER_BEAT / 4)
    levels = np.where(place < 1.0, -40.0, -20.0 - 2.0 * place)
    return np.tile(levels, (3, 1)).astype(np.float32)


def rises(levels):
    """Frames at which strokes begin, between two frames where they lie there."""
    rise = np.maximum(np.diff(levels[0], append=levels[0, :1]), 0.0)
    peaks = np.flatnonzero((rise > np.roll(rise, 1)) & (rise >= np.roll(rise, -1)) & (rise > 5.0))
    around = peaks[:, None] + np.arange(-2, 3)
    weight = rise[around % len(rise)]
    return (around * weight).sum(1) / weight.sum(1)


@pytest.mark.parametrize("late_frames", [0.0, 1.2])
@pytest.mark.parametrize("percent", [50.0, 58.0, 66.7, 70.0])
def test_sixteenths_are_where_swing_has_them(percent, late_frames):
    straight = strokes(late_frames)
    moved = swung(straight, percent, FRAMES_PER_BEAT, late_frames)
    assert moved.shape == straight.shape
    before, after = rises(straight), rises(moved)
    middle = FRAMES_PER_BEAT * percent / 100.0
    steps = np.array([0.0, 0.5 * middle, middle, 0.5 * (middle + FRAMES_PER_BEAT)])
    wanted = steps - np.arange(4) * FRAMES_PER_BEAT / 4
    assert after - before == pytest.approx(np.tile(wanted, 8), abs=0.3)
    # An attack is moved, not drawn out: it is as steep as it was but for what lies between two frames.
    assert np.maximum(np.diff(moved), 0.0).max() > 0.5 * np.maximum(np.diff(straight), 0.0).max()


def test_straight_is_untouched_and_a_loop_stays_one():
    levels = strokes()
    assert swung(levels, 50.0, FRAMES_PER_BEAT) is levels
    turned = np.roll(levels, 2 * FRAMES_PER_BEAT, axis=1)
    assert swung(turned, 60.0, FRAMES_PER_BEAT) == pytest.approx(
        np.roll(swung(levels, 60.0, FRAMES_PER_BEAT), 2 * FRAMES_PER_BEAT, axis=1)
    )


def test_a_phrase_has_it_and_a_note_has_none():
    mars = Mars(tiny_mars().phrases, late=Lateness(0.01, 0.2))
    straight = PhraseConditions(48, style="bass", tempo_bpm=90.0)
    swing = PhraseConditions(48, style="bass", tempo_bpm=90.0, swing_percent=62.0)
    first, second = mars.generate(straight, seed=1), mars.generate(swing, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(first.tokens, second.tokens, strict=True))
    late_frames = mars.late.in_frames(swing)
    assert np.array_equal(
        second.log_magnitude, swung(first.log_magnitude, 62.0, FRAMES_PER_BEAT, late_frames)
    )
    assert first.samples.shape == second.samples.shape
    assert PhraseConditions(60, swing_percent=62.0) == PhraseConditions(60)


def test_out_of_range_is_named():
    low, high = SWING_RANGE_PERCENT
    for percent in (low - 1.0, high + 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"swing .* is outside 50 to 70 percent"):
            PhraseConditions(style="bass", swing_percent=percent)
