"""What OSC does to the host, with fake clocks; and that no packet, however wrong, does anything else."""

import random
import time

import numpy as np
import pytest
from pythonosc.parsing import osc_types

from struck.codec.events.descriptors import Descriptors
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.dispatcher import (
    AHEAD_SECONDS_MAX,
    ALL_REPLIES_AT_ONCE,
    ALL_REPLIES_PER_SECOND,
    DEFERRED_MAX,
    MESSAGES_AT_ONCE,
    MESSAGES_PER_SECOND,
    REPLIES_AT_ONCE,
    REPLIES_PER_SECOND,
    OscDispatcher,
)
from struck.realtime.osc.packets import read_message, split_packet, write_bundle, write_event, write_message
from struck.realtime.osc.subscribers import SUBSCRIBERS_MAX, Subscribers
from struck.realtime.osc.time_tags import IMMEDIATELY, TimeTags

from .osc_host import FakeClock, FakeStage, make_event

PEER = ("127.0.0.1", 5555)
DESCRIPTORS = Descriptors(220.0, -20.0, 1.25, 0.005, 2.5, 0.125, "dry")
LEDGER = {"lookahead": 0.1857, "hop": 0.046, "device": 0.0027}


class Host:
    """A dispatcher and everything around it, by hand."""

    def __init__(self, is_own=lambda peer: False):
        self.clock = FakeClock()
        self.stage = FakeStage(self.clock)
        self.subscribers = Subscribers(self.clock.monotonic)
        self.tags = TimeTags(self.clock.monotonic, self.clock.wall)
        self.replies = []
        self.packets = []
        self.dispatcher = OscDispatcher(
            self.stage,
            self.clock,
            self.subscribers,
            lambda packet, peer: self.replies.append((packet, peer)),
            latency=lambda: LEDGER,
            on_packet=lambda at_sample, packet: self.packets.append((at_sample, packet)),
            is_own=is_own,
            monotonic=self.clock.monotonic,
            wall=self.clock.wall,
        )

    def send(self, packet, peer=PEER):
        return self.dispatcher.handle(packet, peer)

    def send_in(self, seconds, *messages):
        return self.send(write_bundle(self.tags.from_monotonic(self.clock.now + seconds), messages))

    def pass_seconds(self, seconds):
        self.clock.now += seconds
        return self.dispatcher.run_due()

    def answers(self):
        """Addresses and arguments of the replies so far, in their order; forgets them."""
        found = [read_message(m) for packet, _ in self.replies for _, m in split_packet(packet)]
        self.replies.clear()
        return found

    @property
    def counters(self):
        return {name.removeprefix("osc_"): n for name, n in self.stage.counters.items() if n}


@pytest.fixture
def host():
    return Host()


def control(value, name="room_mix"):
    return write_message(osc.CONTROL, value, name=name)


def event_message(seed=1):
    ((_, message),) = split_packet(write_event(1, make_event(seed), DESCRIPTORS, IMMEDIATELY))
    return message


def numbered_event(number, seed=1):
    ((_, message),) = split_packet(write_event(number, make_event(seed), DESCRIPTORS, IMMEDIATELY))
    return message


# ---- events and their times ----------------------------------------------------------------------------


def test_an_event_without_a_bundle_sounds_in_the_next_block(host):
    host.send(event_message())
    (event,) = host.stage.played
    assert event.onset_sample(48_000) == host.clock.position_samples() + host.clock.block_frames
    np.testing.assert_array_equal(event.vector, make_event().vector)
    assert host.counters == {"accepted": 1}


@pytest.mark.parametrize("tag", [0, IMMEDIATELY])
def test_an_immediate_bundle_is_the_same(host, tag):
    host.send(write_bundle(tag, [event_message()]))
    assert host.stage.played[0].onset_sample(48_000) == host.clock.position_samples() + 64


@pytest.mark.parametrize("seconds", [0.001, 0.5, 59.0])
def test_a_future_event_goes_to_the_stage_at_once_with_its_time(host, seconds):
    host.send_in(seconds, event_message())
    wanted = host.clock.sample_at(host.clock.now + seconds)
    assert abs(host.stage.played[0].onset_sample(48_000) - wanted) <= 1


def test_a_past_event_keeps_its_time_for_the_stage_to_judge(host):
    host.send_in(-0.25, event_message())
    assert host.stage.played[0].onset_seconds == pytest.approx(99.75, abs=1e-4)


def test_a_tag_before_the_stream_is_its_start(host):
    host.send_in(-150.0, event_message())
    assert host.stage.played[0].onset_seconds == 0.0


def test_tags_too_far_ahead_are_refused(host):
    host.send_in(AHEAD_SECONDS_MAX + 1.0, event_message(), control(0.5))
    assert host.stage.played == []
    assert host.counters == {"rejected": 2}
    assert len(host.stage.lines) == 1
    assert "time tag" in host.stage.lines[0]


def test_a_stage_without_a_place_is_a_drop(host):
    host.stage.full = True
    host.send(event_message())
    assert host.counters == {"dropped": 1}
    assert host.packets == []


# ---- other messages ------------------------------------------------------------------------------------


def test_controls_patches_phrases_panic(host):
    host.send(control(0.25))
    host.send(write_message(osc.PATCH, "glass"))
    host.send(write_message(osc.PHRASE, 48, 100, "arpeggio"))
    host.send(write_message(osc.PANIC))
    assert host.stage.set == [("room_mix", 0.25)]
    assert host.stage.patches == ["glass"]
    assert host.stage.phrases == [(48, 100, "arpeggio")]
    assert host.stage.panics == 1
    assert host.counters == {"accepted": 4}


@pytest.mark.parametrize(
    "message",
    [
        control(1.0, "unknown"),
        write_message(osc.PATCH, "missing"),
        write_message(osc.PHRASE, 1, 1, "unknown"),
    ],
)
def test_what_the_stage_refuses_is_told_in_one_line(host, message):
    host.send(message)
    assert host.counters == {"rejected": 1}
    (line,) = host.stage.lines
    assert line.startswith("OSC from 127.0.0.1:5555 refused: /struck/")
    assert host.packets == []


def test_a_fault_of_ours_is_counted_and_told_and_ends_nothing(host):
    host.stage.broken = True
    host.send(control(0.5))
    host.stage.broken = False
    host.send(control(0.75))
    assert host.counters == {"faults": 1, "rejected": 1, "accepted": 1}
    assert "a fault of ours" in host.stage.lines[0]


@pytest.mark.parametrize(
    "address", ["/struck/pong", "/struck/stats/x", "/struck/subscribed", "/struck/control/", "/x"]
)
def test_unknown_addresses_and_our_own_answers_are_refused_without_an_answer(host, address):
    host.send(address.encode() + bytes(4 - len(address) % 4) + b",\0\0\0")
    assert host.counters == {"rejected": 1}
    assert host.replies == []


def test_messages_of_a_bundle_wait_for_their_time(host):
    host.send_in(0.5, control(0.5))
    host.send_in(0.2, control(0.2))
    assert host.stage.set == []
    assert host.dispatcher.run_due() == pytest.approx(0.2, abs=1e-5)
    assert host.pass_seconds(0.3) == pytest.approx(0.2, abs=1e-5)
    assert host.stage.set == [("room_mix", pytest.approx(0.2))]
    assert host.pass_seconds(0.3) is None
    assert [value for _, value in host.stage.set] == pytest.approx([0.2, 0.5])
    assert host.counters == {"accepted": 2}


def test_messages_of_one_bundle_keep_their_order(host):
    host.send_in(0.1, *(control(value / 8) for value in range(8)))
    host.pass_seconds(1.0)
    assert [value for _, value in host.stage.set] == [value / 8 for value in range(8)]


def test_a_panic_forgets_what_waits(host):
    host.send_in(0.1, control(0.5))
    host.send(write_message(osc.PANIC))
    assert host.pass_seconds(1.0) is None
    assert host.stage.set == []
    assert host.counters == {"dropped": 1, "accepted": 1}


def test_only_so_many_wait(host):
    sent = 0
    while sent <= DEFERRED_MAX + 5:
        host.send_in(10.0, control(0.5))
        host.clock.now += 1 / 1_000
        sent += 1
    assert host.counters == {"dropped": sent - DEFERRED_MAX}
    assert len([line for line in host.stage.lines if "no place" in line]) == 1


def test_questions_are_answered_at_once_whatever_their_tag(host):
    host.send_in(1_000.0, write_message(osc.PING))
    assert host.answers() == [("/struck/pong", [])]


def test_stats_are_one_message_per_counter_in_small_packets(host):
    for number in range(200):
        host.stage.counters[f"a_counter_{number}"] = number
    host.send(write_message(osc.STATS))
    assert all(len(packet) <= 1_400 for packet, _ in host.replies)
    assert len(host.replies) > 1
    answers = dict(host.answers())
    assert answers["/struck/stats/a_counter_137"] == [137]
    assert answers["/struck/stats/load_unit"] == [0.25]
    assert answers["/struck/stats/huge"] == [2.0**40]


def test_the_latency_ledger(host):
    host.send(write_message(osc.LATENCY))
    ((address, pairs),) = host.answers()
    assert address == "/struck/latency"
    assert dict(zip(pairs[::2], pairs[1::2], strict=True)) == pytest.approx(LEDGER)


# ---- the take ------------------------------------------------------------------------------------------


def test_packets_that_change_what_sounds_are_recorded(host):
    recorded = [
        event_message(),
        control(0.5),
        write_message(osc.PANIC),
        write_bundle(host.tags.from_monotonic(host.clock.now + 1.0), [control(0.5)]),
        write_bundle(IMMEDIATELY, [control(9.0, "unknown"), control(0.5)]),
    ]
    others = [
        write_message(osc.PING),
        write_message(osc.STATS),
        write_message(osc.SUBSCRIBE, 7000),
        control(9.0, "unknown"),
        b"garbage",
    ]
    for packet in [*others, *recorded]:
        host.send(packet)
    assert host.packets == [(host.clock.position_samples(), packet) for packet in recorded]


def test_a_recorder_that_fails_ends_nothing(host):
    def fail(at_sample, packet):
        raise OSError("the disk is full")

    dispatcher = OscDispatcher(
        host.stage, host.clock, host.subscribers, lambda packet, peer: None, on_packet=fail,
        monotonic=host.clock.monotonic, wall=host.clock.wall,
    )  # fmt: skip
    dispatcher.handle(control(0.5), PEER)
    assert host.stage.set == [("room_mix", 0.5)]
    assert host.counters == {"accepted": 1, "faults": 1}
    assert "the disk is full" in host.stage.lines[0]


# ---- subscribers ---------------------------------------------------------------------------------------


def test_subscribe_renew_expire(host):
    host.send(write_message(osc.SUBSCRIBE))
    assert host.replies[0][1] == host.replies[1][1] == PEER
    subscribed, latency = host.answers()
    assert subscribed == ("/struck/subscribed", [5555, 60.0])
    assert latency[0] == "/struck/latency"
    host.clock.now += 59.0
    assert host.subscribers.peers() == [PEER]
    host.send(write_message(osc.SUBSCRIBE))
    host.clock.now += 59.0
    assert host.subscribers.peers() == [PEER]
    host.clock.now += 1.5
    assert host.subscribers.peers() == []


def test_subscribe_another_port_and_unsubscribe(host):
    host.send(write_message(osc.SUBSCRIBE, 7000))
    assert host.subscribers.peers() == [("127.0.0.1", 7000)]
    assert [peer for _, peer in host.replies] == [PEER, ("127.0.0.1", 7000)]
    host.answers()
    host.send(write_message(osc.UNSUBSCRIBE))
    assert host.subscribers.peers() == [("127.0.0.1", 7000)]
    host.send(write_message(osc.UNSUBSCRIBE, 7000))
    assert host.subscribers.peers() == []
    assert host.answers() == [("/struck/subscribed", [5555, 0.0]), ("/struck/subscribed", [7000, 0.0])]


def test_an_ipv6_subscriber_keeps_its_scope(host):
    host.send(write_message(osc.SUBSCRIBE, 7000), ("fe80::1", 5555, 0, 3))
    assert host.subscribers.peers() == [("fe80::1", 7000, 0, 3)]


def test_subscribers_are_so_many_at_most(host):
    for port in range(SUBSCRIBERS_MAX):
        host.send(write_message(osc.SUBSCRIBE), ("127.0.0.1", 6000 + port))
    host.answers()
    host.send(write_message(osc.SUBSCRIBE))
    assert host.answers() == [("/struck/subscribed", [5555, 0.0])]
    assert len(host.subscribers.peers()) == SUBSCRIBERS_MAX
    host.send(write_message(osc.SUBSCRIBE), ("127.0.0.1", 6000))  # one of them renews
    assert host.answers()[0] == ("/struck/subscribed", [6000, 60.0])
    assert host.counters["rejected"] == 1
    host.clock.now += 61.0
    host.send(write_message(osc.SUBSCRIBE))
    assert host.subscribers.peers() == [PEER]


def test_struck_does_not_subscribe_itself():
    host = Host(is_own=lambda peer: peer[1] == 9000)
    host.send(write_message(osc.SUBSCRIBE, 9000))
    assert host.subscribers.peers() == []
    assert host.counters == {"rejected": 1}


# ---- floods and garbage --------------------------------------------------------------------------------


def test_a_flood_is_dropped_and_counted_and_a_panic_gets_through(host):
    for _ in range(5_000):
        host.send(control(0.5))
    assert host.counters == {"accepted": MESSAGES_AT_ONCE, "dropped": 5_000 - MESSAGES_AT_ONCE}
    assert host.send(control(0.5)) is False
    assert host.send(write_message(osc.PANIC)) is True
    assert host.stage.panics == 1
    host.clock.now += 0.1
    before = len(host.stage.set)
    for _ in range(5_000):
        host.send(control(0.5))
    assert len(host.stage.set) - before == pytest.approx(0.1 * MESSAGES_PER_SECOND, abs=1)


def test_a_bundle_of_a_flood_is_cut_short(host):
    host.send(write_bundle(IMMEDIATELY, [control(0.5)] * 1_500))
    assert host.counters == {"accepted": MESSAGES_AT_ONCE, "dropped": 1_500 - MESSAGES_AT_ONCE}


def test_each_kind_of_fault_is_told_once_a_second(host):
    for _ in range(50):
        host.send(b"garbage")
        host.send(b"/unknown\0\0\0\0,\0\0\0")
    assert len(host.stage.lines) == 2
    host.clock.now += 1.5
    host.send(b"garbage")
    assert len(host.stage.lines) == 3
    assert host.counters == {"rejected": 101}


def test_lines_are_printable_and_short(host):
    host.send(b"/\x1b[2J\n" + b"x" * 1000 + bytes(2) + b",\0\0\0")
    host.send(write_message(osc.CONTROL, 1.0, name="\x1b31m" + "y" * 1000))
    assert len(host.stage.lines) == 2
    for line in host.stage.lines:
        assert line.isprintable()
        assert len(line) <= 200


def valid_packets(host):
    ahead = host.tags.from_monotonic(host.clock.now + 0.5)
    numbers = event_message()[:-132].replace(b"sb\0\0", b"s" + b"f" * 32 + bytes(3))
    messages = [
        event_message(),
        numbers + make_event().vector.astype(">f4").tobytes(),
        control(0.5),
        write_message(osc.PATCH, "glass"),
        write_message(osc.PHRASE, 48, 100, "pad"),
        write_message(osc.PANIC),
        write_message(osc.PING),
        write_message(osc.STATS),
        write_message(osc.LATENCY),
        write_message(osc.SUBSCRIBE, 7000),
        write_message(osc.UNSUBSCRIBE, 7000),
    ]
    bundles = [
        write_bundle(IMMEDIATELY, messages[:4]),
        write_bundle(ahead, [messages[2], write_bundle(ahead, messages[:3])]),
    ]
    return [*messages, *bundles]


def mutate(packet, rng):
    data = bytearray(packet)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        kind = rng.random()
        at = rng.randrange(len(data)) if data else 0
        if kind < 0.5 and data:
            data[at] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
        elif kind < 0.65:
            del data[at : at + rng.choice((1, 4, 8))]
        elif kind < 0.8:
            data[at:at] = rng.randbytes(rng.choice((1, 4, 8)))
        elif kind < 0.9:
            del data[at:]
        else:
            data += data[at:]
    return bytes(data[:3_000])


def test_every_valid_packet_is_accepted(host):
    packets = valid_packets(host)
    for packet in packets:
        host.send(packet)
    assert host.pass_seconds(1.0) is None
    assert host.counters == {"accepted": 11 + 4 + 4}


def test_nothing_that_comes_raises():
    host = Host()
    rng = random.Random(20)
    packets = valid_packets(host)
    began = time.thread_time()
    total = 50_000
    for number in range(total):
        if number % 2:
            packet = mutate(rng.choice(packets), rng)
        else:
            packet = rng.choice((b"", b"/", b"#bundle\0")) + rng.randbytes(rng.randrange(64))
        host.send(packet, ("127.0.0.1", 1 + number % 65_535))
        host.pass_seconds(1 / 500)  # slower than the rate limit, so that every packet is looked at
        host.replies.clear()
    assert time.thread_time() - began < 10.0
    host.pass_seconds(100.0)
    stage = host.stage
    assert "osc_faults" not in stage.counters
    assert stage.messages >= total
    # Mutants that are still valid do sound, and what sounds is sane.
    assert stage.counters["osc_accepted"] > 1_000
    assert stage.counters["osc_rejected"] > total / 2
    assert stage.played
    assert all(np.all(np.abs(event.vector) <= 1.0) and -90 <= event.gain_db <= 12 for event in stage.played)
    assert all(np.isfinite(value) and name in ("room_mix", "transpose") for name, value in stage.set)
    assert len(host.subscribers.peers()) <= SUBSCRIBERS_MAX
    assert len(stage.lines) < 12 * 301  # a few kinds, 300 s
    assert all(line.isprintable() for line in stage.lines)
    host.send(write_message(osc.PING))
    assert host.answers() == [("/struck/pong", [])]


# ---- replies -------------------------------------------------------------------------------------------


def test_replies_to_one_sender_are_bounded_and_others_get_theirs(host):
    ping = write_message(osc.PING)
    for port in range(300):  # a sender is a host: ports are easily made up
        host.send(ping, ("192.0.2.1", port))
    assert len(host.answers()) == REPLIES_AT_ONCE
    assert host.counters["replies_dropped"] == 300 - REPLIES_AT_ONCE
    host.send(ping)
    assert host.answers() == [("/struck/pong", [])]
    host.pass_seconds(1.0)
    for _ in range(300):
        host.send(ping, ("192.0.2.1", 1))
    assert len(host.answers()) == REPLIES_PER_SECOND


def test_replies_to_senders_that_are_made_up_are_bounded_in_all(host):
    ping = write_message(osc.PING)
    for number in range(900):
        host.send(ping, (f"192.0.2.{number}", 9_000))
    assert len(host.answers()) == ALL_REPLIES_AT_ONCE
    host.pass_seconds(0.5)
    for number in range(900):
        host.send(ping, (f"198.51.100.{number}", 9_000))
    assert len(host.answers()) == ALL_REPLIES_PER_SECOND // 2


def test_each_packet_of_an_answer_counts(host):
    host.stage.counters.update({f"counter_{i}": i for i in range(1_000)})
    for _ in range(REPLIES_AT_ONCE):
        host.send(write_message(osc.STATS))
    assert len(host.replies) == REPLIES_AT_ONCE
    assert sum(len(packet) for packet, _ in host.replies) <= 1_400 * REPLIES_AT_ONCE


# ---- amendments and ends -------------------------------------------------------------------------------


def test_an_amendment_and_an_end_reach_the_stage_with_their_times(host):
    now = (host.clock.position_samples() + 64) / 48_000
    host.send(write_message(osc.AMEND, 3, "pitch_hz", 440.0, "gain_db", -6.0, "room", "hall"))
    host.send_in(0.5, write_message(osc.END, 3))
    assert host.stage.amended == [(3, now, {"pitch_hz": 440.0, "gain_db": -6.0, "room": "hall"})]
    ((number, at_seconds),) = host.stage.ended
    assert number == 3
    assert at_seconds == pytest.approx(100.5, abs=1e-3)
    assert host.counters == {"accepted": 2}
    assert len(host.packets) == 2


def test_the_id_that_a_sender_gave_means_its_own_event(host):
    other = ("127.0.0.1", 6666)
    host.send(numbered_event(40))
    host.send(numbered_event(50, 2))
    host.send(numbered_event(40, 3), other)
    for peer, number in ((PEER, 50), (other, 40), (PEER, 40), (PEER, 2), (other, 50)):
        host.send(write_message(osc.END, number), peer)
    assert [number for number, _ in host.stage.ended] == [2, 3, 1, 2, 50]


def test_an_id_may_be_given_again(host):
    host.send(numbered_event(7))
    host.send(numbered_event(7, 2))
    host.send(write_message(osc.END, 7))
    assert [number for number, _ in host.stage.ended] == [2]


@pytest.mark.parametrize(
    "values",
    [
        (3,),
        (3, "pitch"),
        (3, "colour", 1.0),
        (3, "pitch", "high"),
        (3, "pitch", float("nan")),
        ("three", "pitch", 60.0),
        (3, "pitch", 60.0, "decay"),
        (3, "hold", 666.0),
    ],
)
def test_amendments_that_are_refused(host, values):
    tags = "".join({int: "i", float: "f", str: "s"}[type(value)] for value in values)
    parts = [osc_types.write_string("/struck/amend"), osc_types.write_string("," + tags)]
    write = {"i": osc_types.write_int, "f": osc_types.write_float, "s": osc_types.write_string}
    host.send(b"".join(parts + [write[tag](value) for tag, value in zip(tags, values, strict=True)]))
    assert host.stage.amended == []
    assert host.counters == {"rejected": 1}
    assert len(host.stage.lines) == 1
