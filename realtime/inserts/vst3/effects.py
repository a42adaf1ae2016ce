"""pedalboard's own effects: those that work block by block without a delay, and their parameters.

Others hold sound back and return less than they are given, which is of no use on a stage. Nor do they tell
ranges: the table is ours.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ....codec.events.errors import StruckError
from ..plugins.plugin import FloatArray, PluginInfo, PluginParameter
from ..plugins.value_state import read_values, write_values
from .module import load_pedalboard

_Row = tuple[str, float, float, float, str, str]
_MIX: Final[_Row] = ("mix", 0.0, 1.0, 0.5, "", "linear")
_FEEDBACK: Final[_Row] = ("feedback", 0.0, 0.99, 0.0, "", "linear")
_DYNAMICS: Final[tuple[_Row, ...]] = (
    ("attack_ms", 0.1, 1000.0, 1.0, "ms", "log"),
    ("release_ms", 1.0, 5000.0, 100.0, "ms", "log"),
)
_SHELF: Final[tuple[_Row, ...]] = (
    ("cutoff_frequency_hz", 20.0, 20_000.0, 440.0, "Hz", "log"),
    ("gain_db", -24.0, 24.0, 0.0, "dB", "linear"),
    ("q", 0.1, 20.0, 0.707, "", "log"),
)
_CUTOFF: Final[_Row] = ("cutoff_frequency_hz", 20.0, 20_000.0, 50.0, "Hz", "log")

#: Category and rows of (attribute, low, high, default, unit, scale) by class.
EFFECTS: Final[dict[str, tuple[str, tuple[_Row, ...]]]] = {
    "Bitcrush": ("Distortion", (("bit_depth", 1.0, 32.0, 8.0, "bits", "linear"),)),
    "Chorus": (
        "Modulator",
        (
            ("rate_hz", 0.01, 99.0, 1.0, "Hz", "log"),
            ("depth", 0.0, 1.0, 0.25, "", "linear"),
            ("centre_delay_ms", 1.0, 99.0, 7.0, "ms", "linear"),
            _FEEDBACK,
            _MIX,
        ),
    ),
    "Clipping": ("Distortion", (("threshold_db", -60.0, 0.0, -6.0, "dB", "linear"),)),
    "Compressor": (
        "Dynamics",
        (
            ("threshold_db", -60.0, 0.0, 0.0, "dB", "linear"),
            ("ratio", 1.0, 20.0, 1.0, "", "log"),
            *_DYNAMICS,
        ),
    ),
    "Delay": ("Delay", (("delay_seconds", 0.0, 4.0, 0.5, "s", "linear"), _FEEDBACK, _MIX)),
    "Distortion": ("Distortion", (("drive_db", 0.0, 60.0, 25.0, "dB", "linear"),)),
    "Gain": ("Utility", (("gain_db", -60.0, 24.0, 1.0, "dB", "linear"),)),
    "HighpassFilter": ("Filter", (_CUTOFF,)),
    "HighShelfFilter": ("Filter", _SHELF),
    "LadderFilter": (
        "Filter",
        (
            ("cutoff_hz", 20.0, 20_000.0, 200.0, "Hz", "log"),
            ("resonance", 0.0, 1.0, 0.0, "", "linear"),
            ("drive", 1.0, 10.0, 1.0, "", "linear"),
        ),
    ),
    "Limiter": ("Dynamics", (("threshold_db", -60.0, 0.0, -10.0, "dB", "linear"), _DYNAMICS[1])),
    "LowpassFilter": ("Filter", (_CUTOFF,)),
    "LowShelfFilter": ("Filter", _SHELF),
    "NoiseGate": (
        "Dynamics",
        (
            ("threshold_db", -100.0, 0.0, -100.0, "dB", "linear"),
            ("ratio", 1.0, 50.0, 10.0, "", "log"),
            *_DYNAMICS,
        ),
    ),
    "PeakFilter": ("Filter", _SHELF),
    "Phaser": (
        "Modulator",
        (
            ("rate_hz", 0.01, 99.0, 1.0, "Hz", "log"),
            ("depth", 0.0, 1.0, 0.5, "", "linear"),
            ("centre_frequency_hz", 50.0, 10_000.0, 1300.0, "Hz", "log"),
            _FEEDBACK,
            _MIX,
        ),
    ),
    "Reverb": (
        "Reverb",
        (
            ("room_size", 0.0, 1.0, 0.5, "", "linear"),
            ("damping", 0.0, 1.0, 0.5, "", "linear"),
            ("wet_level", 0.0, 1.0, 0.33, "", "linear"),
            ("dry_level", 0.0, 1.0, 0.4, "", "linear"),
            ("width", 0.0, 1.0, 1.0, "", "linear"),
        ),
    ),
}


def list_effects() -> list[PluginInfo]:
    """All of them, without importing pedalboard."""
    return [describe_effect(name) for name in EFFECTS]


def describe_effect(name: str) -> PluginInfo:
    """What lists show of an effect."""
    return PluginInfo("pedalboard", name, name, "Spotify", EFFECTS[name][0], 2, 2)


class PedalboardEffect:
    """Runs one of pedalboard's own effects; a :class:`~struck.realtime.inserts.plugins.plugin.Plugin`.

    Args:
        name: of :data:`EFFECTS`.
        rate: in Hz.
        block_frames: of every block.
        state: of :meth:`save_state`; empty for none.

    Raises:
        StruckError: pedalboard or the effect is not to be had, or the state is not its own.
    """

    latency_samples = 0
    least_frames = 8

    def __init__(self, name: str, rate: int, block_frames: int, state: str = "") -> None:
        if name not in EFFECTS:
            raise StruckError(
                f"pedalboard's {name} is not one that a patch may name; they are {', '.join(EFFECTS)}"
            )
        self._rate, self._frames = rate, block_frames
        self.info = describe_effect(name)
        self.parameters = tuple(
            PluginParameter(symbol, symbol, low, high, default, unit, scale)
            for symbol, low, high, default, unit, scale in EFFECTS[name][1]
        )
        self._effect: Any = getattr(load_pedalboard(), name)()
        for number, parameter in enumerate(self.parameters):
            self.set(number, parameter.default)
        if state:
            for number, value in read_values(state, "pedalboard", self.info.name, self.parameters):
                self.set(number, value)

    def process(self, block: FloatArray, out: FloatArray) -> None:
        out[:] = self._effect.process(np.ascontiguousarray(block), self._rate, self._frames, reset=False)

    def get(self, number: int) -> float:
        return float(getattr(self._effect, self.parameters[number].symbol))

    def set(self, number: int, value: float) -> None:
        setattr(self._effect, self.parameters[number].symbol, value)

    def note(self, frame: int, message: bytes) -> None:
        """Effects take no notes."""

    def save_state(self) -> str:
        values = [self.get(number) for number in range(len(self.parameters))]
        return write_values("pedalboard", self.info.name, self.parameters, values)

    def close(self) -> None:
        """Nothing is held."""
