"""A parameter on its way to a new value."""

from __future__ import annotations

from typing import Final

from ..plugins.plugin import PluginParameter

#: As long as it takes; a step of a share of it is small enough not to be heard.
GLIDE_SECONDS: Final = 0.04


class Glide:
    """Goes from one value to another: evenly, or in equal ratios where that is the parameter's scale.

    Args:
        parameter: whose.
        start, end: its values.
        frames: that it takes.

    >>> glide = Glide(PluginParameter("f", "f", 10.0, 1000.0, 10.0, "Hz", "log"), 10.0, 1000.0, 4)
    >>> [round(glide.after(2)), round(glide.after(2)), glide.is_over]
    [100, 1000, True]
    """

    def __init__(self, parameter: PluginParameter, start: float, end: float, frames: int) -> None:
        self._start, self._end, self._frames = start, end, frames
        self._in_ratios = parameter.scale == "log" and start > 0.0 and end > 0.0
        self._done = 0

    def after(self, frames: int) -> float:
        """Its value so many frames later."""
        self._done = min(self._frames, self._done + frames)
        share = self._done / self._frames
        if self.is_over:
            return self._end
        if self._in_ratios:
            return float(self._start * (self._end / self._start) ** share)
        return self._start + share * (self._end - self._start)

    @property
    def is_over(self) -> bool:
        return self._done == self._frames
