"""What is told of events that sound: distortion against bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..events.amendments import Amendment, End, StreamItem, difference
from ..events.event_spec import INDEX
from ..events.events import Event
from .refit.records import make_heard
from .refit.refitter import Refitter
from .refit.window import judge_window
from .sounding import Sounding, window_of

FloatArray = NDArray[np.float32]

#: About what a take needs for an amendment or an end, and for each value told.
_HEAD_BITS: Final = 14.0
_FIELD_BITS: Final = 4.5
_END_BITS: Final = 12.0
#: For so long an amendment is worth what it is worth now.
_LASTING_SECONDS: Final = 0.2
_LEVELS: Final = [INDEX["noisiness"]]
_COURSE: Final = [INDEX[n] for n in ("noisiness", "pitch", "decay", "noise_decay", "tilt")]


@dataclass(frozen=True)
class Price:
    """What bits are worth: loss times seconds per bit."""

    per_bit: float
    mel_weight: float


class Amender:
    """Chooses what to say of the events that sound.

    Args:
        refitter: renders and judges.
        price: of bits.
    """

    def __init__(self, refitter: Refitter, price: Price) -> None:
        self._refitter, self._price = refitter, price

    def amend(
        self,
        soundings: Sequence[Sounding],
        observed: FloatArray,
        first_frame: int,
        at_seconds: float,
        loudest_power: float,
        least_energy: float,
        settled_frame: int,
    ) -> list[StreamItem]:
        """Amendments and ends at ``at_seconds`` that pay; ``soundings`` are as sent afterwards."""
        if not soundings:
            return []
        rows = len(observed)
        sent = list(self._refitter.each_sums(window_of(soundings, first_frame, sent=True), rows))
        zero = np.zeros_like(observed)
        heard = make_heard(self._refitter._renderer, observed, zero, zero, loudest_power)
        heard = heard._replace(scale=np.minimum(heard.scale, np.float32(1.0 / max(least_energy, 1e-9))))
        total = np.sum([p for p, _ in sent], 0), np.sum([f for _, f in sent], 0)
        scratch = np.empty_like(total[0]), np.empty_like(total[0])

        def judge(power: FloatArray, fourth: FloatArray) -> float:
            np.maximum(power, 0.0, out=power)
            np.maximum(fourth, 0.0, out=fourth)
            error, mel = judge_window(
                self._refitter._renderer, heard, self._price.mel_weight, power, fourth, *scratch
            )
            return error + self._price.mel_weight * mel

        loss = judge(total[0].copy(), total[1].copy())
        items: list[StreamItem] = []
        order = np.argsort([-float(p.sum()) for p, _ in sent], kind="stable")
        for place in order:
            s = soundings[place]
            at = max(at_seconds, s.sent.onset_seconds)
            rest = total[0] - sent[place][0], total[1] - sent[place][1]
            best = (0.0, None, rest, loss)
            if s.onset_frame < settled_frame:
                without = judge(rest[0].copy(), rest[1].copy())
                gain = (loss - without) * _LASTING_SECONDS - self._price.per_bit * _END_BITS * 0.0
                if gain > best[0]:
                    best = (gain, End(s.id, at), (rest[0], rest[1]), without)
            for event in self._candidates(s):
                amendment = difference(s.sent, event, s.id, at)
                if amendment is None:
                    continue
                told = len(amendment.fields) + (amendment.gain_db is not None)
                bits = _HEAD_BITS + _FIELD_BITS * told
                window = replace_event(s, event)
                power, fourth = self._refitter.sums(window_of([window], first_frame, sent=True), rows)
                sums = rest[0] + power, rest[1] + fourth
                found = judge(sums[0].copy(), sums[1].copy())
                gain = (loss - found) * _LASTING_SECONDS - self._price.per_bit * bits
                if gain > best[0]:
                    best = (gain, amendment, sums, found)
            _, item, sums, found = best
            if item is None:
                continue
            items.append(item)
            total, loss = (sums[0], sums[1]), found
            if isinstance(item, Amendment):
                s.sent = item.apply(s.sent)
            else:
                s.ended = True
        return items

    def _candidates(self, s: Sounding) -> list[Event]:
        gain_db, vector = s.rounded()
        if gain_db == s.sent.gain_db and np.array_equal(vector, s.sent.vector):
            return []
        found = []
        for fields in (_LEVELS, _COURSE):
            part = s.sent.vector.copy()
            part[fields] = vector[fields]
            found.append(replace(s.sent, gain_db=gain_db, vector=part))
        found.append(replace(s.sent, gain_db=gain_db, vector=vector))
        unique = []
        for event in found:
            if event != s.sent and event not in unique:
                unique.append(event)
        return unique


def replace_event(s: Sounding, event: Event) -> Sounding:
    return replace(s, sent=event)
