"""Onsets in the sound itself: found to the millisecond where something begins, left alone elsewhere."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.onsets import find_onset

from .encoder_sounds import add_note, silence

MILLISECOND = ANALYSIS_RATE // 1000


@pytest.mark.parametrize("thought_ms", [-30, -10, 0, 8])
@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_a_struck_note_begins_where_it_does(thought_ms, noise):
    sound = add_note(silence(0.5), 0.2, 60.0)
    sound = sound + (noise * np.random.default_rng(0).standard_normal(len(sound))).astype(np.float32)
    onset = round(0.2 * ANALYSIS_RATE)
    found = find_onset(sound, 0, onset + thought_ms * MILLISECOND)
    assert abs(found - onset) < 3 * MILLISECOND


def test_places_are_counted_from_the_first_sample():
    sound = add_note(silence(0.5), 0.2, 60.0)
    onset = round(0.2 * ANALYSIS_RATE)
    here = find_onset(sound, 0, onset - 100)
    assert find_onset(sound[1000:], 1000, onset - 100) == pytest.approx(here, abs=8)
    assert find_onset(sound, -500, onset - 600) == here - 500


@pytest.mark.parametrize("frequency", [55.0, 220.0, 1500.0])
def test_a_sound_that_goes_on_has_no_onset(frequency):
    time = np.arange(ANALYSIS_RATE // 2) / ANALYSIS_RATE
    tone = sum(np.sin(2 * np.pi * n * frequency * time) / n for n in range(1, 7)).astype(np.float32)
    assert find_onset(tone, 0, 5000) == 5000
    noise = np.random.default_rng(1).standard_normal(10_000).astype(np.float32)
    assert find_onset(noise, 0, 5000) == 5000


def test_silence_and_too_little_sound_have_none():
    assert find_onset(silence(0.3), 0, 3000) == 3000
    assert find_onset(silence(0.3)[:100], 0, 50) == 50
    assert find_onset(silence(0.3), 0, 30_000) == 30_000
