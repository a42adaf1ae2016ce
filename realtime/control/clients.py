"""Those connected by WebSocket: programs that listen to addresses, and pages that watch everything.

What a client is sent waits in its connection's buffer. One that does not read is sent nothing more, and when
it has not read for too long it is dropped; it holds up nobody. All in the port's thread.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, broadcast

from ..osc.addresses import Peer

#: Bytes that may wait for one client; a burst of a thousand changes is some 60 kB.
_WAITING_BYTES: Final = 262_144
#: One that has so much waiting for so long is gone, or means harm.
SLOW_SECONDS: Final = 5.0
#: Addresses that one client may listen to.
_LISTENED_MAX: Final = 4_096

_numbers = itertools.count(1)


class Client:
    """One connection.

    Args:
        connection: open.
        may_change: whether it may change something.
    """

    def __init__(self, connection: ServerConnection, may_change: bool) -> None:
        self.connection = connection
        self.may_change = may_change
        host, port = connection.remote_address[:2]
        #: As the dispatcher of OSC knows it; no UDP address has three parts.
        self.peer: Peer = (host, port, next(_numbers))
        self._slow_since: float | None = None
        #: Something was not sent: when it reads again it needs to be told all.
        self.missed = False

    @property
    def keeps_up(self) -> bool:
        """Whether it reads what it is sent."""
        return self.connection.transport.get_write_buffer_size() < _WAITING_BYTES

    def offer(self, message: str | bytes) -> bool:
        """Send ``message``, unless the client does not keep up."""
        if not self.keeps_up:
            self.missed = True
            return False
        broadcast((self.connection,), message)
        return True

    def is_lost(self, now_seconds: float) -> bool:
        """Whether it has not kept up for too long; asked from time to time."""
        if self.keeps_up:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now_seconds
        return self._slow_since is not None and now_seconds - self._slow_since > SLOW_SECONDS


class Listener(Client):
    """A program that speaks OSCQuery."""

    def __init__(self, connection: ServerConnection, may_change: bool) -> None:
        super().__init__(connection, may_change)
        self._listened: set[str] = set()
        #: Last value sent of what changes often and unseen, by address.
        self.sent: dict[str, Any] = {}

    def command(self, name: Any, path: Any) -> None:
        """Do what one of the client's commands says; others than these are not for us."""
        if not isinstance(path, str):
            return
        if name == "LISTEN" and len(self._listened) < _LISTENED_MAX:
            self._listened.add(path)
        elif name == "IGNORE":
            self._listened.discard(path)
            self.sent.pop(path, None)

    @property
    def listened(self) -> set[str]:
        """Addresses whose changes it is told."""
        return self._listened
