"""Who may talk to the control port, and who may change something there.

A web page from anywhere can make a visitor's browser send requests to this machine. Three things keep it
out: the Host that a browser names must be one of ours (a name that was made to point here, "DNS rebinding",
is not), the Origin must be the page that we served ourselves, and no other origin may read an answer (no
CORS). On a network, others than this machine need the token for everything that changes something.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_TOKEN_BYTES: Final = 12


def make_token() -> str:
    """A token that nobody guesses, short enough to type."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


@dataclass(frozen=True)
class Access:
    """The rules of one port.

    Args:
        host: where it listens, as given.
        token: what others than this machine must know to change something.
        names: names by which browsers may call this machine.
    """

    host: str
    token: str = field(default_factory=make_token, repr=False)
    names: frozenset[str] = field(default_factory=lambda: _own_names())

    def allows_host(self, header: str | None, local_address: str) -> bool:
        """Whether a request's ``Host`` names this machine.

        Args:
            header: ``HOST`` or ``HOST:PORT``; another port than ours is a tunnel's end, and does no harm.
            local_address: of the connection's end here, in numbers: as a Host it may stand for itself.
        """
        host = host_name(header)
        return host is not None and (host in self.names or host in (self.host.lower(), local_address))

    def allows_origin(self, origin: str | None, header: str | None) -> bool:
        """Whether a request comes from no web page, or from one that was fetched from ``header`` too."""
        if origin is None:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and header is not None and parts.netloc == header

    def may_change(self, remote_address: str, token: str | None) -> bool:
        """Whether whoever is at ``remote_address`` may change something."""
        if ipaddress.ip_address(remote_address.partition("%")[0]).is_loopback:
            return True
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host.lower() in ("localhost", "127.0.0.1", "::1")

    @property
    def reached_host(self) -> str:
        """The host by which others reach it, as far as it knows."""
        return _reached_address() if self.host in ("0.0.0.0", "::", "") else self.host

    def invitation(self, port: int) -> str:
        """The address of the screen for people: with the token where it listens to a network."""
        if self.is_local:
            return f"http://localhost:{port}"
        host = self.reached_host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{port}/screen/#token={self.token}"


def host_name(header: str | None) -> str | None:
    """The host in a ``Host`` header, in small letters; None where it is malformed.

    >>> host_name("LocalHost:9000"), host_name("[::1]:9000"), host_name("a b")
    ('localhost', '::1', None)
    """
    if not header or any(character.isspace() or character in "@/" for character in header):
        return None
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def _own_names() -> frozenset[str]:
    own = socket.gethostname().lower()
    return frozenset({"localhost", "127.0.0.1", "::1", own, f"{own.partition('.')[0]}.local"})


def _reached_address() -> str:
    """The address by which others on the network reach this machine, as far as it knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks which of ours a packet would leave from
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
