"""Training data: notes as they were written, mixtures that hold their target, the same for the same seed."""

import numpy as np
import pytest
import torch

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.event_network import FRAME_COUNT, FRAME_OFFSETS
from struck.models.codec import datasets
from struck.models.codec.datasets import (
    FRAMES_BEFORE,
    STORED_FRAMES,
    MixtureSampler,
    build_library,
    note_frames,
    texture_note,
)
from struck.models.codec.music import CLIP_SECONDS, MusicSampler
from struck.models.codec.notes import find_onset, load_recorded_notes

from .training_data import PITCHES, make_training_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_training_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def library(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "render_general_midi_notes", lambda seed: [])
        return build_library(data, 1024, 0, 1, lambda line: None, textures=3)


def test_notes_are_read_at_the_analysis_rate(data):
    notes = load_recorded_notes(data)
    assert [note.pitch_midi for note in notes] == pytest.approx(
        [p + 0.1 if p % 2 else p for p in PITCHES], abs=1e-3
    )
    assert all(len(note.samples) == ANALYSIS_RATE and note.pitched for note in notes)
    assert find_onset(notes[0].samples) == pytest.approx(0.02 * ANALYSIS_RATE, abs=70)


def test_missing_data_is_told(tmp_path):
    with pytest.raises(StruckError, match="no training notes"):
        load_recorded_notes(tmp_path)
    with pytest.raises(StruckError, match="no training scores"):
        MusicSampler(tmp_path, [], 0)


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_frames_of_a_note_begin_at_its_onset(data, n_fft):
    frames = note_frames(load_recorded_notes(data)[0], n_fft, np.random.default_rng(0)).astype(np.float32)
    assert frames.shape == (STORED_FRAMES, n_fft // 2 + 1, 2)
    energy = (frames**2).sum((1, 2))
    # a window reaches half its length, n_fft / 512 frames, ahead
    assert np.all(energy[: FRAMES_BEFORE - n_fft // 512 - 1] < 1e-6)
    assert energy[FRAMES_BEFORE + 2] > 0.1 * energy.max()


def test_textures_are_bounded_noise():
    for seed in range(4):
        note = texture_note(np.random.default_rng(seed))
        assert np.abs(note.samples).max() == pytest.approx(0.5, abs=1e-3)
        assert not note.pitched


def test_library(library):
    count = 2 * len(PITCHES) + 3
    assert library["frames"].shape == (count, STORED_FRAMES, 513, 2)
    assert library["pitched"].sum() == 2 * len(PITCHES)
    assert library["noise"].sum() == 3


def test_mixtures_have_their_shapes_and_hold_their_targets(library):
    m = MixtureSampler(library, 5).draw(24)
    assert m.mixture.shape == m.target.shape == (24, FRAME_COUNT, 513)
    assert m.mask.shape == (24, FRAME_COUNT)
    assert m.pitch_midi.shape == m.noise_like.shape == (24,)
    for value in vars(m).values():
        assert value.dtype == torch.float32
        assert torch.all(torch.isfinite(value))
    # the mask is a step in time: what the encoder may see comes first
    assert torch.all(m.mask[:, 1:] <= m.mask[:, :-1])
    assert torch.all(m.mask[:, FRAME_OFFSETS <= 0] == 1.0)
    shared = torch.minimum(m.mixture, m.target).sum((1, 2)) / m.target.sum((1, 2))
    assert shared.median() > 0.7
    assert shared.min() > 0.3


def test_mixtures_are_seeded(library):
    first, again, other = (MixtureSampler(library, seed).draw(4) for seed in (5, 5, 6))
    assert torch.equal(first.mixture, again.mixture)
    assert torch.equal(first.pitch_midi, again.pitch_midi)
    assert not torch.equal(first.mixture, other.mixture)


def test_music_is_bounded_and_seeded(data, monkeypatch):
    monkeypatch.setattr(MusicSampler, "_synthesise", MusicSampler._sample)  # no sound font
    notes = load_recorded_notes(data)
    clips = [MusicSampler(data, notes, 3) for _ in range(2)]
    for sampler in clips:
        sampler._speaks = False
    one, same = (sampler.draw() for sampler in clips)
    assert np.array_equal(one, same)
    assert one.shape == (round(CLIP_SECONDS * ANALYSIS_RATE),)
    assert one.dtype == np.float32
    assert 0.05 < np.abs(one).max() < 1.1
