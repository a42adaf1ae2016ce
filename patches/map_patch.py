"""What turns what: a table ``[[map]]`` of a patch, or of a controller's map file; described once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..codec.events.errors import StruckError
from .section import Section

#: More in one file are a mistake.
MOST_ENTRIES: Final = 512
TAKEOVERS: Final = ("pickup", "jump", "scale")
CURVES: Final = ("linear", "log", "slow", "fast")
#: How an endless encoder says how far it was turned; ``absolute``: it is none.
ENCODERS: Final = ("absolute", "twos", "offset", "sign_up", "sign_down")


class SourceKind(NamedTuple):
    """A kind of MIDI message that controllers send.

    Args:
        name: in maps.
        most: the highest of its numbers; None where it has none.
        highest: value.
        meaning: for people.
    """

    name: str
    most: int | None
    highest: int
    meaning: str


SOURCE_KINDS: Final = (
    SourceKind("cc", 119, 127, "controller, 7 bits"),
    SourceKind("cc14", 31, 16_383, "controller and the fine one, 32 above it, 14 bits"),
    SourceKind("nrpn", 16_383, 16_383, "non-registered parameter, 14 bits"),
    SourceKind("note", 127, 127, "a key; its value is the velocity, 0 when it goes up"),
    SourceKind("key_pressure", 127, 127, "pressure on one key"),
    SourceKind("program", None, 127, "program change; its value is the program"),
    SourceKind("pressure", None, 127, "pressure on the channel"),
    SourceKind("wheel", None, 16_383, "pitch wheel, 14 bits; its middle is 8192"),
)
KIND: Final = {kind.name: kind for kind in SOURCE_KINDS}


@dataclass(frozen=True)
class MidiSource:
    """What is moved: a kind of message, its number (0 where it has none), and a channel, 0 for any."""

    kind: str
    number: int = 0
    channel: int = 0

    @property
    def highest(self) -> int:
        return KIND[self.kind].highest

    def matches(self, other: MidiSource) -> bool:
        """Whether a message of ``other`` is of this source."""
        return (self.kind, self.number) == (other.kind, other.number) and self.channel in (0, other.channel)

    def __str__(self) -> str:
        return self.kind if KIND[self.kind].most is None else f"{self.kind} {self.number}"


def parse_source(text: str, channel: int = 0) -> MidiSource:
    """The source that a map names.

    >>> parse_source("cc 20"), str(parse_source("wheel"))
    (MidiSource(kind='cc', number=20, channel=0), 'wheel')

    Raises:
        ValueError: there is no such kind, or its number is missing or out of range.
    """
    kind, _, number = text.strip().partition(" ")
    if kind not in KIND:
        raise ValueError(
            f"{text!r} is no source; it must be {', '.join(KIND)}, with a number where it has one"
        )
    most = KIND[kind].most
    if most is None and not number:
        return MidiSource(kind, 0, channel)
    if most is None or not number.isdecimal() or int(number) > most:
        wanted = "no number" if most is None else f"a number from 0 to {most}"
        raise ValueError(f"{text!r} is no source: {kind} takes {wanted}")
    return MidiSource(kind, int(number), channel)


@dataclass(frozen=True)
class MapEntry:
    """One entry; :data:`MAP_FIELDS` says what each field means.

    ``low`` and ``high`` are None where the target's own ends are meant. What targets there are, and their
    ranges, the performance knows.
    """

    source: MidiSource
    target: str
    low: float | None = None
    high: float | None = None
    curve: str = ""
    takeover: str = "pickup"
    encoder: str = "absolute"
    step: float = 1.0 / 127.0
    feedback: bool = True


class MapField(NamedTuple):
    """One key of the table."""

    name: str
    unit: str
    default: str
    meaning: str


def _words(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


_SOURCES: Final = tuple(kind.name if kind.most is None else f"{kind.name} N" for kind in SOURCE_KINDS)
_TAKEOVER: Final = "where the target stands elsewhere: wait until it has been passed, jump, or approach it"
_ENCODER: Final = "code of an endless encoder: two's complement, offset of 64, bit 6 set up, or down"

MAP_FIELDS: Final = (
    MapField("source", _words(_SOURCES), "", "what is moved; must be given"),
    MapField("channel", "0 to 16", "0", "of the messages; 0: any"),
    MapField(
        "target",
        "a name",
        "",
        "a control, `insert/NAME/PARAMETER`, `transform/NAME/KEY`, an action; must be given",
    ),
    MapField("low", "in the target's unit", "the target's", "its lower end; above `high` it is inverted"),
    MapField("high", "in the target's unit", "the target's", "its upper end"),
    MapField("curve", _words(CURVES), "the target's", "equal steps, equal ratios, slow or fast at first"),
    MapField("takeover", _words(TAKEOVERS), "`pickup`", _TAKEOVER),
    MapField("encoder", _words(ENCODERS), "`absolute`", _ENCODER),
    MapField("step", "0.000001 to 1", "1/127", "share of the range for one step of an encoder"),
    MapField("feedback", "true, false", "true", "the controller is told where the target stands"),
)


def read_entries(parent: Section) -> tuple[MapEntry, ...]:
    """The tables ``[[map]]`` of a patch or a map file.

    Raises:
        StruckError: something in them is not known, of another type, or out of range.
    """
    return tuple(_read_entry(section) for section in parent.sections("map", MOST_ENTRIES))


def _read_entry(section: Section) -> MapEntry:
    for key in ("source", "target"):
        if key not in section.values:
            section.refuse("", f"{key} is missing")
    text = section.take("source", str, "")
    channel = section.whole("channel", 0, 0, 16)
    try:
        source = parse_source(text, channel)
    except ValueError as error:
        section.refuse("source", f"source {error}")
    ends: dict[str, Any] = {
        key: section.number(key, 0.0, -1e9, 1e9) if key in section.values else None for key in ("low", "high")
    }
    curve = section.choice("curve", CURVES[0], CURVES) if "curve" in section.values else ""
    entry = MapEntry(
        source=source,
        target=section.take("target", str, ""),
        curve=curve,
        takeover=section.choice("takeover", MapEntry.takeover, TAKEOVERS),
        encoder=section.choice("encoder", MapEntry.encoder, ENCODERS),
        step=section.number("step", MapEntry.step, 1e-6, 1.0),
        feedback=section.take("feedback", bool, MapEntry.feedback),
        **ends,
    )
    if entry.encoder != "absolute" and source.highest != 127:
        section.refuse("encoder", f"encoder is {entry.encoder}; {source} sends no steps")
    section.refuse_rest()
    return entry


def write_entries(entries: Sequence[MapEntry]) -> str:
    """``entries`` as tables ``[[map]]``; what has its default is left out."""
    lines: list[str] = []
    for entry in entries:
        lines += ["", "[[map]]", f'source = "{entry.source}"']
        if entry.source.channel:
            lines.append(f"channel = {entry.source.channel}")
        lines.append(f"target = {quoted(entry.target)}")
        for key in ("low", "high", "curve", "takeover", "encoder", "step", "feedback"):
            value = getattr(entry, key)
            if value != getattr(MapEntry, key):
                shown = quoted(value) if isinstance(value, str) else str(value).lower()
                lines.append(f"{key} = {shown}")
    return "\n".join([*lines, ""])


def quoted(text: str) -> str:
    """A text as TOML has it.

    Raises:
        StruckError: it holds control characters.
    """
    if any(not c.isprintable() for c in text):
        raise StruckError(f"{text!r} cannot stand in a map")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
