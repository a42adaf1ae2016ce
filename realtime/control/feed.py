"""What the screen is sent: levels and events some thirty times a second, everything else twice a second.

The engine does nothing for it: its levels are read where it writes them for everybody, and its events come
from the stage as they come to a take or to MIDI.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ...codec.events.event_spec import read_field
from ...codec.events.lives import sounding_seconds
from ...codec.playing.decoder_state import ACTIVE
from ..engine.slots import SLOT_COUNT
from ..engine.state import (
    IN_PEAK,
    IN_POWER,
    OUT_PEAK,
    OUT_POWER,
    EngineState,
    limiter_gain,
    position_seconds,
    slot_is_playing,
)
from ..stage.soundings import Sounding, SoundingEnd, SoundingEvent
from ..stage.stage import Stage

FRAMES_PER_SECOND: Final = 30
#: What a page cannot show is not kept for it.
_QUEUED_MAX: Final = 2_048
#: Softer is shown as silence.
_FLOOR_DB: Final = -90.0


class Feed:
    """Collects what the next frame has; :meth:`__call__` from the stage's threads, the rest from one other.

    Args:
        state: the engine's.
        stage: whose events are shown.
        status: names, counters, what changes seldom; ready for JSON.
    """

    def __init__(self, state: EngineState, stage: Stage, status: Callable[[], dict[str, Any]]) -> None:
        self._state, self._stage, self._status = state, stage, status
        self._queue: deque[Sounding] = deque(maxlen=_QUEUED_MAX)
        self._watched = False

    def __call__(self, sounding: Sounding) -> None:
        """A sink of the stage."""
        if self._watched:
            self._queue.append(sounding)

    def watch(self, watched: bool) -> None:
        """Say whether anybody looks; while nobody does, nothing is kept."""
        self._watched = watched
        if not watched:
            self._queue.clear()

    def frame(self, changes: list[list[Any]]) -> str:
        """The next frame.

        Args:
            changes: of addresses and their new values.
        """
        state = self._state
        inputs, outputs = state.source.shape[1], state.recording.frames.shape[1]
        clock = self._stage.clock
        frame: dict[str, Any] = {
            "t": round(position_seconds(state), 4),
            "in": _levels(state, IN_POWER, IN_PEAK, inputs),
            "out": _levels(state, OUT_POWER, OUT_PEAK, outputs),
            "limiter": round(20.0 * math.log10(limiter_gain(state)), 1),
            "voices": int(state.decoder.numbers[ACTIVE]),
        }
        phrases = [slot for slot in range(SLOT_COUNT) if slot_is_playing(state, slot)]
        if phrases:
            frame["phrases"] = phrases
        events = [_describe(self._queue.popleft(), clock.rate) for _ in range(len(self._queue))]
        if events:
            frame["events"] = events
        if changes:
            frame["changes"] = changes
        return json.dumps(frame, separators=(",", ":"))

    def status(self, tree: int) -> str:
        """What changes seldom; may wait for locks, so not from the port's thread.

        Args:
            tree: counts how often addresses came or went: then a page looks again what there is.
        """
        return json.dumps({"status": {**self._status(), "tree": tree}}, separators=(",", ":"))


def _levels(state: EngineState, power: int, peak: int, channels: int) -> list[list[float]]:
    """RMS and peak in dBFS of each channel."""
    return [
        [_db(math.sqrt(state.levels[power, channel])), _db(state.levels[peak, channel])]
        for channel in range(channels)
    ]


def _db(amplitude: float) -> float:
    return round(20.0 * math.log10(amplitude), 1) if amplitude > 10.0 ** (_FLOOR_DB / 20.0) else _FLOOR_DB


def _describe(sounding: Sounding, rate: int) -> dict[str, Any]:
    """An event, what it becomes, or its release, as the page draws it."""
    found: dict[str, Any] = {"id": sounding.id, "at": round(sounding.at_sample / rate, 4)}
    if isinstance(sounding, SoundingEnd):
        return found | {"kind": "end"}
    event = sounding.event
    found |= {
        "kind": sounding.origin if isinstance(sounding, SoundingEvent) else "amendment",
        "gain": round(event.gain_db, 1),
        "pitch": round(float(read_field(event.vector, "pitch")), 2),
        "noise": round(float(read_field(event.vector, "noisiness")), 2),
        "release": round(float(read_field(event.vector, "release")), 3),
        "until": round(event.onset_seconds + sounding_seconds(event), 3),
    }
    return found
