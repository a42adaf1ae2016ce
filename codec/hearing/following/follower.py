"""The encoder of live profiles: hears at once, and corrects as it hears more.

At every hop the events that sound are refitted to what was heard last: all about those that began a short
while ago, of the others how they go on; and their levels follow at once. Then new events are picked from what
is left, and what their listener is better told is told: an amendment, or an end where the sound has stopped
or was none. All that a hop tells acts from the hop's first sample on, so that with the profile's latency
every amendment is played at the moment at which it is known, no earlier and no later::

    |  past hops  |    hop    |  lookahead  |
                  ^ at                      ^ now: what is told acts at ``at``, and is played now
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Final

import numpy as np

from ...events.amendments import ID_COUNT, StreamItem, end_sound, in_stream_order
from ...events.event_spec import ANALYSIS_RATE, read_field
from ...events.events import Event
from ...events.profiles import Profile
from ...weights.codec_weights import CodecWeights
from ..amending.amender import Amender, Scene
from ..amending.sounding import Sounding, as_known, as_told, told_from_seconds
from ..encoder import ROUND, STEP, TELLING, StreamingEncoder
from ..joint.profile_encoder import JOINT_MEL_WEIGHT
from ..joint.window_encoder import LAST_ROUNDS, Picking, WindowEncoder
from ..pace import Pace
from ..refit.levels import follow_levels
from ..refit.profile_refiner import MEL_WEIGHT
from ..refit.refitter import FRAME_STRIDE, Refitter
from ..shadows import PriceList
from ..spectrum import HOP, mel_band_matrix
from .memory import Memory
from .second_reading import SecondReader
from .view import View
from .voice_lives import VoiceLives

#: Events that began in so many last frames are young; what is heard in these 0.55 s is what events are
#: fitted to.
_YOUNG_FRAMES: Final = 47  # odd: the last of every second frame is looked at
#: By a profile's window: what began in so many last frames is fitted in windows shorter than the longest, in
#: each as soon as enough of it was heard in that.
_NEW_FRAMES: Final = {512: 10, 1024: 14, 2048: 0}
#: Share of noise above which an event is more noise than tone.
_NOISE_LIKE: Final = 0.5
#: Window lengths between the profile's own and the longest: low pitches need the longest.
_BETWEEN_N_FFT: Final = 1024
_LONG_N_FFT: Final = 2048
#: Gradient steps in the longest a hop; fewer where a hop is one frame.
_LONG_STEPS: Final = 4
_HASTY_LONG_STEPS: Final = 3
#: When an event is read again: so many of its frames have been heard in the window between, in the longest,
#: and in the longest where hops are one frame.
_READ_BETWEEN: Final = 3
_READ_AGAIN: Final = 24
_HASTY_READ_AGAIN: Final = 6
#: The loudest of the events that sound are refitted, so many: that bounds a hop's work.
_MOST_REFITTED: Final = 16
#: What else a hop does, for whoever measures it.
_READING, _REFIT, _AMENDING = "reading again", "refit", "amending"
#: Where the power of a hop's frames rises by more than this over the last ones', an event may begin, and time
#: is kept for one: a round, some steps and telling it.
_RISE: Final = 1.25
_A_BIRTH: Final = (ROUND, *[STEP] * 4, TELLING)
#: By so much a first guess may become louder than it was read, where hops are one frame: the few frames that
#: are known of an attack fit whatever is loud enough and rises slowly enough.
_HASTY_RISE_DB: Final = 4.0
#: Frames by which levels follow, and amendments are judged, at least.
_LEVEL_FRAMES: Final = 8
_JUDGED_FRAMES: Final = 4
#: By a profile's window: loss times seconds that a bit of an amendment must save; more where a hop is one
#: frame and decides often.
_PRICE: Final = {512: 1.3e-4, 1024: 1.4e-4, 2048: 2e-5}
#: What has faded so far under the loudest of the last frames, as a power ratio, is forgotten.
_FORGOTTEN: Final = 1e-7
_RECENT_FRAMES: Final = 40
#: How far energy counts by the bands it is in, 0 to 1.
_WHITENING: Final = 0.5
#: By window: what is told at most of how long an event sounds when it is found. What goes on is told to; what
#: was guessed to and does not is heard as a fog after each stroke. And it is played dry: how loud a held tone
#: is in a room hangs on phases that no spectrum tells, and what was sent to a room rings on there at the end.
_FIRST_GUESS: Final = {
    512: {"hold": 0.04, "release": 0.1, "decay": 0.3, "noise_decay": 0.1, "room_mix": 0.0},
    1024: {"hold": 0.1, "release": 0.15, "decay": 0.5, "noise_decay": 0.2, "room_mix": 0.0},
    2048: {"hold": 0.25, "release": 0.3, "decay": 1.5, "noise_decay": 0.5, "room_mix": 0.0},
}
#: How new events are picked where the lookahead shows more than an attack. Of so short a window an event is a
#: larger share than of a file's, and what is missed now may be amended.
_PICKING: Final = Picking(
    prices=PriceList(event=0.012, detail=0.036, part=0.072),
    rounds=1,
    stride=FRAME_STRIDE,
    proposals=4,
    noises=1,
    ahead_frames=12,
    unseen_frames=2,
    kept_frames=10,
    at_most=_FIRST_GUESS[_LONG_N_FFT],
)
#: A frame is silent whose loudest bin is below this.
_SILENCE: Final = 1e-7
#: Errors in a window count as shares of its energy, but at least of this share of what was loud lately.
_QUIET_SHARE: Final = 0.1
_FORGET_DB_PER_SECOND: Final = 6.0
#: How long the silence after the end is heard, so that all that sounds is ended.
_AFTER_SAMPLES: Final = ANALYSIS_RATE // 4


class Follower:
    """Sound in, a stream of events, amendments and ends out.

    Args:
        weights: trained codec weights.
        profile: lookahead and hop; see :data:`struck.codec.events.profiles.PROFILES`.
        steps: gradient steps that improve an event before it is told; None takes the profile's.

    Raises:
        StruckError: the weights lack the event network.

    Example:
        >>> from struck.codec.events.profiles import PROFILES
        >>> from struck.codec.weights.codec_weights import shipped_codec_weights
        >>> follower = Follower(shipped_codec_weights(), PROFILES["tight"])
        >>> follower.process(np.zeros(22_050, np.float32)) + follower.flush()
        []
    """

    def __init__(self, weights: CodecWeights, profile: Profile, steps: int | None = None) -> None:
        self.profile = profile
        #: What is done of a hop's work hangs on it: where time is short, fewer events are refitted and read
        #: again, and new ones are fitted in fewer steps.
        self.pace = Pace()
        n_fft = profile.n_fft
        # Where a hop is one frame, no frame can be left out.
        hasty = profile.hop_samples == HOP
        stride = 1 if hasty else FRAME_STRIDE

        def refitter(n_fft: int, stride: int, steps: int = 1, highest_rise_db: float = inf) -> Refitter:
            return Refitter(weights.decoder, n_fft, steps, MEL_WEIGHT, stride, highest_rise_db)

        steps = profile.refine_steps if steps is None else steps
        if steps and not hasty:
            self._encoder: StreamingEncoder = WindowEncoder(
                weights,
                profile,
                _PICKING,
                max(1, steps // LAST_ROUNDS),
                JOINT_MEL_WEIGHT,
                model=self,
                pace=self.pace,
            )
        else:
            self._encoder = StreamingEncoder(
                weights,
                profile,
                refine=refitter(n_fft, 1, steps, _HASTY_RISE_DB) if steps else None,
                model=self,
                whitening=_WHITENING,
                at_most=_FIRST_GUESS[n_fft],
                pace=self.pace,
            )
        self._every_frame = refitter(n_fft, 1)
        self._short = Memory(n_fft, _YOUNG_FRAMES)
        #: From the longest window to the profile's own.
        self._views: list[View] = []

        def look(
            n_fft: int,
            stride: int,
            steps: int,
            heard_frames: int,
            rows: int,
            recent: float,
            unsearched_rows: int = 0,
        ) -> View:
            memory, every_frame = self._short, self._every_frame
            if n_fft != profile.n_fft:
                memory, every_frame = Memory(n_fft, _YOUNG_FRAMES), refitter(n_fft, 1)
            view = View(
                memory,
                every_frame,
                refitter(n_fft, stride, steps),
                heard_frames,
                rows,
                recent,
                unsearched_rows,
            )
            self._views.append(view)
            return view

        def second_reader(view: View, n_fft: int, refitter: Refitter, age: int) -> SecondReader:
            return SecondReader(
                weights, n_fft, view.every_frame, refitter, _FIRST_GUESS[n_fft], view.memory, age
            )

        long_steps = _HASTY_LONG_STEPS if hasty else _LONG_STEPS
        # Of the frames that came with a hop none has been searched yet, nor the last ones of the hop before.
        unsearched = 0 if hasty else profile.hop_samples // HOP + _PICKING.unseen_frames
        rows = _YOUNG_FRAMES - unsearched
        longest = look(_LONG_N_FFT, FRAME_STRIDE, long_steps, 2, rows, 16.0, unsearched)
        age = _HASTY_READ_AGAIN if hasty else _READ_AGAIN
        #: In the order in which an event is read.
        self._second_readers = [second_reader(longest, _LONG_N_FFT, longest.refitter, age)]
        if n_fft < _BETWEEN_N_FFT:
            between = look(_BETWEEN_N_FFT, 1, 4, 2, 16, 4.0)
            reader = second_reader(between, _BETWEEN_N_FFT, between.every_frame, _READ_BETWEEN)
            self._second_readers.insert(0, reader)
        if n_fft < _LONG_N_FFT:
            look(n_fft, 1, 6, 0, 16, 3.0)
        self._levels_refitter = self._every_frame if hasty else refitter(n_fft, stride)
        self._amender = Amender(self._levels_refitter, _PRICE[n_fft])
        self._mels = mel_band_matrix(n_fft)
        self._voice_lives = VoiceLives(weights)
        #: Takes a hop's new events as soon as they are known; None: they come with what is told after them.
        self.tell_first: Callable[[list[StreamItem]], None] | None = None
        #: Whether hops are searched for new events: whoever is far too late does without.
        self.searches = True
        #: Hops' searches that were let go for that.
        self.let_go_searches = 0
        self._let_go_refits = 0
        self.reset()

    @property
    def latency_samples(self) -> int:
        """Samples between a moment and the latest at which all that happens in it is told."""
        return self.profile.latency_samples

    @property
    def let_go_refits(self) -> int:
        """Where an event was not fitted, or in fewer steps, or searched for no further, for want of time."""
        return self._let_go_refits + self._encoder.let_go

    @property
    def nonfinite_samples(self) -> int:
        """How many samples were not numbers, and counted as 0."""
        return self._encoder.nonfinite_samples

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        self._encoder.reset()
        for view in self._views:
            view.memory.reset()
        self._soundings: list[Sounding] = []
        #: What was found in the lookahead and will be told in a later hop.
        self._waiting: list[Sounding] = []
        self._items: list[StreamItem] = []
        self._next_id = 0
        self._loudest_power = 0.0
        self._loud_energy = 0.0
        self._at_frame = 0
        self._reads_first = True  # before births are looked for; else after they have been told

    def process(self, samples: np.ndarray, rate: int = ANALYSIS_RATE) -> list[StreamItem]:
        """Take samples in, give back what is told by now, in the order of a stream per hop.

        Args, raises: as :meth:`struck.codec.hearing.encoder.StreamingEncoder.process`.
        """
        self._encoder.process(samples, rate)
        return self._tell()

    def flush(self) -> list[StreamItem]:
        """Hear what is left, up to the last sample, as if silence followed; what sounds then is ended."""
        self._encoder.flush(_AFTER_SAMPLES)
        self._items += self._end_all(self._at_seconds)
        return self._tell()

    def lose(self) -> None:
        """Whoever plays the stream has silenced it: what sounds on is heard anew."""
        self._soundings = []

    @property
    def _at_seconds(self) -> float:
        """From when on what the hop tells acts: as early as its events may begin, half a frame before it."""
        return told_from_seconds(self._at_frame)

    def _tell(self) -> list[StreamItem]:
        items, self._items = self._items, []
        return items

    # ---- told by the encoder, hop by hop -------------------------------------------------------------------

    def hear(
        self,
        sound: np.ndarray,
        first_frame: int,
        observed: np.ndarray,
        power: np.ndarray,
        fourth: np.ndarray,
    ) -> None:
        """See :meth:`struck.codec.hearing.encoder.Model.hear`."""
        known_before = self._short.end_frame
        loudest_before = float(np.square(self._short.observed[-_JUDGED_FRAMES:]).sum(1).max())
        for view in self._views:
            view.memory.hear(sound)
        self._at_frame = self._short.end_frame - (len(observed) - self._encoder.context_frames)
        fresh = self._short.observed[known_before - self._short.end_frame :]
        self._remember_loudness(fresh)
        rises = float(np.square(fresh).sum(1).max()) > _RISE * loudest_before
        then = _A_BIRTH if rises and self.searches else (_AMENDING,)
        self._encoder.searches = self.searches
        self.let_go_searches += not self.searches
        # With time for all of it, a hop does on stage what it does for files.
        readings = (f"{_READING} {number}" for number in range(len(self._second_readers)))
        self._reads_first = self.pace.may_begin(_REFIT, *readings, *then)
        if self._soundings:
            self._follow_old()
            if self._reads_first:
                self._read_again()
            self._refit(then)
            if self._reads_first:
                self._forget()
        power[:], fourth[:] = self._every_frame.sums(as_known(self._soundings, first_frame), len(observed))

    def take(self, events: list[Event]) -> None:
        """See :meth:`struck.codec.hearing.encoder.Model.take`."""
        self._waiting = [Sounding.of(event) for event in self._encoder.waiting]
        if events:
            with self.pace.measure(TELLING):
                self._begin(events)
        if not self._reads_first and self._soundings:  # what need not come before that
            self._read_again()
            self._forget()
        with self.pace.measure(_AMENDING):
            self._amend()

    def _begin(self, events: list[Event]) -> None:
        """Tell new events."""
        told: list[StreamItem] = []
        for event in events:
            named = replace(event, id=self._next_id)
            self._next_id = (self._next_id + 1) % ID_COUNT
            told.append(named)
            self._soundings.append(Sounding.of(named))
        if self.tell_first is None:
            self._items += told
        else:
            self.tell_first(told)

    def _amend(self) -> None:
        """Tell what their listener is better told of those that sound."""
        at_seconds = self._at_seconds
        ahead = self._short.end_frame - self._at_frame
        if self._short.observed[-ahead:].max(initial=0.0) < _SILENCE:
            self._items += self._end_all(at_seconds)
            return
        rows = max(ahead, _JUDGED_FRAMES)
        looked = -(-rows // self._levels_refitter.stride)
        scene = Scene(
            self._short.observed[-rows:],
            self._short.end_frame - rows,
            self._at_frame,
            at_seconds,
            self._short.end_frame * HOP / ANALYSIS_RATE,
            self._loudest_power,
            _QUIET_SHARE * self._loud_energy * looked,
        )
        waiting = self._levels_refitter.sums(as_known(self._waiting, scene.first_frame), rows)
        self._items += in_stream_order(self._amender.amend(self._soundings, scene, waiting))
        self._soundings = [s for s in self._soundings if not s.ended]

    def _end_all(self, at_seconds: float) -> list[StreamItem]:
        items: list[StreamItem] = []
        for event in (s.told for s in self._soundings):
            items += end_sound(event, max(at_seconds, event.onset_seconds))
        self._soundings = []
        return in_stream_order(items)

    def _remember_loudness(self, fresh: np.ndarray) -> None:
        square = np.square(fresh)
        self._loudest_power = max(self._loudest_power, float((square @ self._mels).max()))
        seconds = len(fresh) * HOP / ANALYSIS_RATE
        fade = 10.0 ** (-_FORGET_DB_PER_SECOND / 10.0 * seconds)
        self._loud_energy = max(self._loud_energy * fade, float(square.sum(1).max()))

    def _is_young(self, sounding: Sounding) -> bool:
        return sounding.onset_frame >= self._short.end_frame - _YOUNG_FRAMES

    def _follow_old(self) -> None:
        """Of what began long ago only the levels of tone and noise follow."""
        old = [s for s in self._soundings if not self._is_young(s)]
        young = [s for s in self._soundings if self._is_young(s)] + self._waiting
        rows = max(_LEVEL_FRAMES, self._short.end_frame - self._at_frame)
        first = self._short.end_frame - rows
        power, _ = self._every_frame.sums(as_known(young, first), rows)
        observed = self._short.observed[-rows:]
        levels = follow_levels(self._levels_refitter, observed, power, as_known(old, first))
        for s, gain_db, vector in zip(old, levels.gain_db, levels.vectors, strict=True):
            if gain_db <= s.highest_db:
                s.gain_db, s.vector = float(gain_db), vector

    def _read_again(self) -> None:
        """The loudest event of which enough more was heard by now is read as if it were new.

        One a hop in each window, for that bounds its work. Where time counts, after what is due has been
        told, and only if a birth in the next hop will still be in time.
        """
        hop_seconds = self.profile.hop_samples / ANALYSIS_RATE
        for number, reader in enumerate(self._second_readers):
            due = [s for s in self._soundings if s.readings == number and reader.is_due(s)]
            if not due:
                continue
            if not self.pace.may_begin(f"{_READING} {number}", ROUND, TELLING, later_seconds=hop_seconds):
                continue  # it stays due
            with self.pace.measure(f"{_READING} {number}"):
                loudest = max(due, key=lambda s: s.gain_db)
                others = [s for s in self._soundings if s is not loudest] + self._waiting
                reader.read(loudest, others, self._loudest_power)

    def _refit(self, then: tuple[str, ...]) -> None:
        """Events are moved to where what was heard last fits best."""
        views = [(s, view) for s in self._soundings if (view := self._view_of(s)) is not None]
        views = sorted(views, key=lambda pair: -pair[0].gain_db)[:_MOST_REFITTED]
        most = self.pace.count(_REFIT, len(views), *then)
        self._let_go_refits += len(views) - most
        views = views[:most]
        young_from = self._short.end_frame - _YOUNG_FRAMES
        for view in reversed(self._views):
            moved = [s for s, its_view in views if its_view is view]
            if moved:
                others = [s for s in self._soundings if not any(s is one for one in moved)] + self._waiting
                with self.pace.measure(_REFIT, len(moved)):
                    view.refit(moved, others, young_from, self._loudest_power)

    def _view_of(self, sounding: Sounding) -> View | None:
        """In which an event is fitted: the longest that has heard enough of it.

        What is new and mostly noise is fitted in the profile's own window: it has no pitch that a longer one
        would tell, and its attack is all there is to it.
        """
        longest, *shorter = self._views
        is_new = sounding.onset_frame >= self._short.end_frame - _NEW_FRAMES[self.profile.n_fft]
        views = shorter if is_new else [longest]
        if is_new and read_field(sounding.vector, "noisiness") > _NOISE_LIKE:
            views = shorter[-1:]
        return next((view for view in views if view.has_heard(sounding)), None)

    def _forget(self) -> None:
        """Leave out what has faded by itself: nobody needs to be told.

        What is heard of it after its voice is over is heard as something new.
        """
        first = self._short.end_frame - _LEVEL_FRAMES
        quiet = _FORGOTTEN * float(self._short.observed[-_RECENT_FRAMES:].max()) ** 2
        until = self._voice_lives.until_seconds([s.told for s in self._soundings])
        self._soundings = [s for s, end in zip(self._soundings, until, strict=True) if end > self._at_seconds]
        parts = self._every_frame.each_sums(as_told(self._soundings, first), _LEVEL_FRAMES)
        self._soundings = [
            s
            for s, (power, _) in zip(self._soundings, parts, strict=True)
            if self._is_young(s) or power.max(initial=0.0) > quiet
        ]
