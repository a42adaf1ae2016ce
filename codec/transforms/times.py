"""Transforms that move events in time or repeat them: quantise, delay, loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import floor
from typing import Final

from ..events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW
from ..events.events import Event
from .transform import Copy, Shaper, Surroundings, Transform, Values

BEATS: Final = "beats"
UNITS: Final = (BEATS, "seconds")
#: What is played so much ahead of a loop's beginning belongs to it: nobody plays exactly on a pedal.
_AHEAD_SECONDS: Final = 0.05


def louder(gain_db: float) -> Shaper:
    """The shaper that adds so much, within the range of gains."""

    def shape(state: Event) -> Event:
        return replace(state, gain_db=min(GAIN_DB_HIGH, max(GAIN_DB_LOW, state.gain_db + gain_db)))

    return shape


class _Later:
    """Times after an onset. Those in beats follow the tempo, but no song that jumps elsewhere."""

    def __init__(self, around: Surroundings, onset_seconds: float, unit: str) -> None:
        self._around, self._onset_seconds = around, onset_seconds
        self._line = around.beats() if unit == BEATS else None

    def due(self, length: float) -> Callable[[], float]:
        """When it is so much later."""
        line = self._line
        if line is None:
            return lambda: self._onset_seconds + length
        beat = line.beat_at(self._onset_seconds) + length  # by the tempo of its time
        known = line.seconds_at(beat)

        def due() -> float:
            nonlocal known
            now = self._around.beats()
            if now.song == line.song:
                known = now.seconds_at(beat)
            return known

        return due


class Quantise(Transform):
    """Moves onsets towards a grid of beats. Live, what comes after its beat is left where it is."""

    def __init__(self, values: Values, around: Surroundings) -> None:
        self._values, self._around = values, around

    def begin(self, event: Event) -> Iterable[Copy]:
        line, grid = self._around.beats(), self._values["grid"]
        beat = grid * round(line.beat_at(event.onset_seconds) / grid)
        moved = self._values["strength"] * (line.seconds_at(beat) - event.onset_seconds)
        goal = max(0.0, event.onset_seconds + moved)
        if self._around.live:
            goal = max(goal, event.onset_seconds)
        return (Copy(lambda: goal),)


class Delay(Transform):
    """Repeats events later, softer each time."""

    def __init__(self, values: Values, around: Surroundings) -> None:
        self._values, self._around = values, around

    def begin(self, event: Event) -> Iterator[Copy]:
        v = dict(self._values)
        later = _Later(self._around, event.onset_seconds, v["unit"])
        if v["original"]:
            yield Copy(lambda: event.onset_seconds)
        for number in range(1, round(v["repeats"]) + 1):
            fall_db = number * v["fall_db"]
            if event.gain_db - fall_db < GAIN_DB_LOW:
                return
            yield Copy(later.due(number * v["time"]), louder(-fall_db))


class Loop(Transform):
    """Repeats what is played in a first round, round after round, while it is on.

    A round begins where it is switched on, on the nearest beat if it counts in beats; where it was on from
    the beginning, with the first event.
    """

    def __init__(self, values: Values, around: Surroundings) -> None:
        self._values, self._around = values, around
        self._origin_seconds: float | None = None
        self._take = 0  # counts how often it was switched

    def turn(self, name: str, at_seconds: float) -> None:
        if name == "on":
            self._take += 1
            self._origin_seconds = self._on_beat(at_seconds, round) if self._values["on"] else None

    def stop(self) -> None:
        self._take += 1
        self._origin_seconds = float("inf")

    def begin(self, event: Event) -> Iterator[Copy]:
        v, take = dict(self._values), self._take
        later = _Later(self._around, event.onset_seconds, v["unit"])
        yield Copy(lambda: event.onset_seconds)
        if not v["on"]:
            return
        if self._origin_seconds is None:
            self._origin_seconds = self._on_beat(event.onset_seconds + _AHEAD_SECONDS, floor)
        beat_seconds = self._around.beats().beat_seconds if v["unit"] == BEATS else 1.0
        into = event.onset_seconds - self._origin_seconds + _AHEAD_SECONDS
        if not 0.0 <= into < v["length"] * beat_seconds:
            return
        endless = v["times"] < 0.5
        number = 0
        while self._take == take and (endless or number < round(v["times"])):
            number += 1
            due = later.due(number * v["length"])
            if endless and due() > self._around.until_seconds:
                return
            yield Copy(due, wanted=lambda: self._take == take, endless=endless)

    def _on_beat(self, seconds: float, whole: Callable[[float], int]) -> float:
        if self._values["unit"] != BEATS:
            return seconds
        line = self._around.beats()
        return line.seconds_at(whole(line.beat_at(seconds)))
