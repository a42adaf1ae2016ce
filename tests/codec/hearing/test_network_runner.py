"""The event network as the encoder runs it: what its law says, however many proposals come at once."""

import numpy as np
import pytest

from struck.codec.hearing.event_network import (
    FEATURES,
    FRAME_COUNT,
    FRAME_OFFSETS,
    SCALARS,
    make_initial_parameters,
    run_event_network,
)
from struck.codec.hearing.network_runner import NetworkRunner

PARAMETERS = make_initial_parameters(4)


def inputs(count):
    rng = np.random.default_rng(count)
    mask = (np.array([400, 12, 3])[np.arange(count) % 3][:, None] >= FRAME_OFFSETS).astype(np.float32)
    features = rng.random((count, FRAME_COUNT, FEATURES), dtype=np.float32) * mask[..., None]
    return features, mask, rng.standard_normal((count, SCALARS)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 11])
def test_it_does_what_its_law_does(count):
    runner = NetworkRunner(PARAMETERS)
    found = runner.run(*inputs(count))
    law = run_event_network(PARAMETERS, *inputs(count), np)
    assert np.abs(law).max() > 0.1
    assert found == pytest.approx(law, abs=1e-4)


def test_nothing_is_left_of_what_it_read_before():
    runner = NetworkRunner(PARAMETERS)
    first = runner.run(*inputs(5))
    runner.run(*(100.0 * array for array in inputs(4)))
    assert np.array_equal(runner.run(*inputs(5)), first)


def test_no_proposals_have_no_outputs():
    features, mask, scalars = inputs(1)
    assert NetworkRunner(PARAMETERS).run(features[:0], mask[:0], scalars[:0]).shape[0] == 0
