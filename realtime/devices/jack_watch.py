"""Whether a JACK server answers MIDI, and when it goes away.

RtMidi says neither: without a server it writes to standard error, a client of a server that has died still
lists its ports, and sending to it waits for ever once the client's buffer is full. So this asks libjack
itself, in the very copy that rtmidi is linked with (its wheels bring their own).
"""

from __future__ import annotations

import ctypes
from typing import Any

from .jack import JackClient, JackLibrary, load_jack


class JackWatch:
    """A client of JACK's default server that does nothing but see it go; for one thread, save ``answers``.

    The default server is named by the environment's ``JACK_DEFAULT_SERVER``. No server is ever started.

    Args:
        rtmidi: the module.
    """

    def __init__(self, rtmidi: Any) -> None:
        self._client: JackClient | None = None
        #: libjack, as rtmidi has it; None if it has none.
        self.library = _library_of(rtmidi)

    @property
    def answers(self) -> bool:
        """A server answered :meth:`look` and has not gone since; at once, from any thread."""
        client = self._client
        return client is not None and not client.is_dead

    def look(self) -> bool:
        """See whether a server answers, looking for one if none did before; some milliseconds."""
        if self.library is not None and not self.answers:
            self.close()
            self._client = self.library.open_client("struck watch")
        return self.answers

    def close(self) -> None:
        """Leave the server."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _library_of(rtmidi: Any) -> JackLibrary | None:
    """The libjack that rtmidi uses; None if it has no JACK."""
    # symbols are looked up in the library and in those that it is linked with
    linked = ctypes.CDLL(rtmidi._rtmidi.__file__)
    if not hasattr(linked, "jack_client_open"):
        return None
    system = load_jack()
    if system is not None and system.address_of("jack_client_open") == _address_of_open(linked):
        return system  # one copy in the process: whoever opens clients must know of all of them
    return JackLibrary(linked)


def _address_of_open(library: ctypes.CDLL) -> int | None:
    return ctypes.cast(library.jack_client_open, ctypes.c_void_p).value
