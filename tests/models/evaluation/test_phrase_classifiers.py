"""The classifiers of notes: they learn what can be told apart, and their files are checked."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from struck.codec.events.errors import StruckError
from struck.models.evaluation.notes import classifiers as phrase_classifiers
from struck.models.evaluation.notes.classifiers import (
    EMBEDDING_SIZE,
    PITCH_COUNT,
    PhraseClassifiers,
    train_classifiers,
)
from struck.models.evaluation.notes.features import packed_features
from struck.models.mars.conditions import FAMILIES, PhraseConditions
from struck.models.shipped_weights import default_phrase_classifiers_path

from .phrase_fakes import play


@pytest.fixture(scope="module")
def notes() -> tuple[np.ndarray, list[PhraseConditions], np.ndarray]:
    rng = np.random.default_rng(0)
    conditions = [
        PhraseConditions(int(rng.choice((48, 60, 71))), 100, "single", ("piano", "organ")[i % 2])
        for i in range(120)
    ]
    held = np.arange(120) >= 90
    return packed_features(play(c, float(rng.uniform(0, 0.1))) for c in conditions), conditions, held


def test_they_learn_and_tell_how_well(notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features, conditions, held = notes
    monkeypatch.setattr(phrase_classifiers, "_BATCH", 10)
    said: list[str] = []
    judges = train_classifiers(features, conditions, held, minutes=1.0, steps=60, seed=1, report=said.append)
    assert judges.facts["pitch_right_held_out"] > 0.8
    assert judges.facts["family_right_held_out"] > 0.8
    assert any("held_out" in line for line in said)

    judges.save(tmp_path / "judges.safetensors")
    again = PhraseClassifiers.load(tmp_path / "judges.safetensors")
    assert again.facts == judges.facts
    first, second = judges.judge_features(features[:5]), again.judge_features(features[:5])
    # Stored in half precision.
    np.testing.assert_allclose(first.pitch, second.pitch, atol=0.02)
    assert first.pitch.shape == (5, PITCH_COUNT)
    assert first.family.shape == (5, len(FAMILIES))
    assert first.family_embedding.shape == (5, EMBEDDING_SIZE)
    # Embeddings are told in units of their own size.
    level = np.sqrt(np.square(judges.judge_features(features[~held]).pitch_embedding).mean())
    assert level == pytest.approx(1.0, rel=0.1)
    assert len(first.pick([0, 3])) == 2


def test_nothing_to_train_on_is_told(notes) -> None:
    features, conditions, held = notes
    with pytest.raises(StruckError, match="no training notes"):
        train_classifiers(features, conditions, np.ones(len(held), bool), minutes=0.01)


def test_no_sounds_are_judged_too() -> None:
    judged = PhraseClassifiers().judge([])
    assert len(judged) == 0
    assert judged.pitch.shape == (0, PITCH_COUNT)


def test_what_is_shipped_knows_synthetic_notes() -> None:
    path = default_phrase_classifiers_path()
    if not path.is_file():
        pytest.skip("no classifiers are shipped yet")
    judges = PhraseClassifiers.load(path)
    pitches = [40, 52, 60, 67, 72, 84]
    judged = judges.judge([play(PhraseConditions(p, 100, "single", "piano")) for p in pitches])
    right = judged.pitch.argmax(1) == np.array(pitches)
    assert right.mean() >= 5 / 6
    assert judges.facts["pitch_right_held_out"] > 0.9


def test_files_that_are_wrong_are_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(StruckError, match="not found"):
        PhraseClassifiers.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x00" * 100)
    with pytest.raises(StruckError, match="not a readable safetensors file"):
        PhraseClassifiers.load(broken)
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other, {"of": "phrase classifier", "version": "99", "facts": "{}"})
    with pytest.raises(StruckError, match="version 99"):
        PhraseClassifiers.load(other)
    save_file({"x": torch.zeros(1)}, other, {"of": "phrase classifier", "version": "1", "facts": "{}"})
    with pytest.raises(StruckError, match="do not fit together"):
        PhraseClassifiers.load(other)
