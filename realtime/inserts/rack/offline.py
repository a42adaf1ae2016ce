"""Sound through inserts from file to file: the rack is waited for, and what it is late by is taken off."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ....codec.events.amendments import StreamItem
from ....patches.insert_patch import PLACES, InsertPatch
from ...engine.exchange import begin_racks, end_racks, make_rack_table, process_place
from ...engine.shared_memory import LANE_COUNT
from ..instruments.note_rows import StreamNotes
from ..plugins.plugin import FloatArray
from .bay import RackBay
from .plan import RackPlan
from .rack import Rack

#: Frames of one callback: many of the rack's blocks, so that both sides seldom wait.
CALLBACK_FRAMES: Final = 2_048
CHANNELS: Final = 2
_NOTHING: Final = np.zeros((0, CHANNELS), np.float32)
#: The sound ends when this much in a row stays below -80 dBFS, or this long after its input.
_QUIET_SECONDS: Final = 0.25
_QUIET_PEAK: Final = 1e-4
_LONGEST_TAIL_SECONDS: Final = 30.0


class OfflineInserts:
    """Lets one sound through inserts.

    Args:
        inserts: those at other places than ``places`` are left out.
        places: through which the sound goes, in this order.
        rate: in Hz.
        tell: takes one line for the user.
        log: see :class:`~struck.realtime.inserts.rack.bay.RackBay`.
    """

    def __init__(
        self,
        inserts: tuple[InsertPatch, ...],
        places: tuple[str, ...],
        rate: int,
        tell: Callable[[str], None],
        log: Path | None = None,
    ) -> None:
        self._inserts = tuple(insert for insert in inserts if insert.place in places)
        self._lanes = [PLACES.index(place) for place in places]
        self._rate, self._tell, self._log = rate, tell, log
        self._notes: list[StreamNotes] = []

    def hear(self, item: StreamItem) -> None:
        """What is told of an event plays the instruments among the inserts, ahead of :meth:`play`'s sound."""
        for notes in self._notes:
            notes.hear(item)

    def play(self, blocks: Iterable[FloatArray]) -> Generator[FloatArray, None, None]:
        """The sound of ``blocks``, each ``[F]`` or ``[F, C]`` of one or two channels, as blocks ``[F, 2]``.

        What the inserts are late by is taken off the beginning; their tail is added to the end.

        Raises:
            StruckError: an insert failed, or its latency is too long.
        """
        bay = RackBay(self._rate, CALLBACK_FRAMES, self._tell, self._log, patient=True)
        channels = (CHANNELS,) * LANE_COUNT
        try:
            bay.change(RackPlan(self._inserts, self._rate, CALLBACK_FRAMES, channels, patient=True))
            rack = bay.rack
            if rack is None:
                for block in blocks:
                    yield _in_stereo(block)
            else:
                self._notes = list(self._note_makers(rack))
                yield from self._play(_regroup(blocks), bay, rack)
        finally:
            self._notes = []
            bay.close()

    def _note_makers(self, rack: Rack) -> Iterator[StreamNotes]:
        for number in range(len(self._inserts)):
            if rack.takes_notes[number]:
                yield StreamNotes(rack.note_sender(number), self._rate)

    def _play(self, blocks: Iterable[FloatArray], bay: RackBay, rack: Rack) -> Iterator[FloatArray]:
        late = sum(rack.slot.delay_frames(lane) for lane in self._lanes)
        table = make_rack_table(bay.state)
        position = heard = emitted = quiet = 0

        def step(block: FloatArray) -> FloatArray:
            """One callback; what comes out of it, from where the input's first sample comes out."""
            nonlocal position, emitted, quiet
            out = np.zeros((CALLBACK_FRAMES, CHANNELS), np.float32)
            out[: len(block)] = block
            begin_racks(table, position)
            for lane in self._lanes:
                process_place(table, lane, out, position)
            end_racks(table, position + CALLBACK_FRAMES)
            rack.settle()
            out = out[max(0, late - position) :]
            position += CALLBACK_FRAMES
            emitted += len(out)
            quiet = quiet + len(out) if np.abs(out).max(initial=0.0) < _QUIET_PEAK else 0
            return out

        for block in blocks:
            heard += len(block)
            yield step(block)
        longest = heard + round(_LONGEST_TAIL_SECONDS * self._rate)
        while emitted < longest and (emitted < heard or quiet < _QUIET_SECONDS * self._rate):
            yield step(_NOTHING)


def _regroup(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """The same sound in stereo blocks of CALLBACK_FRAMES; the last may be shorter."""
    waiting: list[FloatArray] = []
    count = 0
    for block in blocks:
        waiting.append(_in_stereo(block))
        count += len(block)
        while count >= CALLBACK_FRAMES:
            whole = np.concatenate(waiting)
            yield np.ascontiguousarray(whole[:CALLBACK_FRAMES])
            waiting = [whole[CALLBACK_FRAMES:]]
            count -= CALLBACK_FRAMES
    if count:
        yield np.concatenate(waiting)


def _in_stereo(block: FloatArray) -> FloatArray:
    block = block[:, None] if block.ndim == 1 else block
    return np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block
