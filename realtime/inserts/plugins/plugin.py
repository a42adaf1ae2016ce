"""What the rack knows of a plug-in, whoever hosts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class PluginParameter:
    """One parameter.

    Args:
        symbol: by which it is named in patches and addresses; unique within the plug-in.
        name: for people.
        low, high, default: in ``unit``, which may be empty.
        scale: ``linear``, ``log``, ``integer`` or ``toggle``.
        choices: names of values, by value.
    """

    symbol: str
    name: str
    low: float
    high: float
    default: float
    unit: str = ""
    scale: str = "linear"
    choices: Mapping[float, str] | None = None


def find_parameter(parameters: Sequence[Mapping[str, Any]], symbol: str, value: float) -> int:
    """Place of the parameter ``symbol``, which may be ``value``.

    Args:
        parameters: the fields of :class:`PluginParameter` of each.

    Raises:
        ValueError: there is none of that name, or the value is out of its range.
    """
    for place, parameter in enumerate(parameters):
        if parameter["symbol"] == symbol:
            low, high = parameter["low"], parameter["high"]
            if not low <= value <= high:
                raise ValueError(f"{symbol} is {value:g}; the range is {low:g} to {high:g}")
            return place
    raise ValueError(f"there is no parameter {symbol}")


@dataclass(frozen=True)
class PluginInfo:
    """A plug-in as lists show it; ``identifier`` is what a patch names it by."""

    host: str
    identifier: str
    name: str
    maker: str = ""
    category: str = ""
    audio_inputs: int = 0
    audio_outputs: int = 0
    takes_notes: bool = False
    refused: str = ""  # why it cannot be hosted, empty where it can

    @property
    def is_instrument(self) -> bool:
        """Whether it makes sound from notes."""
        return self.takes_notes and self.audio_inputs == 0

    def to_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return asdict(self) | {"is_instrument": self.is_instrument}


class Plugin(Protocol):
    """A plug-in that runs. All calls come from one thread; C is what it was opened with, B the block."""

    info: PluginInfo
    parameters: tuple[PluginParameter, ...]
    #: It may be run in parts of a block of so many frames; B where it must have it whole.
    least_frames: int

    @property
    def latency_samples(self) -> int:
        """How much later the sound comes out than it went in."""

    def process(self, block: FloatArray, out: FloatArray) -> None:
        """The next B frames: ``block [C, B]`` in, ``out [C, B]`` out; they are different arrays. Or the next
        part of them, of ``least_frames``."""

    def get(self, number: int) -> float:
        """Value of a parameter, by its number."""

    def set(self, number: int, value: float) -> None:
        """Set a parameter, by its number, for the blocks to come."""

    def note(self, frame: int, message: bytes) -> None:
        """A MIDI message at a frame of the next block."""

    def save_state(self) -> str:
        """All that it is set to, as a text that :func:`open_plugin` takes back."""

    def close(self) -> None:
        """Let it go."""
