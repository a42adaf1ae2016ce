"""Turns streams into packets of entropy-coded events, amendments and ends, a second at a time.

Nobody knows the distributions of the fields before the weights are trained, and they differ from player to
player. So the range coder's models are learned from the packets before::

    packet  = head, events' section, amendments' section, ends' section
    section = range coder words, or records where the packet is exact

A *keyframe* packet forgets models and history, so that reading may start, or start again after damage,
there. It carries the events that began earlier and may sound on, as they are now: they stand in the events'
section, before those that begin in the packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ..events.amendments import StreamItem, item_seconds
from ..events.event_spec import ANALYSIS_RATE
from ..events.events import Event
from ..events.quantize import quantize_amendments
from .event_section import PACKET_SECONDS
from .exact_sections import pack_amendments, pack_ends, pack_events
from .heads import MAX_PACKET_CHANGES, MAX_PACKET_EVENTS, PacketHead
from .ids import following_ids, id_after
from .lives import Life, Lives
from .models import Models
from .run import Run, sample_of
from .symbols import SymbolWriter

#: What was learned is given up this often: the price of starting to read in the middle.
KEYFRAME_SECONDS: Final = 30.0


class PacketEncoder:
    """Turns runs of a stream into packets; keeps models and lives between them.

    Args:
        exact: keep every bit of every float, and quantise nothing.
    """

    def __init__(self, exact: bool = False) -> None:
        self._exact = exact
        self._models = Models()
        self._lives = Lives()
        self._keyframe_end = 0
        #: Amendments and ends so far that were left out: their event was unknown, not yet begun, or ended.
        self.ignored_count = 0

    def encode(self, items: Iterable[StreamItem]) -> bytes | None:
        """One packet of up to ``MAX_PACKET_EVENTS`` events and ``MAX_PACKET_CHANGES`` amendments and ends.

        They may come in any order. None if there is no event and nothing that speaks of one.

        Raises:
            ValueError: nothing is given, too much, or it spans ``PACKET_SECONDS`` or more.
        """
        items = list(items)
        first = sample_of(_check(items))
        changes = [item for item in items if not isinstance(item, Event)]
        keyframe = first >= self._keyframe_end or any(self._lives.find_aside(item.id) for item in changes)
        sounding = self._lives.sounding(first / ANALYSIS_RATE) if keyframe else []
        carried = sounding if changes or self._lives.changed else []
        lives = Lives(carried, () if carried else sounding) if keyframe else self._lives
        run = Run.of(items, lives, self._exact)
        self.ignored_count += run.ignored_count
        if run.ignored_count == len(items):
            return None
        if self._exact and not any(run.born) and lives.is_empty:
            return PacketHead(True, True, True, 0, len(run.events)).pack() + pack_events(run.events, False)
        if keyframe:
            self._keyframe_end = first + int(KEYFRAME_SECONDS * ANALYSIS_RATE)
            self._models, self._lives = Models(), lives
            for life in carried:
                life.last_set = None
        encode = self._encode_floats if run.levels is None else self._encode_levels
        packet = encode(run, first, carried if keyframe else None)
        self._lives.changed |= bool(run.amendments or run.ends)
        self._lives.settle()
        return packet

    def _encode_floats(self, run: Run, first: int, carried: Sequence[Life] | None) -> bytes:
        begun = [life.event(first / ANALYSIS_RATE) for life in carried or ()]
        sections = (
            pack_events([*begun, *run.events], True),
            pack_amendments(amendment for amendment, _ in run.amendments),
            pack_ends([end for end, _ in run.ends]),
        )
        self._lives.begin_all(run.born)
        for amendment, life in run.amendments:
            life.amend(amendment)
            self._lives.touch(life)
        return _packet(True, run, first, carried, sections)

    def _encode_levels(self, run: Run, first: int, carried: Sequence[Life] | None) -> bytes:
        assert run.levels is not None
        models, changes = self._models, self._models.changes
        ids = [event.id for event in run.events]
        changed = bool(run.amendments or run.ends)
        plain = not (carried or changed) and ids == following_ids(models.next_id, len(ids))
        events, amendments, ends = SymbolWriter(), SymbolWriter(), SymbolWriter()
        begun = carried or ()
        ids = [*(life.id for life in begun), *ids]
        if not plain:
            models.ids.write(events, ids, models.next_id or 0)
        models.next_id = id_after(ids, models.next_id)
        levels = np.vstack([*(life.values for life in begun), run.levels])
        deltas = np.concatenate([np.zeros(len(begun), np.int64), run.onset_deltas(first)])
        models.events.write(events, levels, deltas)
        self._lives.begin_all(run.born)
        if run.amendments:
            levels, sets = quantize_amendments([amendment for amendment, _ in run.amendments])
            amended = [life for _, life in run.amendments]
            deltas = run.amendment_deltas(first)
            changes.write_amendments(amendments, self._lives, amended, deltas, levels, sets)
        if run.ends:
            changes.write_ends(ends, self._lives, [life for _, life in run.ends], run.end_deltas(first))
        if plain:
            head = PacketHead(False, carried is not None, True, first, len(run.events))
            return head.pack() + events.words()
        return _packet(False, run, first, carried, (events.words(), amendments.words(), ends.words()))


def _check(items: Sequence[StreamItem]) -> float:
    """Time of the first of ``items`` in seconds, if they fit into a packet; else raise ValueError."""
    event_count = sum(isinstance(item, Event) for item in items)
    change_count = len(items) - event_count
    if not items or event_count > MAX_PACKET_EVENTS or change_count > MAX_PACKET_CHANGES:
        raise ValueError(
            f"a packet holds 1 to {MAX_PACKET_EVENTS} events and {MAX_PACKET_CHANGES} amendments and ends, "
            f"not {event_count} and {change_count}"
        )
    times = [item_seconds(item) for item in items]
    span = max(times) - min(times)
    if span >= PACKET_SECONDS:
        raise ValueError(f"a packet spans less than {PACKET_SECONDS} s, not {span}")
    return min(times)


def _packet(
    exact: bool, run: Run, first: int, carried: Sequence[Life] | None, sections: tuple[bytes, bytes, bytes]
) -> bytes:
    head = PacketHead(
        exact=exact,
        keyframe=carried is not None,
        plain=False,
        first=first,
        events=len(run.events),
        amendments=len(run.amendments),
        ends=len(run.ends),
        carried=len(carried or ()),
        event_words=len(sections[0]) // 4,
        amendment_words=len(sections[1]) // 4,
    )
    return head.pack() + b"".join(sections)
