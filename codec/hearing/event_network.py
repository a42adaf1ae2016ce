"""The network that reads one event out of the residual: aligned patch in, vector out.

Written once for numpy (streaming, no torch needed) and torch (training). It sees frames around a proposed
onset, on a time axis that grows coarser with distance, as levels on the ridges of the proposed pitch and in
mel bands. Aligning by pitch makes it small: every pitch looks alike. Blocks alternate a perceptron
across time and one across features (an MLP-mixer, arXiv 2105.01601); frames beyond the lookahead are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..events.event_spec import ANALYSIS_RATE, INDEX, VECTOR_SIZE
from .spectrum import HOP

#: Frames the network sees, in hops from the proposed onset.
FRAME_OFFSETS: Final = np.array(
    [
        *(-6, -4, -3, -2, -1),
        *range(16),
        *range(16, 32, 2),
        *range(32, 64, 4),
        *range(64, 128, 8),
        *range(128, 257, 16),
    ]
)
FRAME_COUNT: Final = len(FRAME_OFFSETS)
RIDGE_COUNT: Final = 40
MEL_BAND_COUNT: Final = 40
FEATURES: Final = 2 * RIDGE_COUNT + MEL_BAND_COUNT
WIDTH: Final = 128
TIME_HIDDEN: Final = 96
FEATURE_HIDDEN: Final = 256
BLOCK_COUNT: Final = 3
POOL_COUNT: Final = 6
HEAD_HIDDEN: Final = 384
SCALARS: Final = 4
OUTPUTS: Final = VECTOR_SIZE + 2

#: The network may move a proposal by at most this.
PITCH_REACH_SEMITONES: Final = 0.6
ONSET_REACH_SECONDS: Final = 3.0 * HOP / ANALYSIS_RATE
GAIN_REACH_DB: Final = 24.0

#: Levels this far under the patch's reference count as nothing.
FLOOR_DB: Final = 70.0


def parameter_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter."""
    shapes: dict[str, tuple[int, ...]] = {
        "in.w": (FEATURES, WIDTH),
        "in.time": (FRAME_COUNT, WIDTH),
        "in.mask": (WIDTH,),
        "in.scalars": (SCALARS, WIDTH),
    }
    for i in range(BLOCK_COUNT):
        shapes |= {
            f"{i}.time.norm": (WIDTH,),
            f"{i}.time.w1": (FRAME_COUNT, TIME_HIDDEN),
            f"{i}.time.b1": (TIME_HIDDEN,),
            f"{i}.time.w2": (TIME_HIDDEN, FRAME_COUNT),
            f"{i}.feature.norm": (WIDTH,),
            f"{i}.feature.w1": (WIDTH, FEATURE_HIDDEN),
            f"{i}.feature.b1": (FEATURE_HIDDEN,),
            f"{i}.feature.w2": (FEATURE_HIDDEN, WIDTH),
        }
    shapes |= {
        "out.norm": (WIDTH,),
        "out.pool": (FRAME_COUNT, POOL_COUNT),
        "out.w1": (POOL_COUNT * WIDTH + SCALARS, HEAD_HIDDEN),
        "out.b1": (HEAD_HIDDEN,),
        "out.w2": (HEAD_HIDDEN, OUTPUTS),
        "out.b2": (OUTPUTS,),
    }
    return shapes


def make_initial_parameters(seed: int) -> dict[str, np.ndarray]:
    """Random parameters to start training from, float32."""
    rng = np.random.default_rng(seed)
    parameters = {}
    for name, shape in parameter_shapes().items():
        if name.endswith("norm"):
            value = np.ones(shape)
        elif len(shape) == 1:
            value = np.zeros(shape)
        else:
            residual = name.endswith((".time.w2", ".feature.w2", "out.w2"))
            value = rng.standard_normal(shape) * (0.3 if residual else 1.0) / np.sqrt(shape[0])
        parameters[name] = value.astype(np.float32)
    # Start in the middle of what sounds do: long hold, some decay, falling spectrum, little noise, dry.
    start = {
        "attack": -0.6, "hold": 0.6, "decay": 0.1, "tilt": 0.3, "noisiness": -0.4, "stiffness": -0.7,
        "room_mix": -0.8, "noise_decay": 0.3, "tail": -0.3,
    }  # fmt: skip
    for name, position in start.items():
        parameters["out.b2"][INDEX[name]] = np.float32(position)
    return parameters


def _norm(x: Any, scale: Any, xp: Any) -> Any:
    return x * scale / xp.sqrt((x * x).mean(-1)[..., None] + 1e-5)


def _gelu(x: Any, xp: Any) -> Any:
    # Sigmoid form of Hendrycks & Gimpel (arXiv 1606.08415, sec. 2): tanh is the fast call in both namespaces.
    return 0.5 * x * (1.0 + xp.tanh(0.851 * x))


def run_event_network(parameters: Mapping[str, Any], features: Any, mask: Any, scalars: Any, xp: Any) -> Any:
    """Raw outputs ``[E, OUTPUTS]``.

    Args:
        features: ``[E, FRAME_COUNT, FEATURES]``, zero where masked.
        mask: ``[E, FRAME_COUNT]``, 1 where a frame is known.
        scalars: ``[E, SCALARS]``.
    """
    p = parameters
    x = features @ p["in.w"] + p["in.time"] + mask[..., None] * p["in.mask"]
    x = x + (scalars @ p["in.scalars"])[:, None, :]
    for i in range(BLOCK_COUNT):
        y = xp.swapaxes(_norm(x, p[f"{i}.time.norm"], xp), -1, -2)
        y = _gelu(y @ p[f"{i}.time.w1"] + p[f"{i}.time.b1"], xp) @ p[f"{i}.time.w2"]
        x = x + xp.swapaxes(y, -1, -2)
        y = _norm(x, p[f"{i}.feature.norm"], xp)
        x = x + _gelu(y @ p[f"{i}.feature.w1"] + p[f"{i}.feature.b1"], xp) @ p[f"{i}.feature.w2"]
    x = xp.swapaxes(_norm(x, p["out.norm"], xp), -1, -2) @ p["out.pool"]
    x = xp.concatenate([x.reshape(len(x), -1), scalars], -1)
    return _gelu(x @ p["out.w1"] + p["out.b1"], xp) @ p["out.w2"] + p["out.b2"]


def outputs_to_events(outputs: Any, pitch_midi: Any, reference_db: Any, xp: Any) -> tuple[Any, Any, Any]:
    """Gains in dB ``[E]``, vectors ``[E, 32]`` and onset shifts in seconds ``[E]`` from raw outputs.

    Args:
        pitch_midi: proposed pitch of each event, ``[E]``. reference_db: level of each patch, ``[E]``, from
        :func:`struck.codec.hearing.aligned_patches.make_patches`.
    """
    squashed = xp.tanh(outputs)
    pitch_index = INDEX["pitch"]
    pitch = pitch_midi + PITCH_REACH_SEMITONES * squashed[:, pitch_index]
    position = xp.clip((pitch - 72.0) / 60.0, -1.0, 1.0)
    vectors = xp.concatenate([position[:, None], squashed[:, pitch_index + 1 : VECTOR_SIZE]], -1)
    gain_db = reference_db + GAIN_REACH_DB * squashed[:, VECTOR_SIZE]
    return gain_db, vectors, ONSET_REACH_SECONDS * squashed[:, VECTOR_SIZE + 1]
