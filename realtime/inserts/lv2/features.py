"""What a host gives an LV2 plug-in: numbers for URIs, options, a promise about block lengths, a worker."""

from __future__ import annotations

import ctypes
from collections import deque
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_float,
    c_int32,
    c_uint32,
    c_void_p,
    cast,
    pointer,
    sizeof,
)
from typing import Any, Final

_NS: Final = "http://lv2plug.in/ns/ext/"
_ATOM: Final = _NS + "atom#"
_BUF_SIZE: Final = _NS + "buf-size#"
URID_MAP: Final = _NS + "urid#map"
URID_UNMAP: Final = _NS + "urid#unmap"
OPTIONS: Final = _NS + "options#options"
BOUNDED_BLOCK: Final = _BUF_SIZE + "boundedBlockLength"
FIXED_BLOCK: Final = _BUF_SIZE + "fixedBlockLength"
POWER_OF_2_BLOCK: Final = _BUF_SIZE + "powerOf2BlockLength"
WORKER: Final = _NS + "worker#schedule"
WORKER_INTERFACE: Final = _NS + "worker#interface"
LOAD_DEFAULT_STATE: Final = _NS + "state#loadDefaultState"
#: All that a plug-in may require here.
PROVIDED: Final = frozenset(
    (URID_MAP, URID_UNMAP, OPTIONS, BOUNDED_BLOCK, FIXED_BLOCK, POWER_OF_2_BLOCK, WORKER, LOAD_DEFAULT_STATE)
)
#: Those that a plug-in requires which must not be run in parts of a block.
WHOLE_BLOCKS: Final = frozenset((FIXED_BLOCK, POWER_OF_2_BLOCK))
#: Bytes of an atom buffer.
SEQUENCE_BYTES: Final = 65_536

_Map = CFUNCTYPE(c_uint32, c_void_p, c_char_p)
#: An address: a callback that returns a c_char_p would leak its text each time.
_Unmap = CFUNCTYPE(c_void_p, c_void_p, c_uint32)
_Respond = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p)
_Work = CFUNCTYPE(c_int32, c_void_p, _Respond, c_void_p, c_uint32, c_void_p)
_WorkResponse = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p)
_EndRun = CFUNCTYPE(c_int32, c_void_p)
_Schedule = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p)


class _Feature(Structure):
    _fields_ = (("uri", c_char_p), ("data", c_void_p))


class _UridMap(Structure):
    _fields_ = (("handle", c_void_p), ("map", _Map))


class _UridUnmap(Structure):
    _fields_ = (("handle", c_void_p), ("unmap", _Unmap))


class _Option(Structure):
    _fields_ = (
        ("context", c_int32),
        ("subject", c_uint32),
        ("key", c_uint32),
        ("size", c_uint32),
        ("type", c_uint32),
        ("value", c_void_p),
    )


class _WorkerSchedule(Structure):
    _fields_ = (("handle", c_void_p), ("schedule_work", _Schedule))


class _WorkerInterface(Structure):
    _fields_ = (("work", _Work), ("work_response", _WorkResponse), ("end_run", _EndRun))


class UridMap:
    """Numbers for URIs, one map for all plug-ins of a process."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[Any] = [None]  # C strings, kept alive
        self._map = _Map(lambda handle, uri: self.number(uri.decode()))
        self._unmap = _Unmap(self._text)
        self.map = _UridMap(None, self._map)
        self.unmap = _UridUnmap(None, self._unmap)

    def number(self, uri: str) -> int:
        """The number of a URI, from 1."""
        if uri not in self._numbers:
            self._numbers[uri] = len(self._texts)
            self._texts.append(ctypes.create_string_buffer(uri.encode()))
        return self._numbers[uri]

    def _text(self, handle: int | None, number: int) -> int | None:
        if not 0 < number < len(self._texts):
            return None
        return ctypes.addressof(self._texts[number])


class Worker:
    """Does a slow job of the plug-in between two blocks: here, late work only means dry sound."""

    def __init__(self) -> None:
        self._asked: deque[bytes] = deque()
        self._answers: deque[bytes] = deque()
        self._schedule = _Schedule(lambda handle, size, data: self._keep(self._asked, size, data))
        self._respond = _Respond(lambda handle, size, data: self._keep(self._answers, size, data))
        self.schedule = _WorkerSchedule(None, self._schedule)
        self._interface: Any = None
        self._handle = 0

    @staticmethod
    def _keep(queue: deque[bytes], size: int, data: int | None) -> int:
        queue.append(ctypes.string_at(data, size) if data and size else b"")
        return 0

    def connect(self, interface: int | None, handle: int) -> None:
        """Say who works: the address of the plug-in's worker interface, None if it has none."""
        if interface:
            self._interface = cast(interface, POINTER(_WorkerInterface)).contents
            self._handle = handle

    def run(self) -> None:
        """Do what was asked for, and give the answers."""
        if self._interface is None:
            return
        while self._asked:
            data = self._asked.popleft()
            self._interface.work(self._handle, self._respond, None, len(data), _bytes_at(data))
        while self._answers:
            data = self._answers.popleft()
            self._interface.work_response(self._handle, len(data), _bytes_at(data))
        if self._interface.end_run:
            self._interface.end_run(self._handle)


def _bytes_at(data: bytes) -> Any:
    return cast(ctypes.create_string_buffer(data, max(1, len(data))), c_void_p)


class Features:
    """The features of one plug-in; everything in it lives as long as the plug-in does.

    Args:
        urids: of the process.
        rate: in Hz.
        block_frames: of every block: a power of two.
    """

    def __init__(self, urids: UridMap, rate: int, block_frames: int) -> None:
        self.worker = Worker()
        int_type, float_type = urids.number(_ATOM + "Int"), urids.number(_ATOM + "Float")
        self._values: list[Any] = []
        options = []
        for uri in ("minBlockLength", "maxBlockLength", "nominalBlockLength"):
            options.append(self._option(urids.number(_BUF_SIZE + uri), int_type, c_int32(block_frames)))
        options.append(
            self._option(urids.number(_BUF_SIZE + "sequenceSize"), int_type, c_int32(SEQUENCE_BYTES))
        )
        rate_key = urids.number("http://lv2plug.in/ns/ext/parameters#sampleRate")
        options.append(self._option(rate_key, float_type, c_float(rate)))
        self._options = (_Option * (len(options) + 1))(*options)  # ends with zeros
        data = {
            URID_MAP: cast(pointer(urids.map), c_void_p),
            URID_UNMAP: cast(pointer(urids.unmap), c_void_p),
            OPTIONS: cast(self._options, c_void_p),
            WORKER: cast(pointer(self.worker.schedule), c_void_p),
            BOUNDED_BLOCK: None,
            FIXED_BLOCK: None,
            POWER_OF_2_BLOCK: None,
            LOAD_DEFAULT_STATE: None,
        }
        self._features = [_Feature(uri.encode(), value) for uri, value in data.items()]
        self._array = (POINTER(_Feature) * (len(self._features) + 1))(*[pointer(f) for f in self._features])

    def _option(self, key: int, kind: int, value: Any) -> _Option:
        self._values.append(value)
        return _Option(0, 0, key, sizeof(value), kind, cast(pointer(value), c_void_p))

    @property
    def array(self) -> Any:
        """NULL-terminated ``LV2_Feature *const *``."""
        return cast(self._array, c_void_p)
