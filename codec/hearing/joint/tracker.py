"""Events that were told, followed through their hop: they are amended where that pays.

When an event is told it is fitted to all of its sound at once, as if it went on by itself. A voice that
glides, a bow that swells, rain that gets denser do not. So the hop is gone through once more, some frames at
a time: what sounds is refitted to what comes next, and what its listener is better told there is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.amendments import StreamItem, end_sound
from ..amending.amender import Amender, Scene
from ..amending.sounding import GOES_ON, Sounding, as_told, refit_soundings, told_from_seconds
from ..refit.control_tables import PARAMETER_COUNT
from ..refit.refitter import FRAME_STRIDE, Refitter
from ..refit.window_events import WindowEvents

#: Rows from one look to the next; those that are looked at, and those that amendments are judged by.
_STEP_ROWS: Final = 6
_LOOK_ROWS: Final = 24
_JUDGED_ROWS: Final = 12
#: What comes so many rows later counts 1 / e of what comes at once.
_SOON: Final = 10.0
#: Rows after its onset before an event is followed.
_LEAST_AGE: Final = 4
_STEPS: Final = 4
#: The loudest of the events that sound are followed, so many, and none so far below the loudest bin (power).
_MOST: Final = 16
_UNHEARD_SHARE: Final = 1e-6
#: Loss times seconds that a bit of an amendment must save.
_PRICE: Final = 5e-5
#: Errors count as shares of the energy of the rows judged, but at least of this share of as many loud ones.
_QUIET_SHARE: Final = 0.1
#: A row is silent whose loudest bin is below this.
_SILENCE: Final = 1e-7


class Tracker:
    """Follows events through a hop.

    Args:
        weights: the decoder's weights.
        n_fft: window length of the frames.
        mel_weight: what a dB of mean mel difference counts, beside the share of the energy that is left.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], n_fft: int, mel_weight: float) -> None:
        self._refitter = Refitter(weights, n_fft, _STEPS, mel_weight, FRAME_STRIDE)
        self._every_frame = Refitter(weights, n_fft, 1, mel_weight, 1)
        self._amender = Amender(self._refitter, _PRICE)

    def follow(
        self,
        soundings: Sequence[Sounding],
        pending: WindowEvents,
        observed: NDArray[np.float32],
        first_frame: int,
        rows: range,
        loudest_power: float,
    ) -> list[StreamItem]:
        """Amendments and ends that pay; ``soundings`` are then as they were told.

        Args:
            soundings: what was told and may sound.
            pending: what begins later and was not told yet, beside the rows of ``observed``.
            observed: magnitudes ``[T, F]``; frame ``first_frame`` of the stream is the first.
            rows: in which they are followed.
            loudest_power: of the loudest mel band so far.
        """
        items: list[StreamItem] = []
        loud_energy = float(np.square(observed).sum(1).max(initial=0.0))
        for row in range(rows.start, rows.stop, _STEP_ROWS):
            seen = observed[row : row + _LOOK_ROWS]
            frame = first_frame + row
            present = [s for s in soundings if not s.ended and s.onset_frame <= frame]
            if seen.max(initial=0.0) < _SILENCE:
                for sounding in present:
                    items += end_sound(
                        sounding.told, max(told_from_seconds(frame), sounding.told.onset_seconds)
                    )
                    sounding.ended = True
                continue
            moved = self._heard([s for s in present if s.onset_frame + _LEAST_AGE <= frame], seen, frame)
            if moved:
                rest = [s for s in soundings if not s.ended and not any(s is one for one in moved)]
                others = as_told(rest, frame).join(pending.moved(row))
                items += self._look(moved, others, seen, frame, loudest_power, loud_energy)
        return items

    def _heard(self, soundings: Sequence[Sounding], seen: NDArray[np.float32], frame: int) -> list[Sounding]:
        """The loudest of those that are heard."""
        power = self._refitter.each_sums(as_told(soundings, frame), len(seen))[:, 0].max((1, 2), initial=0.0)
        floor = _UNHEARD_SHARE * float(seen.max()) ** 2
        return [soundings[i] for i in np.argsort(-power, kind="stable")[:_MOST] if power[i] > floor]

    def _look(
        self,
        moved: Sequence[Sounding],
        others: WindowEvents,
        seen: NDArray[np.float32],
        frame: int,
        loudest_power: float,
        loud_energy: float,
    ) -> list[StreamItem]:
        """What is told at ``frame``, from which on ``seen`` is heard."""
        power, fourth = self._every_frame.sums(others, len(seen))
        trust = np.zeros((len(moved), PARAMETER_COUNT), np.float32)
        trust[:, GOES_ON] = 1.0
        weights = np.exp(-np.arange(len(seen)) / _SOON).astype(np.float32)
        refit_soundings(self._refitter, moved, frame, seen, (power, fourth), trust, weights, loudest_power)
        rows, stride = min(_JUDGED_ROWS, len(seen)), self._refitter.stride
        scene = Scene(
            seen[:rows],
            frame,
            frame,
            told_from_seconds(frame),
            -inf,
            loudest_power,
            _QUIET_SHARE * loud_energy * -(-rows // stride),
        )
        return self._amender.amend(moved, scene, (power[:rows:stride], fourth[:rows:stride]))
