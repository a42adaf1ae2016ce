"""MARS whole: seeds, files, devices, what goes wrong. Weights are random; those shipped come last."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from struck.codec.events.errors import StruckError
from struck.models.mars.condition_inputs import batch_conditions, frames_of
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.lateness import Lateness
from struck.models.mars.mars import GROOVE_SCALES, Mars, PhraseStopped, Sampling, sound_of
from struck.models.mars.quantizer import LAYOUTS
from struck.models.mars.sound.spectrum import MARS_FRAMES
from struck.models.shipped_weights import default_mars_weights_path

from .mars_fixtures import tiny_mars

SCALES = LAYOUTS["beats"].scales
PAD = PhraseConditions(48, style="pad", instrument="organ", tempo_bpm=100.0)


@pytest.fixture(scope="module")
def mars():
    return tiny_mars()


def test_a_phrase_has_everything(mars):
    phrase = mars.generate(PAD, seed=4)
    assert phrase.samples.shape == (round(352 * PAD.hop_samples),)
    assert phrase.samples.dtype == np.float32
    assert 0.0 < np.abs(phrase.samples).max() <= 1.0
    assert [t.shape for t in phrase.tokens] == list(SCALES)
    assert phrase.log_magnitude.shape == (1024, 352)
    assert set(phrase.seconds) == {"tokens", "spectrogram", "phase"}
    steps = mars.scales(phrase.tokens, PAD)
    assert len(steps) == len(SCALES)
    assert np.allclose(steps[-1], phrase.log_magnitude, atol=1e-2)


def test_a_note_is_made_by_networks_of_its_own(mars):
    note = PhraseConditions(60, style="single", instrument="organ")
    first = mars.generate(note, seed=4)
    assert [t.shape for t in first.tokens] == list(LAYOUTS["seconds"].scales)
    assert first.samples.shape == (90112,)
    assert mars.reconstruct(first.samples, note).shape == (1024, 352)
    # What was played before can be told only in the layout that it has.
    notes = [mars.generate(note, seed=5, previous=before) for before in (None, mars.generate(PAD), first)]
    assert np.array_equal(notes[0].samples, notes[1].samples)
    assert not np.array_equal(notes[0].samples, notes[2].samples)
    alone = Mars(mars.phrases)
    assert [t.shape for t in alone.generate(note, seed=4).tokens] == list(SCALES)


def test_the_same_seed_gives_the_same_phrase_and_another_another(mars):
    first = mars.generate(PAD, seed=1)
    assert np.array_equal(first.samples, mars.generate(PAD, seed=1).samples)
    assert not np.array_equal(first.samples, mars.generate(PAD, seed=2).samples)


def test_what_was_played_before_matters(mars):
    """To random weights not much: of some phrases one is another."""
    phrases = [mars.generate(PAD, seed=seed) for seed in range(6)]
    going_on = [mars.generate(PAD, seed=seed, previous=phrases[0]) for seed in range(6)]
    assert any(not np.array_equal(a.samples, b.samples) for a, b in zip(phrases, going_on, strict=True))


def test_another_chord_by_the_same_groove(mars):
    first = mars.generate(PAD, seed=1)
    other = PhraseConditions(53, style="pad", instrument="organ", chord="minor", tempo_bpm=100.0)
    like = mars.generate(other, seed=2, like=first)
    alone = mars.generate(other, seed=2)
    for scale, (a, b) in enumerate(zip(first.tokens, like.tokens, strict=True)):
        assert np.array_equal(a, b) == (scale < GROOVE_SCALES)
    assert not all(np.array_equal(a, b) for a, b in zip(first.tokens, alone.tokens, strict=True))


def test_temperature_zero_needs_no_seed(mars):
    sure = Sampling(temperature=0.0)
    tokens = [mars.generate(PAD, seed=seed, sampling=sure).tokens for seed in (1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(*tokens, strict=True))


def test_nobody_waits_any_more(mars):
    asked = []

    def stop():
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(PhraseStopped):
        mars.generate(PAD, stop=stop)
    assert len(asked) == 3


def test_griffin_lim_beside_it(mars):
    phrase = mars.generate(PAD, seed=4, phase="griffin-lim")
    assert np.isfinite(phrase.samples).all()
    assert not np.array_equal(phrase.samples, mars.generate(PAD, seed=4).samples)


def test_a_loud_spectrogram_is_turned_down():
    loud = np.full((1024, 352), -80.0, np.float32)
    loud[99:102] = 15.0
    assert 0.9 < np.abs(sound_of(loud, MARS_FRAMES)).max() <= 0.99


def test_saved_and_loaded_it_says_the_same(mars, tmp_path):
    path = tmp_path / "mars.safetensors"
    mars.save(path)
    first, second = Mars.load(path, "cpu"), Mars.load(path, "cpu")
    assert first.name == second.name != ""
    for asked in (PAD, PhraseConditions(60)):
        assert np.array_equal(first.generate(asked).samples, second.generate(asked).samples)


def test_what_comes_late_is_taken_away(mars, tmp_path):
    path = tmp_path / "mars.safetensors"
    late = Lateness(0.01, 0.25)
    Mars(mars.phrases, late=late).save(path)
    loaded = Mars.load(path, "cpu")
    assert loaded.late == late
    phrase = loaded.generate(PAD)
    as_restored = sound_of(phrase.log_magnitude, frames_of(PAD))
    assert np.array_equal(phrase.samples, late.taken_from(as_restored, PAD))
    assert not np.array_equal(phrase.samples, as_restored)


def test_weights_that_cannot_be_used(mars, tmp_path):
    path = tmp_path / "mars.safetensors"
    with pytest.raises(StruckError, match="not found"):
        Mars.load(path, "cpu")
    path.write_bytes(b"RIFF" * 100)
    with pytest.raises(StruckError, match="not a readable safetensors file"):
        Mars.load(path, "cpu")
    mars.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StruckError, match="not a readable safetensors file"):
        Mars.load(path, "cpu")
    path.write_bytes(whole)
    tensors = load_file(path)
    save_file(tensors, path)
    with pytest.raises(StruckError, match="does not hold MARS weights"):
        Mars.load(path, "cpu")
    for change, said in (("missing", "do not fit together"), ("nan", "not finite")):
        path.write_bytes(whole)
        _spoil(path, change)
        with pytest.raises(StruckError, match=said):
            Mars.load(path, "cpu")


def _spoil(path, change):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    name = sorted(tensors)[0]
    if change == "missing":
        del tensors[name]
    else:
        tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, path, header)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(mars, tmp_path):
    path = tmp_path / "mars.safetensors"
    mars.save(path)
    with pytest.raises(StruckError, match="there is no device cuda here"):
        Mars.load(path, "cuda")


def test_too_little_memory_falls_back_to_the_cpu(monkeypatch):
    said = []
    mars = tiny_mars()
    mars.device, mars._report = "cuda", said.append
    wanted = tiny_mars().generate(PAD, seed=3)
    write = mars._write

    def fail_on_gpu(*arguments):
        if mars.device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return write(*arguments)

    monkeypatch.setattr(mars, "_write", fail_on_gpu)
    # Everything is on the CPU already: only the name says otherwise.
    monkeypatch.setattr("struck.models.mars.mars.batch_conditions", lambda c: _Anywhere(batch_conditions(c)))
    phrase = mars.generate(PAD, seed=3)
    assert np.array_equal(phrase.samples, wanted.samples)
    assert said == ["cuda has too little memory for MARS: going on with the CPU"]
    mars.generate(PAD)
    assert len(said) == 1


class _Anywhere:
    """Conditions that are on any device at once."""

    def __init__(self, conditions):
        self._conditions = conditions

    def to(self, _device):
        return self._conditions


def test_sampling_out_of_range_is_named():
    for wrong in ({"guidance": -1.0}, {"temperature": 9.0}, {"top_k": -1}, {"top_p": 1.1}):
        (name,) = wrong
        with pytest.raises(ValueError, match=f"{name} .* is outside"):
            Sampling(**wrong)


def test_the_shipped_weights_play():
    path = default_mars_weights_path()
    assert path.stat().st_size <= 60_000_000
    mars = Mars.load(device="cpu")
    phrase = mars.generate(PhraseConditions(60, style="single", instrument="organ"), seed=1)
    # C4 stands out of its neighbourhood.
    level = phrase.log_magnitude[:, 40:200].mean(1)
    place = round(261.6 * 2048 / 22_050)
    assert level[place - 1 : place + 2].max() > level[place + 6 : place + 16].mean() + 15.0
    assert np.abs(phrase.samples).max() > 0.05
