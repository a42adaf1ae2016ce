"""Does what the control port's clients send as OSC, in its own thread: loading a patch holds up no screen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..engine.clock import StreamClock
from ..osc.address_book import AddressBook
from ..osc.addresses import Peer
from ..osc.dispatcher import OscDispatcher
from ..osc.packets import Refusal, read_message, split_packet, write_values
from ..osc.subscribers import Subscribers
from ..stage.stage import Stage


class Actor:
    """Runs a dispatcher of OSC for the port's clients.

    Args:
        stage, clock: what is played on.
        book: all addresses.
        latency: the latency ledger, seconds by part.
        on_packet: called with stream position and bytes of each packet that changed what sounds.
    """

    def __init__(
        self,
        stage: Stage,
        clock: StreamClock,
        book: AddressBook,
        *,
        latency: Callable[[], Mapping[str, float]] | None = None,
        on_packet: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self._book = book
        self.reply: Callable[[bytes, Peer], None] = lambda packet, peer: None
        #: Clients that asked for the events.
        self.subscribers = Subscribers()
        self._dispatcher = OscDispatcher(
            stage,
            clock,
            self.subscribers,
            self._reply,
            latency=latency,
            on_packet=on_packet,
            is_own=lambda peer: peer != self._peer,  # events go to the connection that asks for them
            book=book,
        )
        self._worker = ThreadPoolExecutor(1, "struck-control-acts", initializer=self._note_thread)
        self._thread: int | None = None
        self._peer: Peer | None = None
        self._timer: threading.Timer | None = None

    def submit(self, packet: bytes, peer: Peer) -> Future[None]:
        """Do what a packet says, after those before it."""
        return self._worker.submit(self._act, packet, peer)

    def acting_for(self) -> Peer | None:
        """The client for which the calling thread acts; None where it is not this one's thread."""
        return self._peer if threading.get_ident() == self._thread else None

    def close(self) -> None:
        """Do what was submitted, then stop; twice is harmless."""
        self._worker.shutdown()
        if self._timer is not None:
            self._timer.cancel()

    def _note_thread(self) -> None:
        self._thread = threading.get_ident()

    def _reply(self, packet: bytes, peer: Peer) -> None:
        self.reply(packet, peer)

    def _act(self, packet: bytes, peer: Peer) -> None:
        self._peer = peer
        try:
            self._dispatcher.handle(packet, peer)
        finally:
            self._peer = None
        self._correct(packet, peer)
        self._run_due()

    def _run_due(self) -> None:
        """Do what is due, and come back for what waits for its time tag."""
        due_seconds = self._dispatcher.run_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_seconds is not None:
            self._timer = threading.Timer(due_seconds, self._come_back)
            self._timer.daemon = True
            self._timer.start()

    def _come_back(self) -> None:
        try:
            self._worker.submit(self._run_due)
        except RuntimeError:  # closed meanwhile
            return

    def _correct(self, packet: bytes, peer: Peer) -> None:
        """Tell a client where a control stands that it has set elsewhere.

        Its own changes it is not told of: two programs that pass on what they are told would do so for ever.
        """
        try:
            messages = [read_message(timed.message) for timed in split_packet(packet)]
        except Refusal:
            return
        for address, arguments in messages:
            leaf = self._book.find(address) if len(arguments) == 1 else None
            if leaf is None or leaf.read is None or not leaf.route.clips:
                continue
            values = leaf.read()
            sent, now = arguments[0], values[0]
            if not isinstance(sent, int | float) or np.float32(sent) != np.float32(now):  # type: ignore[arg-type]
                self.reply(write_values(leaf.address, leaf.arguments, values), peer)
