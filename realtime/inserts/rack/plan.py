"""What a rack is to be."""

from __future__ import annotations

from dataclasses import dataclass

from ....patches.insert_patch import InsertPatch


@dataclass(frozen=True)
class RackPlan:
    """Inserts, and the sound that goes through them.

    Args:
        inserts: in the order of the path.
        rate: in Hz.
        callback_frames: F, the frames of a callback.
        channels: of each lane, 1 or 2.
        patient: from file to file: somebody waits for every block, and a failure is the end.
    """

    inserts: tuple[InsertPatch, ...]
    rate: int
    callback_frames: int
    channels: tuple[int, ...]
    patient: bool = False
