"""What a performer can turn while playing, as one table: OSC, MIDI, patches and docs all read it.

The gains act in the engine, smoothed; the others change events on their way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

from ...patches.patch import SAFE_PARTS, Patch


@dataclass(frozen=True)
class Parameter:
    """One control: its range in its unit, and the MIDI controller that moves it through that range."""

    name: str
    low: float
    high: float
    default: float
    unit: str
    control: int | None
    meaning: str

    def check(self, value: float) -> float:
        """``value`` as a float within the range; one beyond it lands on the end.

        Raises:
            ValueError: not a finite number.
        """
        number = float(value)
        if not isfinite(number):
            raise ValueError(f"{self.name} is {number}; it must be finite")
        return min(self.high, max(self.low, number))


#: A gain at or below this is off.
OFF_DB: Final = -60.0

#: The engine's gains come first, in the order of its ``controls``.
PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter("input_db", OFF_DB, 24.0, 0.0, "dB", None, "gain of the input, before everything"),
    Parameter("dry_db", OFF_DB, 12.0, OFF_DB, "dB", 20, "level of the input itself in the output"),
    Parameter("events_db", OFF_DB, 12.0, 0.0, "dB", 7, "level of the events"),
    Parameter("phrases_db", OFF_DB, 12.0, 0.0, "dB", 21, "level of phrases and backing"),
    Parameter("output_db", OFF_DB, 12.0, 0.0, "dB", 11, "level of the output, before the limiter"),
    Parameter("ceiling_db", -24.0, 0.0, -0.3, "dBFS", None, "no sample leaves the limiter above this"),
    Parameter("transpose", -48.0, 48.0, 0.0, "semitones", None, "shift of every event's pitch"),
    Parameter("brightness_db", -12.0, 12.0, 0.0, "dB/octave", 74, "added to the slope of the partials"),
    Parameter("decay", 0.1, 10.0, 1.0, "", 72, "factor on all decay times"),
    Parameter("attack", 0.1, 10.0, 1.0, "", 73, "factor on all attack times"),
    Parameter("room", -1.0, 3.0, -1.0, "", 22, "place between box (0) and hall (3); -1 leaves each its own"),
    Parameter("room_mix", -1.0, 1.0, 0.0, "", 91, "added to each event's share of room"),
    Parameter("threshold_db", -90.0, 12.0, -90.0, "dB", 23, "events quieter than this are not played"),
)
PARAMETER: Final[dict[str, Parameter]] = {parameter.name: parameter for parameter in PARAMETERS}
ENGINE_PARAMETERS: Final = tuple(p.name for p in PARAMETERS[:6])

#: Parameters that are factors: a controller moves them in equal ratios.
_FACTORS: Final = ("decay", "attack")


def from_control(parameter: Parameter, position: int) -> float:
    """Value of ``parameter`` at a MIDI controller's ``position``, 0 to 127.

    0 and 127 are the ends. Where the default lies inside the range, 64 is the default, and each half of the
    controller has its own scale; so a gain is at 0 dB in the middle.
    """
    if not 0 <= position <= 127:
        raise ValueError(f"a controller's position is {position}; the range is 0 to 127")
    p = parameter
    if p.name in _FACTORS:
        return float(p.low * (p.high / p.low) ** (position / 128.0 if position < 127 else 1.0))
    if p.default in (p.low, p.high):
        return p.low + (p.high - p.low) * position / 127.0
    if position <= 64:
        return p.low + (p.default - p.low) * position / 64.0
    return p.default + (p.high - p.default) * (position - 64) / 63.0


def check_controls(patch: Patch) -> None:
    """Refuse what a patch says of controls, where it is wrong.

    Raises:
        StruckError: a control is not known, or out of its range.
    """
    for name, value in patch.controls.items():
        place = ("controls", name)
        if name not in PARAMETER:
            patch.refuse(place, f": no control is called {name}; they are {', '.join(PARAMETER)}")
        low, high = PARAMETER[name].low, PARAMETER[name].high
        if not low <= value <= high:
            patch.refuse(place, f" [controls]: {name} is {value:g}; the range is {low:g} to {high:g}")
    for name in patch.safe:
        if name not in PARAMETER and name not in SAFE_PARTS:
            known = ", ".join((*SAFE_PARTS, *PARAMETER))
            patch.refuse(("safe",), f": safe names {name!r}; it may name {known}")


def gain_from_db(gain_db: float) -> float:
    """Factor on amplitudes; 0 where the gain is off."""
    return 0.0 if gain_db <= OFF_DB else float(10.0 ** (gain_db / 20.0))
