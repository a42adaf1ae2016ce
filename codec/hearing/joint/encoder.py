"""The encoder for files: all events that sound in a long window are fitted together, in rounds.

The window is the hop that is decided now and half as much again of what follows. Events are picked from what
is left of it, all that were picked are refitted together, and so again; what does not pay for its bits goes.
Only then are the hop's events told. Those that begin later wait, and the next hop goes on from them. What was
told is followed to the hop's end, amended where that pays, and ended where it has stopped::

    |  told and amended  |  hop: told now  |  lookahead: picked and fitted, told next time  |
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.amendments import ID_COUNT, StreamItem, end_sound
from ...events.event_spec import ANALYSIS_RATE, read_field
from ...events.events import Event
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..amending.sounding import Sounding, as_told
from ..encoder import QUIETEST_DB, EncoderObserver, StreamingEncoder
from ..proposals import Proposals
from ..refit.refitter import FRAME_STRIDE, Momentum, Refitter
from ..refit.window_events import WindowEvents
from ..shadows import NEAR_FRAMES, is_part
from ..spectrum import HOP, mel_band_matrix
from .canvas import Canvas, Window
from .changes import fill_residual
from .ends import cut_at, find_ends
from .prices import PRICE, Prices
from .tracker import Tracker

#: An event is dry when it is read: how loud a held tone is in a room hangs on phases that no spectrum tells.
_AT_MOST: Final = {"room_mix": 0.0}
#: Rounds of picking and refitting in a window.
_ROUNDS: Final = 12
#: In rounds fewer frames are looked at than at last.
_ROUND_STRIDE: Final = 3
#: Gradient steps at last, of those in a round.
_LAST_ROUNDS: Final = 4
#: After so many rounds in a row in which nothing was picked, nothing is looked for; events are still fitted.
_IDLE_ROUNDS: Final = 2
#: Proposals of pitches, and of noise, that are read in a round.
_PROPOSALS: Final = 8
_NOISES: Final = 2
#: Events picked in a round at most.
_MOST_PICKED: Final = 24
#: A pick that others of its round have taken more than this share from is left for the next.
_LEFT_SHARE: Final = 0.5
#: What was tried within so many frames and semitones is not tried again.
_SAME_FRAMES: Final = 2
_SAME_SEMITONES: Final = 0.5
#: Events so near in pitch that begin together may be one.
_MERGED_SEMITONES: Final = 0.3
#: So much above the price, nothing begins to cost more by what else goes.
_SAFE_PRICES: Final = 6.0
#: Nothing is picked in the last frames: too little of it would be heard.
_UNSEEN_FRAMES: Final = 8
#: Of the loudest mel band's amplitude; in rounds for quiet sounds less counts as silence.
_SILENT_SHARE: Final = 1e-3
_FORGET_DB_PER_SECOND: Final = 6.0
#: A hop's fair share of what its window holds.
_HOP_SHARE: Final = 0.67
#: After the last frame all is silent within so many.
_AFTER_FRAMES: Final = 24
#: Of the lookahead so many frames are fitted: five eighths of it tell the hop's events as well.
_AHEAD_FRAMES: Final = 160


class JointEncoder(StreamingEncoder):
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
        def refitter(steps: int, stride: int) -> Refitter:
            return Refitter(weights.decoder, profile.n_fft, steps, mel_weight, stride)

        self._refitter = refitter(steps, _ROUND_STRIDE)
        self._last_refitter = refitter(_LAST_ROUNDS * steps, FRAME_STRIDE)
        self._every_frame = refitter(1, 1)
        self._mels = mel_band_matrix(profile.n_fft)
        self._tracker = Tracker(weights.decoder, profile.n_fft, mel_weight) if amends else None
        super().__init__(weights, profile, observer, at_most=_AT_MOST, together=True)

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        super().reset()
        self._pending = WindowEvents.none()
        self._soundings: list[Sounding] = []
        self._changes: list[StreamItem] = []
        self._next_id = 0
        self._loudest_power = 0.0

    @property
    def _first_frame(self) -> int:
        """Frame of the stream in the window's first row."""
        return self._hop_index * self._hop_frames - self.context_frames

    def take_changes(self) -> list[StreamItem]:
        """Amendments and ends of events that were told before; each is given once."""
        changes, self._changes = self._changes, []
        return changes

    def _encode_hop(self) -> list[Event]:
        events = self._find_events()
        if self._tracker is not None and self._soundings:
            self._follow(self._tracker)
        return events

    def _follow(self, tracker: Tracker) -> None:
        """Amend what was told, up to the hop's end; after the sound's end, until all is silent.

        Later hops hear it as it is then.
        """
        first, end = self.context_frames, self.context_frames + self._hop_frames
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

    def _find_events(self) -> list[Event]:
        self._earn_allowance()
        events = self._pending.moved(self._hop_frames)
        self._pending = WindowEvents.none()
        window, silent = self._hear_window()
        if self._soundings:
            self._end_told(window, events)
        if silent:
            return []
        canvas = Canvas(self._refitter, window)
        momentum = Momentum.at_rest(len(events))
        tried: list[tuple[int, float]] = []
        idle_rounds = 0
        for number in range(_ROUNDS):
            if idle_rounds < _IDLE_ROUNDS:
                canvas.paint(events)
                found = self._pick(canvas, window, events, number, tried)
                idle_rounds = 0 if len(found) else idle_rounds + 1
                events = events.join(found)
                momentum = momentum.join(Momentum.at_rest(len(found)))
            events, momentum = self._refit(self._refitter, window, events, momentum)
        if not len(events):
            return []
        canvas.paint(events)
        events, kept = self._prune(canvas, events)
        events, _ = self._refit(self._last_refitter, window, events, momentum.take(kept), quantized=True)
        return self._tell(events)

    def _hear_window(self) -> tuple[Window, bool]:
        """What is heard, with what was told; and whether it is silent."""
        known = self.context_frames + self._hop_frames + _AHEAD_FRAMES
        observed = self._observed[:known]
        square = np.square(observed[self.context_frames :])
        energy = float(square.sum(dtype=np.float64))
        # What follows something loud is heard against it for a while.
        seconds = self.profile.hop_samples / ANALYSIS_RATE
        self._loudness = max(energy, self._loudness * 10.0 ** (-_FORGET_DB_PER_SECOND / 10.0 * seconds))
        self._loudest_power = max(self._loudest_power, float((square @ self._mels).max()))
        window = Window(
            observed,
            self._power[:known].copy(),
            self._fourth[:known].copy(),
            self._loudest_power,
            _HOP_SHARE * self._loudness,
        )
        return window, energy < 1e-12

    def _end_told(self, window: Window, pending: WindowEvents) -> None:
        """End what was told and has stopped; what stops in the lookahead is left out, and ended next time."""
        first, hop_end = self.context_frames, self.context_frames + self._hop_frames
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

    def _refit(
        self,
        refitter: Refitter,
        window: Window,
        events: WindowEvents,
        momentum: Momentum,
        quantized: bool = False,
    ) -> tuple[WindowEvents, Momentum]:
        refit = refitter.refit(
            window.observed,
            window.power,
            window.fourth,
            events,
            momentum=momentum,
            quantized=quantized,
            loudest_power=window.loudest_power,
        )
        return refit.events.at_nearest_rows(), refit.momentum

    # ---- picking -------------------------------------------------------------------------------------------

    def _pick(
        self,
        canvas: Canvas,
        window: Window,
        events: WindowEvents,
        number: int,
        tried: list[tuple[int, float]],
    ) -> WindowEvents:
        """New events of one round, added to the canvas; ``tried`` remembers what was not worth it."""
        own = self._every_frame.sums(events, len(window.observed))
        power, fourth = window.power + own[0], window.fourth + own[1]
        residual = np.empty_like(power)
        fill_residual(window.observed, power, fourth, residual)
        found = self._propose(residual, number, tried)
        self._observer.on_round(window.observed, power, fourth, found)
        if not len(found.frame):
            return WindowEvents.none()
        gain_db, vectors, shift = self._reader.read(residual, found)
        read = WindowEvents(gain_db, vectors, found.frame.astype(np.int64), shift).at_nearest_rows()
        trials = [canvas.try_levels(read.one(i)) for i in range(len(read))]
        worths = np.array([worth for worth, _ in trials])
        read = replace(read, gain_db=read.gain_db + np.array([db for _, db in trials], np.float32))
        prices = Prices(canvas, events)
        picked: list[int] = []
        # Of readings that are worth nearly the same, the more salient pitch is the one people hear.
        for i in np.argsort(-worths * (0.75 + 0.25 * found.salience), kind="stable"):
            pitch, noise_like = float(found.pitch_midi[i]), bool(found.noise_like[i])
            row, worth, one = int(read.onset_rows[i]), float(worths[i]), read.one(i)
            if worth < prices.needed(one, worth, pitch, noise_like) or read.gain_db[i] < QUIETEST_DB:
                tried.append((int(found.frame[i]), pitch))
                continue
            # What begins with it and may be a part of it waits until it is fitted.
            waits = any(
                abs(int(read.onset_rows[j]) - row) <= NEAR_FRAMES
                and is_part(pitch, noise_like, float(found.pitch_midi[j]))
                for j in picked
            )
            if waits or (picked and canvas.worth_more(one) < max(PRICE, _LEFT_SHARE * worth)):
                continue
            canvas.add(one)
            picked.append(int(i))
            if len(picked) == _MOST_PICKED:
                break
        return read.take(np.array(sorted(picked), np.int64))

    def _propose(self, residual: np.ndarray, number: int, tried: list[tuple[int, float]]) -> Proposals:
        """Proposals that were not tried before; in every second round quiet sounds count as loud ones do."""
        if number % 2:
            silent = _SILENT_SHARE * self._loudest_power**0.5
            residual = np.sqrt(np.maximum(residual - np.float32(silent), 0.0))
        first, last = self.context_frames, len(residual) - _UNSEEN_FRAMES
        found = self._proposer.propose(residual, first, last, _PROPOSALS + len(tried))
        frames, pitches = np.array(tried, np.float32).reshape(-1, 2).T
        same = np.abs(found.frame[:, None] - frames) <= _SAME_FRAMES
        fresh = ~(same & (np.abs(found.pitch_midi[:, None] - pitches) < _SAME_SEMITONES)).any(1)
        noise = found.noise_like > 0.0
        pitched, noises = np.flatnonzero(fresh & ~noise), np.flatnonzero(fresh & noise)
        return found.take(np.concatenate([pitched[:_PROPOSALS], noises[:_NOISES]]))

    # ---- what pays -----------------------------------------------------------------------------------------

    def _prune(self, canvas: Canvas, events: WindowEvents) -> tuple[WindowEvents, NDArray[np.int64]]:
        """Events that are worth their price, two that became one merged; and which they are."""
        prices = Prices(canvas, events)
        worths = np.array([prices.worth(i) for i in range(len(events))])
        pitches = read_field(events.vectors, "pitch")
        gain_db = events.gain_db.copy()
        order = np.argsort(worths, kind="stable")
        for i in order:
            row, worth, one = int(events.onset_rows[i]), float(worths[i]), events.one(i)
            twins = [
                j
                for j in prices.near(row, but=i)
                if worths[j] >= worth and abs(pitches[j] - pitches[i]) < _MERGED_SEMITONES
            ]
            needed = prices.needed(one, worth, float(pitches[i]), bool(prices.noise_like[i]), but=i)
            if worth < _SAFE_PRICES * needed and canvas.worth(one) < needed:
                canvas.remove(one)
                prices.forget(i)
            elif twins:
                kept = replace(events.one(twins[0]), gain_db=gain_db[twins[0]][None])
                merged = canvas.merge(kept, replace(one, gain_db=gain_db[i][None]), PRICE)
                if merged is not None:
                    gain_db[twins[0]] = merged.gain_db[0]
                    prices.forget(i)
        # As many as the hop may tell: the least worth go first.
        hop_end = self.context_frames + self._hop_frames
        told = [i for i in order[::-1] if i in prices.places and events.onset_rows[i] < hop_end]
        for i in told[int(self._allowance) :]:
            prices.forget(i)
        kept_places = np.array(sorted(prices.places), np.int64)
        return replace(events, gain_db=gain_db).take(kept_places), kept_places

    def _tell(self, events: WindowEvents) -> list[Event]:
        """Events of the hop; they stay as they are, the others wait."""
        now = events.onset_rows < self.context_frames + self._hop_frames
        self._pending = events.take(~now)
        events = events.take(now)
        frames = events.onset_rows + self._first_frame
        events = replace(events, shift_seconds=self._in_time(events.shift_seconds, frames))
        power, fourth = self._every_frame.sums(events, len(self._power))
        self._power += power
        self._fourth += fourth
        self._allowance -= len(events)
        onsets = np.maximum(0, frames * HOP + np.round(events.shift_seconds * ANALYSIS_RATE).astype(np.int64))
        if self._ended_at is not None:
            events, onsets = events.take(onsets < self._ended_at), onsets[onsets < self._ended_at]
        order = np.argsort(onsets, kind="stable")
        events = events.take(order)
        told = tuple(
            Event(int(onset) / ANALYSIS_RATE, float(gain_db), vector, (self._next_id + i) % ID_COUNT)
            for i, (onset, gain_db, vector) in enumerate(
                zip(onsets[order], events.gain_db, events.vectors, strict=True)
            )
        )
        self._next_id = (self._next_id + len(told)) % ID_COUNT
        self._soundings += [Sounding.of(e) for e in told]
        return list(told)
