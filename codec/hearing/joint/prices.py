"""What an event must be worth to be told, beside the others in its window.

Bits are spent on what is new. An event that does not begin with a rise in what is heard mends another, and
costs more; the more so while a much stronger one sounds that it may be part of: see
:mod:`struck.codec.hearing.shadows`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ...events.event_spec import ANALYSIS_RATE, read_field
from ..refit.window_events import WindowEvents
from ..shadows import NEAR_FRAMES, PriceList, is_part, needed_worth
from ..spectrum import HOP
from .canvas import Canvas

#: An event that does not begin with a rise of this much mends another: it costs up to so many times as much.
_NO_RISE_DB: Final = 1.0
_RISE_DB: Final = 4.0
_MENDING_PRICES: Final = 6.0


class Prices:
    """What events must be worth beside those on a canvas."""

    def __init__(self, canvas: Canvas, events: WindowEvents, prices: PriceList) -> None:
        self._canvas, self._events, self._prices = canvas, events, prices
        self._pitches, attack, hold, release, decay = (
            read_field(events.vectors, name) for name in ("pitch", "attack", "hold", "release", "decay")
        )
        #: Which of the events are mostly noise.
        self.noise_like = read_field(events.vectors, "noisiness") > 0.5
        seconds = np.minimum(decay, attack + hold + release)
        self._faded = events.onset_rows + np.round(seconds * ANALYSIS_RATE / HOP)
        self._worths: dict[int, float] = {}
        #: Of the events that are still there.
        self.places = set(range(len(events)))

    def worth(self, i: int) -> float:
        """Of event ``i``, when it was first asked for."""
        if i not in self._worths:
            self._worths[i] = self._canvas.worth(self._events.one(i))
        return self._worths[i]

    def near(self, row: int, but: int = -1) -> list[int]:
        """Events that begin not far from ``row``."""
        return self._present(np.abs(self._events.onset_rows - row) <= NEAR_FRAMES, but)

    def needed(
        self, event: WindowEvents, worth: float, pitch_midi: float, noise_like: bool, but: int = -1
    ) -> float:
        """What one event worth ``worth`` must be worth; ``but``: its place, where it is on the canvas."""
        if worth < self._prices.event:
            return self._prices.event
        row, rows = int(event.onset_rows[0]), self._events.onset_rows
        rise_db = self._canvas.rise_db(event, noise_like)
        risen = min(max((rise_db - _NO_RISE_DB) / (_RISE_DB - _NO_RISE_DB), 0.0), 1.0)
        price = self._prices.event * (_MENDING_PRICES + (1.0 - _MENDING_PRICES) * risen)
        prices = replace(self._prices, event=price)
        others = self.near(row, but)
        if risen < 1.0:
            others = self._present((rows <= row + NEAR_FRAMES) & (self._faded >= row - NEAR_FRAMES), but)
        return max(
            [
                needed_worth(
                    prices,
                    worth,
                    # Noise of another colour beside noise is no part of it.
                    is_part(pitch_midi, noise_like, float(self._pitches[j]))
                    and not (noise_like and self.noise_like[j]),
                    self.worth(j),
                    abs(int(rows[j]) - row),
                )
                for j in others
            ],
            default=price,
        )

    def forget(self, i: int) -> None:
        """Event ``i`` is gone."""
        self.places.discard(int(i))

    def _present(self, chosen: np.ndarray, but: int) -> list[int]:
        return [int(j) for j in np.flatnonzero(chosen) if j in self.places and j != but]
