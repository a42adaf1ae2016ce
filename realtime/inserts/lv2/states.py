"""States and presets of LV2 plug-ins: what one has saved of itself, as Turtle text, and what it brings."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_float, c_uint32, c_void_p, cast, pointer
from typing import Final

import numpy as np

from ....codec.events.errors import StruckError
from .features import UridMap
from .instance import Lv2Instance
from .library import Lilv
from .ports import Lv2Ports

_STATE_URI: Final = b"urn:struck:state"
_PRESET: Final = "http://lv2plug.in/ns/ext/presets#Preset"
_LABEL: Final = "http://www.w3.org/2000/01/rdf-schema#label"
#: Plain old data, and as portable as it can be.
_FLAGS: Final = 3

_GetValue = CFUNCTYPE(c_void_p, c_char_p, c_void_p, POINTER(c_uint32), POINTER(c_uint32))
_SetValue = CFUNCTYPE(None, c_char_p, c_void_p, c_void_p, c_uint32, c_uint32)


def list_presets(lib: Lilv, plugin: int) -> dict[str, str]:
    """URIs of a plug-in's presets by their names."""
    found = {}
    for uri in lib.nodes(lib.plugin_get_related(plugin, lib.uri(_PRESET))):
        node = lib.uri(uri)
        lib.world_load_resource(lib.world, node)
        label = lib.text(lib.world_get(lib.world, node, lib.uri(_LABEL), None))
        found[label or uri] = uri
    return dict(sorted(found.items()))


class StateKeeper:
    """Saves and restores the state of one plug-in's instances.

    Args:
        lib: liblilv.
        plugin: which.
        uri: of the plug-in, for messages.
        ports: of the plug-in.
        urids: of the process.
    """

    def __init__(self, lib: Lilv, plugin: int, uri: str, ports: Lv2Ports, urids: UridMap) -> None:
        self._lib, self._plugin, self._uri, self._urids = lib, plugin, uri, urids
        self._symbols = {p.symbol.encode(): i for i, p in enumerate(ports.parameters)}
        self._ranges = [(p.low, p.high) for p in ports.parameters]
        atom = "http://lv2plug.in/ns/ext/atom#"
        self._float = urids.number(atom + "Float")
        kinds = {
            "Float": np.float32,
            "Int": np.int32,
            "Double": np.float64,
            "Bool": np.int32,
            "Long": np.int64,
        }
        self._kinds = {urids.number(atom + name): np.dtype(kind) for name, kind in kinds.items()}

    def save(self, instance: Lv2Instance) -> str:
        """All that an instance is set to.

        Raises:
            StruckError: it cannot be saved.
        """
        value = c_float()

        def get(symbol: bytes, handle: int, size: object, kind: object) -> int | None:
            place = self._symbols.get(symbol)
            if place is None:
                return None
            size[0], kind[0] = 4, self._float  # type: ignore[index]
            value.value = float(instance.controls[place])
            return ctypes.addressof(value)

        lib, urids = self._lib, self._urids
        maps = (cast(pointer(urids.map), c_void_p), cast(pointer(urids.unmap), c_void_p))
        state = lib.state_new_from_instance(
            self._plugin, instance.address, maps[0], None, None, None, None,
            cast(_GetValue(get), c_void_p), None, _FLAGS, instance.features.array,
        )  # fmt: skip
        if not state:
            raise StruckError(f"the LV2 plug-in {self._uri} does not save its state")
        try:
            text = lib.state_to_string(lib.world, *maps, state, _STATE_URI, None)
            if not text:
                raise StruckError(f"the state of the LV2 plug-in {self._uri} cannot be written")
            found = ctypes.string_at(text).decode()
            lib.free(text)
            return found
        finally:
            lib.state_free(state)

    def restore(self, instances: list[Lv2Instance], text: str) -> None:
        """Set instances to what :meth:`save` gave; not while they run.

        Raises:
            StruckError: the text is no state, or one of another plug-in.
        """
        lib, urids = self._lib, self._urids
        state = lib.state_new_from_string(
            lib.world, cast(pointer(urids.map), c_void_p), text.encode()
        )  # it keeps nothing of the text
        self._apply(instances, state, "the state")

    def load_preset(self, instances: list[Lv2Instance], name: str) -> None:
        """Set instances to a preset, by its name or URI.

        Raises:
            StruckError: there is none of that name.
        """
        lib = self._lib
        presets = list_presets(lib, self._plugin)
        uri = presets.get(name, name if name in presets.values() else None)
        if uri is None:
            known = ", ".join(presets) or "none"
            raise StruckError(f"the LV2 plug-in {self._uri} has no preset {name}; there are: {known}")
        map_ = cast(pointer(self._urids.map), c_void_p)
        self._apply(instances, lib.state_new_from_world(lib.world, map_, lib.uri(uri)), f"the preset {name}")

    def _apply(self, instances: list[Lv2Instance], state: int | None, what: str) -> None:
        lib = self._lib
        if not state:
            raise StruckError(f"{what} of the LV2 plug-in {self._uri} cannot be read")
        try:
            owner = lib.text(lib.state_get_plugin_uri(state), owned=False)
            if owner and owner != self._uri:
                raise StruckError(f"{what} is that of {owner}, not of {self._uri}")
            for instance in instances:

                def put(
                    symbol: bytes, handle: int, data: int, size: int, kind: int, to: Lv2Instance = instance
                ) -> None:
                    place = self._symbols.get(symbol)
                    dtype = self._kinds.get(kind)
                    if place is not None and dtype is not None and size == dtype.itemsize:
                        value = float(np.frombuffer(ctypes.string_at(data, size), dtype)[0])
                        low, high = self._ranges[place]
                        to.controls[place] = min(high, max(low, value))

                call = cast(_SetValue(put), c_void_p)
                lib.state_restore(state, instance.address, call, None, 0, instance.features.array)
        finally:
            lib.state_free(state)
