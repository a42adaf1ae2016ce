"""Which LV2 plug-ins are installed; nothing of them is run."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from ....codec.events.errors import StruckError
from ..plugins.plugin import PluginInfo
from .features import PROVIDED
from .library import Lilv

_ATOM_PORT = "http://lv2plug.in/ns/ext/atom#AtomPort"
_MIDI_EVENT = "http://lv2plug.in/ns/ext/midi#MidiEvent"


def describe_plugin(lib: Lilv, plugin: int) -> PluginInfo:
    """What lists show of a plug-in."""
    inputs = outputs = 0
    takes_notes = False
    audio, into = lib.lv2("AudioPort"), lib.lv2("InputPort")
    atom, midi = lib.uri(_ATOM_PORT), lib.uri(_MIDI_EVENT)
    for number in range(lib.plugin_get_num_ports(plugin)):
        port = lib.plugin_get_port_by_index(plugin, number)
        if lib.port_is_a(plugin, port, audio):
            if lib.port_is_a(plugin, port, into):
                inputs += 1
            else:
                outputs += 1
        elif lib.port_is_a(plugin, port, atom) and lib.port_is_a(plugin, port, into):
            takes_notes = takes_notes or bool(lib.port_supports_event(plugin, port, midi))
    missing = [u for u in lib.nodes(lib.plugin_get_required_features(plugin)) if u not in PROVIDED]
    refused = f"requires {', '.join(missing)}" if missing else "" if outputs else "gives no sound"
    return PluginInfo(
        host="lv2",
        identifier=lib.text(lib.plugin_get_uri(plugin), owned=False),
        name=lib.text(lib.plugin_get_name(plugin)),
        maker=lib.text(lib.plugin_get_author_name(plugin)),
        category=lib.text(lib.plugin_class_get_label(lib.plugin_get_class(plugin)), owned=False),
        audio_inputs=inputs,
        audio_outputs=outputs,
        takes_notes=takes_notes,
        refused=refused,
    )


def find_plugin(lib: Lilv, name: str) -> int:
    """The plug-in of this URI, or of this name.

    Raises:
        StruckError: there is none, or more than one of the name.
    """
    if ":" in name and " " not in name:
        plugin = lib.plugins_get_by_uri(lib.plugins, lib.uri(name))
        if plugin:
            return int(plugin)
    found = [p for p in lib.all_plugins() if lib.text(lib.plugin_get_name(p)).lower() == name.lower()]
    if not found:
        raise StruckError(f"no LV2 plug-in is called {name}")
    if len(found) > 1:
        uris = ", ".join(lib.text(lib.plugin_get_uri(p), owned=False) for p in found)
        raise StruckError(f"several LV2 plug-ins are called {name}: {uris}; name one by its URI")
    return found[0]


def bundle_of(lib: Lilv, plugin: int) -> Path:
    """The folder that holds a plug-in's description and its program."""
    uri = lib.text(lib.plugin_get_bundle_uri(plugin), owned=False)
    return Path(unquote(urlparse(uri).path))
