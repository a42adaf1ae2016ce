"""Beats and bars as stream samples."""

import pytest

from struck.models.mars.conditions import PhraseConditions
from struck.realtime.phrases.beats import Beats


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("tempo", [60.0, 77.7, 90.0, 100.0, 120.0, 139.3, 140.0, 240.0])
def test_loops_are_whole_and_the_tempo_is_true(rate, tempo):
    beats = Beats.of_tempo(rate, tempo)
    conditions = PhraseConditions(style="pad", tempo_bpm=tempo)
    assert beats.loop_beats == conditions.beats
    assert abs(beats.loop_samples - conditions.loop_seconds * rate) <= 0.5
    assert beats.tempo_bpm(rate) == pytest.approx(tempo, rel=2e-5)
    for beat in (0, 1, 5, 1_000, 100_003):
        exact = beat * 60.0 * rate / beats.tempo_bpm(rate)
        assert abs(beats.sample_of(beat) - exact) <= 0.51
        # hours later a loop that began on a beat begins on a beat
        loops = 10_000
        assert beats.sample_of(beat + loops * beats.loop_beats) == (
            beats.sample_of(beat) + loops * beats.loop_samples
        )


@pytest.mark.parametrize("origin", [0, 17, 48_000_000])
@pytest.mark.parametrize("bar", [1, 3, 4, 7])
def test_the_next_beat_is_the_first_at_or_after(origin, bar):
    beats = Beats.of_tempo(48_000, 139.3, bar, origin)
    for number in (0, 1, 2, 11, 997):
        at_sample = beats.sample_of(number)
        assert beats.next_beat(at_sample) == at_sample
        assert beats.next_beat(at_sample + 1) == beats.sample_of(number + 1)
        assert beats.next_beat(at_sample - 1) == at_sample
        whole = -(-number // bar) * bar
        assert beats.next_bar(at_sample) == beats.sample_of(whole)
        assert beats.next_bar(at_sample + 1) == beats.sample_of((number // bar + 1) * bar)


def test_before_its_origin_there_are_beats_too():
    beats = Beats.of_tempo(48_000, 120.0, 4, 100_000)
    assert beats.next_beat(3_000) == 4_000
    assert beats.next_bar(3_000) == 4_000
    assert beats.next_bar(4_001) == 100_000


@pytest.mark.parametrize("tempo", [0.0, 59.9, 240.1, float("nan")])
def test_a_tempo_that_phrases_cannot_have_is_refused(tempo):
    with pytest.raises(ValueError, match="tempo"):
        Beats.of_tempo(48_000, tempo)
