"""The encoder of live profiles: hears at once, and corrects as it hears more."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ..events.amendments import ID_COUNT, End, StreamItem, in_stream_order
from ..events.event_spec import ANALYSIS_RATE
from ..events.events import Event
from ..events.profiles import Profile
from ..weights.codec_weights import CodecWeights
from .amender import Amender, Price
from .encoder import StreamingEncoder
from .refit.control_tables import PARAMETER_COUNT, SHIFT
from .refit.levels import follow_levels
from .refit.refitter import Momentum, Refitter
from .sounding import Sounding, window_of
from .spectrum import HOP, mel_band_matrix

#: Events that began in so many last frames are refitted, 0.55 s.
_YOUNG_FRAMES: Final = 48
_STEPS: Final = 3
_MEL_WEIGHT: Final = 0.04


class Follower:
    def __init__(self, weights: CodecWeights, profile: Profile, picking_steps: int = 4, price: float = 5e-5, mel_weight: float = _MEL_WEIGHT, steps: int = _STEPS, pick_mel: float = _MEL_WEIGHT) -> None:
        self.profile = profile
        decoder, n_fft = weights.decoder, profile.n_fft
        stride = 2 if profile.hop_samples > HOP else 1
        self._young_refitter = Refitter(decoder, n_fft, steps, mel_weight, 2)
        self._fine = Refitter(decoder, n_fft, 1, _MEL_WEIGHT, 1)
        self._level_refitter = Refitter(decoder, n_fft, 1, _MEL_WEIGHT, stride)
        refine = Refitter(decoder, n_fft, picking_steps, pick_mel, stride) if picking_steps else None
        self._amender = Amender(self._level_refitter, Price(price, mel_weight))
        self._mels = mel_band_matrix(n_fft)
        self._encoder = StreamingEncoder(weights, profile, refine=refine, model=self)
        self.reset()

    @property
    def latency_samples(self) -> int:
        return self.profile.latency_samples

    @property
    def nonfinite_samples(self) -> int:
        return self._encoder.nonfinite_samples

    def reset(self) -> None:
        self._encoder.reset()
        self._soundings: list[Sounding] = []
        self._heard = np.zeros((_YOUNG_FRAMES, self.profile.n_fft // 2 + 1), np.float32)
        self._items: list[StreamItem] = []
        self._next_id = 0
        self._loudest = self._loudest_energy = 0.0
        self._now = 0
        self._at_frame = 0

    def process(self, samples: np.ndarray, rate: int = ANALYSIS_RATE) -> list[StreamItem]:
        self._encoder.process(samples, rate)
        return self._drain()

    def flush(self) -> list[StreamItem]:
        self._encoder.flush(ANALYSIS_RATE // 2)
        at = (self._at_frame * HOP) / ANALYSIS_RATE
        self._items += [End(s.id, max(at, s.sent.onset_seconds)) for s in self._soundings]
        self._soundings = []
        return self._drain()

    def _drain(self) -> list[StreamItem]:
        items, self._items = self._items, []
        return in_stream_order(items)

    # ---- called by the encoder, hop by hop

    def hear(self, first_frame: int, observed: np.ndarray, power: np.ndarray, fourth: np.ndarray) -> None:
        self._at_frame = first_frame + 8
        now = first_frame + len(observed)
        fresh = min(now - self._now, _YOUNG_FRAMES)
        self._heard = np.concatenate([self._heard[fresh:], observed[-fresh:]])
        self._now = now
        square = np.square(observed[-fresh:])
        self._loudest = max(self._loudest, float((square @ self._mels).max()))
        frame_energy = float(square.sum(1).max())
        self._loudest_energy = max(self._loudest_energy * 10 ** (-0.6 * self.profile.hop_samples / ANALYSIS_RATE), frame_energy)
        if self._soundings:
            self._follow_levels()
            self._refit_young()
            self._forget()
        power[:], fourth[:] = self._fine.sums(window_of(self._soundings, first_frame), len(observed))

    def take(self, events: list[Event]) -> None:
        for event in events:
            event = replace(event, id=self._next_id)
            self._next_id = (self._next_id + 1) % ID_COUNT
            self._items.append(event)
            self._soundings.append(Sounding.of(event))
        rows = max(self._now - self._at_frame, 4)
        first = self._now - rows
        at = max(0, self._at_frame * HOP) / ANALYSIS_RATE
        self._items += self._amender.amend(
            self._soundings, self._heard[-rows:], first, at, self._loudest, 0.1 * self._loudest_energy * rows / self._level_refitter.stride, self._at_frame - 3
        )
        self._soundings = [s for s in self._soundings if not s.ended]

    def _is_young(self, s: Sounding) -> bool:
        return s.onset_frame >= self._now - _YOUNG_FRAMES + 4

    def _follow_levels(self) -> None:
        old = [s for s in self._soundings if not self._is_young(s)]
        if not old:
            return
        rows = max(8, self._now - self._at_frame)
        first = self._now - rows
        young = [s for s in self._soundings if self._is_young(s)]
        power, _ = self._fine.sums(window_of(young, first), rows)
        levels = follow_levels(self._level_refitter, self._heard[-rows:], power, window_of(old, first))
        for i, s in enumerate(old):
            s.gain_db, s.vector = float(levels.gain_db[i]), levels.vectors[i]

    def _refit_young(self) -> None:
        young = [s for s in self._soundings if self._is_young(s)]
        if not young:
            return
        first = self._now - _YOUNG_FRAMES
        old = [s for s in self._soundings if not self._is_young(s)]
        power, fourth = self._fine.sums(window_of(old, first), _YOUNG_FRAMES)
        momentum = young[0].momentum
        for s in young[1:]:
            momentum = momentum.join(s.momentum)
        trust = np.ones((len(young), PARAMETER_COUNT), np.float32)
        trust[:, SHIFT] = 0.0
        refit = self._young_refitter.refit(
            self._heard, power, fourth, window_of(young, first), momentum=momentum, trust=trust, loudest_power=self._loudest
        )
        for i, s in enumerate(young):
            s.gain_db, s.vector = float(refit.events.gain_db[i]), refit.events.vectors[i]
            s.momentum = refit.momentum.take(np.array([i]))

    def _forget(self) -> None:
        """Leave out what has faded by itself."""
        first = self._now - 8
        loud = 1e-7 * float(np.square(self._heard[-40:]).max())
        kept = []
        for s, (power, _) in zip(self._soundings, self._fine.each_sums(window_of(self._soundings, first, sent=True), 8)):
            if s.onset_frame >= self._now - 24 or float(power.max(initial=0.0)) > loud:
                kept.append(s)
        self._soundings = kept
