"""One vector per event: the one nearest to what the event did over its life.

While an event sounds, its level is that of its gain, less what has decayed::

    level(t) = gain_db - 60 (t - onset) / decay                      dB, until the release

with the gain and the decay that it has at ``t``. The settled event's level is the straight line nearest to
that, its other fields are the means of what they were; both weighted by the amplitude at each time. Its
force ends where the event did, released as it was then. What an event without amendments and end is stays as
it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from .amendments import StreamItem
from .event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, from_physical, read_field
from .events import Event
from .lives import EventLife, collect_lives

#: Times at which a life is looked at, from its onset to its end.
_LOOKS: Final = 256
#: Nothing falls slower than this, in dB per second: the longest decay.
_SLOWEST: Final = 60.0 / FIELDS[INDEX["decay"]].high


def settle(items: Iterable[StreamItem]) -> list[Event]:
    """The events of a stream, by onset, each settled; what was taken back before it sounded is left out."""
    return [settle_life(life) for life in collect_lives(items) if life.is_heard]


def settle_life(life: EventLife) -> Event:
    """The event nearest to what ``life`` did."""
    event = life.event
    if life.amendments:
        event = _nearest(life)
    if life.amendments or life.end is not None:
        event = _end_at(event, life.end_seconds - event.onset_seconds)
    if life.amendments and life.end is not None:
        vector = event.vector.copy()
        vector[INDEX["release"]] = life.states[-1][1].vector[INDEX["release"]]
        event = replace(event, vector=vector)
    return event


def _nearest(life: EventLife) -> Event:
    states = life.states
    ages = np.linspace(0.0, max(life.end_seconds - life.event.onset_seconds, 1e-3), _LOOKS)
    begins = np.array([at_seconds - life.event.onset_seconds for at_seconds, _ in states])
    state = np.searchsorted(begins, ages, side="right") - 1
    vectors = np.array([event.vector for _, event in states], dtype=np.float64)[state]  # [_LOOKS, 32]
    gains_db = np.array([event.gain_db for _, event in states])[state]
    level_db = gains_db - 60.0 * ages / read_field(vectors, "decay")
    weights = 10.0 ** ((level_db - level_db.max()) / 20.0)
    weights /= weights.sum()

    # weighted least squares of level = gain - fall * age; a level that rises is met by the slowest fall
    mean_age, mean_level = weights @ ages, weights @ level_db
    fall = -(weights @ ((ages - mean_age) * (level_db - mean_level))) / (weights @ (ages - mean_age) ** 2)
    fall = max(float(fall), _SLOWEST)
    vector = weights @ vectors
    vector[INDEX["decay"]] = from_physical(FIELDS[INDEX["decay"]], 60.0 / fall)
    gain_db = min(GAIN_DB_HIGH, max(GAIN_DB_LOW, float(mean_level + fall * mean_age)))
    return replace(life.event, gain_db=gain_db, vector=np.clip(vector, -1.0, 1.0))


def _end_at(event: Event, age_seconds: float) -> Event:
    """``event`` with a force that is released at this age, if it is not so before."""
    vector = event.vector.copy()
    attack, hold = float(read_field(vector, "attack")), float(read_field(vector, "hold"))
    if attack + hold <= age_seconds:
        return event
    attack = min(attack, age_seconds)
    for name, seconds in (("attack", attack), ("hold", age_seconds - attack)):
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], seconds)
    return replace(event, vector=vector)
