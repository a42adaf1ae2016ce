"""A lane of inserts, one after another."""

from __future__ import annotations

import numpy as np

from ...engine.shared_memory import CURRENT
from ..plugins.plugin import FloatArray
from .insert import DAMAGE, Insert


class Chain:
    """The inserts of one lane.

    Args:
        indices: of the shared memory, in which the insert that runs is named: whoever finds this process dead
            or stuck knows which one it was.
        inserts: in order.
    """

    def __init__(self, indices: np.ndarray, inserts: list[Insert]) -> None:
        self._indices = indices
        self._inserts = inserts

    @property
    def latency_samples(self) -> int:
        """Of all plug-ins together."""
        return sum(insert.latency_samples for insert in self._inserts)

    def process(self, block: FloatArray) -> FloatArray:
        """``block [C, B]`` through all inserts; what is not finite in it is silence."""
        if not (block.max() <= DAMAGE and block.min() >= -DAMAGE):
            block = np.where(np.abs(block) <= DAMAGE, block, np.float32(0.0))
        for insert in self._inserts:
            self._indices[CURRENT] = insert.number + 1
            block = insert.process(block)
        self._indices[CURRENT] = 0
        return block
