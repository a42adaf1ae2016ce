"""OSC packets: their bytes to messages checked against the namespace, and back.

python-osc reads and writes the single arguments. Its readers of whole messages and bundles are not used on
what comes from a network: an element of negative size keeps them in a loop, deep nesting and bad UTF-8 raise
what they do not announce, and a missing float reads as 0.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from pythonosc.parsing import osc_types

from ...codec.events.amendments import Amendment
from ...codec.events.descriptors import OSC_FIELDS, Descriptors
from ...codec.events.event_spec import VECTOR_SIZE, read_field
from ...codec.events.events import Event, FloatArray
from .namespace import AMEND, END, EVENT, NAME, Argument, Route
from .time_tags import IMMEDIATELY

Value = int | float | str | bytes | FloatArray

#: Ours need less than 700 bytes, with every argument a double.
MAX_MESSAGE_BYTES: Final = 2_048
MAX_BUNDLE_DEPTH: Final = 8

_BUNDLE: Final = b"#bundle\0"
_BUNDLE_HEAD_BYTES: Final = 16
_LARGEST_FLOAT: Final = 3.4028234663852886e38
_INT_LOW: Final = -(2**31)
_INT_HIGH: Final = 2**31 - 1


class Refusal(Exception):
    """What came is not played; says why in one line.

    Args:
        kind: of the fault, one of a few words; the performer is told of each kind once a second at most.
        line: what is wrong.
    """

    def __init__(self, kind: str, line: str) -> None:
        super().__init__(line)
        self.kind = kind


class TimedMessage(NamedTuple):
    """One message of a packet, its bytes, and the time tag it stands under."""

    tag: int
    message: bytes


# ---- reading -------------------------------------------------------------------------------------------


def split_packet(packet: bytes) -> list[TimedMessage]:
    """The messages of a packet, in their order; those outside a bundle are tagged "at once".

    Raises:
        Refusal: the packet is malformed or nested deeper than :data:`MAX_BUNDLE_DEPTH`.
    """
    if not packet.startswith(_BUNDLE):
        return [TimedMessage(IMMEDIATELY, packet)]
    found: list[TimedMessage] = []
    _split_bundle(packet, 1, found)
    return found


def _split_bundle(bundle: bytes, depth: int, found: list[TimedMessage]) -> None:
    if len(bundle) < _BUNDLE_HEAD_BYTES:
        raise Refusal("packet", "a bundle is truncated")
    if depth > MAX_BUNDLE_DEPTH:
        raise Refusal("packet", f"bundles are nested deeper than {MAX_BUNDLE_DEPTH}")
    (tag,) = struct.unpack_from(">Q", bundle, len(_BUNDLE))
    at = _BUNDLE_HEAD_BYTES
    while at < len(bundle):
        if at + 4 > len(bundle):
            raise Refusal("packet", "a bundle is truncated")
        (size,) = struct.unpack_from(">i", bundle, at)
        at += 4
        if size <= 0 or size % 4 or at + size > len(bundle):
            raise Refusal("packet", f"an element of a bundle claims {size} bytes")
        element = bundle[at : at + size]
        at += size
        if element.startswith(_BUNDLE):
            _split_bundle(element, depth + 1, found)
        else:
            found.append(TimedMessage(tag, element))


def _read_constant(value: Any) -> Callable[[bytes, int], tuple[Any, int]]:
    return lambda message, at: (value, at)


#: What peers send: struck's own types, the wide ones, and the ones that carry no data.
_READERS: Final[dict[str, Callable[[bytes, int], tuple[Any, int]]]] = {
    "i": osc_types.get_int,
    "h": osc_types.get_int64,
    "f": osc_types.get_float,
    "d": osc_types.get_double,
    "s": osc_types.get_string,
    "S": osc_types.get_string,
    "b": osc_types.get_blob,
    "T": _read_constant(1),
    "F": _read_constant(0),
    "N": _read_constant(None),
    "I": _read_constant(None),
}


def read_message(message: bytes) -> tuple[str, list[Any]]:
    """Address and arguments of a message; arrays count as their elements.

    Raises:
        Refusal: the message is malformed, too long, or has arguments of unknown types.
    """
    if not message.startswith(b"/"):
        raise Refusal("packet", "it is no OSC")
    if len(message) > MAX_MESSAGE_BYTES or len(message) % 4:
        raise Refusal("packet", f"a message has {len(message)} bytes")
    try:
        address, at = osc_types.get_string(message, 0)
        if at == len(message):  # a very old sender leaves the type tags out where there is nothing to tag
            return address, []
        tags, at = osc_types.get_string(message, at)
        if not tags.startswith(","):
            raise Refusal("packet", "a message has no type tags")
        values = []
        for tag in tags[1:]:
            if tag in "[]":
                continue
            reader = _READERS.get(tag)
            if reader is None:
                raise Refusal("types", f"{address!a} has an argument of the type {tag!a}")
            value, end = reader(message, at)
            if not at <= end <= len(message):
                raise Refusal("packet", f"{address!a} is truncated")
            at = end
            values.append(value)
    except (osc_types.ParseError, UnicodeDecodeError) as error:
        raise Refusal("packet", "a message is malformed") from error
    if at != len(message):
        raise Refusal("packet", f"{address!a} is longer than its type tags say")
    return address, values


def read_arguments(route: Route, values: Sequence[Any]) -> list[Value]:
    """``values`` as the table wants them: of the right type and number, finite, in range.

    Tools differ, so a number is taken from any type of number (Pure Data has floats only; a float where an
    int is wanted is rounded), a name may be a number, and a vector may be a blob or as many numbers. Where
    no arguments are wanted, those that came are left aside: a button sends its state with everything.

    Raises:
        Refusal: they do not fit.
    """
    if not route.arguments or (not values and route.optional):
        return []
    arguments = route.spread(len(values))
    found: list[Value] = []
    for index, argument in enumerate(arguments):
        if index >= len(values):
            break
        value = values[index]
        if argument.ignored:
            found.append(value)
        elif argument.tag == "b":
            found.append(_read_vector(route, argument, values[index:]))
            return found
        elif argument.tag == "s":
            found.append(_read_text(route, argument, value))
        else:
            found.append(_read_number(route, argument, value))
    if len(found) != len(arguments) or len(values) != len(arguments):
        wanted = f"{len(arguments)} ({' '.join(argument.name for argument in arguments)})"
        raise Refusal("arguments", f"{route.address} wants {wanted} arguments, not {len(values)}")
    return found


def _read_number(route: Route, argument: Argument, value: Any) -> int | float | str:
    if value in argument.texts:
        return value
    if not isinstance(value, int | float):
        raise Refusal("types", f"{route.address}: {argument.name} must be a number")
    if not math.isfinite(value):
        raise Refusal("values", f"{route.address}: {argument.name} is not finite")
    number = round(value) if argument.tag == "i" else float(value)
    low, high = argument.low, argument.high
    if (low is not None and number < low) or (high is not None and number > high):
        line = f"{route.address}: {argument.name} is {number:g}; the range is {low:g} to {high:g}"
        raise Refusal("values", line)
    return number


def _read_text(route: Route, argument: Argument, value: Any) -> str:
    if isinstance(value, int | float) and math.isfinite(value):
        value = f"{value:g}"
    if not isinstance(value, str) or not value.isprintable():
        raise Refusal("types", f"{route.address}: {argument.name} must be a string")
    if not value and not argument.may_be_empty:
        raise Refusal("values", f"{route.address}: {argument.name} is empty")
    if argument.texts and value not in argument.texts:
        raise Refusal("values", f"{route.address}: {argument.name} is {value}, which is none of its names")
    return value


def _read_vector(route: Route, argument: Argument, values: Sequence[Any]) -> FloatArray:
    if len(values) == 1 and isinstance(values[0], bytes):
        if len(values[0]) != 4 * VECTOR_SIZE:
            line = f"{route.address}: {argument.name} has {len(values[0])} bytes, not {4 * VECTOR_SIZE}"
            raise Refusal("arguments", line)
        vector = np.frombuffer(values[0], dtype=">f4").astype(np.float32)
    elif len(values) == VECTOR_SIZE and all(isinstance(value, int | float) for value in values):
        vector = np.array([_read_number(route, argument, value) for value in values], dtype=np.float32)
    else:
        line = f"{route.address}: {argument.name} must be a blob or {VECTOR_SIZE} numbers"
        raise Refusal("arguments", line)
    if not np.all(np.abs(vector) <= 1.0):  # false for NaN too
        raise Refusal("values", f"{route.address}: {argument.name} holds numbers outside -1 to 1")
    return vector


def read_event(values: Sequence[Value], onset_seconds: float) -> Event:
    """The event that the checked arguments of ``/struck/event`` describe.

    Args:
        values: from :func:`read_arguments`.
        onset_seconds: stream time at which it is to sound.
    """
    named = {argument.name: value for argument, value in zip(EVENT.arguments, values, strict=True)}
    return Event(onset_seconds, named["gain_db"], named["vector"])  # type: ignore[arg-type]  # checked above


# ---- writing -------------------------------------------------------------------------------------------


def _write_float(value: float) -> bytes:
    return osc_types.write_float(min(_LARGEST_FLOAT, max(-_LARGEST_FLOAT, value)))


_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "i": osc_types.write_int,
    "f": _write_float,
    "s": osc_types.write_string,
    "b": osc_types.write_blob,
}


def write_message(route: Route, *values: Value, name: str = "") -> bytes:
    """A message of ``route`` with ``values``, whose last address part is ``name`` where the route has one.

    Raises:
        ValueError: the values are not as many as the route's arguments.
    """
    arguments = route.spread(len(values))
    if len(arguments) != len(values) and not (route.optional and not values):
        raise ValueError(f"{route.address} has {len(arguments)} arguments, not {len(values)}")
    tags = "".join("s" if v in a.texts else a.tag for a, v in zip(arguments, values, strict=False))
    return _join(route.address.replace(NAME, name), tags, values)


def write_values(address: str, arguments: Sequence[Argument], values: Sequence[Value]) -> bytes:
    """A message that tells ``values`` at ``address``."""
    return _join(address, "".join(argument.tag for argument in arguments), values)


def write_statistic(route: Route, name: str, value: int | float) -> bytes:
    """A counter as an int while it fits one, a level as a float."""
    tag = "i" if isinstance(value, int) and _INT_LOW <= value <= _INT_HIGH else "f"
    return _join(route.address.replace(NAME, name), tag, (value,))


def _join(address: str, tags: str, values: Sequence[Any]) -> bytes:
    head = osc_types.write_string(address) + osc_types.write_string("," + tags)
    return head + b"".join(_WRITERS[tag](value) for tag, value in zip(tags, values, strict=True))


def write_bundle(tag: int, messages: Sequence[bytes]) -> bytes:
    """A bundle of ``messages`` under one time tag."""
    parts = [_BUNDLE, struct.pack(">Q", tag)]
    for message in messages:
        parts += [osc_types.write_int(len(message)), message]
    return b"".join(parts)


def write_amendment(number: int, amendment: Amendment, tag: int) -> bytes:
    """The bundle that tells what an event has become, its fields in their units.

    Args:
        number: the event's id, as in :func:`write_event`.
        amendment: what was amended.
        tag: time tag of the moment.
    """
    assert amendment.vector is not None
    pairs: list[Value] = [] if amendment.gain_db is None else ["gain_db", amendment.gain_db]
    for name in amendment.fields:
        pairs += [name, float(read_field(amendment.vector, name))]
    return write_bundle(tag, [write_message(AMEND, number & _INT_HIGH, *pairs)])


def write_end(number: int, tag: int) -> bytes:
    """The bundle that tells that an event was released; arguments as for :func:`write_event`."""
    return write_bundle(tag, [write_message(END, number & _INT_HIGH)])


def write_event(number: int, event: Event, descriptors: Descriptors, tag: int) -> bytes:
    """The bundle that tells of one event.

    Args:
        number: the event's id; it starts again at 0 after 2^31 - 1.
        event: what sounds.
        descriptors: how it sounds.
        tag: time tag of the moment.
    """
    heard = [getattr(descriptors, attribute) for _, _, attribute in OSC_FIELDS]
    blob = event.vector.astype(">f4").tobytes()
    return write_bundle(tag, [write_message(EVENT, number & _INT_HIGH, event.gain_db, *heard, blob)])
