"""Turns packets back into streams; see :mod:`struck.codec.packets.encoder`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..events.amendments import Amendment, End, StreamItem, in_stream_order
from ..events.errors import StruckError
from ..events.event_spec import ANALYSIS_RATE
from ..events.quantize import restore_amendments, restore_events
from .exact_sections import unpack_amendments, unpack_ends, unpack_events
from .heads import PacketHead, read_head
from .ids import following_ids, id_after
from .lives import Life, Lives
from .models import Models
from .run import Run, sample_of
from .symbols import SymbolReader

_Sections = tuple[bytes, bytes, bytes]


class PacketDecoder:
    """Turns packets back into what they tell; feed them in order, from a keyframe on.

    Where packets are missing, what sounds over the gap is put right at the next keyframe, at its time: an
    event that began in the gap begins there, one that was amended is amended, one that ended ends.
    """

    def __init__(self) -> None:
        self._models: Models | None = None
        self._lives = Lives()

    def decode(self, packet: bytes) -> list[StreamItem]:
        """What one packet tells, in the order of the stream.

        Raises:
            StruckError: the packet is damaged, or its keyframe was not decoded.
        """
        head, position = read_head(packet)
        if head.plain and head.exact:
            events = unpack_events(packet[position:], head.events, False)
            first = sample_of(events[0].onset_seconds)
            return [*self._begin_keyframe(replace(head, first=first), []), *events]
        if head.keyframe:
            self._models = Models()
        if self._models is None:
            raise StruckError("an event packet came before its keyframe")
        decode = self._decode_floats if head.exact else self._decode_levels
        try:
            items = decode(self._models, head, head.sections(packet, position))
        except ValueError as error:
            raise StruckError(f"an event packet is damaged: {error}") from error
        self._lives.changed |= bool(head.amendments or head.ends)
        self._lives.settle()
        return items

    def _decode_floats(self, models: Models, head: PacketHead, sections: _Sections) -> list[StreamItem]:
        events = unpack_events(sections[0], head.carried + head.events, True)
        amendments = unpack_amendments(sections[1], head.amendments)
        ends = unpack_ends(sections[2], head.ends)
        begun = [Life.of(event, None) for event in events[: head.carried]]
        repairs = self._begin_keyframe(head, begun) if head.keyframe else []
        run = Run.of([*events[head.carried :], *amendments, *ends], self._lives, True)
        self._lives.begin_all(run.born)
        for amendment, life in run.amendments:
            life.amend(amendment)
            self._lives.touch(life)
        return in_stream_order([*repairs, *run.events, *amendments, *ends])

    def _decode_levels(self, models: Models, head: PacketHead, sections: _Sections) -> list[StreamItem]:
        reader = SymbolReader(sections[0])
        count = head.carried + head.events
        if head.plain:
            ids = following_ids(models.next_id, count)
        else:
            ids = models.ids.read(reader, count, models.next_id or 0)
        models.next_id = id_after(ids, models.next_id)
        levels, deltas = models.events.read(reader, count)
        onsets = head.first + np.cumsum(deltas)
        events = restore_events(np.column_stack([onsets, levels]), ids)
        lives = [Life.of(event, row) for event, row in zip(events, levels, strict=True)]
        carried = lives[: head.carried]
        repairs = self._begin_keyframe(head, carried) if head.keyframe else []
        self._lives.begin_all(lives[head.carried :])
        amendments = self._read_amendments(models, head, sections[1])
        ends = self._read_ends(models, head, sections[2])
        return in_stream_order([*repairs, *events[head.carried :], *amendments, *ends])

    def _read_amendments(self, models: Models, head: PacketHead, words: bytes) -> list[Amendment]:
        if not head.amendments:
            return []
        reader = SymbolReader(words)
        amended, deltas, levels, sets = models.changes.read_amendments(reader, self._lives, head.amendments)
        samples = head.first + np.cumsum(deltas)
        amendments = restore_amendments([life.id for life in amended], samples, levels, sets)
        for life, amendment in zip(amended, amendments, strict=True):
            life.touched_seconds = amendment.at_seconds
        return amendments

    def _read_ends(self, models: Models, head: PacketHead, words: bytes) -> list[End]:
        if not head.ends:
            return []
        lives, deltas = models.changes.read_ends(SymbolReader(words), self._lives, head.ends)
        samples = head.first + np.cumsum(deltas)
        ends = [End(life.id, _seconds(int(sample))) for life, sample in zip(lives, samples, strict=True)]
        for life, end in zip(lives, ends, strict=True):
            life.touched_seconds, life.ended = end.at_seconds, True
        return ends

    def _begin_keyframe(self, head: PacketHead, carried: Sequence[Life | None]) -> list[StreamItem]:
        """Keep only what sounds on; returns what puts right a reader who has missed something."""
        now_seconds = head.first / ANALYSIS_RATE
        before = self._lives
        sounding = before.sounding(now_seconds)
        nothing_changes = not (before.changed or carried or head.amendments or head.ends)
        self._lives = Lives((), sounding if nothing_changes else ())
        repairs: list[StreamItem] = []
        for life in carried:
            if life is None:
                raise StruckError("an event packet is damaged")
            known = before.find(life.id) or before.find_aside(life.id)
            if known is None:
                known = life
                repairs.append(life.event(now_seconds))
            elif (amendment := life.amendment(known, now_seconds)) is not None:
                repairs.append(amendment)
                known.values = life.values
            known.last_set = None
            self._lives.begin(known)
        if before.changed:  # then all that sounds was carried
            repairs += [End(x.id, now_seconds) for x in sounding if self._lives.find(x.id) is not x]
        return repairs


def _seconds(sample: int) -> float:
    return sample / ANALYSIS_RATE
