"""liblilv, the library that finds and opens LV2 plug-ins, called through ctypes; its world is read once."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from ctypes import POINTER, c_bool, c_char_p, c_double, c_float, c_int, c_uint32, c_void_p
from functools import cache
from typing import Any, Final

from ....codec.events.errors import StruckError

_NAMES: Final = ("liblilv-0.so.0", "liblilv-0.dylib", "lilv-0")

#: Functions that are used: result, arguments. Everything else about them is in lilv.h.
_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "lilv_world_new": (c_void_p, ()),
    "lilv_world_load_all": (None, (c_void_p,)),
    "lilv_world_load_resource": (c_int, (c_void_p, c_void_p)),
    "lilv_world_get": (c_void_p, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "lilv_world_get_all_plugins": (c_void_p, (c_void_p,)),
    "lilv_plugins_begin": (c_void_p, (c_void_p,)),
    "lilv_plugins_next": (c_void_p, (c_void_p, c_void_p)),
    "lilv_plugins_is_end": (c_bool, (c_void_p, c_void_p)),
    "lilv_plugins_get": (c_void_p, (c_void_p, c_void_p)),
    "lilv_plugins_get_by_uri": (c_void_p, (c_void_p, c_void_p)),
    "lilv_plugin_get_uri": (c_void_p, (c_void_p,)),
    "lilv_plugin_get_name": (c_void_p, (c_void_p,)),
    "lilv_plugin_get_author_name": (c_void_p, (c_void_p,)),
    "lilv_plugin_get_class": (c_void_p, (c_void_p,)),
    "lilv_plugin_class_get_label": (c_void_p, (c_void_p,)),
    "lilv_plugin_get_bundle_uri": (c_void_p, (c_void_p,)),
    "lilv_plugin_get_required_features": (c_void_p, (c_void_p,)),
    "lilv_plugin_get_related": (c_void_p, (c_void_p, c_void_p)),
    "lilv_plugin_get_num_ports": (c_uint32, (c_void_p,)),
    "lilv_plugin_get_port_by_index": (c_void_p, (c_void_p, c_uint32)),
    "lilv_plugin_has_latency": (c_bool, (c_void_p,)),
    "lilv_plugin_get_latency_port_index": (c_uint32, (c_void_p,)),
    "lilv_plugin_get_port_ranges_float": (
        None, (c_void_p, POINTER(c_float), POINTER(c_float), POINTER(c_float)),
    ),
    "lilv_plugin_instantiate": (c_void_p, (c_void_p, c_double, c_void_p)),
    "lilv_instance_free": (None, (c_void_p,)),
    "lilv_port_get_symbol": (c_void_p, (c_void_p, c_void_p)),
    "lilv_port_get_name": (c_void_p, (c_void_p, c_void_p)),
    "lilv_port_get": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "lilv_port_is_a": (c_bool, (c_void_p, c_void_p, c_void_p)),
    "lilv_port_has_property": (c_bool, (c_void_p, c_void_p, c_void_p)),
    "lilv_port_supports_event": (c_bool, (c_void_p, c_void_p, c_void_p)),
    "lilv_port_get_scale_points": (c_void_p, (c_void_p, c_void_p)),
    "lilv_scale_points_begin": (c_void_p, (c_void_p,)),
    "lilv_scale_points_next": (c_void_p, (c_void_p, c_void_p)),
    "lilv_scale_points_is_end": (c_bool, (c_void_p, c_void_p)),
    "lilv_scale_points_get": (c_void_p, (c_void_p, c_void_p)),
    "lilv_scale_points_free": (None, (c_void_p,)),
    "lilv_scale_point_get_label": (c_void_p, (c_void_p,)),
    "lilv_scale_point_get_value": (c_void_p, (c_void_p,)),
    "lilv_nodes_begin": (c_void_p, (c_void_p,)),
    "lilv_nodes_next": (c_void_p, (c_void_p, c_void_p)),
    "lilv_nodes_is_end": (c_bool, (c_void_p, c_void_p)),
    "lilv_nodes_get": (c_void_p, (c_void_p, c_void_p)),
    "lilv_nodes_free": (None, (c_void_p,)),
    "lilv_new_uri": (c_void_p, (c_void_p, c_char_p)),
    "lilv_node_free": (None, (c_void_p,)),
    "lilv_node_as_string": (c_char_p, (c_void_p,)),
    "lilv_node_as_float": (c_float, (c_void_p,)),
    "lilv_node_duplicate": (c_void_p, (c_void_p,)),
    "lilv_node_get_path": (c_void_p, (c_void_p, c_void_p)),
    "lilv_free": (None, (c_void_p,)),
    "lilv_state_new_from_instance": (
        c_void_p,
        (c_void_p, c_void_p, c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_void_p, c_void_p, c_uint32,
         c_void_p),
    ),
    "lilv_state_to_string": (c_void_p, (c_void_p, c_void_p, c_void_p, c_void_p, c_char_p, c_char_p)),
    "lilv_state_new_from_string": (c_void_p, (c_void_p, c_void_p, c_char_p)),
    "lilv_state_new_from_world": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "lilv_state_get_plugin_uri": (c_void_p, (c_void_p,)),
    "lilv_state_restore": (None, (c_void_p, c_void_p, c_void_p, c_void_p, c_uint32, c_void_p)),
    "lilv_state_free": (None, (c_void_p,)),
}  # fmt: skip

_LV2: Final = "http://lv2plug.in/ns/lv2core#"


class Lilv:
    """liblilv's functions by their names, and a world in which all installed plug-ins are known.

    Reading it runs no plug-in code: LV2 describes plug-ins in Turtle files.

    Raises:
        StruckError: liblilv is not installed.
    """

    def __init__(self) -> None:
        library = _load_library()
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("lilv_"), function)
        self.world = self.world_new()
        self.world_load_all(self.world)
        self.plugins = self.world_get_all_plugins(self.world)
        self._uris: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def uri(self, text: str) -> int:
        """A node of this URI, kept."""
        if text not in self._uris:
            self._uris[text] = self.new_uri(self.world, text.encode())
        return self._uris[text]

    def lv2(self, name: str) -> int:
        """The node of a name in LV2's core."""
        return self.uri(_LV2 + name)

    def text(self, node: int | None, owned: bool = True) -> str:
        """A node's text; empty for none. The node is freed if it is ``owned``."""
        if not node:
            return ""
        found = (self.node_as_string(node) or b"").decode(errors="replace")
        if owned:
            self.node_free(node)
        return found

    def all_plugins(self) -> Iterator[int]:
        """Every plug-in that is installed."""
        place = self.plugins_begin(self.plugins)
        while not self.plugins_is_end(self.plugins, place):
            yield self.plugins_get(self.plugins, place)
            place = self.plugins_next(self.plugins, place)

    def nodes(self, nodes: int | None) -> list[str]:
        """Texts of a collection, which is freed."""
        found = []
        if nodes:
            place = self.nodes_begin(nodes)
            while not self.nodes_is_end(nodes, place):
                found.append(self.text(self.nodes_get(nodes, place), owned=False))
                place = self.nodes_next(nodes, place)
            self.nodes_free(nodes)
        return found


def _load_library() -> ctypes.CDLL:
    for name in (*_NAMES, ctypes.util.find_library("lilv-0")):
        if name:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
    raise StruckError("LV2 plug-ins need liblilv, which is not installed (Debian: liblilv-0-0)")


@cache
def lilv() -> Lilv:
    """The one world of this process: reading it takes a tenth of a second.

    Raises:
        StruckError: liblilv is not installed.
    """
    return Lilv()
