"""The event network: numpy and torch alike, masks that mask, outputs within their ranges."""

import numpy as np
import pytest
import torch

from struck.codec.events.event_spec import INDEX, VECTOR_SIZE, read_field
from struck.codec.hearing.event_network import (
    FEATURES,
    FRAME_COUNT,
    FRAME_OFFSETS,
    GAIN_REACH_DB,
    ONSET_REACH_SECONDS,
    OUTPUTS,
    PITCH_REACH_SEMITONES,
    SCALARS,
    make_initial_parameters,
    outputs_to_events,
    parameter_shapes,
    run_event_network,
)

PARAMETERS = make_initial_parameters(4)


def inputs(count, seed=0):
    rng = np.random.default_rng(seed)
    mask = (np.array([400, 12, 3])[np.arange(count) % 3][:, None] >= FRAME_OFFSETS).astype(np.float32)
    features = rng.random((count, FRAME_COUNT, FEATURES), dtype=np.float32) * mask[..., None]
    return features, mask, rng.standard_normal((count, SCALARS)).astype(np.float32)


def test_frame_offsets_grow_coarser_and_ascend():
    steps = np.diff(FRAME_OFFSETS)
    assert np.all(steps > 0)
    assert 0 in FRAME_OFFSETS
    assert np.all(np.diff(steps[5:]) >= 0)


def test_initial_parameters_have_their_shapes_and_are_seeded():
    assert {name: p.shape for name, p in PARAMETERS.items()} == parameter_shapes()
    again, other = make_initial_parameters(4), make_initial_parameters(5)
    assert all(np.array_equal(PARAMETERS[name], again[name]) for name in PARAMETERS)
    assert not np.array_equal(PARAMETERS["in.w"], other["in.w"])


def test_numpy_and_torch_agree():
    features, mask, scalars = inputs(9)
    law = run_event_network(PARAMETERS, features, mask, scalars, np)
    assert law.shape == (9, OUTPUTS)
    tensors = {name: torch.from_numpy(p) for name, p in PARAMETERS.items()}
    twin = run_event_network(tensors, *(torch.from_numpy(a) for a in (features, mask, scalars)), torch)
    assert twin.numpy() == pytest.approx(law, abs=1e-4)
    pitch, reference = np.linspace(30, 100, 9, dtype=np.float32), np.linspace(-60, 0, 9, dtype=np.float32)
    ours = outputs_to_events(law, pitch, reference, np)
    theirs = outputs_to_events(twin, torch.from_numpy(pitch), torch.from_numpy(reference), torch)
    for a, b in zip(ours, theirs, strict=True):
        assert b.numpy() == pytest.approx(a, abs=1e-3)


def test_examples_do_not_touch_one_another():
    features, mask, scalars = inputs(6)
    together = run_event_network(PARAMETERS, features, mask, scalars, np)
    for i in range(6):
        alone = run_event_network(PARAMETERS, features[i : i + 1], mask[i : i + 1], scalars[i : i + 1], np)
        assert alone[0] == pytest.approx(together[i], abs=1e-4)


def test_any_output_is_an_event():
    raw = np.random.default_rng(1).standard_normal((50, OUTPUTS)).astype(np.float32) * 30.0
    pitch = np.linspace(24, 108, 50, dtype=np.float32)
    gain_db, vectors, shift = outputs_to_events(raw, pitch, np.full(50, -20.0, np.float32), np)
    assert vectors.shape == (50, VECTOR_SIZE)
    assert np.all(np.abs(vectors) <= 1.0)
    assert np.all(np.abs(gain_db + 20.0) <= GAIN_REACH_DB + 1e-4)
    assert np.all(np.abs(shift) <= ONSET_REACH_SECONDS + 1e-6)
    assert np.all(np.abs(read_field(vectors, "pitch") - pitch) <= PITCH_REACH_SEMITONES + 1e-3)
    assert INDEX["pitch"] == 0  # outputs_to_events puts it first
