"""Streams for tests of what holds them: sounds that are followed, played notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from struck.codec.events.amendments import Amendment, End, StreamItem, in_stream_order, item_seconds
from struck.codec.events.event_spec import INDEX, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.events.quantize import (
    quantize_amendments,
    quantize_events,
    restore_amendments,
    restore_events,
)
from struck.codec.packets.heads import MAX_PACKET_CHANGES
from struck.codec.packets.run import sample_of

HOP_SECONDS = 1024 / 22_050


def followed(
    voices: int, seconds: float, *, seed: int = 0, fields: tuple[str, str] | None = ("pitch", "tilt")
) -> list[StreamItem]:
    """``voices`` sounds at a time, one after another, whose gain and two fields walk at every hop.

    Without ``fields``, every sound has two of its own. Ids follow the onsets.
    """
    rng = np.random.default_rng(seed)
    items: list[StreamItem] = []
    for _ in range(voices):
        onset = float(rng.uniform(0.0, 1.0))
        while onset < seconds:
            end = onset + float(rng.uniform(0.5, 4.0))
            gain_db, vector = float(rng.uniform(-40.0, -10.0)), rng.uniform(-0.7, 0.7, VECTOR_SIZE)
            id = len(items)  # only for now
            items.append(Event(onset, gain_db, vector, id))
            two = rng.choice(VECTOR_SIZE, 2, False) if fields is None else [INDEX[name] for name in fields]
            for hop in range(int(onset / HOP_SECONDS) + 1, int(end / HOP_SECONDS)):
                gain_db = float(np.clip(gain_db + rng.normal(0.0, 1.5), -90.0, 12.0))
                steps = [0.0025 if field == INDEX["pitch"] else 0.06 for field in two]
                vector[two] = np.clip(vector[two] + rng.normal(0.0, steps), -1.0, 1.0)
                told = np.full(VECTOR_SIZE, np.nan)
                told[two] = vector[two]
                items.append(Amendment(id, hop * HOP_SECONDS, gain_db, told))
            items.append(End(id, end))
            onset = end + float(rng.uniform(0.0, 0.2))
    events = sorted((i for i in items if isinstance(i, Event)), key=lambda event: event.onset_seconds)
    ids = {event.id: number for number, event in enumerate(events)}
    return in_stream_order(replace(item, id=ids[item.id]) for item in items)


def runs(items: list[StreamItem]) -> list[list[StreamItem]]:
    """``items`` in pieces that fit into packets."""
    found: list[list[StreamItem]] = []
    for item in items:
        fits = found and item_seconds(item) - item_seconds(found[-1][0]) < 1.0
        if not fits or len(found[-1]) >= MAX_PACKET_CHANGES:
            found.append([])
        found[-1].append(item)
    return found


def quantised(items: list[StreamItem]) -> list[StreamItem]:
    """``items`` as a quantised packet gives them back, in stream order."""
    found: list[StreamItem] = []
    for item in items:
        if isinstance(item, Event):
            found += restore_events(quantize_events([item]), [item.id])
        elif isinstance(item, Amendment):
            samples = np.array([sample_of(item.at_seconds)])
            found += restore_amendments([item.id], samples, *quantize_amendments([item]))
        else:
            found.append(End(item.id, sample_of(item.at_seconds) / 22_050))
    return in_stream_order(found)


def told(items: list[StreamItem]) -> list[tuple]:
    """``items`` as values to compare, ids of events included."""
    return [(item.id, item) for item in items]
