"""The OSC table, round trip; packets from other tools, good and bad; time tags; the documentation."""

import re
import struct

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from struck.codec.events.descriptors import OSC_FIELDS, Descriptors
from struck.codec.events.event_spec import FIELDS, VECTOR_SIZE
from struck.realtime.docs.osc_docs import DOCS_PATH, namespace_tables, with_tables
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.packets import (
    MAX_BUNDLE_DEPTH,
    Refusal,
    read_arguments,
    read_event,
    read_message,
    split_packet,
    write_bundle,
    write_event,
    write_message,
    write_statistic,
)
from struck.realtime.osc.time_tags import IMMEDIATELY, TimeTags

from .osc_host import FakeClock, make_event

DESCRIPTORS = Descriptors(220.5, -20.0, 1.25, 0.005, 2.5, 0.125, "chamber")
FITTING = {"i": 7, "f": 0.5, "s": "chamber", "b": make_event().vector.astype(">f4").tobytes()}


def distinct_values(route):
    """One value per argument, all different, in their ranges."""
    values = []
    for index, argument in enumerate(route.spread(len(route.arguments) + 2 * route.repeated)):
        if argument.texts and argument.tag == "s":
            values.append(argument.texts[index])
        elif argument.tag == "s":
            values.append(f"name{index}")
        elif argument.tag == "b":
            values.append(FITTING["b"])
        else:
            values.append(index + 11 if argument.tag == "i" else -0.25 * (index + 1))
    return values


@pytest.mark.parametrize("route", osc.NAMESPACE, ids=lambda route: route.address)
def test_round_trip_over_the_table(route):
    name = "room_mix" if osc.NAME in route.address else ""
    values = distinct_values(route)
    address, arguments = read_message(write_message(route, *values, name=name))
    # Of a parameter of an insert or a transform that one's name is told, too.
    owner = re.search(r"<(insert|transform)>/", address)
    assert osc.find_route(address) == (route, f"{owner[0] if owner else ''}{name}")
    found = read_arguments(route, arguments)
    assert len(found) == len(values)
    for argument, value, read in zip(route.spread(len(values)), values, found, strict=True):
        if argument.tag == "b":
            np.testing.assert_array_equal(read, make_event().vector)
        else:
            assert read == value
            assert type(read) is type(value)


@pytest.mark.parametrize("route", osc.NAMESPACE, ids=lambda route: route.address)
def test_another_reader_reads_what_is_written(route):
    values = distinct_values(route)
    message = OscMessage(write_message(route, *values, name="x"))
    assert message.address == route.address.replace(osc.NAME, "x")
    assert message.params == values


def test_the_event_message_is_the_contract():
    event = make_event()
    bundle = OscBundle(write_event(2**31 + 5, event, DESCRIPTORS, 17 << 32))
    (message,) = bundle
    assert message.address == "/struck/event"
    assert message.dgram[16:28] == b",iffffffsb\0\0"[:12]
    assert message.params[0] == 5  # ids start again where an int32 ends
    assert message.params[1] == pytest.approx(event.gain_db)
    assert message.params[2:8] == pytest.approx([220.5, 1.25, 0.005, 2.5, 0.125, "chamber"])
    assert message.params[8] == struct.pack(">32f", *event.vector)
    assert bundle.dgram[8:16] == struct.pack(">Q", 17 << 32)


def test_the_table_follows_the_event_fields():
    assert [(a.name, a.tag) for a in osc.EVENT.arguments[2:-1]] == [
        (name, tag) for name, tag, _ in OSC_FIELDS
    ]
    assert "".join(argument.tag for argument in osc.EVENT.arguments) == "iffffffsb"
    assert {"gain_db", "pitch_hz", "pitch", "room"} <= set(osc.AMENDABLE)


def test_an_event_survives_its_message():
    event = make_event(3, onset_seconds=4.5)
    ((tag, message),) = split_packet(write_event(1, event, DESCRIPTORS, 99))
    address, arguments = read_message(message)
    read = read_event(read_arguments(osc.EVENT, arguments), 4.5)
    assert (tag, address) == (99, "/struck/event")
    np.testing.assert_array_equal(read.vector, event.vector)
    assert read.gain_db == pytest.approx(event.gain_db, abs=1e-5)
    assert read.onset_seconds == 4.5


def build(address, *arguments):
    builder = OscMessageBuilder(address)
    for value, tag in arguments:
        builder.add_arg(value, tag)
    return builder.build().dgram


def read_with(route, *arguments):
    return read_arguments(route, read_message(build("/x", *arguments))[1])


def test_any_type_of_number_is_taken():
    assert read_with(osc.PHRASE, (60.4, "f"), (99.0, "d"), ("pad", "s")) == [60, 99, "pad"]
    assert read_with(osc.PHRASE, (61, "h"), (True, "T"), (3.0, "f")) == [61, 1, "3"]
    assert read_with(osc.CONTROL, (3, "i")) == [3.0]
    assert type(read_with(osc.CONTROL, (3, "i"))[0]) is float


def test_the_empty_style_is_the_patchs():
    assert read_with(osc.PHRASE, (48, "i"), (100, "i"), ("", "s")) == [48, 100, ""]


@pytest.mark.parametrize("route", [r for r in osc.NAMESPACE if r.comes_in], ids=lambda r: r.address)
def test_every_documented_value_is_taken(route):
    """The ends of every documented range, and the empty text where it is documented."""
    for end in ("low", "high"):
        values = distinct_values(route)
        for index, argument in enumerate(route.arguments):
            limit = getattr(argument, end)
            if argument.tag == "b":
                values[index] = np.full(VECTOR_SIZE, limit, ">f4").tobytes()
            elif argument.may_be_empty:
                values[index] = ""
            elif limit is not None:
                values[index] = int(limit) if argument.tag == "i" else float(limit)
        read = read_arguments(route, read_message(write_message(route, *values, name="x"))[1])
        assert len(read) == len(values)


def head_of_event(gain_db=-12.0):
    return [(1.0, "f"), (gain_db, "f"), *[(0.0, "f")] * 5, ("dry", "s")]


@pytest.mark.parametrize("tag", ["f", "d"])
def test_a_vector_as_numbers(tag):
    vector = make_event().vector
    values = read_with(osc.EVENT, *head_of_event(), *[(float(v), tag) for v in vector])
    np.testing.assert_array_equal(values[-1], vector)


def test_a_vector_as_an_array_of_numbers():
    builder = OscMessageBuilder("/struck/event")
    for value, tag in head_of_event():
        builder.add_arg(value, tag)
    builder.add_arg([0.5] * VECTOR_SIZE, ["f"] * VECTOR_SIZE)
    values = read_arguments(osc.EVENT, read_message(builder.build().dgram)[1])
    np.testing.assert_array_equal(values[-1], np.full(VECTOR_SIZE, 0.5, np.float32))


def test_what_is_ignored_may_be_anything():
    head = [(None, "N"), (-6.0, "f"), ("?", "s"), (True, "T"), (b"1", "b"), (float("nan"), "f"), (1, "i")]
    values = read_with(osc.EVENT, *head, (0.0, "f"), (FITTING["b"], "b"))
    assert read_event(values, 0.0).gain_db == -6.0


def test_what_wants_no_arguments_takes_any():
    assert read_with(osc.PANIC, (1.0, "f")) == []
    assert read_with(osc.PING, ("hello", "s")) == []


def event_with(blob=FITTING["b"], gain_db=-12.0):
    return read_with(osc.EVENT, *head_of_event(gain_db), (blob, "b"))


NAN, INF = float("nan"), float("inf")
BAD_ARGUMENTS = {
    "gain too high": lambda: event_with(gain_db=12.5),
    "gain too low": lambda: event_with(gain_db=-91.0),
    "gain NaN": lambda: event_with(gain_db=NAN),
    "gain text": lambda: read_with(
        osc.EVENT, (1, "i"), ("loud", "s"), *[(0.0, "f")] * 5, ("dry", "s"), (FITTING["b"], "b")
    ),
    "blob short": lambda: event_with(FITTING["b"][:-4]),
    "blob long": lambda: event_with(FITTING["b"] + b"\0\0\0\0"),
    "blob out of range": lambda: event_with(struct.pack(">32f", *[1.5] * 32)),
    "blob NaN": lambda: event_with(struct.pack(">32f", *[NAN] * 32)),
    "blob infinite": lambda: event_with(struct.pack(">32f", *[-INF] * 32)),
    "31 numbers": lambda: read_with(osc.EVENT, *head_of_event(), *[(0.0, "f")] * 31),
    "33 numbers": lambda: read_with(osc.EVENT, *head_of_event(), *[(0.0, "f")] * 33),
    "a number out of range": lambda: read_with(osc.EVENT, *head_of_event(), *[(1.01, "d")] * 32),
    "a number infinite": lambda: read_with(osc.EVENT, *head_of_event(), *[(INF, "f")] * 32),
    "text for a vector": lambda: read_with(osc.EVENT, *head_of_event(), ("vector", "s")),
    "no vector": lambda: read_with(osc.EVENT, *head_of_event()),
    "no arguments": lambda: read_arguments(osc.EVENT, []),
    "control without value": lambda: read_arguments(osc.CONTROL, []),
    "control with two": lambda: read_with(osc.CONTROL, (1.0, "f"), (1.0, "f")),
    "control NaN": lambda: read_with(osc.CONTROL, (NAN, "d")),
    "control infinite": lambda: read_with(osc.CONTROL, (INF, "f")),
    "control text": lambda: read_with(osc.CONTROL, ("1.0", "s")),
    "control nil": lambda: read_with(osc.CONTROL, (None, "N")),
    "pitch 128": lambda: read_with(osc.PHRASE, (128, "i"), (99, "i"), ("pad", "s")),
    "pitch below 0": lambda: read_with(osc.PHRASE, (-1, "i"), (99, "i"), ("pad", "s")),
    "velocity below 0": lambda: read_with(osc.PHRASE, (60, "i"), (-1, "i"), ("pad", "s")),
    "style a blob": lambda: read_with(osc.PHRASE, (60, "i"), (9, "i"), (b"pad", "b")),
    "patch empty": lambda: read_with(osc.PATCH, ("", "s")),
    "patch unprintable": lambda: read_with(osc.PATCH, ("a\x1b[2J", "s")),
    "port 0": lambda: read_with(osc.SUBSCRIBE, (0, "i")),
    "port 65536": lambda: read_with(osc.SUBSCRIBE, (65536, "i")),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_arguments_that_do_not_fit_are_refused(case):
    with pytest.raises(Refusal) as refusal:
        BAD_ARGUMENTS[case]()
    assert "\n" not in str(refusal.value)


def test_every_number_with_a_range_is_held_to_it():
    for route in osc.NAMESPACE:
        for index, argument in enumerate(route.arguments):
            if argument.low is None or argument.tag == "b":
                continue
            values = [FITTING[a.tag] for a in route.arguments]
            read_arguments(route, values)
            for outside in (argument.low - 1, argument.high + 1):
                values[index] = outside
                with pytest.raises(Refusal, match=argument.name):
                    read_arguments(route, values)


def nested(depth):
    packet = write_message(osc.PING)
    for _ in range(depth):
        packet = write_bundle(5, [packet])
    return packet


BAD_PACKETS = {
    "empty": b"",
    "text": b"hello",
    "no end of the address": b"/struck/ping",
    "odd length": b"/struck/ping\0\0\0\0,",
    "tags without comma": b"/a\0\0i\0\0\0\0\0\0\1",
    "tags without end": b"/a\0\0,iii",
    "unknown tag": b"/a\0\0,q\0\0\0\0\0\1",
    "missing float": b"/a\0\0,f\0\0",
    "missing last float": b"/a\0\0,ff\0\0\0\0\0",
    "half a float": b"/a\0\0,f\0\0\0\0",
    "bad UTF-8": b"/\xff\xfe\0,\0\0\0",
    "more than its tags": b"/a\0\0,\0\0\0\0\0\0\1",
    "blob of negative size": b"/a\0\0,b\0\0" + struct.pack(">i", -8) + bytes(8),
    "blob larger than the packet": b"/a\0\0,b\0\0" + struct.pack(">i", 2**31 - 1) + bytes(8),
    "too long": b"/a\0\0," + b"T" * 5000 + bytes(7),
    "bundle cut in the tag": b"#bundle\0\0\0\0\0",
    "bundle with no size": b"#bundle\0" + bytes(8) + b"\0\0",
    "element of negative size": b"#bundle\0" + bytes(8) + struct.pack(">i", -4),
    "element of no size": b"#bundle\0" + bytes(12),
    "element larger than the bundle": b"#bundle\0" + bytes(8) + struct.pack(">i", 64) + bytes(8),
    "nested too deep": nested(MAX_BUNDLE_DEPTH + 1),
    "nested far too deep": nested(3_000),
    "a bundle in half": nested(3)[:-4],
}


@pytest.mark.parametrize("case", BAD_PACKETS)
def test_malformed_packets_are_refused(case):
    with pytest.raises(Refusal):
        for _, message in split_packet(BAD_PACKETS[case]):
            read_message(message)


def test_nested_bundles_keep_their_own_tags():
    inner = write_bundle(7, [write_message(osc.PING)])
    packet = write_bundle(5, [write_message(osc.PANIC), inner, write_message(osc.STATS)])
    assert [(tag, read_message(m)[0]) for tag, m in split_packet(packet)] == [
        (5, "/struck/panic"), (7, "/struck/ping"), (5, "/struck/stats"),
    ]  # fmt: skip
    assert len(split_packet(nested(MAX_BUNDLE_DEPTH))) == 1


@pytest.mark.parametrize(
    ("value", "tag", "read"),
    [
        (3, "i", 3),
        (2**31 - 1, "i", 2**31 - 1),
        (2**40, "f", 2.0**40),
        (0.25, "f", 0.25),
        (1e300, "f", 3.4028e38),
    ],
)
def test_a_statistic_is_an_int_while_it_fits(value, tag, read):
    message = write_statistic(osc.STATISTIC, "osc_sent", value)
    assert message[24:26] == f",{tag}".encode()
    assert OscMessage(message).params == pytest.approx([read], rel=1e-4)


def test_the_number_of_values_is_checked():
    with pytest.raises(ValueError, match="2 arguments, not 1"):
        write_message(osc.SUBSCRIBED, 5)


# ---- time ----------------------------------------------------------------------------------------------


def test_time_tags_go_there_and_back():
    clock = FakeClock()
    tags = TimeTags(clock.monotonic, clock.wall)
    for ahead_seconds in (-3.0, -1e-4, 1e-4, 0.1, 59.0):
        tag = tags.from_monotonic(clock.now + ahead_seconds)
        assert tags.to_monotonic(tag) == pytest.approx(clock.now + ahead_seconds, abs=2e-6)


def test_a_time_tag_is_ntp():
    tags = TimeTags(lambda: 10.0, lambda: 1_000_000.5)
    assert tags.from_monotonic(12.0) >> 31 == (1_000_002 + 2_208_988_800) * 2 + 1


def test_immediately_is_now():
    assert TimeTags(lambda: 10.0, lambda: 5e9).to_monotonic(IMMEDIATELY) == 10.0


def test_tags_cross_the_end_of_the_era():
    end_of_era = 2**32 - 2_208_988_800
    tags = TimeTags(lambda: 10.0, lambda: end_of_era - 1.0)
    assert tags.from_monotonic(13.0) >> 32 == 2
    assert tags.to_monotonic(tags.from_monotonic(13.0)) == pytest.approx(13.0, abs=2e-6)


def test_a_step_of_the_wall_clock_is_followed():
    clock = FakeClock()
    step_seconds = 0.0
    tags = TimeTags(clock.monotonic, lambda: clock.wall() + step_seconds)
    tags.from_monotonic(clock.now)
    step_seconds = -3600.0
    peer = TimeTags(clock.monotonic, lambda: clock.wall() - 3600.0)
    assert tags.to_monotonic(peer.from_monotonic(clock.now + 0.5)) == pytest.approx(clock.now + 0.5, abs=2e-6)


def test_a_preempted_reading_does_not_move_events():
    now = 50.0
    stall_seconds = 0.0

    def monotonic():
        return now

    def wall():
        nonlocal now
        found = now + 1e9
        now += stall_seconds  # this thread has to wait between its readings
        return found

    tags = TimeTags(monotonic, wall)
    quiet = tags.from_monotonic(51.0)
    stall_seconds = 0.02
    assert tags.from_monotonic(51.0) == quiet


# ---- documentation -------------------------------------------------------------------------------------


def test_the_documentation_is_the_table():
    page = DOCS_PATH.read_text(encoding="utf-8")
    assert namespace_tables() in page
    assert with_tables(page) == page
    for route in osc.NAMESPACE:
        assert f"`{route.address}" in page
    for field in FIELDS:
        assert f"| `{field.name}` |" in page


def test_tables_need_their_marks():
    with pytest.raises(ValueError, match="marks"):
        with_tables("# OSC")
