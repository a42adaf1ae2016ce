"""Reads what the callback writes down: how much of its time it takes, and why sound was lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..engine.callback import (
    BUSY,
    HISTOGRAM_STEP,
    INTERVAL,
    REPORT_BUSY,
    REPORT_FLAGS,
    REPORT_INTERVAL,
    REPORT_POSITION,
    CallbackState,
)
from ..engine.rings import pop_row


@dataclass(frozen=True)
class Dropout:
    """A moment at which sound was lost, or nearly: what the callback knows of it."""

    position_samples: int
    busy_blocks: float  # how long the callback took, in blocks
    interval_blocks: float  # how long after the one before it was called
    flags: int  # PortAudio's

    def describe(self, block_seconds: float) -> str:
        """Who was late, in one clause."""
        if self.busy_blocks >= 1.0:
            taken, given = 1e3 * self.busy_blocks * block_seconds, 1e3 * block_seconds
            return f"a block took {taken:.1f} ms of its {given:.1f} ms"
        late_seconds = (self.interval_blocks - 1.0) * block_seconds
        if late_seconds > 0.0005:
            return f"the machine called {1e3 * late_seconds:.1f} ms late"
        return "the device, or another program on it, was late"


class LoadMeter:
    """Shares of a block's time, from the callback's histogram; one reader.

    Args:
        state: of the callback.
    """

    def __init__(self, state: CallbackState) -> None:
        self._state = state
        self._before = state.histogram[BUSY].copy()

    def since_before(self) -> tuple[float, float]:
        """Mean and worst share in percent since the call before this one."""
        now = self._state.histogram[BUSY].copy()
        fresh = now - self._before
        self._before = now
        total = int(fresh.sum())
        if total == 0:
            return 0.0, 0.0
        centres = (np.arange(len(fresh)) + 0.5) * HISTOGRAM_STEP
        worst = (int(np.flatnonzero(fresh)[-1]) + 1) * HISTOGRAM_STEP
        return 100.0 * float(fresh @ centres) / total, 100.0 * worst

    def summary(self, paced: bool) -> dict[str, float | int]:
        """The whole stream's figures, in percent of a block.

        Args:
            paced: a device calls, so that the intervals between its calls mean something.
        """
        figures: dict[str, float | int] = {}
        for name, row in (("callback", BUSY), ("interval", INTERVAL))[: 2 if paced else 1]:
            counts = self._state.histogram[row]
            for label, share in (("median", 0.5), ("p99", 0.99), ("p999", 0.999)):
                figures[f"{name}_{label}_percent"] = 100.0 * quantile(counts, share)
            figures[f"{name}_worst_percent"] = 100.0 * float(self._state.worst[row])
        return figures

    def dropouts(self) -> list[Dropout]:
        """What was reported since the call before."""
        row = np.zeros(4)
        found = []
        while pop_row(self._state.reports, row):
            found.append(
                Dropout(
                    int(row[REPORT_POSITION]), row[REPORT_BUSY], row[REPORT_INTERVAL], int(row[REPORT_FLAGS])
                )
            )
        return found


def quantile(counts: np.ndarray, share: float) -> float:
    """Upper end of the histogram step below which ``share`` of the blocks lie; 0 if there were none."""
    total = int(counts.sum())
    if total == 0:
        return 0.0
    return float((np.searchsorted(np.cumsum(counts), share * total) + 1) * HISTOGRAM_STEP)
