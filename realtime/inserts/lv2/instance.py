"""One instance of an LV2 plug-in: its memory, its ports' buffers, its run function."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_uint32, c_void_p, cast

import numpy as np

from ....codec.events.errors import StruckError
from ..plugins.plugin import FloatArray
from .features import WORKER_INTERFACE, Features, UridMap
from .library import Lilv
from .ports import Lv2Ports
from .sequences import AtomBuffer

_Call = CFUNCTYPE(None, c_void_p)
_Run = CFUNCTYPE(None, c_void_p, c_uint32)
_ConnectPort = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)


class _Descriptor(Structure):
    _fields_ = (
        ("uri", c_char_p),
        ("instantiate", c_void_p),
        ("connect_port", _ConnectPort),
        ("activate", c_void_p),
        ("run", _Run),
        ("deactivate", c_void_p),
        ("cleanup", c_void_p),
        ("extension_data", c_void_p),
    )


class _Instance(Structure):
    """LilvInstance; its functions are inline in lilv.h, so they are called through the descriptor."""

    _fields_ = (("descriptor", POINTER(_Descriptor)), ("handle", c_void_p), ("pimpl", c_void_p))


class Lv2Instance:
    """Runs one instance.

    Args:
        lib: liblilv.
        plugin: which.
        uri: of the plug-in, for messages.
        ports: of the plug-in.
        urids: of the process.
        rate: in Hz.
        block_frames: of every block.

    Raises:
        StruckError: it cannot be instantiated.
    """

    def __init__(
        self, lib: Lilv, plugin: int, uri: str, ports: Lv2Ports, urids: UridMap, rate: int, block_frames: int
    ) -> None:
        self._lib, self._ports = lib, ports
        self._features = Features(urids, rate, block_frames)
        #: LilvInstance's address.
        self.address = lib.plugin_instantiate(plugin, float(rate), self._features.array)
        if not self.address:
            raise StruckError(f"the LV2 plug-in {uri} cannot be instantiated")
        instance = cast(self.address, POINTER(_Instance)).contents
        self._descriptor = instance.descriptor.contents
        self._handle = instance.handle
        self._features.worker.connect(self._extension(WORKER_INTERFACE), self._handle)
        defaults = [parameter.default for parameter in ports.parameters]
        #: Values of the parameters, float32; a store is a setting.
        self.controls = np.array([*defaults, 0.0], np.float32)
        self._told = np.zeros(len(ports.others) + 1, np.float32)  # what the plug-in writes to control ports
        self._spare = np.zeros((len(ports.others) + 1, block_frames), np.float32)  # CV
        self.inputs: FloatArray = np.zeros((max(1, len(ports.audio_inputs)), block_frames), np.float32)
        self.outputs: FloatArray = np.zeros((max(1, len(ports.audio_outputs)), block_frames), np.float32)
        self.notes = [AtomBuffer(urids, True) for _ in ports.note_inputs]
        self._atoms = [AtomBuffer(urids, is_input) for _, is_input in ports.other_atoms]
        self._connect()
        if self._descriptor.activate:
            cast(self._descriptor.activate, _Call)(self._handle)

    def _connect(self) -> None:
        ports = self._ports
        places = [(port, self.inputs[i].ctypes.data) for i, port in enumerate(ports.audio_inputs)]
        places += [(port, self.outputs[i].ctypes.data) for i, port in enumerate(ports.audio_outputs)]
        places += [(port, self.controls[i:].ctypes.data) for i, port in enumerate(ports.controls)]
        places += [(port, self.notes[i].address) for i, port in enumerate(ports.note_inputs)]
        places += [(port, self._atoms[i].address) for i, (port, _) in enumerate(ports.other_atoms)]
        for i, (port, is_control) in enumerate(ports.others):
            places.append((port, self._told[i:].ctypes.data if is_control else self._spare[i].ctypes.data))
        for port, address in places:
            self._descriptor.connect_port(self._handle, port, address)

    def _extension(self, uri: str) -> int | None:
        function = self._descriptor.extension_data
        if not function:
            return None
        found: int | None = CFUNCTYPE(c_void_p, c_char_p)(function)(uri.encode())
        return found

    def run(self, frames: int) -> None:
        """One block, or a part of one: ``inputs`` and ``notes`` to ``outputs``, their first frames."""
        for atoms in self._atoms:
            atoms.clear()
        self._descriptor.run(self._handle, frames)
        self._features.worker.run()
        for notes in self.notes:
            notes.clear()

    @property
    def latency_samples(self) -> int:
        """As its latency port told after the last block."""
        for i, (port, _) in enumerate(self._ports.others):
            if port == self._ports.latency:
                return max(0, round(float(self._told[i])))
        return 0

    @property
    def features(self) -> Features:
        """What it was given."""
        return self._features

    def close(self) -> None:
        """Deactivate and free it; twice is harmless."""
        if self.address:
            if self._descriptor.deactivate:
                cast(self._descriptor.deactivate, _Call)(self._handle)
            self._lib.instance_free(self.address)
            self.address = 0
