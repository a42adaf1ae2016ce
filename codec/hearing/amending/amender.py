"""What is told of events that sound: as much as it lessens the error for its bits, and no more.

At each hop every event that sounds is a choice between what its listener knows of it, a few amendments, and
its end. Each is judged by the loss of all that sounds, as the listener knows it, against what is heard from
the moment on at which the amendment would act. The best is told if it lessens the loss by more than its bits
cost: levels that waver around one that was told are not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.amendments import Amendment, End, StreamItem, difference, end_sound
from ...events.event_spec import INDEX
from ...events.events import Event
from ..refit.judgement import Judgement
from ..refit.refitter import Refitter
from .sounding import GOES_ON_FIELDS, Sounding, as_told

FloatArray = NDArray[np.float32]

#: About what a take needs for an amendment, and for each value that it tells.
_HEAD_BITS: Final = 14.0
_VALUE_BITS: Final = 4.5
#: For so long an amendment is taken to be worth what it is worth now.
_LASTING_SECONDS: Final = 0.2
#: How much more a bit must save of an event that is known for long: what wavers around it is not told.
_SETTLED_PRICE: Final = 2.0
#: What an amendment may tell beside the gain: the share of noise, how it goes on, or all.
_PARTS: Final = (
    [INDEX["noisiness"]],
    [INDEX[name] for name in GOES_ON_FIELDS],
    list(INDEX.values()),
)
#: Frames after its onset before an event may be taken back: its sound may still be rising.
_TRIAL_FRAMES: Final = 3


@dataclass(frozen=True)
class Scene:
    """What is heard at a hop.

    Args:
        observed: magnitudes ``[rows, F]``.
        first_frame: of the stream, in row 0.
        at_frame: from which on amendments act.
        at_seconds: the same on the stream's time.
        now_seconds: up to where the stream was heard; -inf where all of it was: nothing is uncertain then
            because it is young.
        loudest_power: of the loudest mel band so far.
        least_energy: of a window; errors in quieter ones count as if it were this.
    """

    observed: FloatArray
    first_frame: int
    at_frame: int
    at_seconds: float
    now_seconds: float
    loudest_power: float
    least_energy: float


@dataclass
class _Choice:
    worth: float
    items: list[StreamItem]
    sums: tuple[FloatArray, FloatArray]
    loss: float


class Amender:
    """Chooses what to say of the events that sound.

    Args:
        refitter: renders them.
        price: loss times seconds that a bit must save.
    """

    def __init__(self, refitter: Refitter, price: float) -> None:
        self._refitter, self._price = refitter, price

    def amend(
        self,
        soundings: Sequence[Sounding],
        scene: Scene,
        others: tuple[FloatArray, FloatArray] | None = None,
    ) -> list[StreamItem]:
        """Amendments and ends that pay; ``soundings`` are then as they were told.

        Args:
            others: sums of powers and fourth powers of all else that sounds, of the rows that the refitter
                looks at; None: there is nothing else.
        """
        if not soundings:
            return []
        rows = len(scene.observed)
        judge = Judgement(self._refitter, scene.observed, scene.loudest_power, scene.least_energy)
        candidates = [_candidates(sounding, scene.now_seconds) for sounding in soundings]
        # All that may be told is rendered at once.
        changed = [
            replace(s, told=e) for s, events in zip(soundings, candidates, strict=True) for e in events
        ]
        rendered = self._refitter.each_sums(as_told([*soundings, *changed], scene.first_frame), rows)
        parts = rendered[: len(soundings)]
        firsts = np.cumsum([len(soundings), *map(len, candidates)])
        power, fourth = parts.sum(axis=0)
        if others is not None:
            power, fourth = power + others[0], fourth + others[1]
        loss = judge.loss(power, fourth)
        items: list[StreamItem] = []
        # The loudest first: what they leave is what the others are judged by.
        for place in np.argsort(-parts[:, 0].sum((1, 2)), kind="stable"):
            sounding = soundings[place]
            rest = tuple(np.maximum(a - b, 0.0) for a, b in zip((power, fourth), parts[place], strict=True))
            best = _Choice(0.0, [], (power, fourth), loss)
            told = zip(candidates[place], rendered[firsts[place] : firsts[place + 1]], strict=True)
            for choice in self._choices(sounding, scene, judge, (rest[0], rest[1]), loss, told):
                if choice.worth > best.worth:
                    best = choice
            for item in best.items:
                if isinstance(item, Amendment):
                    sounding.told = item.apply(sounding.told)
                sounding.ended = isinstance(item, End)
            items += best.items
            (power, fourth), loss = best.sums, best.loss
        return items

    def _choices(
        self,
        sounding: Sounding,
        scene: Scene,
        judge: Judgement,
        rest: tuple[FloatArray, FloatArray],
        loss: float,
        told: Iterable[tuple[Event, FloatArray]],
    ) -> list[_Choice]:
        at_seconds = max(scene.at_seconds, sounding.told.onset_seconds)
        price = self._price * (_SETTLED_PRICE if sounding.is_old(scene.now_seconds) else 1.0)
        choices = []
        if sounding.onset_frame + _TRIAL_FRAMES < scene.at_frame:
            without = judge.loss(*rest)
            worth = (loss - without) * _LASTING_SECONDS
            choices.append(_Choice(worth, [*end_sound(sounding.told, at_seconds)], rest, without))
        for event, own in told:
            amendment = difference(sounding.told, event, sounding.id, at_seconds)
            assert amendment is not None
            values = len(amendment.fields) + (amendment.gain_db is not None)
            sums = rest[0] + own[0], rest[1] + own[1]
            found = judge.loss(*sums)
            worth = (loss - found) * _LASTING_SECONDS - price * (_HEAD_BITS + _VALUE_BITS * values)
            choices.append(_Choice(worth, [amendment], sums, found))
        return choices


def _candidates(sounding: Sounding, now_seconds: float) -> list[Event]:
    """Events that it may become: those parts of what is known now that differ from what was told."""
    known = sounding.to_tell(now_seconds)
    found: list[Event] = []
    for part in _PARTS:
        mixed = sounding.told.vector.copy()
        mixed[part] = known.vector[part]
        event = replace(known, vector=mixed)
        if event != sounding.told and event not in found:
            found.append(event)
    return found
