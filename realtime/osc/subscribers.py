"""Who listens to the event stream, and until when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from .addresses import Peer
from .namespace import SUBSCRIPTION_SECONDS

SUBSCRIBERS_MAX: Final = 16


class Subscribers:
    """Peers that asked for the events, each until its time is over; safe for several threads.

    Args:
        monotonic: ``time.monotonic``, or a fake.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until: dict[Peer, float] = {}

    def add(self, peer: Peer) -> bool:
        """Subscribe or renew; False if :data:`SUBSCRIBERS_MAX` others are there already."""
        with self._lock:
            self._expire()
            if peer not in self._until and len(self._until) >= SUBSCRIBERS_MAX:
                return False
            self._until[peer] = self._monotonic() + SUBSCRIPTION_SECONDS
            return True

    def remove(self, peer: Peer) -> None:
        """End a subscription, if there is one."""
        with self._lock:
            self._until.pop(peer, None)

    def peers(self) -> list[Peer]:
        """Those subscribed now."""
        with self._lock:
            self._expire()
            return list(self._until)

    def _expire(self) -> None:
        now_seconds = self._monotonic()
        for peer in [peer for peer, until in self._until.items() if until <= now_seconds]:
            del self._until[peer]
