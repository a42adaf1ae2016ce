"""What the host and a rack's process say to each other, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ....patches.insert_patch import InsertPatch

#: What "kind" of the process's messages may be.
READY, TOLD, FAILED, DAMAGED, STATE = "ready", "told", "failed", "damaged", "state"


@dataclass(frozen=True)
class RackJob:
    """What a process is to be.

    Args:
        rate: in Hz.
        block_frames: B.
        callback_seconds: between two callbacks; 0 from file to file, where they come as fast as they can.
        channels: of each lane, 1 or 2.
        memory: file descriptor of the shared memory.
        inserts: in the order of the path.
        skipped: numbers of the inserts that are passed by, as they have failed before.
        latencies: of each insert as stated at first, in samples; empty where nothing is stated yet.
        realtime_priority: for SCHED_FIFO; 0 leaves the usual scheduling.
    """

    rate: int
    block_frames: int
    callback_seconds: float
    channels: tuple[int, ...]
    memory: int
    inserts: tuple[InsertPatch, ...]
    skipped: tuple[int, ...] = ()
    latencies: tuple[int, ...] = ()
    realtime_priority: int = 0

    def to_line(self) -> bytes:
        return to_line(asdict(self))

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> RackJob:
        """The inverse of :meth:`to_line`, of a line that :func:`json.loads` has read."""
        found = dict(values)
        found["inserts"] = tuple(InsertPatch(**insert) for insert in found["inserts"])
        for name in ("channels", "skipped", "latencies"):
            found[name] = tuple(found[name])
        return RackJob(**found)


def to_line(values: Mapping[str, Any]) -> bytes:
    """``values`` as one line."""
    return json.dumps(values).encode() + b"\n"
