"""Packets of events: exact round trips, bounded rate, hostile packets."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.events.quantize import GAIN_LEVELS, quantize_events, restore_events
from struck.codec.packets.decoder import PacketDecoder
from struck.codec.packets.encoder import PacketEncoder
from struck.codec.packets.heads import MAX_PACKET_EVENTS, read_head


def make_rows(count: int, seed: int = 0) -> np.ndarray:
    """Rows whose levels are uniform over their whole range, ten a second."""
    rng = np.random.default_rng(seed)
    half = [2 ** (field.bits - 1) - 1 for field in FIELDS]
    rows = np.empty((count, 2 + VECTOR_SIZE), dtype=np.int64)
    rows[:, 0] = np.sort(rng.integers(0, max(1, count * ANALYSIS_RATE // 10), count))
    rows[:, 1] = rng.integers(0, GAIN_LEVELS, count)
    rows[:, 2:] = [[rng.integers(-h, h + 1) for h in half] for _ in range(count)]
    return rows


def split(events: list[Event]) -> list[list[Event]]:
    runs: list[list[Event]] = []
    for event in events:
        if not runs or event.onset_seconds - runs[-1][0].onset_seconds >= 1.0:
            runs.append([])
        runs[-1].append(event)
    return runs


def test_packets_round_trip_exactly_and_whole_range_fits_the_rate() -> None:
    rows = make_rows(800)
    events = restore_events(rows)
    encoder, decoder = PacketEncoder(), PacketDecoder()
    packets = [encoder.encode(run) for run in split(events)]
    assert sum(read_head(packet)[0].keyframe for packet in packets) == 3  # 80 s, a keyframe every 30 s
    decoded = [event for packet in packets for event in decoder.decode(packet)]
    assert np.array_equal(quantize_events(decoded), rows)
    # Uniform levels are the worst case: 2.5 kbit/s at 10.8 events a second allow 230 bits each.
    assert 8 * sum(map(len, packets)) / len(events) < 215


def test_models_learn() -> None:
    rng = np.random.default_rng(2)
    events = [
        Event(0.1 * i, -30.0 + rng.normal(), np.clip(rng.normal(0.2, 0.1, VECTOR_SIZE), -1, 1))
        for i in range(280)
    ]
    encoder = PacketEncoder()
    sizes = [8 * len(encoder.encode(run)) / len(run) for run in split(events)]
    assert np.mean(sizes[-8:]) < 0.8 * sizes[0]


def test_sources_that_return_are_cheap() -> None:
    rng = np.random.default_rng(3)
    sources = rng.uniform(-0.7, 0.7, (5, VECTOR_SIZE))
    events = [
        Event(i / 10.8, -30.0, np.clip(sources[i % 5] + rng.normal(0.0, 0.1, VECTOR_SIZE), -1.0, 1.0))
        for i in range(320)
    ]
    encoder, decoder = PacketEncoder(), PacketDecoder()
    packets = [encoder.encode(run) for run in split(events)]
    decoded = [event for packet in packets for event in decoder.decode(packet)]
    assert np.array_equal(quantize_events(decoded), quantize_events(events))
    assert 8 * sum(map(len, packets)) / len(events) < 150


def test_reading_starts_at_any_keyframe() -> None:
    rows = make_rows(800, seed=3)
    encoder = PacketEncoder()
    packets = [encoder.encode(run) for run in split(restore_events(rows))]
    second = [i for i, packet in enumerate(packets) if read_head(packet)[0].keyframe][1]
    decoder = PacketDecoder()
    decoded = [event for packet in packets[second:] for event in decoder.decode(packet)]
    assert np.array_equal(quantize_events(decoded), rows[-len(decoded) :])
    with pytest.raises(StruckError, match="keyframe"):
        PacketDecoder().decode(packets[1])


def test_exact_packets_keep_every_bit() -> None:
    rng = np.random.default_rng(4)
    events = [Event(i / 7.0, -1.0 / (i + 1), rng.uniform(-1, 1, VECTOR_SIZE)) for i in range(7)]
    packet = PacketEncoder(exact=True).encode(events)
    assert PacketDecoder().decode(packet) == events


def test_a_packet_is_sorted_and_simultaneous_events_fit() -> None:
    events = [Event(onset, -10.0, np.zeros(VECTOR_SIZE)) for onset in (0.5, 0.25, 0.5, 0.0)]
    decoded = PacketDecoder().decode(PacketEncoder().encode(events))
    assert [event.onset_seconds for event in decoded] == [0.0, pytest.approx(0.25, abs=1e-4), 0.5, 0.5]


def test_bounds_are_checked() -> None:
    event = Event(0.0, 0.0, np.zeros(VECTOR_SIZE))
    late = Event(1.0, 0.0, np.zeros(VECTOR_SIZE))
    for events in ([], [event] * (MAX_PACKET_EVENTS + 1), [event, late]):
        with pytest.raises(ValueError, match="a packet"):
            PacketEncoder().encode(events)


def test_damaged_packets_are_refused_or_decoded_never_worse() -> None:
    rng = np.random.default_rng(5)
    packet = PacketEncoder().encode(restore_events(make_rows(9)))
    for length in range(len(packet)):
        with contextlib.suppress(StruckError):
            PacketDecoder().decode(packet[:length])
    for _ in range(300):
        broken = bytearray(packet)
        for _ in range(int(rng.integers(1, 8))):
            broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
        try:
            events = PacketDecoder().decode(bytes(broken))
        except StruckError:
            continue
        assert len(events) <= MAX_PACKET_EVENTS
    with pytest.raises(StruckError, match="claims"):
        PacketDecoder().decode(b"\xff\xff\xff\xff\xff\xff\x01")
