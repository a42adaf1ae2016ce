"""Freeze: a sounding moment, held. ::

    level   |\\                        ___________________
            | \\                      /  grain \\/ grain \\/  \\
            |  \\____ event      ____/_________/\\________/\\__\\___
            onset            pedal down                  pedal up

An event cannot stand still: its modes decay and its force ends. What is held is made of grains, events that
sound as the event did at that moment and hardly decay, each fading into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from math import ceil, log10
from typing import Any, Final

import numpy as np

from ..events.controls import ControlTables, compute_controls, make_tables
from ..events.event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, from_physical, read_field
from ..events.events import Event
from .transform import Copy, Surroundings, Transform, Values

FREEZE: Final = "freeze"
#: Softer moments are not held.
_INAUDIBLE_DB: Final = -80.0
#: The first grain rises while what it holds is released; the others rise and fall as slowly as can be.
_FIRST_ATTACK: Final = 0.06
_ATTACK: Final = 1.0
_RELEASE: Final = 4.0
#: From one grain to the next in seconds; noise decays faster than modes can be made to.
_TONE_PERIOD: Final = 3.0
_NOISE_PERIOD: Final = 1.2
_NOISY: Final = 0.3


class Freeze(Transform):
    """Lets events pass; whoever plays them holds what sounds, see :func:`loudest` and :func:`grains`."""

    def __init__(self, values: Values, around: Surroundings) -> None:
        pass

    def begin(self, event: Event) -> Iterable[Copy]:
        return (Copy(lambda: event.onset_seconds),)


@dataclass(frozen=True)
class Moment:
    """What an event sounds like at a moment.

    Args:
        id: of the event.
        grain: an event that sounds like that, from its onset.
    """

    id: int
    grain: Event


class Moments:
    """Finds what sounding events sound like.

    Args:
        weights: of the decoder.
    """

    def __init__(self, weights: Mapping[str, Any]) -> None:
        self._weights = {name: np.asarray(array, np.float64) for name, array in weights.items()}
        self._tables: ControlTables = make_tables(lambda array: np.asarray(array, dtype=np.float64))

    def loudest(self, sounding: Sequence[tuple[int, Event]], at_seconds: float, most: int) -> list[Moment]:
        """The moments of the loudest of some events; of those that are inaudible there is none.

        Args:
            sounding: ids, and events with their onsets, as they are now.
            at_seconds: stream time, not before the onsets.
            most: how many at most.
        """
        found = []
        for id, event in sounding:
            grain = self._grain(event, at_seconds)
            if grain is not None:
                found.append(Moment(id, grain))
        found.sort(key=lambda moment: -moment.grain.gain_db)
        return found[:most]

    def _grain(self, event: Event, at_seconds: float) -> Event | None:
        age = at_seconds - event.onset_seconds
        c = compute_controls(
            self._weights,
            np.array([event.gain_db], np.float64),
            event.vector[None].astype(np.float64),
            self._tables,
            np,
        )
        hold_end = float(c.attack_seconds[0] + c.hold_seconds[0])
        force = min(1.0, age / float(c.attack_seconds[0]))
        if age > hold_end:
            force *= float(np.exp(-c.release_rate[0] * (age - hold_end)))
        share = float(c.tail_share[0])
        left = (1.0 - share) * np.exp(-c.decay_rate[0] * age) + share * np.exp(-c.tail_rate[0] * age)
        modes = 0.5 * (c.mode_gain[0] * left * force) ** 2  # [M] power
        tone = float(modes.sum())
        noise = float(np.sum(c.noise_gain[0] ** 2)) * float(np.exp(-2.0 * c.noise_rate[0] * age)) * force**2
        power = tone + noise
        if power <= 10.0 ** (_INAUDIBLE_DB / 10.0):
            return None
        # High modes have decayed more than low ones: the slope that tells it best, by their power now.
        octaves = np.log2(c.frequency_hz[0] / c.frequency_hz[0].min())
        lost_db = 20.0 * np.log10(np.maximum(left, 1e-9))
        weight = modes / max(tone, 1e-30)
        mean = weight @ octaves
        spread = weight @ (octaves - mean) ** 2
        slope_db = float(weight @ ((octaves - mean) * lost_db) / spread) if spread > 1e-9 else 0.0
        hertz = float(c.frequency_hz[0].min())
        behind = ceil(max(0.0, age) * hertz) / hertz  # where the lowest mode is at its starting phase again
        vector = event.vector.copy()
        noisiness = noise / power
        for name, value in {
            "glide": 0.0,
            "decay": FIELDS[INDEX["decay"]].high,
            "decay_tilt": 0.0,
            "tail": FIELDS[INDEX["tail"]].high,
            "tail_ratio": FIELDS[INDEX["tail_ratio"]].high,
            "tilt": float(read_field(event.vector, "tilt")) + slope_db,
            "noisiness": noisiness,
            "noise_decay": FIELDS[INDEX["noise_decay"]].high,
        }.items():
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
        gain_db = min(GAIN_DB_HIGH, max(GAIN_DB_LOW, 10.0 * log10(power)))
        return Event(event.onset_seconds + behind, gain_db, vector)


def grains(grain: Event, held: Callable[[], bool]) -> Iterator[Copy]:
    """One grain after the other, while the pedal is held; each begins at the same phase of its lowest mode.

    Args:
        grain: the first.
        held: whether it is down.
    """
    hertz = 440.0 * 2.0 ** ((float(read_field(grain.vector, "pitch")) - 69.0) / 12.0)
    noisy = float(read_field(grain.vector, "noisiness")) > _NOISY
    period = max(1.0, round((_NOISE_PERIOD if noisy else _TONE_PERIOD) * hertz)) / hertz
    for number in count():
        if not held():
            return
        attack = _FIRST_ATTACK if number == 0 else _ATTACK

        def shape(event: Event, attack: float = attack) -> Event:
            return _with_force(event, attack, period - attack)

        yield Copy(partial(float, grain.onset_seconds + number * period), shape, held, endless=True)


def _with_force(event: Event, attack: float, hold: float) -> Event:
    vector = event.vector.copy()
    for name, value in (("attack", attack), ("hold", hold), ("release", _RELEASE)):
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return replace(event, vector=vector)
