"""The gauges of a performance: counters and levels by name, for OSC, and all of them as a status."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from ...codec.files.audio_files import AudioReader
from ...codec.playing.changes import DROPPED as DROPPED_CHANGES
from ...codec.playing.changes import SPILLED, UNKNOWN
from ...codec.playing.decoder_state import ACTIVE, DELAYED, DROPPED, LATE, REJECTED, STOLEN
from ..devices.driver import DeviceDriver
from ..engine.callback import INPUT_OVERFLOWS, OUTPUT_UNDERFLOWS, CallbackState
from ..engine.parameters import OFF_DB
from ..engine.rings import LOST
from ..engine.state import (
    DAMAGED,
    DELAYED_PHRASES,
    IN_PEAK,
    IN_POWER,
    OUT_PEAK,
    OUT_POWER,
    REFUSED_PHRASES,
    STARVED,
    limiter_gain,
    position_seconds,
)
from ..screen.status import Status
from ..stage.stage import Stage
from .block_load import LoadMeter

#: Counters that are no faults: events played, by where they came from.
EVENT_COUNTERS: Final = ("events_heard", "events_midi", "events_osc", "events_phrase", "events_held")
#: Status calls over which the rate of events is averaged.
_RECENT: Final = 30


class Gauges:
    """Reads what all parts count.

    Args:
        state: of the callback.
        stage: counts for all threads.
        load: of the callback.
        driver: of the devices, None from file to file.
        reader: of an input file.
    """

    def __init__(
        self,
        state: CallbackState,
        stage: Stage,
        load: LoadMeter,
        driver: DeviceDriver | None,
        reader: AudioReader | None,
    ) -> None:
        self._state, self._stage, self._load = state, stage, load
        self._driver, self._reader = driver, reader
        self._recent: list[tuple[float, int]] = []

    def counters(self) -> dict[str, int]:
        """All faults and events since the start, by name."""
        engine = self._state.engine
        decoder = engine.decoder.numbers
        changes = engine.decoder.changes.numbers
        stamps = self._state.stamps
        replaced = 0 if self._reader is None else self._reader.replaced_count
        counts = {
            "late": int(decoder[LATE]),
            "stolen": int(decoder[STOLEN]),
            "dropped": int(decoder[DROPPED]),
            "rejected": int(decoder[REJECTED]),
            "starts_delayed": int(decoder[DELAYED]),
            "amendments_dropped": int(changes[DROPPED_CHANGES]),
            "amendments_delayed": int(changes[SPILLED]),
            "amendments_unknown": int(changes[UNKNOWN]),
            "results_lost": int(engine.results.index[LOST]),
            # JACK tells of a lost period on both sides at once
            "lost_blocks": int(max(stamps[INPUT_OVERFLOWS], stamps[OUTPUT_UNDERFLOWS])),
            "damaged_samples": int(engine.numbers[DAMAGED]) + replaced,
            "starved_samples": int(engine.numbers[STARVED]),
            "unheard_samples": int(engine.capture.index[LOST]),
            "unrecorded_samples": int(engine.recording.index[LOST]),
            "phrases_refused": int(engine.numbers[REFUSED_PHRASES]),
            "phrases_delayed": int(engine.numbers[DELAYED_PHRASES]),
        }
        if self._driver is not None:
            counts |= {name: int(value) for name, value in self._driver.stats().items()}
        for name, number in self._stage.counts().items():
            counts[name] = counts.get(name, 0) + number
        return counts

    def faults(self) -> dict[str, int]:
        """Of the counters those that are no events played."""
        return {name: number for name, number in self.counters().items() if name not in EVENT_COUNTERS}

    def stats(self) -> dict[str, int | float]:
        """Counters, levels and voices by name: what OSC's ``/struck/stats`` tells."""
        engine = self._state.engine
        return {
            **self.counters(),
            "position_seconds": position_seconds(engine),
            "voices": int(engine.decoder.numbers[ACTIVE]),
            "input_peak_db": max(OFF_DB, *_to_db(engine.levels[IN_PEAK])),
            "output_peak_db": max(OFF_DB, *_to_db(engine.levels[OUT_PEAK])),
        }

    def fill(self, status: Status, workers: Mapping[str, float]) -> Status:
        """``status`` with all that is measured; for one caller, as some figures are since the call before.

        Args:
            status: with the names of things.
            workers: processor seconds by thread since the start.
        """
        engine = self._state.engine
        now = time.monotonic()
        counts = self.counters()
        events = sum(counts.get(name, 0) for name in EVENT_COUNTERS)
        self._recent = [*self._recent[-_RECENT:], (now, events)]
        span = now - self._recent[0][0]
        mean, worst = self._load.since_before()
        inputs, outputs = engine.source.shape[1], engine.recording.frames.shape[1]
        seconds = position_seconds(engine)
        return replace(
            status,
            position_seconds=seconds,
            input_rms_db=_to_db(np.sqrt(engine.levels[IN_POWER, :inputs])),
            input_peak_db=_to_db(engine.levels[IN_PEAK, :inputs]),
            output_rms_db=_to_db(np.sqrt(engine.levels[OUT_POWER, :outputs])),
            output_peak_db=_to_db(engine.levels[OUT_PEAK, :outputs]),
            limiter_db=20.0 * float(np.log10(limiter_gain(engine))),
            events_per_second=(events - self._recent[0][1]) / span if span > 0.0 else 0.0,
            voices=int(engine.decoder.numbers[ACTIVE]),
            voice_limit=len(engine.decoder.active),
            callback_mean_percent=mean,
            callback_worst_percent=worst,
            worker_percent={
                name: 100.0 * busy / seconds if seconds else 0.0 for name, busy in workers.items()
            },
            counters={name: number for name, number in counts.items() if name not in EVENT_COUNTERS},
        )


def _to_db(amplitudes: np.ndarray) -> tuple[float, ...]:
    return tuple(20.0 * float(np.log10(a)) if a > 0.0 else float("-inf") for a in amplitudes)
