"""What the engine is told and what it tells: the rows of the command ring and of the result ring.

A command is one row of numbers, its head and for :data:`PLAY` and :data:`AMEND` a voice record after it.
:data:`COMMANDS` says field by field what the head of each kind means; what a kind does not list is 0. Those
who send make heads with the functions below; :mod:`struck.realtime.engine.engine` obeys them.

A result is one row too: what became of an event that was sent with an id. They come back in the order in
which the engine decided, each within a block of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...codec.playing.decoder_state import CAME_LATE, DID_SOUND, WAS_DROPPED, WAS_STOLEN
from ...codec.playing.voice_records import RECORD_SIZE

#: Columns of a head. The record begins where a cache line does; two columns are left.
KIND, AT_SAMPLE, KEY, VALUE, EVENT_ID, FLAGS = range(6)
RECORD: Final = 8
COMMAND_SIZE: Final = RECORD + RECORD_SIZE
#: Bits of FLAGS.
LOOPS: Final = 1

# kinds of commands, each the place of its row in COMMANDS
PLAY, AMEND, END, CONTROL, PANIC, START_PHRASE, JOIN_PHRASE, STOP_PHRASE = range(8)

# columns of a result
OUTCOME, RESULT_ID, RESULT_SAMPLE = range(3)
RESULT_SIZE: Final = 3


@dataclass(frozen=True)
class CommandKind:
    """One kind of command: what it does and what the fields of its head mean."""

    name: str
    meaning: str
    fields: Mapping[str, str]


_SLOT: Final = "phrase slot"
_ID: Final = "as in play; one that does not sound is counted as unknown"
_START: Final = {
    "at_sample": "stream sample of the beginning; now, and counted as delayed, if that has passed",
    "key": _SLOT,
    "value": "gain as a factor",
    "flags": "LOOPS: from its end to its beginning, until it is stopped",
}

#: In the order of the kinds' numbers.
COMMANDS: Final = (
    CommandKind(
        "play",
        "an event begins; its voice record follows the head",
        {
            "at_sample": "stream sample of the onset; at once, and counted as late, if that has passed",
            "event_id": "what amendments, ends and results call it by; 0: nobody does",
        },
    ),
    CommandKind(
        "amend",
        "an event becomes another; the voice record of that follows the head",
        {"at_sample": "stream sample from which it is heard; now, if that has passed", "event_id": _ID},
    ),
    CommandKind(
        "end",
        "an event goes into its release",
        {"at_sample": "stream sample of that; now, if that has passed", "event_id": _ID},
    ),
    CommandKind(
        "control",
        "a gain goes to a new value within milliseconds",
        {"key": "place among the engine's gains, its width and its weights", "value": "the factor"},
    ),
    CommandKind("panic", "silence: no voice, no waiting event, no release, no room, no phrase", {}),
    CommandKind("start_phrase", "a filled slot is played from its beginning", _START),
    CommandKind("join_phrase", "the same, fading in where another slot is stopped", _START),
    CommandKind(
        "stop_phrase",
        "a playing slot fades out",
        {"at_sample": "stream sample at which that begins; now, if that has passed", "key": _SLOT},
    ),
)

#: What a result may say, by the number in its column OUTCOME.
OUTCOMES: Final = {
    DID_SOUND: "sounded",  # at the sample that was asked for
    CAME_LATE: "late",  # sounds, but from RESULT_SAMPLE on
    WAS_DROPPED: "dropped",  # never sounds: no place, not finite, or a panic came first
    WAS_STOLEN: "stolen",  # was cut short at RESULT_SAMPLE for another
}


class Head(NamedTuple):
    """The head of a command, in the order of the columns."""

    kind: int
    at_sample: int = 0
    key: int = 0
    value: float = 0.0
    event_id: int = 0
    flags: int = 0


def play(at_sample: int, event_id: int) -> Head:
    """An event begins at ``at_sample``."""
    return Head(PLAY, at_sample, event_id=event_id)


def amend(event_id: int, at_sample: int) -> Head:
    """An event becomes what the record says, from ``at_sample`` on."""
    return Head(AMEND, at_sample, event_id=event_id)


def end(event_id: int, at_sample: int) -> Head:
    """An event goes into its release at ``at_sample``."""
    return Head(END, at_sample, event_id=event_id)


def control(place: int, factor: float) -> Head:
    """A gain goes to ``factor``."""
    return Head(CONTROL, 0, place, factor)


def panic() -> Head:
    """Silence now."""
    return Head(PANIC)


def start_phrase(slot: int, at_sample: int, loops: bool, gain: float, joins: bool) -> Head:
    """A filled slot is played; ``joins`` where it takes over from another."""
    kind = JOIN_PHRASE if joins else START_PHRASE
    return Head(kind, at_sample, slot, gain, flags=LOOPS if loops else 0)


def stop_phrase(slot: int, at_sample: int) -> Head:
    """A playing slot fades out."""
    return Head(STOP_PHRASE, at_sample, slot)
