"""JACK itself, without PortAudio: clients, ports, connections.

Why not PortAudio's JACK host (found with PortAudio 19.6 and jackd 1.9.21): when the server dies,
``Pa_CloseStream`` and ``Pa_AbortStream`` wait ten minutes for a callback that cannot come, ``Pa_Terminate``
fails an assertion and aborts the process, and until its client is closed no other client of this process
can be opened without a segmentation fault, because libjack keeps the dead server's shared memory. A client of
our own is closed in 20 ms, and opened again when the server is back. It also has stable port names, and works
where PortAudio was built without JACK.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
from numba import carray, types

from ...codec.events.errors import StruckError
from ..engine.c_pointers import c_callback
from .bounded_call import GuardedCall

AUDIO: Final = b"32 bit float mono audio"
MIDI: Final = b"8 bit raw midi"
_PORT_IS_INPUT, _PORT_IS_OUTPUT = 1, 2
_NO_START_SERVER: Final = 1
CAPTURE_LATENCY, PLAYBACK_LATENCY = 0, 1
_ANSWER_SECONDS: Final = 5.0
#: FluidSynth's ports, as any nobody set a latency for, may say 2**32 - 1 samples.
LONGEST_LATENCY_SECONDS: Final = 10.0
_LIBRARIES: Final = {
    "darwin": ("libjack.0.dylib", "/usr/local/lib/libjack.0.dylib", "/opt/homebrew/lib/libjack.0.dylib"),
    "win32": ("libjack64.dll",),
}

_pointer = ctypes.c_void_p
_string = ctypes.c_char_p
_SIGNATURES: Final[dict[str, tuple]] = {
    "jack_client_open": (_pointer, _string, ctypes.c_int, _pointer),
    "jack_client_close": (ctypes.c_int, _pointer),
    "jack_get_client_name": (_string, _pointer),
    "jack_activate": (ctypes.c_int, _pointer),
    "jack_get_sample_rate": (ctypes.c_uint32, _pointer),
    "jack_get_buffer_size": (ctypes.c_uint32, _pointer),
    "jack_set_process_callback": (ctypes.c_int, _pointer, _pointer, _pointer),
    "jack_set_xrun_callback": (ctypes.c_int, _pointer, _pointer, _pointer),
    "jack_on_shutdown": (None, _pointer, _pointer, _pointer),
    "jack_midi_get_event_count": (ctypes.c_uint32, _pointer),
    "jack_midi_event_get": (ctypes.c_int, _pointer, _pointer, ctypes.c_uint32),
    "jack_port_get_buffer": (_pointer, _pointer, ctypes.c_uint32),
    "jack_last_frame_time": (ctypes.c_uint32, _pointer),
    "jack_frames_to_time": (ctypes.c_uint64, _pointer, ctypes.c_uint32),
    "jack_port_register": (_pointer, _pointer, _string, _string, ctypes.c_ulong, ctypes.c_ulong),
    "jack_port_by_name": (_pointer, _pointer, _string),
    "jack_set_latency_callback": (ctypes.c_int, _pointer, _pointer, _pointer),
    "jack_recompute_total_latencies": (ctypes.c_int, _pointer),
    "jack_port_set_latency_range": (None, _pointer, ctypes.c_int, _pointer),
    "jack_port_get_latency_range": (None, _pointer, ctypes.c_int, _pointer),
    "jack_get_ports": (_pointer, _pointer, _string, _string, ctypes.c_ulong),
    "jack_free": (None, _pointer),
    "jack_connect": (ctypes.c_int, _pointer, _string, _string),
    "jack_disconnect": (ctypes.c_int, _pointer, _string, _string),
    "jack_set_error_function": (None, _pointer),
    "jack_set_info_function": (None, _pointer),
}


@c_callback(types.void(types.voidptr))
def _note_shutdown(down):
    """The server is gone; from a thread of libjack, in which it must not be called."""
    carray(down, (1,), np.int64)[0] = 1


@c_callback(types.void(types.voidptr))
def _ignore_message(text):
    """libjack's own words, which go to the screen otherwise; it may say them from any thread."""


class JackLibrary:
    """libjack, loaded. It keeps one memory of the server per process, for all clients in it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
        library.jack_set_error_function(_ignore_message.address)
        library.jack_set_info_function(_ignore_message.address)
        self.call = library
        self._opening: GuardedCall | None = None
        #: Clients that were opened and not closed yet; one of a dead server makes the next opening crash.
        self.open_clients: set[JackClient] = set()

    @property
    def can_open(self) -> bool:
        """Whether a client may be opened now: no dead one, and no call that hangs, is in the way."""
        hanging = self._opening is not None and self._opening.running
        return not hanging and not any(client.is_dead for client in self.open_clients)

    def open_client(self, name: str) -> JackClient | None:
        """A client of the running server, which may give it a suffix; None where no server answers."""
        if not self.can_open:
            return None
        status = ctypes.c_int()
        self._opening = GuardedCall(
            lambda: self.call.jack_client_open(name.encode(), _NO_START_SERVER, ctypes.byref(status))
        )
        try:
            pointer = self._opening.wait(_ANSWER_SECONDS)
        except TimeoutError:
            return None
        return JackClient(self, pointer) if pointer else None

    def address_of(self, function: str) -> int:
        """Where a function of the library lies, for compiled code to call."""
        address = ctypes.cast(getattr(self.call, function), _pointer).value
        assert address is not None
        return address


class JackClient:
    """A client of a JACK server. Made by :meth:`JackLibrary.open_client`."""

    def __init__(self, library: JackLibrary, pointer: int) -> None:
        self._call = library.call
        self._library = library
        self._pointer: int | None = pointer
        self._closing: GuardedCall | None = None
        self._down = np.zeros(1, dtype=np.int64)
        self._call.jack_on_shutdown(pointer, _note_shutdown.address, self._down.ctypes.data)
        self.name: str = self._call.jack_get_client_name(pointer).decode()
        self.rate: int = self._call.jack_get_sample_rate(pointer)
        self.period_frames: int = self._call.jack_get_buffer_size(pointer)
        #: What the callbacks use; it lives as long as this.
        self.keep: object = None
        library.open_clients.add(self)

    @property
    def is_dead(self) -> bool:
        """The server is gone, or threw the client out, or it is being closed."""
        return bool(self._down[0])

    @property
    def address(self) -> int:
        """For compiled code to hand to libjack, while it is open."""
        assert self._pointer is not None
        return self._pointer

    def set_callbacks(
        self, process: int, userdata: int, xrun: int | None = None, latency: int | None = None
    ) -> None:
        """Addresses of compiled functions, before :meth:`activate`; the caller keeps them alive."""
        failed = self._call.jack_set_process_callback(self._pointer, process, userdata)
        if xrun is not None:
            failed |= self._call.jack_set_xrun_callback(self._pointer, xrun, userdata)
        if latency is not None:
            failed |= self._call.jack_set_latency_callback(self._pointer, latency, userdata)
        if failed:
            raise StruckError("JACK refuses callbacks")

    def add_port(self, name: str, is_input: bool, kind: bytes = AUDIO) -> int:
        """Register a port of :data:`AUDIO` or :data:`MIDI`; its address."""
        flags = _PORT_IS_INPUT if is_input else _PORT_IS_OUTPUT
        port = self._call.jack_port_register(self._pointer, name.encode(), kind, flags, 0)
        if not port:
            raise StruckError(f"JACK refuses the port {self.name}:{name}")
        return port

    def activate(self) -> None:
        """From now on the process callback runs."""
        if self._call.jack_activate(self._pointer):
            raise StruckError("JACK refuses to run the client")

    def renew_latencies(self) -> None:
        """Let JACK ask all clients anew how late they are."""
        if not self.is_dead:
            self._call.jack_recompute_total_latencies(self._pointer)

    def find_ports(self, sources: bool, kind: bytes = AUDIO) -> list[str]:
        """Full names of the ports one can listen to (``sources``) or play to, in JACK's order."""
        flags = _PORT_IS_OUTPUT if sources else _PORT_IS_INPUT
        found = self._call.jack_get_ports(self._pointer, None, kind, flags)
        if not found:
            return []
        names = ctypes.cast(found, ctypes.POINTER(_string))
        ports: list[str] = []
        while (name := names[len(ports)]) is not None:
            ports.append(name.decode(errors="replace"))
        self._call.jack_free(found)
        return ports

    def connect(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Connect ports by full name, source first; False if one is missing. Connected already is fine."""
        results = [self._call.jack_connect(self._pointer, a.encode(), b.encode()) for a, b in pairs]
        return all(result in (0, 17) for result in results)  # EEXIST is 17 everywhere

    def disconnect(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Take ports apart; those that are not connected stay so."""
        for source, sink in pairs:
            self._call.jack_disconnect(self._pointer, source.encode(), sink.encode())

    def latency_seconds(self, port: str, is_source: bool) -> float:
        """From the ears to a source port, or from a port played to to the ears; 0 if nobody says."""
        pointer = self._call.jack_port_by_name(self._pointer, port.encode())
        if not pointer:
            return 0.0
        span = (ctypes.c_uint32 * 2)()
        mode = CAPTURE_LATENCY if is_source else PLAYBACK_LATENCY
        self._call.jack_port_get_latency_range(pointer, mode, ctypes.byref(span))
        seconds = span[1] / self.rate
        return seconds if seconds < LONGEST_LATENCY_SECONDS else 0.0

    def close(self, seconds: float = 2.0) -> bool:
        """Close the client, also a dead one.

        False if that takes longer than ``seconds``: it goes on then, and no other client opens before it is
        done.
        """
        if self._pointer is not None:
            pointer, self._pointer = self._pointer, None
            self._down[0] = 1
            self._closing = GuardedCall(lambda: self._close(pointer))
        assert self._closing is not None
        try:
            self._closing.wait(seconds)
        except TimeoutError:
            return False
        return True

    def _close(self, pointer: int) -> None:
        self._call.jack_client_close(pointer)  # -1 from a dead server, and closed all the same
        self._library.open_clients.discard(self)


@functools.cache
def load_jack() -> JackLibrary | None:
    """The library, or None where JACK is not installed."""
    for name in _LIBRARIES.get(sys.platform, ("libjack.so.0",)):
        try:
            return JackLibrary(ctypes.CDLL(name))
        except OSError:
            continue
    return None
