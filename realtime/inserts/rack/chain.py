"""A lane of inserts, one after another, inside the rack's process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ...engine.shared_memory import CURRENT
from ..plugins.plugin import FloatArray, Plugin

#: 120 dB over full scale: not sound but damage.
_DAMAGE: Final = 1e6
#: After so many damaged blocks in a row a plug-in is made anew: many never recover by themselves.
_DAMAGED_IN_A_ROW: Final = 8
#: The step from a plug-in's last good sample to the dry sound decays by 1/e in so many frames.
_DECAY_FRAMES: Final = 64.0
_SILENCE: Final = 1e-9


class DelayLine:
    """Delays ``[C, B]`` blocks by a whole number of frames."""

    def __init__(self, frames: int, channels: int, block_frames: int) -> None:
        self._frames = frames
        self._line = np.zeros((channels, frames + block_frames), np.float32)

    def process(self, block: FloatArray) -> FloatArray:
        """The block that went in so many frames ago; a view, valid until the next call."""
        if self._frames == 0:
            return block
        size = block.shape[1]
        self._line[:, :-size] = self._line[:, size:]
        self._line[:, -size:] = block
        return self._line[:, :size]


class Insert:
    """One plug-in in the path: its share, its bypass, and what is done where its sound is damaged.

    Args:
        number: among the rack's inserts.
        plugin: to run; None where it could not be had: the sound passes.
        open_again: makes the plug-in anew.
        channels, block_frames: of the lane.
        wet, bypass, beside: see :class:`~struck.patches.insert_patch.InsertPatch`.
        latency_samples: of the plug-in; of one that could not be had, what it had before.
    """

    def __init__(
        self,
        number: int,
        plugin: Plugin | None,
        open_again: Callable[[], Plugin],
        channels: int,
        block_frames: int,
        wet: float,
        bypass: bool,
        beside: bool,
        latency_samples: int,
    ) -> None:
        self.number = number
        self.plugin = plugin
        self.wet, self.bypass = wet, bypass
        self._beside = beside
        self._open_again = open_again
        self._damaged_in_a_row = 0
        self.latency_samples = latency_samples
        self._delay = DelayLine(self.latency_samples, channels, block_frames)
        self._out = np.zeros((channels, block_frames), np.float32)
        self._wet_now = 0.0 if bypass else wet
        self._ramp = np.arange(1, block_frames + 1, dtype=np.float32) / np.float32(block_frames)
        self._decay = np.exp(-np.arange(block_frames + 1) / _DECAY_FRAMES).astype(np.float32)
        self._step = np.zeros(channels, np.float32)
        self._last = np.zeros(channels, np.float32)  # what came out, less what was dry
        #: Blocks that were not finite.
        self.damaged_blocks = 0
        #: How often the plug-in was made anew.
        self.renewals = 0

    def process(self, block: FloatArray) -> FloatArray:
        """``block [C, B]``, which is finite, through the plug-in; finite."""
        dry = self._delay.process(block)
        sound = self._mix(block, dry)
        if self._step.any():
            sound = sound + self._step[:, None] * self._decay[:-1]
            self._step *= self._decay[-1]
            self._step[np.abs(self._step) < _SILENCE] = 0.0
        self._last[:] = sound[:, -1] - dry[:, -1]
        return sound

    def _mix(self, block: FloatArray, dry: FloatArray) -> FloatArray:
        if self.plugin is None:
            return dry
        out = self._out
        self.plugin.process(block, out)
        if not (out.max() <= _DAMAGE and out.min() >= -_DAMAGE):  # false for NaN too
            self._note_damage()
            self._step[:] = self._last
            self._wet_now = 0.0  # the next good block fades in
            return dry
        self._damaged_in_a_row = 0
        wanted = 0.0 if self.bypass else self.wet
        if wanted == self._wet_now == 1.0 and not self._beside:
            return out
        return dry + self._gains(wanted) * (out if self._beside else out - dry)

    def _gains(self, wanted: float) -> FloatArray:
        """A ramp from the share of the last block to this one's, ``[B]``."""
        before, self._wet_now = np.float32(self._wet_now), wanted
        return before + (np.float32(wanted) - before) * self._ramp

    def _note_damage(self) -> None:
        self.damaged_blocks += 1
        self._damaged_in_a_row += 1
        if self._damaged_in_a_row == _DAMAGED_IN_A_ROW and self.plugin is not None:
            self._damaged_in_a_row = 0
            self.renewals += 1
            self.plugin.close()
            self.plugin = self._open_again() if self.renewals == 1 else None


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
        if not (block.max() <= _DAMAGE and block.min() >= -_DAMAGE):
            block = np.where(np.abs(block) <= _DAMAGE, block, np.float32(0.0))
        for insert in self._inserts:
            self._indices[CURRENT] = insert.number + 1
            block = insert.process(block)
        self._indices[CURRENT] = 0
        return block

    def latency_before(self, number: int) -> int:
        """Of the plug-ins before an insert of this lane: its notes are so much later in its own time."""
        before = 0
        for insert in self._inserts:
            if insert.number == number:
                break
            before += insert.latency_samples
        return before
