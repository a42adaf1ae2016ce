"""A note that is to be, or is, a phrase: what the accompanist knows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...models.mars.conditions import HARMONY_SLOTS
from ...patches.phrase_patch import PhrasePatch
from .bank import KeptPhrase, PhraseKey
from .beats import Beats

_MIDI_CHANNELS: Final = 16


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
    announced: int = 0  # events of the pass that have been sent
    asked: bool = False  # the pass that follows has been requested
    by_hand: bool = False  # its chord is what the hand holds
    ends: int | None = None  # stream sample at which it is over

    @property
    def loops(self) -> bool:
        return self.key.conditions.style != "single"

    def next_half_bar(self, at_sample: int) -> int:
        """The first half bar of its passes at or after a stream sample."""
        length = self.beats.loop_samples
        count = -((self.start - at_sample) * HARMONY_SLOTS // length)
        return self.start + (count * length + HARMONY_SLOTS // 2) // HARMONY_SLOTS

    @property
    def stage_key(self) -> int:
        """Of its events, for their release."""
        return 1 + 128 * ((self.patch.channel or _MIDI_CHANNELS) - 1) + self.pitch

    @property
    def never(self) -> bool:
        """Whether it ends before it has begun."""
        return self.sounding is None and self.ends is not None and self.ends <= self.start


def moment(beats: Beats, when: str, at_sample: int) -> int:
    """The first ``now``, ``beat`` or ``bar`` at or after a sample."""
    if when == "bar":
        return beats.next_bar(at_sample)
    return beats.next_beat(at_sample) if when == "beat" else at_sample
