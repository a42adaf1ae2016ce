"""Loops at other rates: no seam, on the beat."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.mars.conditions import PhraseConditions
from struck.realtime.engine.slots import FADE
from struck.realtime.phrases.files import join_phrases
from struck.realtime.phrases.loops import resample_loop
from struck.realtime.phrases.slots import loop_sound


def sine_loop(tempo_bpm, turns=1000):
    """A sine that goes round in eight beats, at the analysis rate, and the seconds that it lasts."""
    conditions = PhraseConditions(style="pad", tempo_bpm=tempo_bpm)
    count = conditions.sample_count
    return np.sin(2.0 * np.pi * turns * np.arange(count) / count).astype(np.float32), conditions.loop_seconds


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000, 47_777])
@pytest.mark.parametrize("tempo_bpm", [60.0, 117.0, 240.0])
def test_a_loop_at_another_rate_has_no_seam(rate, tempo_bpm):
    sound, seconds = sine_loop(tempo_bpm)
    out = resample_loop(sound, rate, seconds)
    assert len(out) == round(seconds * rate)
    played = loop_sound(out, len(out))
    assert len(played) == len(out) + FADE
    assert np.array_equal(played[len(out) :], out[:FADE])
    # Two passes are one sine: lengths are rounded to samples, by half of one at most.
    exact = np.sin(2.0 * np.pi * 1000 / seconds * (np.arange(2 * len(out)) % (seconds * rate)) / rate)
    slope = 2.0 * np.pi * 1000 / seconds / rate
    assert np.abs(np.resize(out, 2 * len(out)) - exact).max() < 0.01 + 1.6 * slope


def test_joined_phrases_begin_on_their_beats_and_the_last_ends_where_it_would_begin_again():
    first, seconds = sine_loop(90.0)
    count = len(first)
    joined = join_phrases([first, 0.5 * first, first], seconds)
    assert len(joined) == round(3 * seconds * ANALYSIS_RATE)
    assert np.array_equal(joined[:count], first)
    assert np.allclose(joined[count + FADE : 2 * count - 1], 0.5 * first[FADE:-1], atol=2e-2)


def test_a_single_note_is_heard_to_its_end():
    note = np.linspace(1.0, 0.0, 90_112, dtype=np.float32)
    assert np.array_equal(join_phrases([note], 4.0), note)
    joined = join_phrases([note, note], 4.0)
    assert len(joined) == 88_200 + 90_112
    assert np.array_equal(joined[88_200 + FADE :], note[FADE:])
