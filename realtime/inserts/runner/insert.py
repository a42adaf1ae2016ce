"""One plug-in in the path: its share, its bypass, its notes, and what is done where its sound is damaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ....patches.insert_patch import InsertPatch
from ...engine.shared_memory import FADE_FRAMES
from ..instruments.instrument import Instrument
from ..plugins.plugin import FloatArray, Plugin
from .delay_line import DelayLine
from .glide import GLIDE_SECONDS, Glide

#: 120 dB over full scale: not sound but damage.
DAMAGE: Final = 1e6
#: After so many damaged blocks in a row a plug-in is made anew: many never recover by themselves.
_DAMAGED_IN_A_ROW: Final = 8


class Insert:
    """Runs one plug-in.

    Args:
        number: among the rack's inserts.
        patch: what it is to be.
        plugin: to run; None where it could not be had: the sound passes.
        open_again: makes the plug-in anew.
        channels, block_frames: of the lane.
        rate: in Hz.
        latency_samples: of the plug-in; of one that could not be had, what it had before.
        late_samples: by which the inserts before it in its lane delay what it gets.
    """

    def __init__(
        self,
        number: int,
        patch: InsertPatch,
        plugin: Plugin | None,
        open_again: Callable[[], Plugin],
        channels: int,
        block_frames: int,
        rate: int,
        latency_samples: int,
        late_samples: int,
    ) -> None:
        self.number = number
        self.plugin = plugin
        self.wet, self.bypass = patch.wet, patch.bypass
        self._beside = patch.beside
        self._open_again = open_again
        self._damaged_in_a_row = 0
        self.latency_samples = latency_samples
        self._delay = DelayLine(self.latency_samples, channels, block_frames)
        self._out = np.zeros((channels, block_frames), np.float32)
        self._wet_now = 0.0 if patch.bypass else patch.wet
        self._ramp = np.arange(1, block_frames + 1, dtype=np.float32) / np.float32(block_frames)
        # the way from damaged sound to the dry one and back, as the callback goes it
        self._step = np.zeros(channels, np.float32)  # from the last good sample to the dry one
        self._stepped = self._returned = FADE_FRAMES
        self._last = np.zeros(channels, np.float32)  # what came out, less what was dry
        self._glides: dict[int, Glide] = {}  # of parameters, by their numbers
        self._glide_frames = round(GLIDE_SECONDS * rate)
        #: Turns rows of the command ring into notes; None where it takes none.
        self.instrument: Instrument | None = None
        self._due: list[tuple[int, bytes]] = []  # messages of the next block, each with its frame
        if plugin is not None and plugin.info.takes_notes:
            self.instrument = Instrument(rate, patch.mpe, patch.voices, late_samples)
            self._due = [(0, message) for message in self.instrument.set_up()]
        #: Blocks that were not finite.
        self.damaged_blocks = 0
        #: How often the plug-in was made anew.
        self.renewals = 0

    # -- what it is told

    def set_parameter(self, number: int, value: float, ramped: bool) -> None:
        """Set a parameter of the plug-in, in a while where it ``ramped``; switches have no way in between."""
        plugin = self.plugin
        if plugin is None:
            return
        parameter = plugin.parameters[number]
        self._glides.pop(number, None)
        if ramped and parameter.scale in ("linear", "log") and plugin.least_frames < self._out.shape[1]:
            self._glides[number] = Glide(parameter, plugin.get(number), value, self._glide_frames)
        else:
            plugin.set(number, value)

    def take_note(self, row: np.ndarray) -> None:
        """A row about a note; see :class:`Instrument`."""
        if self.instrument is not None:
            self.instrument.take(row)

    def play_notes(self, start: int, frames: int) -> None:
        """Let notes sound that are due in the next block, which begins at stream sample ``start``."""
        assert self.instrument is not None
        self._due += self.instrument.messages(start, frames)

    def release_notes(self) -> None:
        """All notes end; none begins any more."""
        if self.instrument is not None:
            self.instrument.release()

    def panic(self) -> None:
        """All notes are silent."""
        if self.instrument is not None:
            self._due = [(0, message) for message in self.instrument.panic()]

    @property
    def late_note_count(self) -> int:
        return 0 if self.instrument is None else self.instrument.late_count

    # -- playing

    def process(self, block: FloatArray) -> FloatArray:
        """``block [C, B]``, which is finite, through the plug-in; finite."""
        dry = self._delay.process(block)
        sound = self._mix(block, dry)
        if self._stepped < FADE_FRAMES:
            sound = sound + self._step[:, None] * self._falling(self._stepped)
            self._stepped += block.shape[1]
        self._last[:] = sound[:, -1] - dry[:, -1]
        return sound

    def _mix(self, block: FloatArray, dry: FloatArray) -> FloatArray:
        if self.plugin is None:
            return dry
        out = self._out
        self._run(self.plugin, block, out)
        if not (out.max() <= DAMAGE and out.min() >= -DAMAGE):  # false for NaN too
            self._note_damage()
            self._step[:] = self._last
            self._stepped = self._returned = 0
            return dry
        self._damaged_in_a_row = 0
        wanted = 0.0 if self.bypass else self.wet
        if wanted == self._wet_now == 1.0 and not self._beside and self._returned >= FADE_FRAMES:
            return out
        gains = self._gains(wanted)
        if self._returned < FADE_FRAMES:
            gains = gains * (1.0 - self._falling(self._returned))
            self._returned += block.shape[1]
        return dry + gains * (out if self._beside else out - dry)

    def _falling(self, frames: int) -> FloatArray:
        """From 1 to 0 over FADE_FRAMES, the block that begins after so many of them, ``[B]``."""
        places = np.minimum(FADE_FRAMES, frames + np.arange(1, self._out.shape[1] + 1))
        return (0.5 + 0.5 * np.cos(np.pi * places / FADE_FRAMES)).astype(np.float32)

    def _run(self, plugin: Plugin, block: FloatArray, out: FloatArray) -> None:
        """One block through the plug-in: whole, or in parts while a parameter is on its way."""
        frames = block.shape[1]
        step = frames
        if self._glides:
            step = plugin.least_frames
        for start in range(0, frames, step):
            for number, glide in list(self._glides.items()):
                plugin.set(number, glide.after(step))
                if glide.is_over:
                    del self._glides[number]
            if self._due:
                for frame, message in self._due:
                    if start <= frame < start + step:
                        plugin.note(frame - start, message)
            plugin.process(block[:, start : start + step], out[:, start : start + step])
        self._due.clear()

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
            self._glides.clear()
            self.panic()
