"""Hosts and ports as performers write them, and the socket addresses that they stand for."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any, Final

from ...codec.events.errors import StruckError

#: A socket's idea of an address: (host, port) or, for IPv6, (host, port, flow, scope).
Peer = tuple[Any, ...]

#: This machine, at all its loopback addresses.
LOOPBACK: Final = "localhost"
_LOOPBACK_ADDRESSES: Final = ("127.0.0.1", "::1")
#: What binding to an address says that this machine does not have, such as one of IPv6 where that is off.
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


def parse_address(text: str, default_host: str = LOOPBACK) -> tuple[str, int]:
    """Host and port of ``host:port``, ``:port``, ``port`` or ``[IPv6]:port``.

    >>> parse_address("9000"), parse_address("[::1]:9000")
    (('localhost', 9000), ('::1', 9000))

    Raises:
        StruckError: it is none of these.
    """
    host, _, port_text = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise StruckError(f"'{text}' is not an address; an IPv6 host stands in brackets, as in [::1]:9000")
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) <= 65_535):
        raise StruckError(f"'{text}' is not an address; it must be HOST:PORT with a port up to 65535")
    return host or default_host, int(port_text)


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, Peer]]:
    """All address families and socket addresses of a host for UDP, IPv4 first, each once.

    Programs differ in which one of a name's addresses they take: ``localhost`` may be ``::1`` for one and
    ``127.0.0.1`` for another, so it is both here, whatever the system's table of hosts says.

    Raises:
        StruckError: there is no such host.
    """
    names = _LOOPBACK_ADDRESSES if host == LOOPBACK else (host,)
    found: dict[Peer, socket.AddressFamily] = {}
    failure: Exception | None = None
    for name in names:
        try:
            for family, _, _, _, peer in socket.getaddrinfo(name, port, type=socket.SOCK_DGRAM):
                found[peer] = family
        except (OSError, UnicodeError) as error:
            failure = error
    if not found:
        raise StruckError(f"the OSC host '{host}' is not known: {failure}") from failure
    return sorted(((family, peer) for peer, family in found.items()), key=lambda f: f[0] != socket.AF_INET)


def bind_all(
    host: str, port: int, open_socket: Callable[[socket.AddressFamily], socket.socket], failed: str
) -> list[socket.socket]:
    """A socket at each address of ``host`` that is this machine's, all with one port.

    Args:
        host, port: where; of port 0 the system chooses one.
        open_socket: of a family.
        failed: how the message begins where it cannot be.

    Raises:
        StruckError: the port is taken at one of them, or there is none.
    """
    bound: list[socket.socket] = []
    failure: OSError | None = None
    for family, peer in resolve(host, port):
        own = None
        try:
            own = open_socket(family)
            if family == socket.AF_INET6:
                own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
            own.bind((peer[0], bound[0].getsockname()[1], *peer[2:]) if bound else peer)
            bound.append(own)
        except OSError as error:
            failure = error
            if own is None:
                continue
            own.close()
            if error.errno not in _NOT_HERE:
                for other in bound:
                    other.close()
                bound = []
                break
    if not bound:
        words = "there is no address" if failure is None else failure.strerror or failure
        raise StruckError(f"{failed}: {words}") from failure
    return bound
