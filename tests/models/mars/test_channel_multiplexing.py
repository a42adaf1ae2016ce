"""Nothing is lost, and every value is where the definition says."""

import pytest
import torch

from struck.models.mars.channel_multiplexing import demultiplex, multiplex


@pytest.mark.parametrize("factors", [(1, 1), (4, 4), (16, 8), (2, 1), (1, 8)])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_the_round_trip_is_exact(factors, batch):
    spectrogram = torch.randn(*batch, 64, 48)
    image = multiplex(spectrogram, *factors)
    rf, rt = factors
    assert image.shape == (*batch, rf * rt, 64 // rf, 48 // rt)
    assert torch.equal(demultiplex(image, *factors), spectrogram)


def test_every_value_has_its_place():
    spectrogram = torch.arange(8 * 6).reshape(8, 6)
    image = multiplex(spectrogram, 4, 3)
    for bin_ in range(8):
        for frame in range(6):
            channel = (bin_ % 4) * 3 + frame % 3
            assert image[channel, bin_ // 4, frame // 3] == spectrogram[bin_, frame]


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="63 x 48"):
        multiplex(torch.zeros(63, 48), 4, 4)
    with pytest.raises(ValueError, match="15 channels"):
        demultiplex(torch.zeros(15, 4, 4), 4, 4)
