"""The OSC server: UDP sockets at all addresses of a host, and one thread that reads them."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from .address_book import AddressBook
from .addresses import LOOPBACK, Peer, bind_all
from .dispatcher import OscDispatcher
from .subscribers import Subscribers

if TYPE_CHECKING:
    from ..engine.clock import StreamClock
    from ..stage.stage import Stage

#: Some hundred packets: enough for a burst, and after a flood what is read is not long past.
_RECEIVE_BUFFER_BYTES: Final = 262_144
_LARGEST_PACKET_BYTES: Final = 65_536

#: After so many packets in a row the thread looks at what is due, and in a flood rests.
_PACKETS_IN_A_ROW: Final = 128
_REST_SECONDS: Final = 0.002
_LONGEST_WAIT_SECONDS: Final = 0.2


def _is_of_this_machine(family: socket.AddressFamily, peer: Peer) -> bool:
    """Whether a numeric host is one of this machine's: only those can be bound."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((peer[0], 0, *peer[2:]))
        except OSError:
            return False
    return True


def _host(peer: Peer) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(str(peer[0]).partition("%")[0])


def _open(family: socket.AddressFamily) -> socket.socket:
    own = socket.socket(family, socket.SOCK_DGRAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    own.setblocking(False)
    return own


class OscServer:
    """Listens for OSC over UDP from :meth:`start` to :meth:`close`.

    A flood neither grows memory nor takes the processor: packets wait in the system's buffer only, more
    messages than :data:`~.osc_dispatcher.MESSAGES_PER_SECOND` are read and dropped unseen (``osc_dropped``),
    and the thread rests after a row of them, so that the system drops the rest.

    Args:
        stage: what is played on.
        clock: of the stream.
        host, port: where to listen, at all addresses of a name; loopback unless others are to reach it. Port
            0 takes a free one.
        latency: the latency ledger, seconds by part.
        on_packet: called on the server's thread with stream position and bytes of each packet that changed
            what sounds.
        book: all addresses; None makes one.

    Raises:
        StruckError: the port is taken, or the host is not this machine's.
    """

    def __init__(
        self,
        stage: Stage,
        clock: StreamClock,
        host: str = LOOPBACK,
        port: int = 9000,
        *,
        latency: Callable[[], Mapping[str, float]] | None = None,
        on_packet: Callable[[int, bytes], None] | None = None,
        book: AddressBook | None = None,
    ) -> None:
        self._stage = stage
        self._sockets = bind_all(host, port, _open, f"cannot listen for OSC on {host}:{port}")
        self.subscribers = Subscribers()
        self._dispatcher = OscDispatcher(
            stage,
            clock,
            self.subscribers,
            self._reply,
            latency=latency,
            on_packet=on_packet,
            is_own=self.is_own,
            book=book,
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="struck-osc-in", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on, the first of several hosts."""
        host, port = self._sockets[0].getsockname()[:2]
        return host, port

    def start(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening and free the port."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for own in self._sockets:
            own.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def send(self, packet: bytes, peer: Peer) -> None:
        """Send from the server's port; from any thread.

        Raises:
            OSError: the network refuses.
        """
        family = socket.AF_INET6 if ":" in str(peer[0]) else socket.AF_INET
        own = next((own for own in self._sockets if own.family == family), self._sockets[0])
        own.sendto(packet, peer)

    def reaches(self, family: socket.AddressFamily, peer: Peer) -> bool:
        """Whether a socket of the server can send there: one bound to loopback reaches loopback only."""
        to_loopback = _host(peer).is_loopback
        return any(
            own.family == family and (to_loopback or not _host(own.getsockname()).is_loopback)
            for own in self._sockets
        )

    def is_own(self, peer: Peer) -> bool:
        """Whether a packet sent to ``peer`` would come back to this server."""
        for own in self._sockets:
            name = own.getsockname()
            if peer[1] != name[1]:
                continue
            if peer[0] == name[0] or _host(peer).is_unspecified:
                return True
            if _host(name).is_unspecified and _is_of_this_machine(own.family, peer):
                return True
        return False

    def _reply(self, packet: bytes, peer: Peer) -> None:
        try:
            self.send(packet, peer)
        except OSError:
            # Who asked has gone or cannot be reached. Nobody waits for the answer; the count says so.
            self._stage.count("osc_unreachable")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for own in self._sockets:
                selector.register(own, selectors.EVENT_READ)
            while not self._closing.is_set():
                due_seconds = self._dispatcher.run_due()
                wait_seconds = min(_LONGEST_WAIT_SECONDS, due_seconds or _LONGEST_WAIT_SECONDS)
                flooded = [self._read_row(own.fileobj) for own, _ in selector.select(wait_seconds)]
                if any(flooded):
                    time.sleep(_REST_SECONDS)

    def _read_row(self, own: Any) -> bool:
        """Read what is there, up to a row; True if that was a row with packets too many in it."""
        flooded = False
        for _ in range(_PACKETS_IN_A_ROW):
            try:
                packet, peer = own.recvfrom(_LARGEST_PACKET_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                # Some systems report here that an answer found nobody, or that the network is down.
                self._stage.count("osc_unreachable")
                return True
            flooded |= not self._dispatcher.handle(packet, peer)
        return flooded
