"""Announces the control port on the network (zeroconf, ``_oscjson._tcp``): programs list it by name."""

from __future__ import annotations

import socket
from typing import Final

from ...codec.events.errors import StruckError

_TYPE: Final = "_oscjson._tcp.local."


class Announcement:
    """The port is announced from now on, until :meth:`close`.

    Args:
        name: of this struck; another of that name on the network gets a number behind it.
        address: of this machine, in numbers.
        port: the control port.

    Raises:
        StruckError: zeroconf is not installed, or the network cannot be used.
    """

    def __init__(self, name: str, address: str, port: int) -> None:
        try:
            from zeroconf import ServiceInfo, Zeroconf
        except ImportError as error:
            raise StruckError("--announce needs zeroconf: pip install 'struck[zeroconf]'") from error
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        info = ServiceInfo(_TYPE, f"{name}.{_TYPE}", port=port, addresses=[socket.inet_pton(family, address)])
        try:
            self._zeroconf = Zeroconf(interfaces=[address])
        except OSError as error:
            raise StruckError(
                f"the control port cannot be announced at {address}: {error.strerror or error}"
            ) from error
        self._zeroconf.register_service(info, allow_name_change=True)

    def close(self) -> None:
        """Take it back."""
        self._zeroconf.close()
