"""The transformer: each scale sees what came before it and itself; writing with kept keys is the same."""

import pytest
import torch

from struck.models.mars.condition_inputs import batch_conditions
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.next_scale import filter_logits, images_before_scales, split_scales
from struck.models.mars.quantizer import LAYOUTS

from .mars_fixtures import TINY_TRANSFORMER, tiny_mars

SCALES = LAYOUTS["beats"].scales
CONDITIONS = [PhraseConditions(48, style="arpeggio"), PhraseConditions(60, 80, "pad", "organ", "minor", 90.0)]


@pytest.fixture
def mars():
    return tiny_mars()


def random_tokens(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(TINY_TRANSFORMER.code_count, (2, r * c), generator=generator) for r, c in SCALES]


def logits(mars, tokens, before=None, conditions=CONDITIONS, dropped=(False, False)):
    images = images_before_scales(mars.phrases.tokenizer.quantizer, tokens)
    present = torch.full((2,), before is not None)
    with torch.no_grad():
        out = mars.phrases.transformer(
            images, batch_conditions(conditions), before, present, torch.tensor(dropped)
        )
    return split_scales(out, SCALES)


@pytest.mark.parametrize("changed", [0, 3, 5])
def test_no_scale_sees_itself_or_what_comes_after_it(mars, changed):
    tokens, others = random_tokens(1), random_tokens(1)
    others[changed] = random_tokens(2)[changed]
    first, second = logits(mars, tokens), logits(mars, others)
    for scale in range(len(SCALES)):
        same = torch.equal(first[scale], second[scale])
        assert same if scale <= changed else not same


def test_writing_with_kept_keys_is_the_same(mars):
    tokens = random_tokens(3)
    for before in (None, torch.randn(2, TINY_TRANSFORMER.latent, *SCALES[-1])):
        whole = logits(mars, tokens, before)
        with torch.no_grad():
            writer = mars.phrases.transformer.begin(
                batch_conditions(CONDITIONS), before, torch.tensor([False, False])
            )
            for scale, image in enumerate(images_before_scales(mars.phrases.tokenizer.quantizer, tokens)):
                assert torch.allclose(writer.logits(image, scale), whole[scale], atol=1e-4)


def test_conditions_count_unless_they_are_dropped(mars):
    tokens = random_tokens(4)
    swapped = CONDITIONS[::-1]
    assert not torch.allclose(logits(mars, tokens)[4], logits(mars, tokens, conditions=swapped)[4])
    hidden = (True, True)
    first = logits(mars, tokens, dropped=hidden)[4]
    assert torch.equal(first, logits(mars, tokens, conditions=swapped, dropped=hidden)[4])


def test_only_the_end_of_the_phrase_before_counts(mars):
    tokens = random_tokens(5)
    before = torch.randn(2, TINY_TRANSFORMER.latent, *SCALES[-1])
    earlier, later = before.clone(), before.clone()
    earlier[..., 0] += 1.0
    later[..., -1] += 1.0
    first = logits(mars, tokens, before)[-1]
    assert torch.equal(first, logits(mars, tokens, earlier)[-1])
    assert not torch.equal(first, logits(mars, tokens, later)[-1])
    assert not torch.equal(first, logits(mars, tokens)[-1])


def test_a_chord_is_told_where_it_is_played(mars):
    """What enters at the finest scale differs from another chord's in that chord's columns alone."""
    steady = PhraseConditions(48, style="pad")
    changing = PhraseConditions(48, style="pad", chords=((48, "major"), (53, "minor")))
    transformer, kept = mars.phrases.transformer, torch.tensor([False, False])
    with torch.no_grad():
        transformer.slot.weight.zero_()  # which tells all columns apart by how they differ from the mean
        hints = transformer._hints(batch_conditions([steady, changing]), kept)
    same = (hints[0] == hints[1]).all(0).all(0)
    assert same.tolist() == [True] * 8 + [False] * 8


def test_top_k_and_top_p_keep_the_likeliest():
    likely = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05]]).log()
    assert torch.isfinite(filter_logits(likely, 2, 1.0)).tolist() == [[True, True, False, False, False]]
    assert torch.isfinite(filter_logits(likely, 0, 0.6)).tolist() == [[True, True, False, False, False]]
    assert torch.isfinite(filter_logits(likely, 0, 0.0)).tolist() == [[True, False, False, False, False]]
    assert torch.equal(filter_logits(likely, 0, 1.0), likely)
