"""What a patch says of its input: which channels of the device are heard. Its table ``[source]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..codec.events.errors import StruckError
from .section import Section

#: Words for channels; a number from 1 is the channel of that number.
CHANNEL_WORDS: Final = ("sum", "side", "left", "right")
#: No device has more.
MOST_CHANNELS: Final = 64


@dataclass(frozen=True)
class SourcePatch:
    """Which channels of the input are heard, and played as the dry sound.

    Args:
        channel: ``sum``, the mean of all; ``left`` and ``right``, the first and the second; ``side``, half
            their difference: of two microphones of which one is inverted it is what both heard; or a
            channel's number, from 1.
    """

    channel: str | int = "sum"

    def weights(self, channel_count: int) -> tuple[float, ...]:
        """Factor on each channel of an input of so many.

        Raises:
            StruckError: the input has no such channel.
        """
        if self.channel == "sum":
            return (1.0 / channel_count,) * channel_count
        if self.channel == "side" and channel_count > 1:
            return (0.5, -0.5) + (0.0,) * (channel_count - 2)
        place = {"left": 1, "right": 2, "side": 2}.get(str(self.channel), self.channel)
        assert isinstance(place, int)
        if place > channel_count:
            have = "one channel" if channel_count == 1 else f"{channel_count} channels"
            raise StruckError(f"[source] channel is {self.channel}; the input has {have}")
        return tuple(float(channel == place) for channel in range(1, channel_count + 1))


def read_source(section: Section) -> SourcePatch:
    """The table ``[source]``.

    Raises:
        StruckError: something in it is not known, or not possible.
    """
    channel = section.values.pop("channel", "sum")
    words = ", ".join(CHANNEL_WORDS)
    if type(channel) is int:
        if not 1 <= channel <= MOST_CHANNELS:
            section.refuse("channel", f"channel is {channel}; the range is 1 to {MOST_CHANNELS}")
    elif channel not in CHANNEL_WORDS:
        section.refuse("channel", f"channel is {channel!r}; it must be {words}, or a number")
    section.refuse_rest()
    return SourcePatch(channel)
