"""What a transform is: an event begins, and copies of it come out, each at its time and shaped in its way.

The event itself is the first of its copies; without any it is dropped. What is amended of an event later is
done to its copies too, shaped as they are and as much later as they began: an event that was transposed stays
transposed, and an echo ends as long after its event as it began.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..events.beat_line import BeatLine
from ..events.events import Event

#: What becomes of one event, at its beginning and of all its later states alike.
Shaper = Callable[[Event], Event]
#: Values of a transform by name, as they are now.
Values = Mapping[str, Any]


def same(event: Event) -> Event:
    """The shaper that does nothing."""
    return event


@dataclass(frozen=True)
class Copy:
    """An event that comes out of a transform.

    Args:
        due: when it begins, in stream seconds, as is known now: what counts in beats follows the tempo.
        shape: what becomes of it.
        wanted: asked when it is due: whether it is to sound after all.
        endless: others come after it until they are switched off.
    """

    due: Callable[[], float]
    shape: Shaper = same
    wanted: Callable[[], bool] = lambda: True
    endless: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What transforms need to know.

    Args:
        seed: of what goes by chance.
        beats: beats against stream seconds, as they are known now.
        live: nothing can begin before it was played.
        until_seconds: what would begin later is not wanted.
    """

    seed: int = 0
    beats: Callable[[], BeatLine] = lambda: BeatLine(0.0, 0.0, 0.5)
    live: bool = False
    until_seconds: float = float("inf")


class Transform(ABC):
    """A transform at work; for one thread at a time."""

    @abstractmethod
    def begin(self, event: Event) -> Iterable[Copy]:
        """The copies of an event that begins, by time; they may be made one after the other."""

    def turn(self, name: str, at_seconds: float) -> None:  # noqa: B027 (most read their values anew)
        """One of its values is another one from now on."""

    def stop(self) -> None:  # noqa: B027 (most repeat nothing)
        """Let nothing be repeated any more."""


class Once(Transform):
    """A transform that keeps or drops an event and changes it at its time.

    Args:
        shape_of: of an event that begins: what it becomes; None: it is dropped.
    """

    def __init__(self, shape_of: Callable[[Event], Shaper | None]) -> None:
        self._shape_of = shape_of

    def begin(self, event: Event) -> Iterable[Copy]:
        shaper = self._shape_of(event)
        return () if shaper is None else (Copy(lambda: event.onset_seconds, shaper),)


class TransformField(NamedTuple):
    """One value of a transform; ``words`` are what a text may be, or its parts where it is a list."""

    name: str
    default: Any
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    meaning: str = ""
    words: tuple[str, ...] = ()

    @property
    def turns(self) -> bool:
        """Whether it can be turned while playing: numbers, and switches as 0 and 1."""
        return isinstance(self.default, bool | float)


class TransformKind(NamedTuple):
    """One transform."""

    name: str
    meaning: str
    fields: tuple[TransformField, ...]
    make: Callable[[Values, Surroundings], Transform]


@dataclass(frozen=True)
class TransformSettings:
    """One transform as it is asked for: its kind and values by name, those left out being the defaults."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """A value of a transform is turned at a moment.

    Args:
        at_seconds: stream time.
        name: of the transform in its chain, see :meth:`struck.codec.transforms.chain.EventChain.turn`.
        field: of it.
        value: in the field's unit; 0 or 1 of a switch.
    """

    at_seconds: float
    name: str
    field: str
    value: float
