"""Tells other programs of every event that sounds, is amended or ends: one OSC bundle each."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Self

from ...codec.events.descriptors import read_descriptors
from ...codec.events.errors import StruckError
from ..stage.soundings import SoundingAmendment, SoundingEnd
from ..stage.token_bucket import KindTeller
from .addresses import Peer, resolve
from .packets import write_amendment, write_end, write_event
from .server import OscServer
from .time_tags import TimeTags

if TYPE_CHECKING:
    from ..stage.soundings import Sounding
    from ..stage.stage import Stage

QUEUE_EVENTS: Final = 1_024

#: Receivers that the performer was told of; subscribers come and go.
_TOLD_MAX: Final = 64


class OscSender:
    """A sink of the stage; a thread of its own builds and sends the bundles.

    The time tag of a bundle is when the sound leaves the engine. What came by OSC is not sent on
    (unless ``relays``): two hosts that listen to each other would play one event for ever.

    What was sent is counted as ``osc_sent``, per receiver; ``osc_out_dropped`` are events for which the
    queue had no place (the oldest go first); ``osc_unreachable`` are bundles that the network refused.

    Args:
        stage: for its clock, its weights, its counters.
        targets: host and port of each fixed receiver.
        server: its subscribers get the events too, and its port is the one they come from.
        relays: also send on what came by OSC.

    Raises:
        StruckError: a target's host is not known, or the target is our own server.
    """

    def __init__(
        self,
        stage: Stage,
        targets: Sequence[tuple[str, int]] = (),
        server: OscServer | None = None,
        *,
        relays: bool = False,
    ) -> None:
        self._stage = stage
        self._server = server
        self._relays = relays
        self._tags = TimeTags()
        self._targets: list[_Target] = []
        try:
            for host, port in targets:
                self._targets.append(_Target(host, port, server))
        except StruckError:
            self._close_targets()
            raise
        #: Others that get the events just now, and what sends to each.
        self.others: Callable[[], Iterable[tuple[Peer, Callable[[bytes], None]]]] = lambda: ()
        self._told: set[Peer] = set()
        self._teller = KindTeller(stage.tell, time.monotonic)
        self._queue: deque[Sounding] = deque()
        self._dropped = 0
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="struck-osc-out", daemon=True)

    def __call__(self, sounding: Sounding) -> None:
        """Queue one event, amendment or end; never blocks for longer than it takes to queue another."""
        if sounding.origin == "osc" and not self._relays:
            return
        with self._condition:
            if len(self._queue) >= QUEUE_EVENTS:
                self._queue.popleft()
                # Counted by the thread: the stage may hold a lock while it calls its sinks.
                self._dropped += 1
            self._queue.append(sounding)
            self._condition.notify()

    def start(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Send what is queued, then stop."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._close_targets()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _close_targets(self) -> None:
        for target in self._targets:
            target.close()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._closing:
                    self._condition.wait()
                if not self._queue:
                    return
                sounding = self._queue.popleft()
                dropped, self._dropped = self._dropped, 0
            if dropped:
                self._stage.count("osc_out_dropped", dropped)
            try:
                self._send(sounding)
            except Exception as error:  # a fault of ours: counted and told, and the next event goes out
                self._stage.count("osc_faults")
                self._teller.say("faults", f"OSC: an event was not sent: {error!r}")

    def _send(self, sounding: Sounding) -> None:
        receivers: list[tuple[Peer, Callable[[bytes], None]]] = [(t.peer, t.send) for t in self._targets]
        server = self._server
        if server is not None:
            for peer in server.subscribers.peers():
                receivers.append((peer, lambda packet, peer=peer: server.send(packet, peer)))  # type: ignore[misc]
        receivers += self.others()
        if not receivers:
            return
        packet = self._write(sounding)
        sent = 0
        for peer, send in receivers:
            try:
                send(packet)
                sent += 1
            except OSError as error:
                self._stage.count("osc_unreachable")
                self._tell_once(peer, error)
        self._stage.count("osc_sent", sent)

    def _write(self, sounding: Sounding) -> bytes:
        tag = self._tags.from_monotonic(self._stage.clock.monotonic_at(sounding.at_sample))
        if isinstance(sounding, SoundingAmendment):
            return write_amendment(sounding.id, sounding.amendment, tag)
        if isinstance(sounding, SoundingEnd):
            return write_end(sounding.id, tag)
        descriptors = read_descriptors(self._stage.weights, sounding.event)
        return write_event(sounding.id, sounding.event, descriptors, tag)

    def _tell_once(self, peer: Peer, error: OSError) -> None:
        if peer not in self._told and len(self._told) < _TOLD_MAX:
            self._told.add(peer)
            self._stage.tell(f"OSC to {peer[0]}:{peer[1]} is not received: {error.strerror or error}")


class _Target:
    """A fixed receiver: an address of its host, or several of which one answers.

    Where the host has one address that the server's socket reaches, packets come from the server's port.
    Of several, each packet goes to the first that does not refuse it: a program that listens at two of them
    gets it once. On one machine a refusal is known at once.

    Args:
        host, port: of the receiver.
        server: sends, where its socket reaches the receiver.

    Raises:
        StruckError: the host is not known, cannot be reached from here, or is ``server`` itself.
    """

    def __init__(self, host: str, port: int, server: OscServer | None) -> None:
        addresses = resolve(host, port)
        if server is not None and any(server.is_own(peer) for _, peer in addresses):
            raise StruckError(f"OSC to {host}:{port} would come back: that is where struck listens")
        self.peer = addresses[0][1]
        self._server: OscServer | None = None
        self._sockets: list[socket.socket] = []
        if server is not None and len(addresses) == 1 and server.reaches(*addresses[0]):
            self._server = server
            return
        failure: OSError | None = None
        for family, peer in addresses:
            try:
                self._sockets.append(_connect(family, peer))
            except OSError as error:
                failure = error
        if not self._sockets:
            words = "" if failure is None else failure.strerror
            raise StruckError(f"OSC to {host}:{port} cannot be sent: {words}") from failure

    def send(self, packet: bytes) -> None:
        """Send one packet.

        Raises:
            OSError: the network refuses, or nobody listens.
        """
        if self._server is not None:
            self._server.send(packet, self.peer)
            return
        for number, own in enumerate(self._sockets):
            try:
                _send_connected(own, packet)
            except OSError:
                if number + 1 == len(self._sockets):
                    raise
                continue
            self._sockets.insert(0, self._sockets.pop(number))  # the one that answers is asked first
            return

    def close(self) -> None:
        for own in self._sockets:
            own.close()


def _connect(family: socket.AddressFamily, peer: Peer) -> socket.socket:
    own = socket.socket(family, socket.SOCK_DGRAM)
    try:
        own.connect(peer)
    except OSError:
        own.close()
        raise
    own.setblocking(False)
    return own


def _send_connected(own: socket.socket, packet: bytes) -> None:
    """Send by a connected socket.

    Raises:
        OSError: the network refuses; nobody listens, or did not when an earlier packet came.
    """
    try:
        own.send(packet)
    except ConnectionRefusedError:
        # That is the answer to an earlier packet; this one was not sent, and may find somebody.
        own.send(packet)
        raise
    refused = own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if refused:
        raise OSError(refused, os.strerror(refused))
