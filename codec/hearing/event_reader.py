"""Reads proposals as events: patches of a residual through the event network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..events.errors import StruckError
from ..events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from ..events.quantize import quantize_gains, quantize_vectors
from ..weights.codec_weights import CodecWeights
from .aligned_patches import make_patches, patch_mel_matrix
from .event_network import FEATURES, FRAME_OFFSETS, outputs_to_events, parameter_shapes
from .network_runner import NetworkRunner
from .proposals import Proposals

FloatArray = NDArray[np.float32]


class EventReader:
    """Proposals in, events out.

    Args:
        weights: trained codec weights.
        n_fft: window length of the residual's frames.
        at_most: values that fields have at most, in their units.
        together: whether events are fitted together before they are told.

    Raises:
        StruckError: the weights lack the event network.
    """

    def __init__(
        self,
        weights: CodecWeights,
        n_fft: int,
        at_most: Mapping[str, float] | None = None,
        together: bool = False,
    ) -> None:
        network = weights.event_network(n_fft, together)
        for name, shape in parameter_shapes().items():
            if name not in network or network[name].shape != shape:
                raise StruckError(f"weights {weights.name} lack encoder weight {name} of shape {shape}")
        self._network = NetworkRunner(network)
        self._mel = patch_mel_matrix(n_fft)
        self._most = np.ones(VECTOR_SIZE, np.float32)
        for name, value in (at_most or {}).items():
            self._most[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)

    def read(self, residual: FloatArray, found: Proposals) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gains ``[E]`` and vectors ``[E, 32]``, quantised, and onset shifts ``[E]`` s from frames.

        Args:
            residual: magnitudes ``[T, F]``; what lies after them is not known yet.
            found: what may begin in them.
        """
        index = found.frame[:, None] + FRAME_OFFSETS
        inside = (index >= 0) & (index < len(residual))
        mask = (index < len(residual)).astype(np.float32)
        # Frames that no proposal knows show nothing.
        seen = np.flatnonzero(inside.any(0))
        patches = residual[np.clip(index[:, seen], 0, len(residual) - 1)]
        patches *= inside[:, seen, None]
        features = np.zeros((*index.shape, FEATURES), np.float32)
        features[:, seen], scalars, reference_db = make_patches(
            patches, mask[:, seen], found.pitch_midi, found.noise_like, self._mel, np
        )
        outputs = self._network.run(features, mask, scalars)
        gain_db, vectors, shift = outputs_to_events(outputs, found.pitch_midi, reference_db, np)
        vectors = np.minimum(vectors, self._most)
        return quantize_gains(gain_db), quantize_vectors(vectors), shift
