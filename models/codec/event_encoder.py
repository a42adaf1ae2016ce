"""The trainable event codec: the event network and the timbre network as torch parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.event_spec import FIELDS
from struck.codec.hearing.aligned_patches import make_patches, patch_mel_matrix
from struck.codec.hearing.event_network import make_initial_parameters, outputs_to_events, run_event_network


def _as_parameters(arrays: Mapping[str, np.ndarray]) -> nn.ParameterDict:
    # torch's ParameterDict does not take dots in names
    return nn.ParameterDict(
        {k.replace(".", "/"): nn.Parameter(torch.from_numpy(v.copy())) for k, v in arrays.items()}
    )


def _as_mapping(parameters: nn.ParameterDict) -> dict[str, Tensor]:
    return {name.replace("/", "."): parameter for name, parameter in parameters.items()}


class EventCodec(nn.Module):
    """Patch to event: ``encoder`` reads it, ``decoder`` holds the timbre network that renders it."""

    _steps: Tensor

    def __init__(
        self,
        encoder: Mapping[str, np.ndarray] | None = None,
        decoder: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = _as_parameters(encoder or make_initial_parameters(seed))
        self.decoder = _as_parameters(decoder or make_initial_timbre_weights(seed))
        steps = torch.tensor([2.0 / (2**f.bits - 2) for f in FIELDS])
        self.register_buffer("_steps", steps, persistent=False)

    @property
    def decoder_weights(self) -> dict[str, Tensor]:
        """The timbre network's weights by name."""
        return _as_mapping(self.decoder)

    @property
    def encoder_weights(self) -> dict[str, Tensor]:
        """The event network's parameters by name."""
        return _as_mapping(self.encoder)

    def forward(
        self, magnitudes: Tensor, mask: Tensor, pitch_midi: Tensor, noise_like: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gains ``[E]``, vectors ``[E, 32]`` and onset shifts ``[E]`` s of patches ``[E, T, F]``.

        In training, vectors carry noise of a quantisation step, so that the codec forgives quantising.
        """
        matrix = torch.from_numpy(patch_mel_matrix(2 * (magnitudes.shape[-1] - 1))).to(magnitudes.device)
        with torch.no_grad():
            features, scalars, reference_db = make_patches(
                magnitudes, mask, pitch_midi, noise_like, matrix, torch
            )
        outputs = run_event_network(self.encoder_weights, features, mask, scalars, torch)
        gain_db, vectors, shift = outputs_to_events(outputs, pitch_midi, reference_db, torch)
        if self.training:
            vectors = torch.clip(vectors + (torch.rand_like(vectors) - 0.5) * self._steps, -1.0, 1.0)
        return gain_db, vectors, shift
