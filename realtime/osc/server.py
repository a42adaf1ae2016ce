"""The OSC server: one UDP socket and one thread that reads it."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Self

from ...codec.events.errors import StruckError
from .dispatcher import OscDispatcher
from .subscribers import Peer, Subscribers

if TYPE_CHECKING:
    from ..engine.clock import StreamClock
    from ..stage.stage import Stage

LOOPBACK: Final = "127.0.0.1"

#: Some hundred packets: enough for a burst, and after a flood what is read is not long past.
_RECEIVE_BUFFER_BYTES: Final = 262_144
_LARGEST_PACKET_BYTES: Final = 65_536

#: After so many packets in a row the thread looks at what is due, and in a flood rests.
_PACKETS_IN_A_ROW: Final = 128
_REST_SECONDS: Final = 0.002
_LONGEST_WAIT_SECONDS: Final = 0.2


def parse_address(text: str, default_host: str = LOOPBACK) -> tuple[str, int]:
    """Host and port of ``host:port``, ``:port``, ``port`` or ``[IPv6]:port``.

    >>> parse_address("9000"), parse_address("[::1]:9000")
    (('127.0.0.1', 9000), ('::1', 9000))

    Raises:
        StruckError: it is none of these.
    """
    host, _, port_text = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise StruckError(f"'{text}' is no address; an IPv6 host stands in brackets, as in [::1]:9000")
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) <= 65_535):
        raise StruckError(f"'{text}' is no address; it must be HOST:PORT with a port up to 65535")
    return host or default_host, int(port_text)


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, Peer]:
    """Address family and socket address of a host for UDP.

    Raises:
        StruckError: there is no such host.
    """
    try:
        family, _, _, _, peer = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise StruckError(f"the OSC host '{host}' is not known: {error}") from error
    return family, peer


def _is_of_this_machine(family: socket.AddressFamily, peer: Peer) -> bool:
    """Whether a numeric host is one of this machine's: only those can be bound."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((peer[0], 0, *peer[2:]))
        except OSError:
            return False
    return True


class OscServer:
    """Listens for OSC over UDP from :meth:`start` to :meth:`close`.

    A flood neither grows memory nor takes the processor: packets wait in the system's buffer only, more
    messages than :data:`~.osc_dispatcher.MESSAGES_PER_SECOND` are read and dropped unseen (``osc_dropped``),
    and the thread rests after a row of them, so that the system drops the rest.

    Args:
        stage: what is played on.
        clock: of the stream.
        host, port: where to listen; loopback unless others are to reach it. Port 0 takes a free one.
        latency: the latency ledger, seconds by part.
        on_packet: called on the server's thread with stream position and bytes of each packet that changed
            what sounds.

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
    ) -> None:
        self._stage = stage
        self.family, peer = resolve(host, port)
        self._socket = socket.socket(self.family, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            self._socket.bind(peer)
        except OSError as error:
            self._socket.close()
            raise StruckError(f"cannot listen for OSC on {host}:{port}: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self.subscribers = Subscribers()
        self._dispatcher = OscDispatcher(
            stage,
            clock,
            self.subscribers,
            self._reply,
            latency=latency,
            on_packet=on_packet,
            is_own=self.is_own,
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="struck-osc-in", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
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
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def send(self, packet: bytes, peer: Peer) -> None:
        """Send from the server's port; from any thread.

        Raises:
            OSError: the network refuses.
        """
        self._socket.sendto(packet, peer)

    def reaches(self, family: socket.AddressFamily, peer: Peer) -> bool:
        """Whether the server's socket can send there: one bound to loopback reaches loopback only."""
        own = ipaddress.ip_address(self.address[0].partition("%")[0])
        there = ipaddress.ip_address(str(peer[0]).partition("%")[0])
        return family == self.family and (there.is_loopback or not own.is_loopback)

    def is_own(self, peer: Peer) -> bool:
        """Whether a packet sent to ``peer`` would come back to this server."""
        host, port = self.address
        if peer[1] != port:
            return False
        if peer[0] == host or ipaddress.ip_address(str(peer[0]).partition("%")[0]).is_unspecified:
            return True
        listens_everywhere = ipaddress.ip_address(host.partition("%")[0]).is_unspecified
        return listens_everywhere and _is_of_this_machine(self.family, peer)

    def _reply(self, packet: bytes, peer: Peer) -> None:
        try:
            self.send(packet, peer)
        except OSError:
            # Who asked has gone or cannot be reached. Nobody waits for the answer; the count says so.
            self._stage.count("osc_unreachable")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while not self._closing.is_set():
                due_seconds = self._dispatcher.run_due()
                wait_seconds = min(_LONGEST_WAIT_SECONDS, due_seconds or _LONGEST_WAIT_SECONDS)
                if selector.select(wait_seconds) and self._read_row():
                    time.sleep(_REST_SECONDS)

    def _read_row(self) -> bool:
        """Read what is there, up to a row; True if that was a row with packets too many in it."""
        flooded = False
        for _ in range(_PACKETS_IN_A_ROW):
            try:
                packet, peer = self._socket.recvfrom(_LARGEST_PACKET_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                # Some systems report here that an answer found nobody, or that the network is down.
                self._stage.count("osc_unreachable")
                return True
            flooded |= not self._dispatcher.handle(packet, peer)
        return flooded
