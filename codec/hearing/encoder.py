"""The streaming encoder: energy out of the residual spectrogram again and again, events out.

For each hop: frames of the new samples, minus what earlier events still ring; then propose onsets and
pitches, read each as an event with the network, render it in magnitude space, keep those that remove most,
subtract, and repeat until no proposal takes enough. Work is done when a whole hop and its lookahead are in
the buffer, whatever sizes they came in, so any slicing of the input gives the same events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

import numpy as np
from scipy.ndimage import uniform_filter1d

from ..events.amendments import StreamItem
from ..events.events import Event
from ..events.profiles import Profile
from ..events.quantize import quantize_gains, quantize_vectors
from ..files.samples import as_mono
from ..weights.codec_weights import SHORT_WINDOW, CodecWeights
from .event_frames import FRAMES_BEFORE, EventFrames
from .event_reader import EventReader
from .lobes import correlate, removed_energy
from .onsets import find_onset
from .pace import Pace
from .proposals import PEAK_FRAMES, Proposals, Proposer
from .shadows import STRONGER, is_part
from .spectrum import ANALYSIS_RATE, HOP, RAYLEIGH_SHARE, frames_to_magnitudes, mean_magnitude

#: Frames of the past kept as context: what the network and the proposer look back on.
_CONTEXT = 8
#: Frames of the future into which an event may ring.
_TAIL = 512
#: Events quieter than this at their attack are silence.
QUIETEST_DB = -66.0
#: In the shortest windows noise is read some dB louder than it is.
_SHORT_QUIETEST_DB = -58.0
#: Events that may come at once after a pause, however short the hop.
_BURST = 4.0
#: An event that takes out less than this share of its own energy is mostly not there.
_LEAST_SHARE = 0.2
#: A hop is searched where so much of what is left from its first frame on would be an event. On eight
#: recordings in three profiles no other search found one, and of the short windows' a third were others.
_MOST_SHARE = 0.5
#: Where more than this share of what is heard has not been modelled for so many hops, what is likest to it is
#: fitted before it is judged, however little it takes as it was read.
_UNKNOWN_SHARE = 0.5
_UNKNOWN_HOPS = 3
#: 50 ms, within which ears hear one onset, and what a detail must take more than an event, as a power ratio.
_SHADOW_SAMPLES = ANALYSIS_RATE // 20
#: Where events are followed: what a strong one leaves while its first guess is being corrected is no event.
_FOLLOWED_SHADOW_SAMPLES = 3 * _SHADOW_SAMPLES
_SHADOW_FACTOR = 10.0
_PART_FACTOR = 6.0
_FORGET_DB_PER_SECOND = 6.0
#: An event begins where it reaches this share of its largest amplitude; where that lies beyond the hop, it is
#: left for a later one.
_BEGUN_SHARE = 0.3
#: Of the loudest bin's energy: quieter bins weigh no more than one as quiet as this.
_WEIGHED_SHARE = 1e-3
#: What a hop does, for whoever measures it: a round of the search, reading one of its proposals, a step of
#: refining, and telling.
ROUND, READING, STEP, TELLING = "round", "reading", "step", "telling"
#: Gains tried around the one that matches the residual.
_GAIN_STEPS_DB = (-2.0, -1.0, 0.0)


class Refine(Protocol):
    """Improves the events of a hop, as :class:`struck.codec.hearing.refit.refitter.Refitter` does."""

    #: By how many gradient steps, if no other number is asked for.
    steps: int

    def __call__(
        self,
        observed: np.ndarray,
        power: np.ndarray,
        fourth: np.ndarray,
        start_frames: np.ndarray,
        lengths: np.ndarray,
        gain_db: np.ndarray,
        vectors: np.ndarray,
        shift_seconds: np.ndarray,
        steps: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Better gains, vectors and shifts of the events that begin in rows ``start_frames``."""


@dataclass(frozen=True)
class Step:
    """One accepted event with the energy it took: what ``struck plot`` draws."""

    event: Event
    removed: float  # energy over magnitudes
    window_energy: float
    start_frame: int  # row of the residual in which the event's frames begin
    frame_count: int
    round: int  # of the hop, from 0
    proposal: int  # of the round


@dataclass
class _Candidate:
    start: int  # frame of ``frames[0]``, in the rolling buffer
    onset_frame: int  # in the stream
    shift_seconds: float  # of the onset from its frame's centre
    gain_db: float
    vector: np.ndarray
    tone: np.ndarray  # [T, F] amplitude
    noise: np.ndarray  # [T, F] power
    energy: float
    proposal: int
    pitch_midi: float
    noise_like: bool
    salience: float
    likeness: float = 0.0  # energy that it would take of the residual, were it all and its level right
    round: int = 0

    @property
    def onset_sample(self) -> int:
        return max(0, self.onset_frame * HOP + round(self.shift_seconds * ANALYSIS_RATE))


class Model(Protocol):
    """What sounds, for an encoder that is told it at each hop instead of summing up its own events."""

    def hear(
        self,
        sound: np.ndarray,
        first_frame: int,
        observed: np.ndarray,
        power: np.ndarray,
        fourth: np.ndarray,
    ) -> None:
        """A hop was heard and will be searched for events.

        Args:
            sound: samples that were not heard before, up to the last under the last frame.
            first_frame: of the stream, in row 0.
            observed: magnitudes ``[T, F]``, the encoder's own.
            power, fourth: out, ``[T, F]``: sums of what sounds, see
                :func:`struck.codec.hearing.spectrum.mean_magnitude`.
        """

    def take(self, events: list[Event]) -> None:
        """The events that were found in it."""


class EncoderObserver:
    """Sees what the encoder does; training and plots override what they need."""

    def on_round(self, observed: np.ndarray, power: np.ndarray, fourth: np.ndarray, found: Proposals) -> None:
        """Proposals of a round, magnitudes ``[T, F]`` observed, and what is modelled so far.

        See :func:`struck.codec.hearing.spectrum.mean_magnitude` for ``power`` and ``fourth``.
        The arrays are the encoder's own: copy what is to be kept.
        """

    def on_event(self, step: Step) -> None:
        """An event was accepted."""


class StreamingEncoder:
    """Sound in, events out.

    Args:
        weights: trained codec weights.
        profile: lookahead and hop, from :data:`struck.codec.events.profiles.PROFILES`.
        observer: told of every round and every accepted event.
        refine: improves the events of each hop, say :class:`struck.codec.hearing.refit.refitter.Refitter`.
        model: knows what sounds; None: every event sounds as it was found. With a model, onsets are placed by
            the sound itself where it clearly rises.
        whitening: 0: an event is worth the energy that it takes out; 1: energy counts in each band as a
            share of what was loud in that band lately; between them in between. Ears hear quiet high sounds
            beside loud low ones.
        at_most: values that fields have at most when an event is found; for whoever amends them later.
        pace: tells when what is found is due: nothing more is searched for, and no step more taken, than
            there is time for.
        together: whether what is read is fitted together with all else that sounds before it is told.

    Raises:
        StruckError: the weights lack the event network.

    Example:
        >>> from struck.codec.events.profiles import PROFILES
        >>> from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
        >>> encoder = StreamingEncoder(load_codec_weights(default_codec_weights_path()), PROFILES["live"])
        >>> encoder.process(np.zeros(22_050, np.float32)) + encoder.flush()
        []
    """

    def __init__(
        self,
        weights: CodecWeights,
        profile: Profile,
        observer: EncoderObserver | None = None,
        refine: Refine | None = None,
        model: Model | None = None,
        whitening: float = 0.0,
        at_most: Mapping[str, float] | None = None,
        pace: Pace | None = None,
        together: bool = False,
    ) -> None:
        self.profile = profile
        self._pace = pace or Pace()
        #: Rounds of the search, and fits of a hop's events, that were let go or cut short for want of time.
        self.let_go = 0
        self.nonfinite_samples = 0
        self._quietest_db = QUIETEST_DB if profile.n_fft > SHORT_WINDOW else _SHORT_QUIETEST_DB
        self._reader = EventReader(weights, profile.n_fft, at_most, together)
        self._refine = refine
        self._model = model
        self._shadow_samples = _SHADOW_SAMPLES if model is None else _FOLLOWED_SHADOW_SAMPLES
        #: Whether the next hop is searched for events: whoever is far too late does without.
        self.searches = True
        self._whitening = whitening
        self._observer = observer or EncoderObserver()
        self._renderer = EventFrames(weights.decoder, profile.n_fft)
        hasty = profile.hop_samples == HOP  # each hop is a frame: whether the next rises more is not known
        self._proposer = Proposer(profile.n_fft, 1 if hasty else PEAK_FRAMES)
        self._hop_frames = profile.hop_samples // HOP
        self._reach = (profile.lookahead_samples - profile.n_fft // 2) // HOP
        self._bins = profile.n_fft // 2 + 1
        self.reset()

    #: Rows of what a :class:`Model` hears that come before the hop.
    context_frames: Final = _CONTEXT

    @property
    def latency_samples(self) -> int:
        """Samples between an onset and the latest moment at which its event is returned."""
        return self.profile.latency_samples

    @property
    def waiting(self) -> list[Event]:
        """Events found in the lookahead, as they are known by now; they are told later. Here there are none:
        every event is told in the hop in which it is found."""
        return []

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        p = self.profile
        known = _CONTEXT + self._hop_frames + self._reach
        # The first frame is centred on sample 0.
        self._buffer = np.zeros(p.n_fft // 2, np.float32)
        self._sound = np.zeros(0, np.float32)  # the last samples under the frames
        self._taken = 0
        self._hop_index = 0
        self._observed = np.zeros((known, self._bins), np.float32)
        # A model says anew at each hop what sounds in it; else what was found rings on beyond.
        size = (known + (_TAIL + self._hop_frames if self._model is None else 0), self._bins)
        # What is modelled: sums of power and of the tones' fourth powers, see spectrum.mean_magnitude.
        self._power = np.zeros(size, np.float32)
        self._fourth = np.zeros(size, np.float32)
        self._filled = _CONTEXT
        self._allowance = 1.0
        self._lately: list[_Candidate] = []  # events of the last hops in whose shadow new ones would begin
        self._unknown_hops = 0  # in a row in which most is unknown and nothing was found
        self._loudness = 0.0
        self._loud = np.zeros(self._bins, np.float32)  # energy of each bin
        self._worth = np.ones(self._bins, np.float32)  # of energy in each bin
        self._ended_at: int | None = None

    def process(self, samples: np.ndarray, rate: int = ANALYSIS_RATE) -> list[Event]:
        """Take samples in, give back the events that are decided by now, in order of onset per hop.

        Args:
            samples: mono, any length, ``[N]``: floats with full scale at 1, int16 or int32. Non-finite ones
                count as 0 and are counted.
            rate: of the samples in Hz; the encoder takes 22,050 only, and refuses others.

        Raises:
            TypeError: whole numbers of another size.
            ValueError: not one-dimensional, of another rate, or the stream has been flushed.
        """
        if rate != ANALYSIS_RATE:
            raise ValueError(
                f"the encoder takes {ANALYSIS_RATE} samples a second, not {rate}; "
                f"open_audio(path, {ANALYSIS_RATE}) or soxr.ResampleStream resamples"
            )
        samples = as_mono(samples)
        if self._ended_at is not None:
            raise ValueError("the stream was flushed; call reset() before more samples")
        finite = np.isfinite(samples)
        if not finite.all():
            self.nonfinite_samples += int((~finite).sum())
            samples = np.where(finite, samples, np.float32(0.0))
        self._buffer = np.concatenate([self._buffer, samples])
        self._taken += len(samples)
        return self._advance()

    def flush(self, silence_samples: int = 0) -> list[Event]:
        """Encode what is left, up to the last sample, as if silence followed.

        Args:
            silence_samples: how much of that is heard too; no event begins there.
        """
        if self._ended_at is None:
            self._ended_at = self._taken
        events = []
        while self._hop_index * self.profile.hop_samples < self._ended_at + silence_samples:
            missing = self._needed_samples() - len(self._buffer)
            self._buffer = np.concatenate([self._buffer, np.zeros(max(0, missing), np.float32)])
            events += self._advance(once=True)
        return events

    def take_changes(self) -> list[StreamItem]:
        """Amendments and ends of events that were told before: none, here they stay as they are."""
        return []

    def _needed_samples(self) -> int:
        """Samples the buffer must hold for the next hop; it starts half a window before its first frame."""
        missing_frames = len(self._observed) - self._filled
        return (missing_frames - 1) * HOP + self.profile.n_fft

    def _advance(self, once: bool = False) -> list[Event]:
        events: list[Event] = []
        while len(self._buffer) >= self._needed_samples():
            fresh = len(self._observed) - self._filled
            view = np.lib.stride_tricks.sliding_window_view(self._buffer, self.profile.n_fft)
            self._observed[self._filled :] = frames_to_magnitudes(view[: fresh * HOP : HOP])
            # Before the first hop the buffer holds half a window of silence, before the sound's first sample.
            known = self.profile.n_fft - HOP if self._hop_index else self.profile.n_fft // 2
            sound = self._buffer[known : (fresh - 1) * HOP + self.profile.n_fft]
            kept = len(self._observed) * HOP + self.profile.n_fft
            self._sound = np.concatenate([self._sound, sound])[-kept:]
            self._buffer = self._buffer[fresh * HOP :].copy()
            events += self._hear_hop(sound)
            self._hop_index += 1
            h = self._hop_frames
            self._observed[:-h] = self._observed[h:].copy()
            if self._model is None:
                for sums in (self._power, self._fourth):
                    sums[:-h] = sums[h:].copy()
                    sums[-h:] = 0.0
            self._filled = len(self._observed) - h
            if once:
                break
        return events

    def _hear_hop(self, sound: np.ndarray) -> list[Event]:
        if self._model is None:
            return self._encode_hop()
        known = len(self._observed)
        first_frame = self._hop_index * self._hop_frames - _CONTEXT
        self._model.hear(sound, first_frame, self._observed, self._power[:known], self._fourth[:known])
        events = self._encode_hop()
        self._model.take(events)
        return events

    def _encode_hop(self) -> list[Event]:
        p = self.profile
        known = len(self._observed)
        self._earn_allowance()
        zone = self._observed[_CONTEXT:]
        of_bins = np.square(zone).sum(0)
        energy = float(of_bins.sum(dtype=np.float64))
        # What follows something loud is heard against it for a while: a fading tail is no new event.
        fade = 10.0 ** (-_FORGET_DB_PER_SECOND / 10.0 * p.hop_samples / ANALYSIS_RATE)
        self._loud = np.maximum(of_bins, np.float32(fade) * self._loud)
        accepted: list[_Candidate] = []
        oldest = self._hop_index * p.hop_samples - self._shadow_samples
        self._lately = [c for c in self._lately if c.onset_sample > oldest]
        if energy < 1e-12 or not self.searches:
            return []
        before = (self._power.copy(), self._fourth.copy()) if self._refine is not None else None
        self._weigh()
        self._loudness = max(float(self._worth @ of_bins), self._loudness * fade)
        needed = self._loudness * 10.0 ** (-p.stop_gain_db / 10.0)
        unknown_hops, self._unknown_hops = self._unknown_hops, 0
        for depth in count():
            if self._allowance < 1.0:
                break
            if depth and not self._pace.count(ROUND, 1, TELLING):
                self.let_go += 1
                break
            residual = self._residual(slice(0, known))
            # No event takes more than a part of what there is since it may have begun.
            if _MOST_SHARE * float(np.square(residual[_CONTEXT:]).sum(0) @ self._worth) < needed:
                break
            with self._pace.measure(ROUND):
                most = max(1, self._pace.count(READING, p.proposals, TELLING))
                found = self._proposer.propose(residual, _CONTEXT, _CONTEXT + self._hop_frames, most)
                self._observer.on_round(self._observed, self._power[:known], self._fourth[:known], found)
                with self._pace.measure(READING, max(1, len(found.frame))):
                    read = self._encode(residual, found)
            candidates = [
                c for c in read if c.energy >= self._raise_needed(needed, c, self._lately + accepted)
            ]
            if depth == 0:
                unknown = not candidates and before is not None and self._is_unknown(residual)
                self._unknown_hops = unknown_hops + 1 if unknown else 0
                in_time = self._pace.count(STEP, 1, TELLING)
                if read and self._unknown_hops >= _UNKNOWN_HOPS and in_time:
                    likest = max(read, key=lambda c: c.likeness)
                    self._refine_reading(residual, likest)
                    if likest.energy >= self._raise_needed(needed, likest, self._lately):
                        candidates = [likest]
            # Of readings that take nearly the same, the more salient pitch is the one people hear.
            candidates.sort(key=lambda c: -c.energy * (0.75 + 0.25 * c.salience))
            taken = 0
            for candidate in candidates:
                if self._allowance < 1.0:
                    break
                # What an earlier choice of this round has already taken must not be taken twice.
                bar = max(
                    self._raise_needed(needed, candidate, self._lately + accepted), 0.7 * candidate.energy
                )
                if taken and self._removed(candidate) < bar:
                    continue
                self._subtract(residual, candidate)
                candidate.round = depth
                accepted.append(candidate)
                self._allowance -= 1.0
                taken += 1
            if not taken:
                break
            if depth == 0 and before is not None:
                # Fit the strongest events well before their misfits are taken for events.
                self._refine_hop(accepted, before)
        if accepted and before is not None:
            self._refine_hop(accepted, before)
        self._lately += accepted
        return self._emit(accepted, energy)

    def _raise_needed(self, needed: float, candidate: _Candidate, accepted: list[_Candidate]) -> float:
        """Energy a candidate must take: more in the shadow of a much stronger event that starts with it.

        There it is a detail of that sound rather than an event of its own, the more so where it is noise or
        its pitch stands in a simple ratio to the other's.
        """
        for other in accepted:
            near = abs(other.onset_sample - candidate.onset_sample) < self._shadow_samples
            if near and other.energy > STRONGER * candidate.energy:
                part = is_part(candidate.pitch_midi, candidate.noise_like, other.pitch_midi)
                return needed * (_SHADOW_FACTOR * (_PART_FACTOR if part else 1.0))
        return needed

    def _weigh(self) -> None:
        """Set what energy in each bin is worth."""
        if self._whitening > 0.0:
            smooth = uniform_filter1d(self._loud, max(3, self.profile.n_fft // 64))
            share = smooth / (smooth.max() + np.float32(1e-20)) + np.float32(_WEIGHED_SHARE)
            self._worth = (share ** np.float32(-self._whitening)).astype(np.float32)

    def _earn_allowance(self) -> None:
        """Events the hop may emit: its share of the rate, and at most a hop's that earlier ones left."""
        p = self.profile
        start = self._hop_index * p.hop_samples
        length = (
            p.hop_samples if self._ended_at is None else min(p.hop_samples, max(0, self._ended_at - start))
        )
        hop_events = p.events_per_second * p.hop_samples / ANALYSIS_RATE
        earned = p.events_per_second * length / ANALYSIS_RATE
        self._allowance = min(self._allowance + earned, max(_BURST, 2.0 * hop_events))

    def _refine_hop(self, accepted: list[_Candidate], before: tuple[np.ndarray, np.ndarray]) -> None:
        """Improve the hop's events together; ``before`` is what was modelled without them."""
        assert self._refine is not None
        steps = self._pace.count(STEP, self._refine.steps, TELLING)
        self.let_go += steps < self._refine.steps
        if not steps:
            return
        self._power[:], self._fourth[:] = before
        with self._pace.measure(STEP, steps):
            self._refine_in(accepted, steps)

    def _refine_in(self, accepted: list[_Candidate], steps: int) -> None:
        """Improve the hop's events by so many steps; the model is as it was before them."""
        assert self._refine is not None
        gain_db, vectors, shift = self._refine(
            self._observed,
            self._power[: len(self._observed)],
            self._fourth[: len(self._observed)],
            np.array([c.start for c in accepted]),
            np.array([len(c.tone) for c in accepted]),
            np.array([c.gain_db for c in accepted], np.float32),
            np.stack([c.vector for c in accepted]),
            np.array([c.shift_seconds for c in accepted], np.float32),
            steps,
        )
        gain_db, vectors = quantize_gains(gain_db), quantize_vectors(vectors)
        shift = self._in_time(shift, np.array([c.onset_frame for c in accepted]))
        for i, c in enumerate(accepted):
            c.gain_db, c.vector, c.shift_seconds = float(gain_db[i]), vectors[i], float(shift[i])
            self._place_onset(c)
        shift = np.array([c.shift_seconds for c in accepted], np.float32)
        rendered = self._renderer.render(gain_db, vectors, shift, self._limit(accepted))
        for c, (tone, noise) in zip(accepted, rendered, strict=True):
            c.tone, c.noise = tone, noise
            self._add_to_model(c)

    def _is_unknown(self, residual: np.ndarray) -> bool:
        """Whether most of what is heard in the hop and after it is not modelled."""
        heard, left = (
            float(np.square(a[_CONTEXT:]).sum(0) @ self._worth) for a in (self._observed, residual)
        )
        return left > _UNKNOWN_SHARE * heard

    def _refine_reading(self, residual: np.ndarray, candidate: _Candidate) -> None:
        """Improve what takes too little as it was read, before it is judged again."""
        assert self._refine is not None
        known = len(self._observed)
        gain_db, vectors, _ = self._refine(
            self._observed,
            self._power[:known],
            self._fourth[:known],
            np.array([candidate.start]),
            np.array([len(candidate.tone)]),
            np.array([candidate.gain_db], np.float32),
            candidate.vector[None],
            np.array([candidate.shift_seconds], np.float32),
        )
        candidate.gain_db = float(quantize_gains(gain_db)[0])
        candidate.vector = quantize_vectors(vectors)[0]
        candidate.energy = 0.0
        ((candidate.tone, candidate.noise),) = self._renderer.render(
            np.array([candidate.gain_db], np.float32),
            candidate.vector[None],
            np.array([candidate.shift_seconds], np.float32),
            known - candidate.start,
        )
        self._fit_gain(residual, candidate)

    def _encode(self, residual: np.ndarray, found: Proposals) -> list[_Candidate]:
        """Read each proposal as a quantised event and fit its gain to the residual."""
        if not len(found.frame):
            return []
        gain_db, vectors, shift = self._reader.read(residual, found)
        origin = self._hop_index * self._hop_frames - _CONTEXT
        shift = self._in_time(shift, origin + found.frame)
        candidates = []
        visible = len(residual) - int(found.frame.min()) + FRAMES_BEFORE
        for i, (tone, noise) in enumerate(self._renderer.render(gain_db, vectors, shift, visible)):
            frame = int(found.frame[i])
            candidate = _Candidate(
                frame - FRAMES_BEFORE,
                origin + frame,
                float(shift[i]),
                float(gain_db[i]),
                vectors[i],
                tone,
                noise,
                0.0,
                i,
                float(found.pitch_midi[i]),
                bool(found.noise_like[i]),
                float(found.salience[i]),
            )
            self._fit_gain(residual, candidate)
            if candidate.gain_db >= self._quietest_db and self._has_begun(residual, candidate):
                candidates.append(candidate)
        return candidates

    def _in_time(self, shift_seconds: np.ndarray, onset_frames: np.ndarray) -> np.ndarray:
        """Shifts ``[E]`` s in whole samples, so that the frames subtracted are those of the event as it is
        sent, and no further back than the latency allows."""
        last_centre = (self._hop_index + 1) * self.profile.hop_samples - HOP
        earliest = last_centre - self.profile.wait_samples - onset_frames * HOP
        samples = np.maximum(np.round(shift_seconds * ANALYSIS_RATE), earliest)
        return samples.astype(np.float32) / np.float32(ANALYSIS_RATE)

    def _has_begun(self, residual: np.ndarray, candidate: _Candidate) -> bool:
        """Whether its sound begins in this hop; what a long window shows of a later one is left for that."""
        rows = self._rows(candidate)
        shape = np.square(candidate.tone).sum(0) + candidate.noise.sum(0)
        amplitude = residual[rows.start :] @ np.sqrt(shape)
        begins = int(np.argmax(amplitude >= _BEGUN_SHARE * amplitude.max()))
        return rows.start + begins < _CONTEXT + self._hop_frames

    def _place_onset(self, candidate: _Candidate) -> None:
        """Move an onset to where the sound rises."""
        if self._model is None:
            return
        onset = self._find_onset(candidate.onset_sample)
        shift = np.array([(onset - candidate.onset_frame * HOP) / ANALYSIS_RATE])
        candidate.shift_seconds = float(self._in_time(shift, np.array([candidate.onset_frame]))[0])

    def _find_onset(self, sample: int) -> int:
        """Where the sound rises near ``sample`` of the stream."""
        hop = self._hop_index * self.profile.hop_samples
        end = hop + (self._hop_frames + self._reach - 1) * HOP + self.profile.n_fft // 2
        return find_onset(self._sound, end - len(self._sound), sample)

    def _fit_gain(self, residual: np.ndarray, candidate: _Candidate) -> None:
        """Set the gain, among a few near the residual's own, that removes most."""
        rows = self._rows(candidate)
        count = rows.stop - rows.start
        magnitude = np.sqrt(
            candidate.tone[:count] ** 2 + np.float32(RAYLEIGH_SHARE) * candidate.noise[:count]
        )
        cross, own = correlate(residual[rows], magnitude)
        if own <= 0.0 or cross <= 0.0:
            return
        candidate.likeness = cross * cross / own
        centre = candidate.gain_db + float(np.clip(20.0 * np.log10(cross / own), -9.0, 6.0))
        best = (0.0, candidate.gain_db)
        for step_db in _GAIN_STEPS_DB:
            gain_db = float(quantize_gains(np.float32(centre + step_db)))
            factor = 10.0 ** ((gain_db - candidate.gain_db) / 20.0)
            best = max(best, (self._removed(candidate, factor), gain_db))
        own = float(np.square(magnitude).sum(0) @ self._worth)
        if best[0] < _LEAST_SHARE * own * 10.0 ** ((best[1] - candidate.gain_db) / 10.0):
            return
        candidate.energy = best[0]
        factor = 10.0 ** ((best[1] - candidate.gain_db) / 20.0)
        candidate.gain_db = best[1]
        candidate.tone *= np.float32(factor)
        candidate.noise *= np.float32(factor * factor)

    def _residual(self, rows: slice) -> np.ndarray:
        """Magnitude beyond what is expected of the model, ``[T, F]``."""
        expected = mean_magnitude(self._power[rows], self._fourth[rows], np)
        return np.maximum(self._observed[rows] - expected, 0.0)

    def _rows(self, candidate: _Candidate) -> slice:
        """Rows of the observed frames in which the candidate sounds."""
        end = min(candidate.start + len(candidate.tone), len(self._observed))
        return slice(candidate.start, end)

    def _removed(self, candidate: _Candidate, factor: float = 1.0) -> float:
        """Energy the candidate, scaled by ``factor``, is expected to take out of what is left now."""
        rows = self._rows(candidate)
        count = rows.stop - rows.start
        return float(
            removed_energy(
                self._observed[rows],
                self._power[rows],
                self._fourth[rows],
                candidate.tone[:count],
                candidate.noise[:count],
                np.float32(factor),
                self._worth,
            )
        )

    def _subtract(self, residual: np.ndarray, candidate: _Candidate) -> None:
        self._place_onset(candidate)
        rows = self._rows(candidate)
        # It was judged by what is visible yet; later hops need the whole of its tail, unless a model has it.
        ((candidate.tone, candidate.noise),) = self._renderer.render(
            np.array([candidate.gain_db], np.float32),
            candidate.vector[None],
            np.array([candidate.shift_seconds], np.float32),
            self._limit([candidate]),
        )
        self._add_to_model(candidate)
        residual[rows] = self._residual(rows)

    def _limit(self, candidates: list[_Candidate]) -> int | None:
        """Frames of them that count, at most; None: all."""
        return None if self._model is None else len(self._power) - min(c.start for c in candidates)

    def _add_to_model(self, candidate: _Candidate) -> None:
        end = min(candidate.start + len(candidate.tone), len(self._power))
        tone = np.square(candidate.tone[: end - candidate.start])
        self._power[candidate.start : end] += tone + candidate.noise[: end - candidate.start]
        self._fourth[candidate.start : end] += np.square(tone)

    def _emit(self, accepted: list[_Candidate], energy: float) -> list[Event]:
        events = []
        for candidate in accepted:
            if self._ended_at is not None and candidate.onset_sample >= self._ended_at:
                continue
            event = Event(candidate.onset_sample / ANALYSIS_RATE, candidate.gain_db, candidate.vector)
            events.append(event)
            self._observer.on_event(
                Step(
                    event,
                    candidate.energy,
                    energy,
                    candidate.start,
                    len(candidate.tone),
                    candidate.round,
                    candidate.proposal,
                )
            )
        return sorted(events, key=lambda event: event.onset_seconds)
