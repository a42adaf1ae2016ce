"""Events as the encoder's frames: a limited rendering is the beginning of the whole one."""

import numpy as np
import pytest

from struck.codec.events.events import stack_gains, stack_vectors
from struck.codec.hearing.event_frames import EventFrames

from ..playing.decoder_events import RANDOM_WEIGHTS, random_events


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_a_limit_changes_nothing_before_it(n_fft):
    events = random_events(8, seed=11)
    renderer = EventFrames(RANDOM_WEIGHTS.decoder, n_fft)
    arguments = stack_gains(events), stack_vectors(events), np.zeros(len(events), np.float32)
    cut = 0
    for whole, limited in zip(
        renderer.render(*arguments), renderer.render(*arguments, frame_limit=20), strict=True
    ):
        count = len(limited[0])
        assert count == min(32, len(whole[0]))
        cut += count < len(whole[0])
        for part, whole_part in zip(limited, whole, strict=True):
            np.testing.assert_allclose(
                part, whole_part[:count], rtol=1e-4, atol=1e-6 * float(np.max(whole_part))
            )
    assert cut > 0
