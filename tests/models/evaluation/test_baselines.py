"""The baselines: the nearest training clip, and the additive synthesiser."""

from pathlib import Path

import numpy as np
import pytest
import torch

from struck.codec.events.errors import StruckError
from struck.models.evaluation.notes.pitch import cents_off, note_pitch
from struck.models.evaluation.phrases.additive import (
    CONTROL_SAMPLES,
    AdditiveSynth,
    spectral_loss,
    train_additive,
)
from struck.models.evaluation.phrases.nearest_sampler import NearestSampler, distance
from struck.models.mars.condition_inputs import CLIP_SAMPLES
from struck.models.mars.conditions import FAMILIES, PhraseConditions
from struck.models.shipped_weights import default_phrase_additive_path

from .phrase_fakes import play


@pytest.fixture
def synth() -> AdditiveSynth:
    torch.manual_seed(0)
    return AdditiveSynth().eval()


# Nearest neighbour


def test_the_nearest_has_the_style_then_the_family_then_the_pitch() -> None:
    stock = [
        PhraseConditions(60, 100, "single", "piano"),
        PhraseConditions(61, 100, "single", "organ"),
        PhraseConditions(66, 100, "single", "organ"),
        PhraseConditions(60, 100, "pad", "organ", "minor", 100.0),
        PhraseConditions(60, 100, "pad", "organ", "major", 100.0),
        PhraseConditions(60, 100, "pad", "organ", "major", 150.0),
    ]
    sampler = NearestSampler(stock, lambda row: np.full(3, row, np.float32))
    assert sampler.nearest(PhraseConditions(60, 20, "single", "organ")) == 1
    assert sampler.nearest(PhraseConditions(65, 20, "single", "organ")) == 2
    assert sampler.nearest(PhraseConditions(60, 100, "pad", "organ", "major", 140.0)) == 5
    assert sampler.nearest(PhraseConditions(60, 100, "pad", "organ", "minor", 140.0)) == 3
    assert sampler.generate(stock[4], seed=7).tolist() == [4.0, 4.0, 4.0]


def test_equal_conditions_are_at_distance_zero_both_ways() -> None:
    one = PhraseConditions(50, 90, "bass", "bass", "minor", 95.0)
    other = PhraseConditions(53, 60, "comping", "piano", "major", 125.0)
    assert distance(one, one) == 0.0
    assert distance(one, other) == distance(other, one) > 0.0


def test_a_sampler_needs_a_clip() -> None:
    with pytest.raises(ValueError, match="one clip"):
        NearestSampler([], lambda row: np.zeros(1))


# Additive


@pytest.mark.parametrize("pitch", [36, 60, 93])
def test_its_pitch_is_exact_untrained(synth: AdditiveSynth, pitch: int) -> None:
    clip = synth.generate(PhraseConditions(pitch, 100, "single", "organ"), seed=1)
    assert clip.shape == (CLIP_SAMPLES,)
    assert clip.dtype == np.float32
    assert np.abs(clip).max() <= 1.0
    assert abs(cents_off(note_pitch(clip), pitch)) < 5.0


def test_pieces_of_a_note_are_the_note(synth: AdditiveSynth) -> None:
    with torch.no_grad():
        synth.body[-1].bias[-32:] = -30.0  # no noise, whose every piece is drawn anew
        asked = [torch.tensor([n]) for n in (50, 90, FAMILIES.index("reed"))]
        whole = synth.play(*asked, torch.tensor([0]), 20 * CONTROL_SAMPLES, 3)
        part = synth.play(*asked, torch.tensor([8 * CONTROL_SAMPLES]), 12 * CONTROL_SAMPLES, 3)
    torch.testing.assert_close(whole[:, 8 * CONTROL_SAMPLES :], part, atol=2e-4, rtol=0.0)


def test_notes_beyond_the_rate_and_drums_are_noise_alone(synth: AdditiveSynth) -> None:
    with torch.no_grad():
        synth.body[-1].bias[-32:] = -30.0
    assert np.abs(synth.generate(PhraseConditions(127, 100, "single", "flute"))).max() < 1e-3
    assert np.abs(synth.generate(PhraseConditions(40, 100, "single", "drums"))).max() < 1e-3


def test_the_same_seed_plays_the_same_phrase(synth: AdditiveSynth) -> None:
    asked = PhraseConditions(45, 100, "comping", "bass", "minor", 60.0)
    np.testing.assert_array_equal(synth.generate(asked, seed=5), synth.generate(asked, seed=5))
    assert np.abs(synth.generate(asked, seed=5) - synth.generate(asked, seed=6)).max() > 0.0


def test_the_loss_is_zero_for_equals_and_grows_with_a_wrong_note() -> None:
    notes = [torch.from_numpy(play(PhraseConditions(p, 100, "single", "organ"))[None]) for p in (60, 61, 66)]
    assert float(spectral_loss(notes[0], notes[0])) == pytest.approx(0.0, abs=1e-5)
    assert float(spectral_loss(notes[1], notes[0])) > 0.1


def test_training_brings_it_nearer_and_files_are_checked(tmp_path: Path) -> None:
    conditions = [PhraseConditions(p, 100, "single", "organ") for p in (48, 60)]
    clips = [play(c) for c in conditions]
    trained = train_additive(
        lambda row: clips[row], conditions, np.array([0, 1]), minutes=1.0, steps=40, report=lambda line: None
    )

    def far(synth: AdditiveSynth) -> float:
        made = torch.from_numpy(synth.generate(conditions[1]))[None]
        return float(spectral_loss(made, torch.from_numpy(clips[1])[None]))

    torch.manual_seed(0)
    assert far(trained) < 0.8 * far(AdditiveSynth().eval())
    trained.save(tmp_path / "additive.safetensors")
    again = AdditiveSynth.load(tmp_path / "additive.safetensors")
    assert again.facts == trained.facts
    assert far(again) == pytest.approx(far(trained), rel=0.05)
    with pytest.raises(StruckError, match="not found"):
        AdditiveSynth.load(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"no weights at all")
    with pytest.raises(StruckError, match="not a readable safetensors file"):
        AdditiveSynth.load(tmp_path / "bad")
    with pytest.raises(StruckError, match="no training notes"):
        train_additive(lambda row: clips[row], conditions, np.zeros(0, np.int64), minutes=0.01)


def test_what_is_shipped_plays_in_tune() -> None:
    path = default_phrase_additive_path()
    if not path.is_file():
        pytest.skip("no additive baseline is shipped yet")
    clip = AdditiveSynth.load(path).generate(PhraseConditions(57, 100, "single", "string"))
    assert abs(cents_off(note_pitch(clip), 57.0)) < 10.0
