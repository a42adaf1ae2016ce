"""The phrase bank: phrases by what they were asked to be, as many as fit, the least used go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from ...codec.events.amendments import StreamItem
from ...models.mars.conditions import PhraseConditions

#: About eighty phrases of eight beats at 120 beats per minute and 48 kHz.
LIMIT_BYTES: Final = 64 << 20
#: Of an event or amendment: its vector, and what Python adds.
_ITEM_BYTES: Final = 512


@dataclass(frozen=True)
class PhraseKey:
    """Which phrase: two keys that are equal mean the same sound.

    Args:
        conditions: what it shall be.
        variation: conditions can be met in many ways; this one.
        place: in a row of phrases, each of which goes on from the one before; 0 begins.
        seed: of the band: another seed, other phrases.
        as_events: the codec has heard it.
        groove: of the phrase whose groove this one keeps, by another chord; None: it has its own.
    """

    conditions: PhraseConditions
    variation: int = 0
    place: int = 0
    seed: int = 0
    as_events: bool = False
    groove: PhraseConditions | None = None

    @property
    def like(self) -> PhraseKey | None:
        """The phrase whose groove this one keeps."""
        return None if self.groove is None else replace(self, conditions=self.groove, groove=None)

    def by(self, conditions: PhraseConditions) -> PhraseKey:
        """The same groove by another chord."""
        own = self.groove or self.conditions
        return replace(self, conditions=conditions, groove=None if conditions == own else own)

    @property
    def before(self) -> PhraseKey | None:
        """The phrase that this one goes on from."""
        return self._at(self.place - 1) if self.place else None

    @property
    def next(self) -> PhraseKey:
        """The phrase that goes on from this one."""
        return self._at(self.place + 1)

    @property
    def phrase_seed(self) -> int:
        """Seed of its chance."""
        return (self.seed * 1_000_003 + self.variation * 1_009 + self.place) % (1 << 31)

    def _at(self, place: int) -> PhraseKey:
        return replace(self, place=place)


@dataclass(frozen=True)
class KeptPhrase:
    """A phrase as it is played.

    Args:
        sound: float32 ``[T]`` at the device's rate; of a phrase a loop.
        items: the same, heard by the codec: events, amendments and ends in the order of their times, from the
            phrase's beginning on; empty unless asked for.
        seconds: what took how long.
    """

    sound: np.ndarray
    items: tuple[StreamItem, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def byte_count(self) -> int:
        """Memory that it takes, nearly."""
        return self.sound.nbytes + _ITEM_BYTES * len(self.items)


class PhraseBank:
    """Phrases by key, from any thread.

    Args:
        limit_bytes: beyond it the phrases that were not asked for longest are let go.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._phrases: OrderedDict[PhraseKey, KeptPhrase] = OrderedDict()
        self._byte_count = 0

    def get(self, key: PhraseKey) -> KeptPhrase | None:
        """The phrase, if it is here; it has then been used just now."""
        with self._lock:
            phrase = self._phrases.get(key)
            if phrase is not None:
                self._phrases.move_to_end(key)
            return phrase

    def put(self, key: PhraseKey, phrase: KeptPhrase) -> None:
        """Keep a phrase; one that is larger than the bank is not kept."""
        with self._lock:
            before = self._phrases.pop(key, None)
            if before is not None:
                self._byte_count -= before.byte_count
            self._phrases[key] = phrase
            self._byte_count += phrase.byte_count
            while self._byte_count > self.limit_bytes:
                _, gone = self._phrases.popitem(last=False)
                self._byte_count -= gone.byte_count

    def has_room(self) -> bool:
        """Whether a phrase more would push none out, if it is no larger than the mean of those here."""
        with self._lock:
            count = len(self._phrases)
            return count == 0 or self._byte_count * (count + 1) <= self.limit_bytes * count

    def __contains__(self, key: PhraseKey) -> bool:
        """Whether it is here; that is no use of it."""
        with self._lock:
            return key in self._phrases

    def __len__(self) -> int:
        return len(self._phrases)

    @property
    def byte_count(self) -> int:
        """Memory that the phrases take."""
        return self._byte_count
