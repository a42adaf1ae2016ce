"""A window of sound with all that is modelled of it: events are tried on it, added, and taken out again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..refit.records import make_heard, make_scratch
from ..refit.refitter import Refitter
from ..refit.window import add_events
from ..refit.window_events import WindowEvents
from .changes import fill_bands, fill_changes

FloatArray = NDArray[np.float32]

#: A row this far below the loudest, as a power ratio, counts as silent.
_SILENT_SHARE: Final = 1e-4
#: Levels around a candidate's own at which it is tried, in dB.
_TRIED_DB: Final = (-5.0, -2.0, 1.0)
_TRIED_FACTORS: Final = np.array([10.0 ** (db / 10.0) for db in _TRIED_DB], np.float32)
#: What an event's power is multiplied by to add it, and to take it out.
_THERE: Final = np.array([1.0], np.float32)
_GONE: Final = np.array([-1.0], np.float32)
#: Rows after and before an onset in which its rise is measured, and those before it that the window blurs.
_AFTER_ROWS: Final = 10
_NOISE_ROWS: Final = 6
_BEFORE_ROWS: Final = 10
_BLURRED_ROWS: Final = 4
#: Of the loudest bin's power: what is below that is not heard.
_UNHEARD_SHARE: Final = 1e-7


def _occupancy(observed: FloatArray) -> float:
    """Share of the rows of ``observed [T, F]`` in which something sounds."""
    energy = np.square(observed).sum(1)
    return float(np.mean(energy > _SILENT_SHARE * energy.max()))


@dataclass(frozen=True)
class Window:
    """What is heard and what stays as it is, while events are fitted.

    Args:
        observed: magnitudes ``[rows, F]``.
        power, fourth: sums of what was told and stays, ``[rows, F]``, see
            :func:`struck.codec.hearing.spectrum.mean_magnitude`.
        loudest_power: of the loudest mel band so far, from which their floor is measured.
        least_energy: of all rows; errors count as shares of the energy heard, or of this where it is more.
    """

    observed: FloatArray
    power: FloatArray
    fourth: FloatArray
    loudest_power: float
    least_energy: float


class Canvas:
    """Sums of what is modelled in a window, and the loss that they make.

    An event costs as much in a window that is silent but for one note as in a full one, so its share of the
    energy must not count for more there: it counts for the part of the window in which something sounds.

    Args:
        refitter: whose window length, stride and weight of mel distance count.
        window: what is heard.
    """

    def __init__(self, refitter: Refitter, window: Window) -> None:
        self._refitter = refitter
        self._rows = len(window.observed)
        renderer = refitter.renderer
        heard = make_heard(renderer, window.observed, window.power, window.fourth, window.loudest_power)
        largest = np.float32(refitter.stride / (window.least_energy + 1e-12))
        scale = np.minimum(heard.scale, largest) * np.float32(_occupancy(heard.observed))
        self._heard = heard._replace(scale=scale)
        self._scratch = make_scratch(renderer, 1, self._rows)
        self._power, self._fourth = heard.power.copy(), heard.fourth.copy()
        self._own = np.zeros_like(heard.power), np.zeros_like(heard.power)
        self._changes = np.zeros((len(_TRIED_DB), len(heard.power)))
        self._bands, self._apart, self._own_bands = (np.empty_like(heard.mel_db) for _ in range(3))
        self._fill_bands(0, len(self._power))

    def paint(self, events: WindowEvents) -> None:
        """Begin anew, with ``events`` beside what stays."""
        self._power[:], self._fourth[:] = self._heard.power, self._heard.fourth
        if len(events):
            scratch = make_scratch(self._refitter.renderer, len(events), self._rows)
            add_events(
                self._refitter.renderer, events.to_parameters(), events.first_rows(), events.last_rows(),
                self._rows, scratch, self._power, self._fourth,
            )  # fmt: skip
        self._fill_bands(0, len(self._power))

    def try_levels(self, event: WindowEvents) -> tuple[float, float]:
        """By how much one event more lessens the loss at the best of a few levels, and dB to that level."""
        first, last = self._draw(event)
        worths = -self._fill_changes(first, last, _TRIED_FACTORS).sum(1)
        best = int(np.argmax(worths))
        return float(worths[best]), _TRIED_DB[best]

    def worth_more(self, event: WindowEvents) -> float:
        """By how much one event more lessens the loss."""
        return -self._change(*self._draw(event), _THERE)

    def worth(self, event: WindowEvents) -> float:
        """By how much one event, which is on the canvas, lessens the loss."""
        return self._change(*self._draw(event), _GONE)

    def row_worths(self, event: WindowEvents) -> NDArray[np.float64]:
        """What :meth:`worth` of one event, which is on the canvas, is made of, row by row of the window."""
        first, last = self._draw(event)
        worths = np.zeros(self._rows)
        worths[:: self._refitter.stride][first:last] = self._fill_changes(first, last, _GONE)[0]
        return worths

    def rise_db(self, event: WindowEvents, noise_like: bool) -> float:
        """By how much what is heard gets louder at one event's onset, in dB, where it is.

        Of a tone the power in all its bins counts, in the loudest row: what is short is over when others
        still rise. Of noise each bin tells its own rise, and counts by the event's amplitude in it: what is
        high and quiet rises over what is low and loud.
        """
        self._draw(event)
        looked = np.arange(len(self._power)) * self._refitter.stride - int(event.onset_rows[0])
        after = (looked > 0) & (looked <= (_NOISE_ROWS if noise_like else _AFTER_ROWS))
        before = (looked >= -_BEFORE_ROWS) & (looked <= -_BLURRED_ROWS)
        own = self._own[0][after].sum(0)
        heard_before, heard_after = (np.square(self._heard.observed[rows]) for rows in (before, after))
        floor = _UNHEARD_SHARE * float(np.square(self._heard.observed.max())) + 1e-30
        if noise_like:
            amplitude = np.sqrt(own)
            means = (rows.sum(0) / max(1, len(rows)) + floor for rows in (heard_before, heard_after))
            levels = [np.log10(mean) @ amplitude / (amplitude.sum() + 1e-30) for mean in means]
        else:
            floor = floor * float(own.sum()) + 1e-30
            levels = [
                np.log10((heard_before @ own).sum() / max(1, len(heard_before)) + floor),
                np.log10((heard_after @ own).max(initial=0.0) + floor),
            ]
        return float(10.0 * (levels[1] - levels[0]))

    def add(self, event: WindowEvents) -> None:
        """One event more."""
        self._blend(event, 1.0)

    def remove(self, event: WindowEvents) -> None:
        """One event, which is on the canvas, less."""
        self._blend(event, -1.0)

    def merge(self, kept: WindowEvents, gone: WindowEvents, price: float) -> WindowEvents | None:
        """``kept`` as loud as both, if the loss then rises by less than ``price``; both are on the canvas."""
        power = 10.0 ** (0.1 * np.concatenate([kept.gain_db, gone.gain_db]))
        louder = replace(kept, gain_db=np.array([10.0 * np.log10(power.sum())], np.float32))
        lost = self.worth(gone)
        self.remove(gone)
        lost += self.worth(kept)
        self.remove(kept)
        if lost - self.worth_more(louder) < price:
            self.add(louder)
            return louder
        self.add(kept)
        self.add(gone)
        return None

    def _blend(self, event: WindowEvents, by: float) -> None:
        first, last = self._draw(event)
        rows = slice(first, last)
        for sums, own in zip((self._power, self._fourth), self._own, strict=True):
            sums[rows] += np.float32(by) * own[rows]
            np.maximum(sums[rows], 0.0, out=sums[rows])
        self._fill_bands(first, last)

    def _draw(self, event: WindowEvents) -> tuple[int, int]:
        """Sums of one event into ``_own``; the rows looked at in which it sounds."""
        renderer, stride = self._refitter.renderer, self._refitter.stride
        power, fourth = self._own
        power.fill(0.0)
        fourth.fill(0.0)
        add_events(
            renderer, event.to_parameters(), event.first_rows(), event.last_rows(), self._rows, self._scratch,
            power, fourth,
        )  # fmt: skip
        first, count, _ = self._scratch.sounding.spans[0]
        return max(0, int(first) // stride), max(0, min(len(power), int(first) // stride + int(count)))

    def _fill_bands(self, first: int, last: int) -> None:
        mels = self._refitter.renderer.mels
        fill_bands(self._heard, mels, self._power, first, last, self._bands, self._apart)

    def _change(self, first: int, last: int, factor: FloatArray) -> float:
        return float(self._fill_changes(first, last, factor)[0].sum())

    def _fill_changes(self, first: int, last: int, factors: FloatArray) -> NDArray[np.float64]:
        """Changes of the loss where the power of the event drawn, times each factor, is added:
        ``[L, last - first]``."""
        refitter = self._refitter
        fill_changes(
            self._heard, refitter.renderer.mels, refitter.mel_weight, self._power, self._fourth, self._bands,
            self._apart, *self._own, self._own_bands, first, last, factors, self._changes,
        )  # fmt: skip
        return self._changes[: len(factors), first:last]
