"""Several of one instrument, each on a MIDI channel of its own: so each note can bend by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from .plugin import FloatArray, Plugin, PluginInfo, PluginParameter

#: Why a group cannot be made of every plug-in.
NO_VOICES: Final = "it takes no notes, so it has no voices"


class PluginGroup:
    """Runs them and adds their sounds; a :class:`~struck.realtime.inserts.plugins.plugin.Plugin`.

    Args:
        open_one: opens one.
        count: how many; the first has channel 1.
    """

    def __init__(self, open_one: Callable[[], Plugin], count: int) -> None:
        self._plugins = [open_one() for _ in range(count)]
        self.info: PluginInfo = self._plugins[0].info
        self.parameters: tuple[PluginParameter, ...] = self._plugins[0].parameters
        self.least_frames = self._plugins[0].least_frames
        self._sound: FloatArray = np.zeros((0, 0), np.float32)

    @property
    def latency_samples(self) -> int:
        return self._plugins[0].latency_samples

    def process(self, block: FloatArray, out: FloatArray) -> None:
        if self._sound.shape != out.shape:
            self._sound = np.zeros_like(out)
        first, *others = self._plugins
        first.process(block, out)
        for plugin in others:
            plugin.process(block, self._sound)
            out += self._sound

    def get(self, number: int) -> float:
        return self._plugins[0].get(number)

    def set(self, number: int, value: float) -> None:
        for plugin in self._plugins:
            plugin.set(number, value)

    def note(self, frame: int, message: bytes) -> None:
        channel = message[0] & 0x0F
        if channel < len(self._plugins):
            self._plugins[channel].note(frame, bytes((message[0] & 0xF0,)) + message[1:])

    def save_state(self) -> str:
        return self._plugins[0].save_state()

    def close(self) -> None:
        for plugin in self._plugins:
            plugin.close()
