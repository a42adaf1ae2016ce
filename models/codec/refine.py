"""Refining events by gradient steps through the decoder: all events of a hop against the residual at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from struck.codec.events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW, INDEX

from .event_spectrum import FRAME_STRIDE, render_together
from .losses import expected_error

_LEARNING_RATE = 0.07
#: Fields to which a spectrogram is so sensitive that a common step would jump over the valley.
_SENSITIVE = {"pitch": 0.008, "stiffness": 0.2, "bar_membrane": 0.1, "plate_bell": 0.1, "glide": 0.3}
_DB_PER_STEP = 15.0  # gains are optimised in units of this, so that one learning rate serves all
_SECONDS_PER_STEP = 0.02


@dataclass
class Refiner:
    """Improves a hop's events; hand it to :class:`~struck.codec.hearing.encoder.StreamingEncoder`.

    Args:
        weights: the decoder's weights (numpy).
        steps: gradient steps, >= 1.
        report: told the energy left in dB before and after each hop's steps.

    Raises:
        ValueError: ``steps`` is below 1.
    """

    weights: Mapping[str, np.ndarray]
    steps: int
    report: Callable[[float, float], None] | None = None
    _torch_weights: dict[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; at least 1 is needed")
        self._torch_weights = {name: torch.from_numpy(value) for name, value in self.weights.items()}

    def __call__(
        self,
        observed: np.ndarray,
        power: np.ndarray,
        fourth: np.ndarray,
        start_frames: np.ndarray,
        lengths: np.ndarray,
        gain_db: np.ndarray,
        vectors: np.ndarray,
        shift_seconds: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Better gains ``[E]``, vectors ``[E, 32]`` and onset shifts ``[E]`` s.

        Args:
            observed: magnitudes ``[T, F]`` that all should add up to.
            power, fourth: ``[T, F]`` sums of what stays as it is, see
                :func:`struck.codec.hearing.spectrum.mean_magnitude`.
            start_frames: row of ``observed`` at which each event's frames begin, ``[E]``.
            lengths: rendered frames of each event, ``[E]``.
        """
        wanted = torch.from_numpy(np.ascontiguousarray(observed[::FRAME_STRIDE]))
        base = [torch.from_numpy(np.ascontiguousarray(a[::FRAME_STRIDE])) for a in (power, fourth)]
        scale = torch.ones(vectors.shape[1])
        for name, factor in _SENSITIVE.items():
            scale[INDEX[name]] = factor
        parameters = [
            torch.tensor(a, dtype=torch.float32, requires_grad=True)
            for a in (gain_db / _DB_PER_STEP, vectors / scale.numpy(), shift_seconds / _SECONDS_PER_STEP)
        ]
        gain, vector, shift = parameters
        optimizer = torch.optim.Adam(parameters, lr=_LEARNING_RATE, betas=(0.8, 0.95))
        there = float((wanted**2).sum()) + 1e-12
        best = (np.inf, [p.detach().clone() for p in parameters])
        first = np.inf
        for step in range(self.steps + 1):
            optimizer.param_groups[0]["lr"] = _LEARNING_RATE * (1.0 - 0.75 * step / max(1, self.steps))
            optimizer.zero_grad()
            sums = render_together(
                self._torch_weights,
                (len(observed), observed.shape[1]),
                start_frames,
                lengths,
                gain * _DB_PER_STEP,
                vector * scale,
                shift * _SECONDS_PER_STEP,
            )
            loss = expected_error(wanted, base[0] + sums[0], base[1] + sums[1]).sum() / there
            value = float(loss.detach())
            if step == 0:
                first = value
            if value < best[0]:
                best = (value, [p.detach().clone() for p in parameters])
            if step == self.steps:
                break
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                vector.clamp_(-1.0 / scale, 1.0 / scale)
                gain.clamp_(GAIN_DB_LOW / _DB_PER_STEP, GAIN_DB_HIGH / _DB_PER_STEP)
        if self.report is not None:
            self.report(10.0 * np.log10(first + 1e-12), 10.0 * np.log10(best[0] + 1e-12))
        gain, vector, shift = best[1]
        return (gain * _DB_PER_STEP).numpy(), (vector * scale).numpy(), (shift * _SECONDS_PER_STEP).numpy()
