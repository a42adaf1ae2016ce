"""The encoder for files: all events that sound in a long window are fitted together, in rounds.

The window is the hop that is decided now and as much again of what follows. Events are picked from what is
left of it, all that were picked are refitted together, and so again; what does not pay for its bits goes.
Only then are the hop's events told. Those that begin later wait, and the next hop goes on from them::

    |  told, and fixed  |  hop: told now  |  lookahead: picked and fitted, told next time  |
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.event_spec import ANALYSIS_RATE, read_field
from ...events.events import Event
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..encoder import QUIETEST_DB, EncoderObserver, StreamingEncoder
from ..proposals import Proposals
from ..refit.refitter import FRAME_STRIDE, Momentum, Refitter
from ..refit.window_events import WindowEvents
from ..spectrum import HOP, mean_magnitude, mel_band_matrix
from .canvas import Canvas, Window
from .shadows import NEAR_FRAMES, is_part, needed_worth

#: Rounds of picking and refitting in a window.
_ROUNDS: Final = 4
#: In rounds fewer frames are looked at than at last.
_ROUND_STRIDE: Final = 3
#: Proposals of pitches, and of noise, that are read in a round.
_PROPOSALS: Final = 18
_NOISES: Final = 4
#: Events picked in a round at most.
_MOST_PICKED: Final = 24
#: By how much an event must lessen the loss of a window.
_PRICE: Final = 0.0003
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
_HOP_SHARE: Final = 0.5


class JointEncoder(StreamingEncoder):
    """Sound in, events out, a long window at a time.

    Args:
        weights: trained codec weights.
        profile: lookahead and hop; it is made for ``studio``.
        steps: gradient steps in each round, >= 1; at last twice as many.
        mel_weight: what a dB of mean mel difference counts, beside the share of the energy that is left.
        observer: told of every round.

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
    ) -> None:
        def refitter(steps: int, stride: int) -> Refitter:
            return Refitter(weights.decoder, profile.n_fft, steps, mel_weight, stride)

        self._refitter = refitter(steps, _ROUND_STRIDE)
        self._last_refitter = refitter(2 * steps, FRAME_STRIDE)
        self._every_frame = refitter(1, 1)
        self._mels = mel_band_matrix(profile.n_fft)
        super().__init__(weights, profile, observer)

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        super().reset()
        self._pending = WindowEvents.none()
        self._loudest_power = 0.0

    def _encode_hop(self) -> list[Event]:
        self._earn_allowance()
        pending = self._pending
        events = replace(pending, onset_rows=pending.onset_rows - self._hop_frames)
        self._pending = WindowEvents.none()
        window = self._hear_window()
        if window is None:
            return []
        canvas = Canvas(self._refitter, window)
        momentum = Momentum.at_rest(len(events))
        tried: list[tuple[int, float]] = []
        for number in range(_ROUNDS):
            canvas.paint(events)
            found = self._pick(canvas, window, events, number, tried)
            events = events.join(found)
            if not len(events):
                return []
            momentum = momentum.join(Momentum.at_rest(len(found)))
            events, momentum = self._refit(self._refitter, window, events, momentum)
        canvas.paint(events)
        events, kept = self._prune(canvas, events)
        events, _ = self._refit(self._last_refitter, window, events, momentum.take(kept), quantized=True)
        return self._tell(events)

    def _hear_window(self) -> Window | None:
        """What is heard, with what was told; None where it is silent."""
        known = len(self._observed)
        square = np.square(self._observed[self.context_frames :])
        energy = float(square.sum(dtype=np.float64))
        # What follows something loud is heard against it for a while.
        seconds = self.profile.hop_samples / ANALYSIS_RATE
        self._loudness = max(energy, self._loudness * 10.0 ** (-_FORGET_DB_PER_SECOND / 10.0 * seconds))
        if energy < 1e-12:
            return None
        self._loudest_power = max(self._loudest_power, float((square @ self._mels).max()))
        return Window(
            self._observed,
            self._power[:known].copy(),
            self._fourth[:known].copy(),
            self._loudest_power,
            _HOP_SHARE * self._loudness,
        )

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
        expected = mean_magnitude(window.power + own[0], window.fourth + own[1], np)
        residual = np.maximum(window.observed - expected, 0.0)
        found = self._propose(residual, number, tried)
        self._observer.on_round(window.observed, window.power + own[0], window.fourth + own[1], found)
        if not len(found.frame):
            return WindowEvents.none()
        gain_db, vectors, shift = self._reader.read(residual, found)
        read = WindowEvents(gain_db, vectors, found.frame.astype(np.int64), shift).at_nearest_rows()
        trials = [canvas.try_levels(read.one(i)) for i in range(len(read))]
        worths = np.array([worth for worth, _ in trials])
        read = replace(read, gain_db=read.gain_db + np.array([db for _, db in trials], np.float32))
        beside = _Beside(canvas, events)
        picked: list[int] = []
        # Of readings that are worth nearly the same, the more salient pitch is the one people hear.
        for i in np.argsort(-worths * (0.75 + 0.25 * found.salience), kind="stable"):
            pitch, noise_like = float(found.pitch_midi[i]), bool(found.noise_like[i])
            row, worth, one = int(read.onset_rows[i]), float(worths[i]), read.one(i)
            if worth < beside.needed(row, worth, pitch, noise_like) or read.gain_db[i] < QUIETEST_DB:
                tried.append((int(found.frame[i]), pitch))
                continue
            # What begins with it and may be a part of it waits until it is fitted.
            waits = any(
                abs(int(read.onset_rows[j]) - row) <= NEAR_FRAMES
                and is_part(pitch, noise_like, float(found.pitch_midi[j]))
                for j in picked
            )
            if waits or (picked and canvas.worth_more(one) < max(_PRICE, _LEFT_SHARE * worth)):
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
        beside = _Beside(canvas, events)
        worths = np.array([beside.worth(i) for i in range(len(events))])
        pitches = read_field(events.vectors, "pitch")
        noise_like = read_field(events.vectors, "noisiness") > 0.5
        gain_db = events.gain_db.copy()
        order = np.argsort(worths, kind="stable")
        for i in order:
            row, worth, one = int(events.onset_rows[i]), float(worths[i]), events.one(i)
            twins = [
                j
                for j in beside.near(row, but=i)
                if worths[j] >= worth and abs(pitches[j] - pitches[i]) < _MERGED_SEMITONES
            ]
            needed = beside.needed(row, worth, float(pitches[i]), bool(noise_like[i]), but=i)
            if worth < _SAFE_PRICES * needed and canvas.worth(one) < needed:
                canvas.remove(one)
                beside.forget(i)
            elif twins:
                kept = replace(events.one(twins[0]), gain_db=gain_db[twins[0]][None])
                merged = canvas.merge(kept, replace(one, gain_db=gain_db[i][None]), _PRICE)
                if merged is not None:
                    gain_db[twins[0]] = merged.gain_db[0]
                    beside.forget(i)
        # As many as the hop may tell: the least worth go first.
        hop_end = self.context_frames + self._hop_frames
        told = [i for i in order[::-1] if i in beside.places and events.onset_rows[i] < hop_end]
        for i in told[int(self._allowance) :]:
            beside.forget(i)
        kept_places = np.array(sorted(beside.places), np.int64)
        return replace(events, gain_db=gain_db).take(kept_places), kept_places

    def _tell(self, events: WindowEvents) -> list[Event]:
        """Events of the hop; they stay as they are, the others wait."""
        now = events.onset_rows < self.context_frames + self._hop_frames
        self._pending = events.take(~now)
        events = events.take(now)
        origin = self._hop_index * self._hop_frames - self.context_frames
        events = replace(
            events, shift_seconds=self._in_time(events.shift_seconds, events.onset_rows + origin)
        )
        power, fourth = self._every_frame.sums(events, len(self._power))
        self._power += power
        self._fourth += fourth
        self._allowance -= len(events)
        told = []
        for row, shift, gain_db, vector in zip(
            events.onset_rows, events.shift_seconds, events.gain_db, events.vectors, strict=True
        ):
            onset = max(0, (int(row) + origin) * HOP + round(float(shift) * ANALYSIS_RATE))
            if self._ended_at is None or onset < self._ended_at:
                told.append(Event(onset / ANALYSIS_RATE, float(gain_db), vector))
        return sorted(told, key=lambda event: event.onset_seconds)


class _Beside:
    """Events on a canvas by which others are judged that begin with them."""

    def __init__(self, canvas: Canvas, events: WindowEvents) -> None:
        self._canvas, self._events = canvas, events
        self._pitches = read_field(events.vectors, "pitch")
        self._worths: dict[int, float] = {}
        self.places = set(range(len(events)))

    def worth(self, i: int) -> float:
        """Of event ``i``, when it was first asked for."""
        if i not in self._worths:
            self._worths[i] = self._canvas.worth(self._events.one(i))
        return self._worths[i]

    def near(self, row: int, but: int = -1) -> list[int]:
        """Events that begin not far from ``row``."""
        rows = self._events.onset_rows
        return [
            int(j) for j in np.flatnonzero(np.abs(rows - row) <= NEAR_FRAMES) if j in self.places and j != but
        ]

    def needed(self, row: int, worth: float, pitch: float, noise_like: bool, but: int = -1) -> float:
        """What an event worth ``worth`` must be worth."""
        return max(
            [
                needed_worth(
                    _PRICE,
                    worth,
                    is_part(pitch, noise_like, float(self._pitches[j])),
                    self.worth(j),
                    abs(int(self._events.onset_rows[j]) - row),
                )
                for j in self.near(row, but)
            ],
            default=_PRICE,
        )

    def forget(self, i: int) -> None:
        """Event ``i`` is gone."""
        self.places.discard(int(i))
