"""Refitting events to what is heard: gradient steps (Adam) for all events of a window at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW, INDEX
from ..event_frames import FRAMES_BEFORE
from .control_tables import GAIN_DB, PARAMETER_COUNT, SHIFT, VECTOR
from .records import Heard, Renderer, Scratch, make_heard, make_renderer, make_scratch
from .window import add_events, compute_loss
from .window_events import WindowEvents, quantize_parameters

#: Every second frame says nearly as much as every one does, at half the cost.
FRAME_STRIDE: Final = 2

_LEARNING_RATE: Final = 0.07
_LAST_RATE_SHARE: Final = 0.25  # of the learning rate, at the last step
_FIRST_MOMENT: Final = 0.8
_SECOND_MOMENT: Final = 0.95
_EPSILON: Final = 1e-8
#: Fields to which a spectrogram is so sensitive that a common step would jump over the valley.
_SENSITIVE: Final = {"pitch": 0.008, "stiffness": 0.2, "glide": 0.3}
#: Fields that stay as they were found. A take has 31 levels of each, and one level moves the partials by more
#: than any step downhill does: fitted between two levels, an event loses more when it is rounded than the fit
#: won (a cello phrase, energy removed: 12.6 dB before rounding and 8.7 dB after; held, 12.1 dB after).
_HELD: Final = ("bar_membrane", "plate_bell")
_GAIN_UNIT_DB: Final = 15.0
_SHIFT_UNIT_SECONDS: Final = 0.02


def _make_units() -> NDArray[np.float32]:
    """What a parameter moves by at a learning rate of 1, ``[34]``: one rate serves all."""
    units = np.ones(PARAMETER_COUNT, np.float32)
    units[GAIN_DB] = _GAIN_UNIT_DB
    units[SHIFT] = _SHIFT_UNIT_SECONDS
    for name, unit in _SENSITIVE.items():
        units[VECTOR + INDEX[name]] = unit
    for name in _HELD:
        units[VECTOR + INDEX[name]] = 0.0
    return units


_UNITS: Final = _make_units()


@dataclass(frozen=True)
class Momentum:
    """What Adam knows of E events' gradients; carried from call to call, it makes few steps go far.

    Args:
        first: running mean of the gradients, ``[E, 34]``.
        second: running mean of their squares, ``[E, 34]``.
        steps: gradients seen, ``[E]``.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    steps: NDArray[np.int64]

    @classmethod
    def at_rest(cls, count: int) -> Momentum:
        """Of ``count`` events without a past."""
        zeros = np.zeros((count, PARAMETER_COUNT), np.float32)
        return cls(zeros, zeros.copy(), np.zeros(count, np.int64))

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Momentum:
        """Of the events that ``chosen`` names."""
        return Momentum(self.first[chosen], self.second[chosen], self.steps[chosen])

    def join(self, other: Momentum) -> Momentum:
        """Of these events and then the other's."""
        return Momentum(
            np.concatenate([self.first, other.first]),
            np.concatenate([self.second, other.second]),
            np.concatenate([self.steps, other.steps]),
        )

    def after(self, gradient: NDArray[np.float32]) -> tuple[Momentum, NDArray[np.float32]]:
        """With one more gradient ``[E, 34]``; and the step that it suggests at a learning rate of 1."""
        first = _FIRST_MOMENT * self.first + (1.0 - _FIRST_MOMENT) * gradient
        second = _SECOND_MOMENT * self.second + (1.0 - _SECOND_MOMENT) * gradient**2
        steps = self.steps + 1
        grown = [(1.0 - beta**steps)[:, None] for beta in (_FIRST_MOMENT, _SECOND_MOMENT)]
        step = (first / grown[0]) / (np.sqrt(second / grown[1]) + _EPSILON)
        moved = Momentum(first.astype(np.float32), second.astype(np.float32), steps)
        return moved, step.astype(np.float32)


@dataclass(frozen=True)
class Refit:
    """Refitted events with their momentum, and the loss before and after."""

    events: WindowEvents
    momentum: Momentum
    loss_before: float
    loss_after: float


class Refitter:
    """Moves events downhill until their spectrogram is the one heard.

    Also the callable that :class:`struck.codec.hearing.encoder.StreamingEncoder` hands a hop's events to.

    Args:
        weights: the decoder's weights.
        n_fft: window length of the frames.
        steps: gradient steps, >= 1.
        mel_weight: what a dB of mean mel difference counts, beside the share of the energy that is left.
        stride: only every so many frames are looked at.
        highest_rise_db: by so much the gain of an event of a hop may grow.

    Raises:
        ValueError: ``steps`` or ``stride`` is below 1, ``mel_weight`` is negative, or weights are missing.
    """

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        n_fft: int,
        steps: int,
        mel_weight: float = 0.0,
        stride: int = FRAME_STRIDE,
        highest_rise_db: float = math.inf,
    ) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}; at least 1 is needed")
        if stride < 1:
            raise ValueError(f"stride is {stride}; at least 1 is needed")
        if not mel_weight >= 0.0:
            raise ValueError(f"mel_weight is {mel_weight}; it must be >= 0")
        self.steps = steps
        self.mel_weight = mel_weight
        self.renderer: Renderer = make_renderer(weights, n_fft, stride)
        self.stride = stride
        self.highest_rise_db = highest_rise_db
        self.bins = n_fft // 2 + 1
        self._scratches: dict[int, Scratch] = {}  # by rows of their window

    def sums(self, events: WindowEvents, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sums of powers and fourth powers ``[ceil(rows / stride), F]`` of ``events``.

        See :func:`struck.codec.hearing.spectrum.mean_magnitude`.
        """
        power, fourth = np.zeros((2, -(-rows // self.stride), self.bins), np.float32)
        if len(events):
            add_events(
                self.renderer, events.to_parameters(), events.first_rows(), events.last_rows(), rows,
                self._scratch(len(events), rows), power, fourth,
            )  # fmt: skip
        return power, fourth

    def each_sums(self, events: WindowEvents, rows: int) -> NDArray[np.float32]:
        """As :meth:`sums`, of each event alone: ``[E, 2, ceil(rows / stride), F]``."""
        sums = np.zeros((len(events), 2, -(-rows // self.stride), self.bins), np.float32)
        parameters, first_rows, last_rows = events.to_parameters(), events.first_rows(), events.last_rows()
        scratch = self._scratch(1, rows)
        for e, (power, fourth) in enumerate(sums):
            one = slice(e, e + 1)
            add_events(
                self.renderer, parameters[one], first_rows[one], last_rows[one], rows, scratch, power, fourth
            )
        return sums

    def _scratch(self, events: int, rows: int) -> Scratch:
        """Scratch for at least ``events`` in a window of ``rows``, kept from call to call."""
        kept = self._scratches.get(rows)
        if kept is None or len(kept.sounding.spans) < events:
            kept = self._scratches[rows] = make_scratch(self.renderer, events, rows)
        return kept

    def loss(
        self,
        observed: NDArray[np.float32],
        power: NDArray[np.float32],
        fourth: NDArray[np.float32],
        events: WindowEvents,
        loudest_power: float = 0.0,
    ) -> tuple[float, float]:
        """Share of the energy expected to be left, and mean mel difference in dB; see :meth:`refit`."""
        heard = self._hear(observed, power, fourth, loudest_power)
        scratch = self._scratch(len(events), len(observed))
        # The mel difference is told whether it counts or not.
        mel_weight = max(self.mel_weight, 1e-9)
        return self._judge(heard, events.to_parameters(), events, len(observed), mel_weight, scratch)

    def refit(
        self,
        observed: NDArray[np.float32],
        power: NDArray[np.float32],
        fourth: NDArray[np.float32],
        events: WindowEvents,
        *,
        steps: int | None = None,
        momentum: Momentum | None = None,
        trust: NDArray[np.float32] | None = None,
        quantized: bool = False,
        loudest_power: float = 0.0,
        row_weights: NDArray[np.float32] | None = None,
        highest_db: NDArray[np.float32] | None = None,
    ) -> Refit:
        """The events, each moved to where all together fit best.

        Args:
            observed: magnitudes ``[rows, F]`` that all should add up to.
            power, fourth: ``[rows, F]`` sums of what stays as it is, see
                :func:`struck.codec.hearing.spectrum.mean_magnitude`.
            steps: gradient steps; None: the refitter's own.
            momentum: of the same events, from an earlier call.
            trust: ``[E, 34]`` (gain, vector, shift): what each step is multiplied by; 0 holds a parameter.
            quantized: the events are judged, and returned, as a take gives them back.
            loudest_power: of the loudest mel band so far, from which their floor is measured.
            row_weights: how much each row counts, ``[rows]``; None: all alike.
            highest_db: ``[E]`` gains that are not exceeded; None: the range of gains.

        Raises:
            ValueError: an array has the wrong shape.
        """
        steps = self.steps if steps is None else steps
        if row_weights is not None and row_weights.shape != (len(observed),):
            raise ValueError(f"row_weights has shape {row_weights.shape}; there are {len(observed)} rows")
        heard = self._hear(observed, power, fourth, loudest_power, row_weights)
        momentum = Momentum.at_rest(len(events)) if momentum is None else momentum
        shape = (len(events), PARAMETER_COUNT)
        if momentum.first.shape != shape:
            raise ValueError(f"momentum is of {len(momentum.first)} events; there are {len(events)}")
        if trust is not None and trust.shape != shape:
            raise ValueError(f"trust has shape {trust.shape}; {len(events)} events need {shape}")
        if len(events) == 0:
            scratch = self._scratch(0, len(observed))
            left = self._judge(
                heard, events.to_parameters(), events, len(observed), self.mel_weight, scratch
            )[0]
            return Refit(events, momentum, left, left)
        rates = _UNITS if trust is None else _UNITS * trust
        scratch = self._scratch(len(events), len(observed))
        ceiling = GAIN_DB_HIGH if highest_db is None else np.minimum(highest_db, GAIN_DB_HIGH)
        parameters = events.to_parameters()
        gradient = np.empty_like(parameters)
        best_loss, best = np.inf, parameters
        loss_before = 0.0
        for step in range(steps + 1):
            tried = quantize_parameters(parameters) if quantized else parameters
            last = step == steps
            error, difference = self._judge(
                heard, tried, events, len(observed), self.mel_weight, scratch, None if last else gradient
            )
            loss = error + self.mel_weight * difference
            if step == 0:
                loss_before = loss
            if loss < best_loss:
                best_loss, best = loss, tried
            if last:
                break
            slopes = gradient * _UNITS
            momentum, move = momentum.after(slopes if np.isfinite(slopes).all() else np.nan_to_num(slopes))
            rate = _LEARNING_RATE * (1.0 - (1.0 - _LAST_RATE_SHARE) * step / steps)
            parameters = (parameters - np.float32(rate) * rates * move).astype(np.float32)
            np.clip(parameters[:, VECTOR:SHIFT], -1.0, 1.0, out=parameters[:, VECTOR:SHIFT])
            np.clip(parameters[:, GAIN_DB], GAIN_DB_LOW, ceiling, out=parameters[:, GAIN_DB])
        return Refit(events.with_parameters(best), momentum, loss_before, best_loss)

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
        steps: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Better gains ``[E]``, vectors ``[E, 32]`` and onset shifts ``[E]`` s.

        Args:
            start_frames: row of ``observed`` at which each event's frames begin, ``[E]``.
            lengths: rendered frames of each event, ``[E]``.
            steps: gradient steps; None: the refitter's own.
        """
        events = WindowEvents(
            gain_db, vectors, start_frames + FRAMES_BEFORE, shift_seconds, start_frames + lengths
        )
        highest_db = gain_db + np.float32(self.highest_rise_db)
        better = self.refit(observed, power, fourth, events, steps=steps, highest_db=highest_db).events
        return better.gain_db, better.vectors, better.shift_seconds

    def _hear(
        self,
        observed: np.ndarray,
        power: np.ndarray,
        fourth: np.ndarray,
        loudest_power: float,
        row_weights: NDArray[np.float32] | None = None,
    ) -> Heard:
        for name, array in (("observed", observed), ("power", power), ("fourth", fourth)):
            if array.shape != (len(observed), self.bins):
                raise ValueError(f"{name} has shape {array.shape}, not [rows, {self.bins}] like the others")
        return make_heard(self.renderer, observed, power, fourth, loudest_power, row_weights)

    def _judge(
        self,
        heard: Heard,
        parameters: NDArray[np.float32],
        events: WindowEvents,
        rows: int,
        mel_weight: float,
        scratch: Scratch,
        gradient: NDArray[np.float32] | None = None,
    ) -> tuple[float, float]:
        return compute_loss(
            self.renderer,
            heard,
            parameters,
            events.first_rows(),
            events.last_rows(),
            rows,
            mel_weight,
            scratch,
            gradient,
        )
