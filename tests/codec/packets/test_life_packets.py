"""Packets with amendments and ends: exact round trips, rate, ids, gaps, hostile streams and packets."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, StreamItem, in_stream_order
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import INDEX, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.packets.decoder import PacketDecoder
from struck.codec.packets.encoder import PacketEncoder
from struck.codec.packets.heads import MAX_PACKET_CHANGES, PacketHead, read_head

from .streams import followed, quantised, runs, told


def encoded(items: list[StreamItem], exact: bool = False) -> list[bytes]:
    encoder = PacketEncoder(exact)
    packets = [encoder.encode(run) for run in runs(items)]
    assert encoder.ignored_count == 0
    return [packet for packet in packets if packet is not None]


def decoded(packets: list[bytes]) -> list[StreamItem]:
    decoder = PacketDecoder()
    return [item for packet in packets for item in decoder.decode(packet)]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("fields", [("pitch", "tilt"), None])
def test_streams_round_trip(exact: bool, fields: tuple[str, str] | None) -> None:
    items = followed(6, 65.0, fields=fields)
    expected = items if exact else quantised(items)
    assert told(decoded(encoded(items, exact))) == told(expected)


def test_every_field_goes_to_both_ends_of_its_range_and_back() -> None:
    rng = np.random.default_rng(1)
    items: list[StreamItem] = [Event(0.0, -90.0, -np.ones(VECTOR_SIZE), 2**32 - 1)]
    for step in range(60):
        vector = np.where(rng.random(VECTOR_SIZE) < 0.5, rng.choice([-1.0, 1.0], VECTOR_SIZE), np.nan)
        items.append(Amendment(2**32 - 1, 0.01 * step, float(rng.choice([-90.0, 12.0])), vector))
    assert told(decoded(encoded(items))) == told(quantised(items))


@pytest.mark.parametrize("voices", [1, 10, 50])
def test_an_amendment_of_gain_and_two_fields_takes_at_most_40_bits(voices: int) -> None:
    bits = []
    for fields in (("pitch", "tilt"), None):
        heads = [read_head(packet)[0] for packet in encoded(followed(voices, 8.0, fields=fields))]
        bits += [32 * head.amendment_words / head.amendments for head in heads if head.amendments]
    assert np.median(bits) < 25.0
    assert max(bits[:-1]) < 40.0  # the first packets after a keyframe too; the last may be all but empty


def test_ids_that_follow_cost_a_keyframe_a_few_bytes_and_no_more() -> None:
    rng = np.random.default_rng(2)
    plain: list[StreamItem] = [
        Event(0.1 * i, -20.0, rng.normal(0.0, 0.2, VECTOR_SIZE).clip(-1, 1)) for i in range(700)
    ]
    numbered = [replace(event, id=(2**32 - 300 + i) % 2**32) for i, event in enumerate(plain)]
    without, with_ids = encoded(plain), encoded(numbered)
    assert told(decoded(with_ids)) == told(quantised(numbered))
    keyframes = [read_head(packet)[0].keyframe for packet in without]
    assert sum(keyframes) == 3
    more = [len(b) - len(a) for a, b in zip(without, with_ids, strict=True)]
    assert sum(more) <= 3 * 16
    assert all(b == 0 for b, keyframe in zip(more, keyframes, strict=True) if not keyframe)


def test_ids_of_any_kind_come_back() -> None:
    ids = [None, 0, 1, None, 2**32 - 1, 0, 5, 4, 2**31, None, 2**31 + 2**16, 3]
    items: list[StreamItem] = [Event(0.2 * i, -20.0, np.zeros(VECTOR_SIZE), id) for i, id in enumerate(ids)]
    for exact in (False, True):
        assert told(decoded(encoded(items, exact))) == told(items if exact else quantised(items))


# ---- keyframes and gaps --------------------------------------------------------------------------------


def long_sound() -> Event:
    vector = np.zeros(VECTOR_SIZE)
    vector[[INDEX[name] for name in ("attack", "hold", "release", "decay")]] = 1.0
    return Event(0.5, -20.0, vector, 7)


@pytest.mark.parametrize("exact", [False, True])
def test_a_keyframe_carries_what_sounds(exact: bool) -> None:
    """A sound is amended over two keyframes; a reader that starts at the second has it as it is then."""
    first = long_sound()
    faded = replace(first, id=8, onset_seconds=0.6)  # never spoken of: gone after 11 s
    items: list[StreamItem] = [first, faded]
    items += [Amendment(7, 0.5 * k, -20.0 - k / 10) for k in range(2, 90)]
    items += [End(7, 45.0)]
    packets = encoded(items, exact)
    heads = [read_head(packet)[0] for packet in packets]
    second = [number for number, head in enumerate(heads) if head.keyframe][1]
    assert heads[second].carried == 1
    found = decoded(packets[second:])
    begun = found[0]
    assert isinstance(begun, Event)
    at_seconds = heads[second].first / 22_050
    assert (begun.id, begun.onset_seconds) == (7, pytest.approx(at_seconds, abs=1e-4))
    assert begun.gain_db == pytest.approx(-20.0 - 2 * (at_seconds - 0.5) / 10, abs=0.6)
    assert found[-1] == End(7, 45.0)
    assert told(decoded(packets)) == told(items if exact else quantised(items))


@pytest.mark.parametrize("exact", [False, True])
def test_after_a_gap_all_is_put_right(exact: bool) -> None:
    """What happened in the gap: 7 was amended, 8 ended, 9 began."""
    items: list[StreamItem] = [replace(long_sound(), id=id, onset_seconds=25.0) for id in (7, 8)]
    items = [Event(0.5 * k, -20.0, np.zeros(VECTOR_SIZE), 100 + k) for k in range(50)] + items
    items += [Amendment(id, 0.5 * k, -20.0 - k / 10) for k in range(51, 57) for id in (7, 8)]
    gap = [Amendment(7, 29.0, -6.0), End(8, 29.1), replace(long_sound(), id=9, onset_seconds=29.2)]
    after: list[StreamItem] = [Amendment(7, 31.0, -9.0), Amendment(9, 31.0, -9.0), End(9, 32.5)]
    packets = encoded(in_stream_order([*items, *gap, *after]), exact)
    heads = [read_head(packet)[0] for packet in packets]
    second = [number for number, head in enumerate(heads) if head.keyframe][1]
    whole = [k for k, head in enumerate(heads) if head.first < 28.9 * 22_050]
    decoder = PacketDecoder()
    for number in whole:
        decoder.decode(packets[number])
    now = heads[second].first / 22_050
    found = decoder.decode(packets[second])
    repairs = [item for item in found if item not in after]
    assert [type(item) for item in repairs] == [Event, Amendment, End]
    begun, amended, ended = repairs
    assert (begun.id, begun.onset_seconds) == (9, now)
    assert (amended.id, amended.at_seconds, amended.gain_db) == (7, now, -6.0)
    assert (ended.id, ended.at_seconds) == (8, now)
    assert not amended.fields


@pytest.mark.parametrize("exact", [False, True])
def test_what_was_not_carried_is_when_it_is_spoken_of(exact: bool) -> None:
    """Nothing is amended before the keyframe, which carries nothing, but after it."""
    events = [Event(0.5 * k, -20.0, long_sound().vector, k) for k in range(70)]
    late: list[StreamItem] = [Amendment(58, 33.2, -3.0), End(59, 33.3)]
    items = in_stream_order([*events, *late])
    packets = encoded(items, exact)
    keyframes = [head for head, _ in map(read_head, packets) if head.keyframe]
    assert [head.carried > 0 for head in keyframes] == [False, False, True]
    assert told(decoded(packets)) == told(items if exact else quantised(items))


def test_a_packet_that_is_no_keyframe_needs_what_came_before() -> None:
    packets = encoded(followed(3, 5.0))
    with pytest.raises(StruckError, match="keyframe"):
        PacketDecoder().decode(packets[1])


# ---- hostile streams and packets -----------------------------------------------------------------------


def test_what_speaks_of_no_sounding_event_is_left_out_and_counted() -> None:
    event = Event(0.5, -20.0, np.zeros(VECTOR_SIZE), 7)
    nameless = Event(0.1, -20.0, np.zeros(VECTOR_SIZE))
    good: list[StreamItem] = [nameless, event, Amendment(7, 0.5, -10.0), Amendment(7, 0.5, -9.0), End(7, 0.7)]
    stray: list[StreamItem] = [
        Amendment(7, 0.4, -10.0),  # before the onset
        Amendment(8, 0.6, -10.0),  # unknown
        End(8, 0.6),
        Amendment(7, 0.8, -10.0),  # ended
        End(7, 0.9),
    ]
    for exact in (False, True):
        encoder = PacketEncoder(exact)
        packet = encoder.encode([*stray, *good[::-1]])
        assert packet is not None
        # two at one time stay in the order in which they came
        assert told(PacketDecoder().decode(packet)) == told(
            (lambda items: items if exact else quantised(items))([nameless, event, good[3], good[2], good[4]])
        )
        assert encoder.ignored_count == len(stray)
        assert encoder.encode([End(7, 1.0), Amendment(99, 1.2, 0.0)]) is None


def test_an_id_may_return_at_once() -> None:
    items: list[StreamItem] = []
    for k in range(8):
        onset = 0.05 + 0.1 * k
        items += [Event(onset, -20.0 - k, np.zeros(VECTOR_SIZE), 7), Amendment(7, onset + 0.05, -k)]
    items += [End(7, 0.85), Event(0.86, -3.0, np.ones(VECTOR_SIZE), 7), End(7, 0.9)]
    for exact in (False, True):
        assert told(decoded(encoded(items, exact))) == told(items if exact else quantised(items))


def test_ten_thousand_amendments_in_a_second() -> None:
    rng = np.random.default_rng(3)
    items: list[StreamItem] = [Event(0.0, -20.0, np.zeros(VECTOR_SIZE), id) for id in range(200)]
    for k in range(10_000):
        vector = np.full(VECTOR_SIZE, np.nan)
        vector[rng.integers(VECTOR_SIZE)] = rng.uniform(-1.0, 1.0)
        items.append(Amendment(int(rng.integers(200)), 1e-4 * k, None, vector))
    packets = encoded(items)
    assert len(packets) <= 11
    assert told(decoded(packets)) == told(quantised(items))


def test_more_events_than_are_remembered() -> None:
    """The latest 1,024 can be amended; what speaks of older ones is left out."""
    encoder, decoder = PacketEncoder(), PacketDecoder()
    found: list[StreamItem] = []
    for k in range(6):
        events = [Event(0.1 * k, -20.0, np.zeros(VECTOR_SIZE), 256 * k + i) for i in range(256)]
        packet = encoder.encode(events)
        assert packet is not None
        found += decoder.decode(packet)
    packet = encoder.encode([Amendment(id, 0.9, -3.0) for id in range(512, 1536, 4)] + [End(511, 0.9)])
    assert packet is not None
    found = decoder.decode(packet)
    assert [item.id for item in found] == list(range(512, 1536, 4))
    assert encoder.ignored_count == 1


def test_bounds_of_a_packet() -> None:
    event = Event(0.0, 0.0, np.zeros(VECTOR_SIZE), 1)
    too_many = [event, *(Amendment(1, 0.0, -1.0) for _ in range(MAX_PACKET_CHANGES + 1))]
    for items in ([], too_many, [event, End(1, 1.0)]):
        with pytest.raises(ValueError, match="a packet"):
            PacketEncoder().encode(items)


@pytest.mark.parametrize("exact", [False, True])
def test_damaged_packets_are_refused_or_decoded_never_worse(exact: bool) -> None:
    rng = np.random.default_rng(5)
    packets = encoded(followed(4, 3.0), exact)
    for number in (0, 1):
        packet = packets[number]
        for length in range(len(packet)):
            with contextlib.suppress(StruckError):
                decoded([*packets[:number], packet[:length]])
        for _ in range(300):
            broken = bytearray(packet)
            for _ in range(int(rng.integers(1, 8))):
                broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
            with contextlib.suppress(StruckError):
                for item in decoded([*packets[:number], bytes(broken)]):
                    assert isinstance(item, Event | Amendment | End)


def test_heads_that_claim_too_much() -> None:
    for head in (
        PacketHead(False, True, False, 0, 257),
        PacketHead(False, True, False, 0, 1, amendments=1000, ends=25),
        PacketHead(False, True, False, 0, 1, carried=2**40),
        PacketHead(False, True, False, 0, 1, event_words=10),
        PacketHead(True, True, False, 0, 1, amendments=1, amendment_words=2**40),
    ):
        with pytest.raises(StruckError, match="packet"):
            PacketDecoder().decode(head.pack() + bytes(8))
