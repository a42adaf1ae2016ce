"""A rack's slot in the engine: when its sound comes in and leaves, and what was late of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...engine.exchange import (
    ASKED,
    DAMAGED_SAMPLES,
    DELAY,
    FRAMES,
    HURRIED,
    IN_TIME_FRAMES,
    LATE_FRAMES,
    LATE_TIMES,
    LATENCY,
    PLAYING,
    SILENT,
    SOUNDING,
    USED,
    WARMING,
    RackState,
    publish_number,
)
from ...engine.rings import LOST
from ...engine.shared_memory import (
    CURRENT,
    DAMAGED_BLOCKS,
    DONE,
    LATE_NOTES,
    SKIPPED_FRAMES,
    WRITTEN,
)


class RackSlot:
    """What the host tells the callback of a rack, and reads of it.

    Args:
        state: silent.
        rate: in Hz.
    """

    def __init__(self, state: RackState, rate: int) -> None:
        self._state, self._rate = state, rate

    def prepare(self, delay_frames: int, used: Sequence[bool], latency_samples: Sequence[int]) -> None:
        """What goes through it, by lane; while it is silent."""
        self._state.numbers[DELAY] = delay_frames
        # What is said of the rack before must not be taken for this one's.
        self._state.numbers[[FRAMES, LATE_FRAMES, LATE_TIMES, DAMAGED_SAMPLES, IN_TIME_FRAMES]] = 0
        self._state.memory.dry[:] = 0.0  # it warms up on this
        for lane, (is_used, latency) in enumerate(zip(used, latency_samples, strict=True)):
            self._state.lanes[lane, USED] = is_used
            self._state.lanes[lane, LATENCY] = latency

    def delay_frames(self, lane: int) -> int:
        """How much later the sound comes out of a lane than it went in: by the ledger, and in fact."""
        if not self._state.lanes[lane, USED]:
            return 0
        return int(self._state.numbers[DELAY] + self._state.lanes[lane, LATENCY])

    # -- asked of the callback

    def warm_up(self) -> None:
        """From the next block on the process works on silence; nothing of it is heard."""
        publish_number(self._state.numbers, ASKED, WARMING)

    @property
    def in_time_seconds(self) -> float:
        """For how long its results have been in time while it warms up."""
        return float(self._state.numbers[IN_TIME_FRAMES]) / self._rate

    def come_in(self) -> None:
        """From the next block on the sound goes through this rack."""
        publish_number(self._state.numbers, ASKED, PLAYING)

    def leave(self, hurried: bool = False) -> None:
        """From the next block on nothing more is sent; it rings on for a while, or not if ``hurried``."""
        publish_number(self._state.numbers, ASKED, SILENT)
        if hurried:
            publish_number(self._state.numbers, HURRIED, 1)

    @property
    def is_silent(self) -> bool:
        """Whether it has rung out, or nobody has called back since it was asked to come in."""
        return bool(self._state.numbers[SOUNDING] == SILENT)

    # -- read of the process

    def current(self, count: int) -> int | None:
        """The insert, of so many, that the process was in when it was last heard of."""
        number = int(self._state.memory.indices[CURRENT]) - 1
        return number if 0 <= number < count else None

    def forget_current(self) -> None:
        """The process has ended; the next is in no insert yet."""
        self._state.memory.indices[CURRENT] = 0

    def waits_for(self, block_frames: int) -> int | None:
        """Up to which frame whole blocks were sent that are not done; None where all are."""
        indices = self._state.memory.indices
        wanted = int(indices[WRITTEN]) // block_frames * block_frames
        return wanted if int(indices[DONE]) < wanted else None

    def frames(self) -> tuple[int, int]:
        """Frames heard through it since it came in, and of these late ones."""
        return int(self._state.numbers[FRAMES]), int(self._state.numbers[LATE_FRAMES])

    def counters(self) -> Mapping[str, int]:
        """What was late or damaged since it came in."""
        numbers, indices = self._state.numbers, self._state.memory.indices
        return {
            "insert_frames": int(numbers[FRAMES]),
            "insert_late_frames": int(numbers[LATE_FRAMES]),
            "insert_dry_times": int(numbers[LATE_TIMES]),
            "insert_damaged": int(numbers[DAMAGED_SAMPLES]) + int(indices[DAMAGED_BLOCKS]),
            "insert_skipped_frames": int(indices[SKIPPED_FRAMES]),
            "insert_late_notes": int(indices[LATE_NOTES]),
            "insert_lost_commands": int(self._state.memory.commands.index[LOST]),
        }
