"""The encoder for files: all events that sound in a long window are fitted together, in rounds.

The window is the hop that is decided now and half as much again of what follows. What was told is followed to
the hop's end, amended where that pays, and ended where it has stopped::

    |  told and amended  |  hop: told now  |  lookahead: picked and fitted, told next time  |
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ...events.amendments import ID_COUNT, StreamItem, end_sound
from ...events.event_spec import ANALYSIS_RATE
from ...events.events import Event
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..amending.sounding import Sounding, as_told
from ..encoder import EncoderObserver
from ..refit.window_events import WindowEvents
from ..shadows import PriceList
from ..spectrum import HOP
from .canvas import Canvas, Window
from .ends import cut_at, find_ends
from .tracker import Tracker
from .window_encoder import Picking, WindowEncoder

#: Five eighths of the lookahead are fitted: they tell the hop's events as well as all of it does. An event is
#: read dry: how loud a held tone is in a room hangs on phases that no spectrum tells.
_PICKING: Final = Picking(
    prices=PriceList(event=0.00035, detail=0.0015, part=0.005),
    rounds=12,
    stride=3,
    proposals=8,
    noises=2,
    ahead_frames=160,
    unseen_frames=8,
    kept_frames=0,
    at_most={"room_mix": 0.0},
)
#: After the last frame all is silent within so many.
_AFTER_FRAMES: Final = 24


class JointEncoder(WindowEncoder):
    """Sound in, events out, a long window at a time.

    Args:
        weights: trained codec weights.
        profile: lookahead and hop; it is made for ``studio``.
        steps: gradient steps in each round, >= 1; at last four times as many.
        mel_weight: what a dB of mean mel difference counts, beside the share of the energy that is left.
        observer: told of every round.
        amends: whether events are amended while they sound; else they are told once, and ended.

    Raises:
        StruckError: the weights lack the event network.
        ValueError: ``steps`` is below 1.
    """

    def __init__(
        self,
        weights: CodecWeights,
        profile: Profile,
        steps: int,
        mel_weight: float,
        observer: EncoderObserver | None = None,
        amends: bool = False,
    ) -> None:
        self._tracker = Tracker(weights.decoder, profile.n_fft, mel_weight) if amends else None
        super().__init__(weights, profile, _PICKING, steps, mel_weight, observer)

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        super().reset()
        self._soundings: list[Sounding] = []
        self._changes: list[StreamItem] = []
        self._next_id = 0

    def take_changes(self) -> list[StreamItem]:
        """Amendments and ends of events that were told before; each is given once."""
        changes, self._changes = self._changes, []
        return changes

    def _encode_hop(self) -> list[Event]:
        events = super()._encode_hop()
        if self._tracker is not None and self._soundings:
            self._follow(self._tracker)
        return events

    def _follow(self, tracker: Tracker) -> None:
        """Amend what was told, up to the hop's end; after the sound's end, until all is silent.

        Later hops hear it as it is then.
        """
        first, end = self.context_frames, self._hop_end
        if self._ended_at is not None and self._ended_at // HOP - self._first_frame <= end:
            end = self._ended_at // HOP - self._first_frame + _AFTER_FRAMES
        before = list(map(replace, self._soundings))
        self._changes += tracker.follow(
            self._soundings,
            self._pending,
            self._observed,
            self._first_frame,
            range(first, end),
            self._loudest_power,
        )
        amended = [
            (was, now)
            for was, now in zip(before, self._soundings, strict=True)
            if was.told is not now.told or now.ended
        ]
        self._soundings = [s for s in self._soundings if not s.ended]
        if not amended:
            return
        # Earlier rows are not heard again.
        gone, come = [was for was, _ in amended], [now for _, now in amended if not now.ended]
        frame, count = self._first_frame + self._hop_frames, len(self._power) - self._hop_frames
        for by, these in ((-1.0, gone), (1.0, come)):
            sums = self._every_frame.sums(as_told(these, frame), count)
            for total, own in zip((self._power, self._fourth), sums, strict=True):
                total[self._hop_frames :] += np.float32(by) * own
        for total in (self._power, self._fourth):
            np.maximum(total, 0.0, out=total)

    def _hear_told(self, window: Window, pending: WindowEvents) -> None:
        """End what was told and has stopped; what stops in the lookahead is left out, and ended next time."""
        if not self._soundings:
            return
        first, hop_end = self.context_frames, self._hop_end
        canvas = Canvas(self._refitter, window)
        canvas.paint(pending)
        told = as_told(self._soundings, self._first_frame)
        places, ends = find_ends(canvas, told, first)
        go_on: list[Sounding] = []
        for place, row in zip(map(int, places), map(int, ends), strict=True):
            sounding = self._soundings[place]
            if not 0 <= row < hop_end:
                go_on.append(sounding)
            if row < 0:
                continue
            one = told.one(place)
            known = self._every_frame.sums(one, len(self._power))
            cut = self._every_frame.sums(cut_at(one, row), len(self._power))
            sums = [(window.power, window.fourth)]
            if row < hop_end:
                sums.append((self._power, self._fourth))
                seconds = (self._first_frame + row) * HOP / ANALYSIS_RATE
                self._changes += end_sound(sounding.told, max(seconds, sounding.told.onset_seconds))
            for both in sums:
                for total, was, now in zip(both, known, cut, strict=True):
                    total += now[: len(total)] - was[: len(total)]
                    np.maximum(total, 0.0, out=total)
        self._soundings = go_on

    def _tell(self, events: WindowEvents) -> list[Event]:
        """Events of the hop, named; from now on they sound as they are."""
        told = events.take(events.onset_rows < self._hop_end)
        power, fourth = self._every_frame.sums(self._placed(told), len(self._power))
        self._power += power
        self._fourth += fourth
        named = [
            replace(event, id=(self._next_id + i) % ID_COUNT) for i, event in enumerate(super()._tell(events))
        ]
        self._next_id = (self._next_id + len(named)) % ID_COUNT
        self._soundings += [Sounding.of(e) for e in named]
        return named
