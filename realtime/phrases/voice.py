"""A note that is to be, or is, a phrase: where its passes begin, and what of it sounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...models.mars.conditions import HARMONY_SLOTS
from ...patches.phrase_patch import PhrasePatch
from .bank import KeptPhrase, PhraseKey
from .beats import Beats


@dataclass
class Voice:
    """A note that is to be, or is, a phrase."""

    patch: PhrasePatch
    beats: Beats
    pitch: int
    asked_style: str  # as its note asked for; empty: the patch's
    style: str
    key: PhraseKey  # of the pass that sounds, or is waited for
    velocity: int
    gain_db: float
    start: int  # stream sample at which the pass begins
    stand_in: int | None = None  # where a note that sounds in its place began
    sounding: KeptPhrase | None = None
    wanted: PhraseKey | None = None  # the phrase by another chord that is to come in for the one that sounds
    slots: list[int] = field(default_factory=list)  # the newest last
    loop_samples: int = 0  # length of the pass
    silent: int | None = None  # stream sample from which the pass is; None: the engine goes round
    next_beat: int = 0  # on which the pass after it is to begin,
    shift_samples: int = 0  # so much later: it began between beats
    announced: int = 0  # items of the pass that have been sent
    events: list[int] = field(default_factory=list)  # ids of events on stage, its stand-in's too
    heard: dict[int, int] = field(default_factory=dict)  # and of those of the pass, by their id in the phrase
    asked: bool = False  # the pass that follows has been requested
    by_hand: bool = False  # its chord is what the hand holds
    ends: int | None = None  # stream sample at which it is over

    @property
    def loops(self) -> bool:
        return self.key.conditions.style != "single"

    @property
    def next_start(self) -> int:
        """Stream sample at which the pass after the one that sounds is to begin."""
        return self.beats.sample_of(self.next_beat) + self.shift_samples

    def begin_pass(self, at_sample: int, loop_samples: int, silent: int | None = None) -> None:
        """Note that a pass begins."""
        beat = self.beats.nearest_beat(at_sample)
        self.shift_samples = at_sample - self.beats.sample_of(beat) if self.patch.start == "now" else 0
        self.next_beat = beat + self.key.conditions.beats
        self.start, self.loop_samples, self.silent = at_sample, loop_samples, silent
        self.announced, self.asked = 0, False
        self.heard.clear()

    def go_round(self) -> None:
        """Note that the engine begins the pass again by itself."""
        self.start += self.loop_samples
        self.next_beat += self.key.conditions.beats
        self.asked = False

    def next_half_bar(self, at_sample: int, led: bool) -> int:
        """The first half bar at or after a stream sample: of its passes, or, ``led``, of the clock."""
        if led:
            beat = self.next_beat - self.key.conditions.beats
            while (found := self.beats.sample_of(beat) + self.shift_samples) < at_sample:
                beat += self.key.conditions.beats // HARMONY_SLOTS
            return found
        count = -((self.start - at_sample) * HARMONY_SLOTS // self.loop_samples)
        return self.start + (count * self.loop_samples + HARMONY_SLOTS // 2) // HARMONY_SLOTS

    def find_place(self, at_sample: int) -> None:
        """A song has begun: what began near one of its bars goes on, else to the bar after ``at_sample``."""
        beats = self.beats
        beat = beats.nearest_beat(self.start)
        near = abs(self.start - beats.sample_of(beat)) < beats.samples_of(1) // 4
        self.shift_samples = 0
        if near and beat % beats.beats_per_bar == 0:
            self.next_beat = beat + self.key.conditions.beats
        else:
            self.next_beat = beats.nearest_beat(beats.next_bar(at_sample))

    @property
    def never(self) -> bool:
        """Whether it ends before it has begun."""
        return self.sounding is None and self.ends is not None and self.ends <= self.start


def moment(beats: Beats, when: str, at_sample: int) -> int:
    """The first ``now``, ``beat`` or ``bar`` at or after a sample."""
    if when == "bar":
        return beats.next_bar(at_sample)
    return beats.next_beat(at_sample) if when == "beat" else at_sample
