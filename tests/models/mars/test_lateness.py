"""How late notes of phrases begin: measured on clicks that are late by so much, and taken away."""

from types import SimpleNamespace

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.lateness import Lateness, measure_lateness


def clicks(conditions, late_seconds):
    """Short noises on every second sixteenth, so much late, in silence."""
    rng = np.random.default_rng(0)
    sound = np.zeros(conditions.sample_count, np.float32)
    fade = np.exp(-np.arange(1_000) / 200.0)
    for step in range(0, 32, 2):
        begin = round((step * 15.0 / conditions.tempo_bpm + late_seconds) * ANALYSIS_RATE)
        sound[begin : begin + 1_000] += (0.5 * rng.normal(size=1_000) * fade)[: len(sound) - begin]
    return sound


def phrases(late_seconds, tempos=(70.0, 100.0, 130.0, 190.0), held_out=False):
    asked = [PhraseConditions(36, style="percussion", tempo_bpm=tempo) for tempo in tempos]
    return SimpleNamespace(
        held_out=np.array([held_out for _ in asked]),
        clips=[SimpleNamespace(conditions=one) for one in asked],
        samples=lambda row: clicks(asked[row], late_seconds),
    )


def test_what_players_and_tokens_are_late_is_told_apart():
    def restore(clip, conditions):
        return np.roll(clip, round(0.5 * conditions.hop_samples))

    on_time = measure_lateness(phrases(0.0), lambda clip, conditions: clip)
    late = measure_lateness(phrases(0.012), restore)
    assert late.seconds - on_time.seconds == pytest.approx(0.012, abs=0.003)
    assert late.frames - on_time.frames == pytest.approx(0.5, abs=0.2)


def test_without_onsets_nothing_is_late():
    silent = phrases(0.0)
    silent.samples = lambda row: np.zeros(silent.clips[row].conditions.sample_count, np.float32)
    assert measure_lateness(silent, lambda clip, conditions: clip) == Lateness()
    assert measure_lateness(phrases(0.01, held_out=True), lambda clip, conditions: clip) == Lateness()


def test_a_phrase_is_turned_and_a_note_is_not():
    phrase = PhraseConditions(40, style="bass", instrument="bass", tempo_bpm=120.0)
    sound = np.arange(phrase.sample_count, dtype=np.float32)
    turned = Lateness(0.01, 0.5).taken_from(sound, phrase)
    samples = round(0.01 * ANALYSIS_RATE + 0.5 * phrase.hop_samples)
    assert turned[0] == samples
    assert turned[-samples] == 0.0
    note = PhraseConditions(40)
    assert Lateness(0.01, 0.5).taken_from(sound, note) is sound


@pytest.mark.parametrize("late", [{"seconds": 0.2}, {"frames": -5.0}, {"seconds": float("nan")}])
def test_what_cannot_be(late):
    with pytest.raises(ValueError, match="out of range"):
        Lateness(**late)
