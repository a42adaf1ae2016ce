"""Those of pyo's classes that a patch may name: each makes sound from sound alone.

Others write files, run Python from a text, or need more than an input; ``Harmonizer`` now and then begins
with sound that is no number and never recovers.
"""

from __future__ import annotations

from typing import Any, Final

from ....codec.events.errors import StruckError
from ..plugins.plugin import PluginInfo, PluginParameter
from .server import load_pyo

#: Names by category.
CLASSES: Final = {
    "Reverb": ("Freeverb", "STRev", "WGVerb"),
    "Modulator": ("Chorus", "Phaser", "FreqShift"),
    "Delay": ("Delay", "SDelay", "SmoothDelay", "Waveguide", "AllpassWG"),
    "Distortion": ("Disto", "Degrade", "Clip", "Mirror", "Wrap"),
    "Filter": (
        "Tone", "Atone", "ButLP", "ButHP", "ButBP", "ButBR", "Biquad", "Biquadx", "EQ", "MoogLP", "Allpass",
        "Allpass2", "Reson", "Resonx", "ComplexRes", "SVF", "SVF2", "Average", "DCBlock",
    ),
    "Dynamics": ("Compress", "Gate", "Expand"),
    "Spatial": ("Pan", "SPan"),
}  # fmt: skip
_CATEGORIES: Final = {name: category for category, names in CLASSES.items() for name in names}
#: The time by which dynamics look ahead is their latency, so it stays as it is; without any they are silent.
_LOOKAHEAD: Final = "lookahead"
_LOOKAHEAD_MS: Final = 1.0
_UNITS: Final = {
    "freq": "Hz", "cutoff": "Hz", "thresh": "dB", "downthresh": "dB", "upthresh": "dB", "boost": "dB",
    "shelf": "dB", "risetime": "s", "falltime": "s", "delay": "s", "revtime": "s",
    "shift": "Hz", "dur": "s", "crossfade": "s", "firstRefGain": "dB", "bw": "Hz",
}  # fmt: skip


def list_classes() -> list[PluginInfo]:
    """All of them, without importing pyo."""
    return [describe_class(name) for name in sorted(_CATEGORIES)]


def describe_class(name: str) -> PluginInfo:
    """What lists show of a class."""
    return PluginInfo("pyo", name, name, "Olivier Belanger", _CATEGORIES[name], 2, 2)


def make_object(name: str, source: Any) -> Any:
    """An object of the class ``name`` that hears ``source``.

    Raises:
        StruckError: it is not one of those that a patch may name.
    """
    if name not in _CATEGORIES:
        known = ", ".join(sorted(_CATEGORIES))
        raise StruckError(f"pyo's class {name} is not one that a patch may name; they are {known}")
    made = getattr(load_pyo(), name)(source)
    if _CATEGORIES[name] == "Dynamics":
        setattr(made, _LOOKAHEAD, _LOOKAHEAD_MS)
    return made


def latency_of(name: str, rate: int) -> int:
    """How much later the sound comes out of an object of a class at ``rate`` Hz, in samples."""
    return int(1e-3 * _LOOKAHEAD_MS * rate) if _CATEGORIES[name] == "Dynamics" else 0


def read_parameters(made: Any) -> tuple[PluginParameter, ...]:
    """The parameters of one of pyo's objects, as it would show them in its own window."""
    pyo = load_pyo()
    window = pyo.PyoObject.ctrl
    pyo.PyoObject.ctrl = lambda self, *args, **options: None  # no window: only what it would show
    try:
        made.ctrl()
    finally:
        pyo.PyoObject.ctrl = window
    found = []
    for shown in getattr(made, "_map_list", []):
        if shown.name == _LOOKAHEAD:
            continue
        low, high = float(shown.min), float(shown.max)
        default = min(high, max(low, float(getattr(made, shown.name, shown.init))))
        scale = "integer" if shown.res == "int" else "log" if shown.scale == "log" else "linear"
        unit = _UNITS.get(shown.name, "")
        found.append(PluginParameter(shown.name, shown.name, low, high, default, unit, scale))
    return tuple(found)
