"""The tokenizer: shapes, hints, what truncation loses, and that a few steps of training teach it."""

import numpy as np
import pytest
import torch

from struck.models.mars.condition_inputs import batch_conditions, frames_of
from struck.models.mars.conditions import FRAMES, FRAMES_PER_BEAT, PhraseConditions
from struck.models.mars.losses import spectrogram_loss
from struck.models.mars.sound.spectrum import FLOOR_DB, MARS_FRAMES
from struck.models.mars.tokenizer import Tokenizer, TokenizerSizes

from .mars_fixtures import TINY_TOKENIZER

TRUNCATED = TokenizerSizes(wide=8, middle=8, deep=16, latent=8, code_count=32, truncated=True)


def test_the_image_is_the_spectrogram_unless_truncated():
    spectrogram = torch.rand(2, 1024, FRAMES)
    whole = Tokenizer(TINY_TOKENIZER)
    assert whole.to_image(spectrogram).shape == (2, 176, 64, 32)
    assert torch.equal(whole.to_spectrogram(whole.to_image(spectrogram)), spectrogram)
    truncated = Tokenizer(TRUNCATED)
    image = truncated.to_image(spectrogram)
    assert image.shape == (2, 1, 64, 32)
    back = truncated.to_spectrogram(image)
    assert back.shape == spectrogram.shape
    # It keeps what it can: a second time nothing more is lost.
    assert torch.allclose(truncated.to_spectrogram(truncated.to_image(back)), back, atol=1e-4)
    flat = torch.full((1, 1024, FRAMES), 0.3)
    assert torch.allclose(truncated.to_spectrogram(truncated.to_image(flat)), flat, atol=1e-4)
    assert torch.allclose(truncated.to_image(flat), torch.full((1, 1, 64, 32), 0.3), atol=1e-4)


def test_tokens_give_what_the_whole_way_gives():
    torch.manual_seed(0)
    tokenizer = Tokenizer(TINY_TOKENIZER).eval()
    conditions = batch_conditions([PhraseConditions(50), PhraseConditions(45, style="bass")])
    spectrogram = torch.rand(2, 1024, FRAMES)
    with torch.no_grad():
        made, quantized = tokenizer(spectrogram, conditions)
        tokens = tokenizer.tokens_of(spectrogram, conditions)
        assert all(torch.equal(a, b) for a, b in zip(tokens, quantized.tokens, strict=True))
        assert torch.allclose(tokenizer.spectrogram_of(tokens, conditions), made, atol=1e-4)


def test_the_comb_has_its_teeth_at_the_partials():
    comb = batch_conditions([PhraseConditions(69)]).comb[0, 0].numpy()
    spacing = 440.0 * MARS_FRAMES.window_samples / MARS_FRAMES.rate_hz
    for partial in (1, 2, 5):
        near = comb[round((partial - 0.5) * spacing) : round((partial + 0.5) * spacing)]
        assert abs(np.argmax(near) + round((partial - 0.5) * spacing) - partial * spacing) <= 0.6
    assert not batch_conditions([PhraseConditions(style="percussion")]).comb.any()


def test_lobes_are_the_comb_with_partials_alike():
    conditions = batch_conditions([PhraseConditions(69)])
    comb, lobes = conditions.comb[0, 0].numpy(), conditions.lobes[0, 0].numpy()
    partials = np.round(np.arange(1, 20) * 440.0 * MARS_FRAMES.window_samples / MARS_FRAMES.rate_hz).astype(
        int
    )
    assert lobes[partials].min() > 0.97
    fall = 20.0 * np.log10(np.arange(1, 20)) / 80.0
    assert np.allclose(lobes[partials] - comb[partials], fall, atol=2e-3)
    assert (lobes >= comb).all()


def test_partials_are_written_and_read_where_they_are():
    """A level for all rows and frames gives lobes of that height; what is read back says how high."""
    partials = Tokenizer(TINY_TOKENIZER).partials
    conditions = batch_conditions([PhraseConditions(69), PhraseConditions(style="percussion")])
    first = conditions.lobes[0, 0]
    with torch.no_grad():
        partials.leaving.bias[: partials.factor] = 0.4  # the widest of the nested lobes, in all frames
        partials.entering.weight[0, : partials.factor] = 1.0 / partials.factor
        written = partials.write(torch.zeros(2, TINY_TOKENIZER.wide, 64, 32), conditions)
        read = partials.read(written, conditions)[:, 0]
    assert torch.allclose(written[0], 0.4 * first[:, None].expand(-1, FRAMES), atol=1e-6)
    assert not written[1].any()
    assert not read[1].any()
    lobes = first.reshape(64, 16)
    wanted = 0.4 * lobes.square().sum(1) / (lobes.sum(1) + 1e-3)
    assert torch.allclose(read[0], wanted[:, None].expand(-1, 32), atol=1e-5)


def test_each_half_bar_has_the_comb_and_the_lobes_of_its_chord():
    chords = ((48, "major"), (53, "minor"))
    changing = batch_conditions([PhraseConditions(style="pad", chords=chords)])
    for slot, (pitch, chord) in enumerate((chords[0], chords[0], chords[1], chords[1])):
        alone = batch_conditions([PhraseConditions(pitch, style="pad", chord=chord)])
        assert torch.equal(changing.comb[0, slot], alone.comb[0, 0])
        assert torch.equal(changing.lobes[0, slot], alone.lobes[0, 3])
    partials = Tokenizer(TINY_TOKENIZER).partials
    with torch.no_grad():
        partials.leaving.bias[: partials.factor] = 0.4
        written = partials.write(torch.zeros(1, TINY_TOKENIZER.wide, 64, 32), changing)[0]
    half = FRAMES // 2
    assert torch.allclose(written[:, :half], 0.4 * changing.lobes[0, 0][:, None].expand(-1, half), atol=1e-6)
    assert torch.allclose(written[:, half:], 0.4 * changing.lobes[0, 3][:, None].expand(-1, half), atol=1e-6)


@pytest.mark.parametrize("tempo_bpm", [60.0, 120.0, 173.0])
def test_the_grid_has_its_beats_at_the_same_frames_at_any_tempo(tempo_bpm):
    conditions = PhraseConditions(style="comping", tempo_bpm=tempo_bpm)
    grid = batch_conditions([conditions]).grid[0].numpy()
    rises = np.flatnonzero(np.diff(grid[0]) > 0.5) + 1
    # Eight beats but for the first, which the loop's last frames may hear: a quarter of a window early.
    early = 512 / frames_of(conditions).hop_samples
    beats = np.arange(1, len(rises) + 1)
    assert np.abs(rises - (beats * FRAMES_PER_BEAT - early)).max() <= 1.0
    assert len(rises) in (7, 8)
    assert (grid[2] == 1.0).all()


def test_onsets_and_what_is_loud_count_more():
    wanted = torch.zeros(1, 1024, FRAMES)
    wanted[:, 90:110, 50:] = 0.8

    def loss(frame, bin_):
        made = wanted.clone()
        made[:, bin_, frame] += 0.1
        return float(spectrogram_loss(made, wanted)["levels"])

    # Its attack is heard in these frames, and four times as much more.
    assert loss(50, 100) == pytest.approx(5.0 * loss(200, 100), rel=0.01)
    assert loss(55, 100) == pytest.approx(loss(50, 100), rel=0.01)
    assert loss(56, 100) == pytest.approx(loss(200, 100), rel=0.01)
    assert loss(200, 100) == pytest.approx(5.0 * loss(200, 500), rel=0.01)
    # How loud the clip is does not matter.
    quiet, near = 0.5 * wanted, 0.5 * wanted
    near[:, 100, 200] += 0.1
    assert float(spectrogram_loss(near, quiet)["levels"]) == pytest.approx(loss(200, 100), rel=0.01)


def test_an_attack_that_comes_a_frame_late_is_told_by_its_slope():
    wanted = torch.zeros(1, 1024, FRAMES)
    wanted[:, 90:110, 50:] = 0.8
    late = torch.zeros_like(wanted)
    late[:, 90:110, 51:] = 0.8
    soft = wanted.clone()
    soft[:, 90:110, 60] -= 0.8  # the same error of levels, where nothing begins
    rises = [float(spectrogram_loss(made, wanted)["rises"]) for made in (wanted, soft, late)]
    assert rises[0] == 0.0
    assert rises[1] < rises[2]


@pytest.mark.parametrize("pitch", [36.3, 43.0])
def test_a_low_tone_that_is_a_semitone_off_is_told_by_a_few_bins(pitch):
    time = np.arange(FRAMES * MARS_FRAMES.hop_samples) / MARS_FRAMES.rate_hz

    def levels(pitch, gain):
        tone = gain * np.sin(2.0 * np.pi * 440.0 * 2.0 ** ((pitch - 69.0) / 12.0) * time)
        level = MARS_FRAMES.log_magnitude(tone.astype(np.float32))
        return torch.from_numpy(1.0 - level / FLOOR_DB)[None]

    def error(made):
        return float(spectrogram_loss(made, levels(pitch, 0.5))["pitches"])

    assert error(levels(pitch, 0.5)) == 0.0
    assert error(levels(pitch, 0.25)) < 0.02  # how loud it is does not matter
    assert error(levels(pitch + 0.25, 0.5)) == pytest.approx(0.2, abs=0.03)
    assert all(0.35 < error(levels(pitch + off, 0.5)) < 0.5 for off in (-1.0, 1.0))
    assert spectrogram_loss(levels(pitch + 1.0, 0.5), levels(pitch, 0.5))["slopes"] < 0.05


def test_training_makes_it_better():
    torch.manual_seed(0)
    tokenizer = Tokenizer(TINY_TOKENIZER)
    conditions = batch_conditions([PhraseConditions(p) for p in (50, 57, 64, 71)])
    wanted = conditions.comb[:, 0, :, None] * conditions.grid[:, 2:3]
    optimizer = torch.optim.Adam(tokenizer.parameters(), 3e-3)
    errors = []
    for _ in range(40):
        made, quantized = tokenizer(wanted, conditions)
        parts = spectrogram_loss(made, wanted)
        optimizer.zero_grad()
        (parts["levels"] + parts["slopes"] + 0.1 * quantized.commitment).backward()
        optimizer.step()
        errors.append(float(parts["mse"].detach()))
    assert errors[-1] < 0.3 * errors[0]
