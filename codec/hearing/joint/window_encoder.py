"""Events picked from a window in rounds: what is left is searched, and all that was picked fitted together.

The window is the hop that is decided now and some of what follows. Only the hop's events are told. Those that
begin later wait, and the next hop goes on from them, so that an event has been fitted with what sounds around
it on both sides. What begins so late that little more than its attack was heard is only there so that
nothing else takes its place; the next hop, which knows more, finds it anew::

    |  hop: told now  |  lookahead: picked and fitted, told later  |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.event_spec import ANALYSIS_RATE, read_field
from ...events.events import Event
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..encoder import QUIETEST_DB, READING, ROUND, STEP, TELLING, EncoderObserver, Model, StreamingEncoder
from ..pace import Pace
from ..proposals import Proposals
from ..refit.refitter import FRAME_STRIDE, Momentum, Refitter
from ..refit.window_events import WindowEvents
from ..shadows import NEAR_FRAMES, PriceList, is_part
from ..spectrum import HOP, mel_band_matrix
from .canvas import Canvas, Window
from .changes import fill_residual
from .prices import Prices

#: Gradient steps at last, of those in a round.
LAST_ROUNDS: Final = 4
#: After so many rounds in a row in which nothing was picked, nothing is looked for; events are still fitted.
_IDLE_ROUNDS: Final = 2
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
#: Of the loudest mel band's amplitude; in rounds for quiet sounds less counts as silence.
_SILENT_SHARE: Final = 1e-3
_FORGET_DB_PER_SECOND: Final = 6.0
#: A hop's fair share of what its window holds.
_HOP_SHARE: Final = 0.67


@dataclass(frozen=True)
class Picking:
    """How events are picked from a window.

    Attributes:
        prices: what events must be worth.
        rounds: of picking and refitting in a window.
        stride: in rounds only every so many frames are looked at.
        proposals, noises: of pitches and of noise, that are read in a round.
        ahead_frames: of the lookahead that are fitted.
        unseen_frames: in the last frames nothing is picked: too little of it would be heard.
        kept_frames: what begins in the lookahead waits for its hop where at least so many of its frames were
            heard; of what fewer were heard the next hop finds anew.
        at_most: values that fields have at most when an event is read, in their units.
    """

    prices: PriceList
    rounds: int
    stride: int
    proposals: int
    noises: int
    ahead_frames: int
    unseen_frames: int
    kept_frames: int
    at_most: Mapping[str, float]


class WindowEncoder(StreamingEncoder):
    """Sound in, events out, a window at a time.

    Args:
        weights: trained codec weights.
        profile: lookahead and hop.
        picking: how events are picked.
        steps: gradient steps in each round, >= 1; at last four times as many.
        mel_weight: what a dB of mean mel difference counts, beside the share of the energy that is left.
        observer, model, pace: as of :class:`struck.codec.hearing.encoder.StreamingEncoder`.

    Raises:
        StruckError: the weights lack the event network.
        ValueError: ``steps`` is below 1.
    """

    def __init__(
        self,
        weights: CodecWeights,
        profile: Profile,
        picking: Picking,
        steps: int,
        mel_weight: float,
        observer: EncoderObserver | None = None,
        model: Model | None = None,
        pace: Pace | None = None,
    ) -> None:
        def refitter(steps: int, stride: int) -> Refitter:
            return Refitter(weights.decoder, profile.n_fft, steps, mel_weight, stride)

        self._picking = picking
        self._refitter = refitter(steps, picking.stride)
        self._last_refitter = refitter(LAST_ROUNDS * steps, FRAME_STRIDE)
        self._every_frame = refitter(1, 1)
        self._mels = mel_band_matrix(profile.n_fft)
        super().__init__(
            weights, profile, observer, model=model, at_most=picking.at_most, pace=pace, together=True
        )

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        super().reset()
        self._pending, self._pending_from = WindowEvents.none(), 0
        self._loudest_power = 0.0

    @property
    def waiting(self) -> list[Event]:
        """See :attr:`struck.codec.hearing.encoder.StreamingEncoder.waiting`."""
        return self._to_events(self._pending, self._pending_from)

    @property
    def _first_frame(self) -> int:
        """Frame of the stream in the window's first row."""
        return self._hop_index * self._hop_frames - self.context_frames

    @property
    def _hop_end(self) -> int:
        """Row of the window after the hop's last."""
        return self.context_frames + self._hop_frames

    def _encode_hop(self) -> list[Event]:
        self._earn_allowance()
        last = self._hop_end + self._picking.ahead_frames - self._picking.kept_frames
        events = self._pending.take(self._pending.onset_rows <= last).moved(self._hop_frames)
        window, silent = self._hear_window()
        self._hear_told(window, events)
        return self._tell(WindowEvents.none() if silent else self._find(window, events))

    def _hear_window(self) -> tuple[Window, bool]:
        """What is heard, with what was told; and whether it is silent."""
        known = self._hop_end + self._picking.ahead_frames
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

    def _hear_told(self, window: Window, pending: WindowEvents) -> None:
        """Before a window is searched: what was told may be heard anew."""

    def _find(self, window: Window, events: WindowEvents) -> WindowEvents:
        """Events of a window, those that wait first."""
        if not self.searches:
            return events.quantized()
        canvas = Canvas(self._refitter, window)
        momentum = Momentum.at_rest(len(events))
        tried: list[tuple[int, float]] = []
        idle_rounds = 0
        for number in range(self._picking.rounds):
            if idle_rounds < _IDLE_ROUNDS and self._may_search(number):
                with self._pace.measure(ROUND):
                    canvas.paint(events)
                    found = self._pick(canvas, window, events, number, tried)
                idle_rounds = 0 if len(found) else idle_rounds + 1
                events = events.join(found)
                momentum = momentum.join(Momentum.at_rest(len(found)))
            events, momentum = self._refit(self._refitter, window, events, momentum)
        if not len(events):
            return events
        canvas.paint(events)
        events, kept = self._prune(canvas, events)
        momentum = momentum.take(kept)
        if not (events.onset_rows < self._hop_end).any():
            return events
        return self._refit(self._last_refitter, window, events, momentum, quantized=True)[0].quantized()

    def _may_search(self, number: int) -> bool:
        may = number == 0 or self._pace.count(ROUND, 1, TELLING) > 0
        self.let_go += not may
        return may

    def _refit(
        self,
        refitter: Refitter,
        window: Window,
        events: WindowEvents,
        momentum: Momentum,
        quantized: bool = False,
    ) -> tuple[WindowEvents, Momentum]:
        steps = self._pace.count(STEP, refitter.steps, TELLING) if len(events) else 0
        self.let_go += bool(len(events)) and steps < refitter.steps
        if not steps:
            return events, momentum
        with self._pace.measure(STEP, steps):
            refit = refitter.refit(
                window.observed,
                window.power,
                window.fourth,
                events,
                steps=steps,
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
        with self._pace.measure(READING, len(found.frame)):
            gain_db, vectors, shift = self._reader.read(residual, found)
        read = WindowEvents(gain_db, vectors, found.frame.astype(np.int64), shift).at_nearest_rows()
        trials = [canvas.try_levels(read.one(i)) for i in range(len(read))]
        worths = np.array([worth for worth, _ in trials])
        read = replace(read, gain_db=read.gain_db + np.array([db for _, db in trials], np.float32))
        price = self._picking.prices.event
        prices = Prices(canvas, events, self._picking.prices)
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
            if waits or (picked and canvas.worth_more(one) < max(price, _LEFT_SHARE * worth)):
                continue
            canvas.add(one)
            picked.append(int(i))
            if len(picked) == _MOST_PICKED:
                break
        return read.take(np.array(sorted(picked), np.int64))

    def _propose(self, residual: np.ndarray, number: int, tried: list[tuple[int, float]]) -> Proposals:
        """Proposals that were not tried before; in every second round quiet sounds count as loud ones do."""
        if (self._hop_index * self._picking.rounds + number) % 2:
            silent = _SILENT_SHARE * self._loudest_power**0.5
            residual = np.sqrt(np.maximum(residual - np.float32(silent), 0.0))
        first, last = self.context_frames, len(residual) - self._picking.unseen_frames
        count = self._picking.proposals
        found = self._proposer.propose(residual, first, last, count + len(tried))
        frames, pitches = np.array(tried, np.float32).reshape(-1, 2).T
        same = np.abs(found.frame[:, None] - frames) <= _SAME_FRAMES
        fresh = ~(same & (np.abs(found.pitch_midi[:, None] - pitches) < _SAME_SEMITONES)).any(1)
        noise = found.noise_like > 0.0
        pitched, noises = np.flatnonzero(fresh & ~noise), np.flatnonzero(fresh & noise)
        in_time = max(1, self._pace.count(READING, count, TELLING))
        return found.take(np.concatenate([pitched[:in_time], noises[: self._picking.noises]]))

    # ---- what pays -----------------------------------------------------------------------------------------

    def _prune(self, canvas: Canvas, events: WindowEvents) -> tuple[WindowEvents, NDArray[np.int64]]:
        """Events that are worth their price, two that became one merged; and which they are."""
        prices = Prices(canvas, events, self._picking.prices)
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
                gone = replace(one, gain_db=gain_db[i][None])
                merged = canvas.merge(kept, gone, self._picking.prices.event)
                if merged is not None:
                    gain_db[twins[0]] = merged.gain_db[0]
                    prices.forget(i)
        # As many as the hop may tell: the least worth go first.
        told = [i for i in order[::-1] if i in prices.places and events.onset_rows[i] < self._hop_end]
        for i in told[int(self._allowance) :]:
            prices.forget(i)
        kept_places = np.array(sorted(prices.places), np.int64)
        return replace(events, gain_db=gain_db).take(kept_places), kept_places

    def _tell(self, events: WindowEvents) -> list[Event]:
        """Events of the hop; they stay as they are, the others wait."""
        now = events.onset_rows < self._hop_end
        self._pending, self._pending_from = events.take(~now), self._first_frame
        told = self._to_events(self._placed(events.take(now)), self._first_frame)
        self._allowance -= len(told)
        if self._ended_at is not None:
            told = [e for e in told if round(e.onset_seconds * ANALYSIS_RATE) < self._ended_at]
        return sorted(told, key=lambda event: event.onset_seconds)

    def _placed(self, events: WindowEvents) -> WindowEvents:
        """The hop's events, with onsets at which they can be told in time."""
        frames = events.onset_rows + self._first_frame
        shift = events.shift_seconds
        if self._model is not None:
            samples = frames * HOP + np.round(shift * ANALYSIS_RATE).astype(np.int64)
            onsets = np.array([self._find_onset(max(0, int(onset))) for onset in samples], np.int64)
            shift = ((onsets - frames * HOP) / ANALYSIS_RATE).astype(np.float32)
        return replace(events, shift_seconds=self._in_time(shift, frames))

    def _to_events(self, events: WindowEvents, first_frame: int) -> list[Event]:
        """``events`` beside a window that begins at ``first_frame`` of the stream; without ids."""
        shift = np.round(events.shift_seconds * ANALYSIS_RATE).astype(np.int64)
        onsets = np.maximum(0, (events.onset_rows + first_frame) * HOP + shift)
        return [
            Event(int(onset) / ANALYSIS_RATE, float(gain_db), vector)
            for onset, gain_db, vector in zip(onsets, events.gain_db, events.vectors, strict=True)
        ]
