"""What a detail of another sound must be worth."""

import pytest

from struck.codec.hearing.shadows import PriceList, is_part, needed_worth


@pytest.mark.parametrize("ratio_semitones", [12.0, 19.02, 24.0, 27.86, -12.0])
def test_partials_are_parts(ratio_semitones):
    assert is_part(60.0 + ratio_semitones, False, 60.0)


@pytest.mark.parametrize("semitones", [3.0, 4.0, 7.0, -5.0])
def test_other_notes_of_a_chord_are_not(semitones):
    assert not is_part(60.0 + semitones, False, 60.0)
    assert is_part(60.0 + semitones, True, 60.0)  # noise may be part of anything


def test_only_beside_much_stronger_ones_more_is_needed():
    prices = PriceList(event=1e-4, detail=1.5e-3, part=5e-3)
    assert needed_worth(prices, 0.1, True, 0.3, 0) == prices.event
    assert needed_worth(prices, 0.01, False, 0.5, 0) == prices.detail
    assert needed_worth(prices, 0.01, False, 0.5, 8) == prices.event
    assert needed_worth(prices, 0.01, True, 0.03, 8) == prices.event
    assert needed_worth(prices, 0.01, True, 0.5, 8) == pytest.approx(0.05)  # a tenth of the other's
    assert needed_worth(prices, 1e-3, True, 0.01, 8) == prices.part
