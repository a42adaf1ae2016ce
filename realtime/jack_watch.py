"""Whether a JACK server answers, and when it goes away.

RtMidi says neither: without a server it writes to standard error, a client of a server that has died still
lists its ports, and sending to it waits for ever once the client's buffer is full. So this asks libjack
itself, in the very copy that rtmidi is linked with (its wheels bring their own).
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Final

_NO_START_SERVER: Final = 1  # JackNoStartServer


class JackWatch:
    """A client of JACK's default server that does nothing but see it go; for one thread, save ``answers``.

    The default server is named by the environment's ``JACK_DEFAULT_SERVER``. No server is ever started.

    Args:
        rtmidi: the module.
    """

    def __init__(self, rtmidi: Any) -> None:
        self._gone = threading.Event()
        self._client: int | None = None
        # symbols are looked up in the library and in those that it is linked with
        library = ctypes.CDLL(rtmidi._rtmidi.__file__)
        if not hasattr(library, "jack_client_open"):  # an rtmidi without JACK
            self._library = None
            return
        self._library = library
        library.jack_client_open.restype = ctypes.c_void_p
        library.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
        library.jack_client_close.argtypes = [ctypes.c_void_p]
        # libjack's words are not for the performer, who is told in one line. The silent writer is C: libjack
        # calls it from its own threads, where Python has no business. strlen reads the text and does nothing.
        silent = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        for setter in (library.jack_set_error_function, library.jack_set_info_function):
            setter.argtypes = [ctypes.c_void_p]
            setter.restype = None
            setter(silent)
        # called by libjack's thread, once, when the server goes; kept here as long as the library may call it
        self._on_shutdown = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda argument: self._gone.set())
        library.jack_on_shutdown.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        library.jack_on_shutdown.restype = None

    @property
    def answers(self) -> bool:
        """A server answered :meth:`look` and has not gone since; at once, from any thread."""
        return self._client is not None and not self._gone.is_set()

    def look(self) -> bool:
        """See whether a server answers, looking for one if none did before; some milliseconds."""
        if self._library is None or self.answers:
            return self.answers
        self.close()
        self._gone.clear()
        client = self._library.jack_client_open(b"struck watch", _NO_START_SERVER, None)
        if client:
            self._library.jack_on_shutdown(client, ctypes.cast(self._on_shutdown, ctypes.c_void_p), None)
            self._client = client
        return self.answers

    def close(self) -> None:
        """Leave the server."""
        client, self._client = self._client, None
        if self._library is not None and client is not None:
            self._library.jack_client_close(client)
