"""Ports of an LV2 plug-in: which carry sound and notes, and what the others are parameters of."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

from ..plugins.plugin import PluginParameter
from .library import Lilv

_ATOM_PORT: Final = "http://lv2plug.in/ns/ext/atom#AtomPort"
_MIDI_EVENT: Final = "http://lv2plug.in/ns/ext/midi#MidiEvent"
_UNIT: Final = "http://lv2plug.in/ns/extensions/units#unit"
_LOGARITHMIC: Final = "http://lv2plug.in/ns/ext/port-props#logarithmic"
_NOT_ON_GUI: Final = "http://lv2plug.in/ns/ext/port-props#notOnGUI"
#: Units by the last part of their URI, where that is not how people write them.
_UNITS: Final = {
    "db": "dB", "hz": "Hz", "khz": "kHz", "pc": "%", "coef": "", "semitone12TET": "semitones",
    "cent": "cents", "oct": "octaves", "midiNote": "MIDI note", "degree": "degrees",
}  # fmt: skip
#: LV2 says nothing about a port without a range.
_ANY_LOW, _ANY_HIGH = 0.0, 1.0


@dataclass(frozen=True)
class Lv2Ports:
    """Numbers of a plug-in's ports, by what they are.

    Args:
        audio_inputs, audio_outputs, note_inputs: in their order; ``note_inputs`` take MIDI in atoms.
        other_atoms: atom ports besides, ``(number, is_input)``.
        controls: of the parameters, in the order of ``parameters``.
        others: control and CV ports besides, ``(number, is_control)``.
        latency: port that tells the latency, or None.
        count: of all ports.
    """

    audio_inputs: tuple[int, ...]
    audio_outputs: tuple[int, ...]
    note_inputs: tuple[int, ...]
    other_atoms: tuple[tuple[int, bool], ...]
    controls: tuple[int, ...]
    others: tuple[tuple[int, bool], ...]
    latency: int | None
    count: int
    parameters: tuple[PluginParameter, ...]


def read_ports(lib: Lilv, plugin: int, rate: int) -> Lv2Ports:
    """The ports of a plug-in that is to run at ``rate`` Hz, in which some ranges are given."""
    groups: dict[str, list[int]] = {name: [] for name in ("in", "out", "notes", "controls")}
    atoms: list[tuple[int, bool]] = []
    others: list[tuple[int, bool]] = []
    parameters = []
    latency = None
    if lib.plugin_has_latency(plugin):
        latency = int(lib.plugin_get_latency_port_index(plugin))
    count = int(lib.plugin_get_num_ports(plugin))
    for number in range(count):
        port = lib.plugin_get_port_by_index(plugin, number)

        def is_a(name: str, port: int = port) -> bool:
            return bool(lib.port_is_a(plugin, port, lib.lv2(name)))

        is_input = is_a("InputPort")
        if is_a("AudioPort"):
            groups["in" if is_input else "out"].append(number)
        elif lib.port_is_a(plugin, port, lib.uri(_ATOM_PORT)):
            if is_input and lib.port_supports_event(plugin, port, lib.uri(_MIDI_EVENT)):
                groups["notes"].append(number)
            else:
                atoms.append((number, is_input))
        elif is_a("ControlPort"):
            if is_input:
                groups["controls"].append(number)
                parameters.append(_read_parameter(lib, plugin, port, rate))
            else:
                others.append((number, True))
        else:  # CV; anything else is refused by what it requires, or may stay unconnected
            others.append((number, False))
    return Lv2Ports(
        tuple(groups["in"]),
        tuple(groups["out"]),
        tuple(groups["notes"]),
        tuple(atoms),
        tuple(groups["controls"]),
        tuple(others),
        latency,
        count,
        tuple(parameters),
    )


def _read_parameter(lib: Lilv, plugin: int, port: int, rate: int) -> PluginParameter:
    def has(uri: int) -> bool:
        return bool(lib.port_has_property(plugin, port, uri))

    symbol = lib.text(lib.port_get_symbol(plugin, port), owned=False)
    name = lib.text(lib.port_get_name(plugin, port))
    low, high, default = (_range(lib, plugin, port, name) for name in ("minimum", "maximum", "default"))
    factor = float(rate) if has(lib.lv2("sampleRate")) else 1.0
    low = _ANY_LOW if low is None else factor * low
    high = max(low, _ANY_HIGH if high is None else factor * high)
    default = low if default is None else min(high, max(low, factor * default))
    choices = _read_choices(lib, plugin, port)
    if has(lib.lv2("toggled")):
        scale = "toggle"
    elif has(lib.lv2("integer")) or has(lib.lv2("enumeration")):
        scale = "integer"
    elif has(lib.uri(_LOGARITHMIC)):
        scale = "log"
    else:
        scale = "linear"
    unit = lib.text(lib.port_get(plugin, port, lib.uri(_UNIT))).split("#")[-1]
    return PluginParameter(
        symbol, name or symbol, low, high, default, _UNITS.get(unit, unit), scale, choices or None
    )


def _range(lib: Lilv, plugin: int, port: int, name: str) -> float | None:
    node = lib.port_get(plugin, port, lib.lv2(name))
    if not node:
        return None
    value = float(lib.node_as_float(node))
    lib.node_free(node)
    return value if isfinite(value) else None


def _read_choices(lib: Lilv, plugin: int, port: int) -> dict[float, str]:
    points = lib.port_get_scale_points(plugin, port)
    found = {}
    if points:
        place = lib.scale_points_begin(points)
        while not lib.scale_points_is_end(points, place):
            point = lib.scale_points_get(points, place)
            value = float(lib.node_as_float(lib.scale_point_get_value(point)))
            found[value] = lib.text(lib.scale_point_get_label(point), owned=False)
            place = lib.scale_points_next(points, place)
        lib.scale_points_free(points)
    return found
