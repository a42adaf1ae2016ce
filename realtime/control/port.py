"""The control port: HTTP and WebSocket on the number at which OSC listens by UDP, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ..osc.address_book import AddressBook, Leaf, changed_address
from ..osc.addresses import Peer, bind_all
from ..osc.namespace import STATISTIC, Argument
from ..osc.packets import write_values
from ..stage.stage import Stage
from ..stage.token_bucket import KindTeller, SenderBuckets
from .access import Access
from .acting import Actor
from .clients import Client, Listener
from .feed import FRAMES_PER_SECOND, Feed
from .pages import PAGE_HEADERS, SCREEN_PATH, Pages
from .query import answer, host_info

#: Where pages connect; every other path is OSCQuery's.
LIVE_PATH: Final = "/live"

#: Connections at once, in all and of one host. This machine has some to itself.
CONNECTIONS_MAX: Final = 64
HOST_CONNECTIONS_MAX: Final = 24
_OWN_CONNECTIONS: Final = 16
#: Requests of one host and of all; a tree takes about a millisecond.
_REQUESTS_PER_SECOND, _REQUESTS_AT_ONCE = 50.0, 200
_ALL_REQUESTS_PER_SECOND, _ALL_REQUESTS_AT_ONCE = 100.0, 400
#: Who connects says what for within this.
_OPENING_SECONDS: Final = 5.0
#: OSC that comes by WebSocket is no longer than what comes by UDP.
MESSAGE_BYTES_MAX: Final = 65_536
_BACKLOG: Final = 32
_STATUS_SECONDS: Final = 0.5
_QUEUED_CHANGES_MAX: Final = 8_192

#: What the library says of strangers' mistakes is counted here, not printed.
_SILENT: Final = logging.getLogger(f"{__name__}.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

#: A change: kind and name as a stage tells them, the new value, and the client that brought it about.
_Change = tuple[str, str, Any, Peer | None]


class ControlPort:
    """Serves OSCQuery and the screen from :meth:`start` to :meth:`close`.

    Args:
        stage: what is controlled.
        book: all addresses.
        feed: what the screen is sent.
        actor: does what comes as OSC.
        host, port: where to listen; the port is that of OSC.
        access: who may do what.
        name: of this struck, for OSCQuery.

    Raises:
        StruckError: another program has the port.
    """

    def __init__(
        self,
        stage: Stage,
        book: AddressBook,
        feed: Feed,
        actor: Actor,
        host: str,
        port: int,
        access: Access,
        name: str = "struck",
    ) -> None:
        self._stage, self._book, self._feed, self._actor = stage, book, feed, actor
        self._access, self._port = access, port
        self._info = host_info(name, port)
        self._pages = Pages()
        self._sockets = bind_all(host, port, _open, f"cannot open the control port {host}:{port} (TCP)")
        self._open: Counter[str] = Counter()
        self._requests = SenderBuckets(
            _REQUESTS_PER_SECOND, _REQUESTS_AT_ONCE, _ALL_REQUESTS_PER_SECOND, _ALL_REQUESTS_AT_ONCE
        )
        self._teller = KindTeller(stage.tell, time.monotonic)
        self._listeners: dict[Peer, Listener] = {}
        self._viewers: dict[Peer, Client] = {}
        self._page_changes: dict[str, Any] = {}
        self._changes: deque[_Change] = deque(maxlen=_QUEUED_CHANGES_MAX)
        self._waking = False
        self._last_status = ""
        self._seen: dict[str, tuple[Argument, ...]] = {}
        self._tree = 0
        self._workers = ThreadPoolExecutor(1, "struck-control-looks")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="struck-control", daemon=True)
        stage.add_watcher(self._on_change)
        stage.add_sink(feed)

    @property
    def invitation(self) -> str:
        """The address of the screen, for people."""
        return self._access.invitation(self._port)

    def start(self) -> None:
        """Begin to serve."""
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="struck-control", daemon=True)
        self._thread.start()
        started.wait()

    def close(self) -> None:
        """End all connections and free the port; twice is harmless."""
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(stopping.set)
            self._thread.join()
        for own in self._sockets:
            own.close()
        self._workers.shutdown()
        self._actor.close()

    # -- the thread

    def _run(self, started: threading.Event) -> None:
        asyncio.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        options: dict[str, Any] = {
            "process_request": self._answer,
            "compression": None,
            "max_size": MESSAGE_BYTES_MAX,
            "max_queue": 16,
            "open_timeout": _OPENING_SECONDS,
            "close_timeout": 2.0,
            "ping_interval": 10.0,
            "ping_timeout": 20.0,
            "server_header": None,
            "logger": _SILENT,
            "backlog": _BACKLOG,
            "create_connection": partial(_Connection, self),
        }
        servers = [await serve(self._attend, sock=own, **options) for own in self._sockets]
        frames = asyncio.create_task(self._send_frames())
        states = asyncio.create_task(self._send_states())
        started.set()
        await self._stopping.wait()
        self._loop = None
        frames.cancel()
        states.cancel()
        for server in servers:
            server.close(code=1001)
        for server in servers:
            await server.wait_closed()

    def admit(self, host: str) -> bool:
        """Whether one more connection from ``host`` is taken; then :meth:`dismiss` must come."""
        own = self._access.may_change(host, None)
        most = CONNECTIONS_MAX if own else CONNECTIONS_MAX - _OWN_CONNECTIONS
        taken = self._open.total() < most and (own or self._open[host] < HOST_CONNECTIONS_MAX)
        if not taken:
            self._stage.count("control_refused")
        self._open[host] += 1
        return taken

    def dismiss(self, host: str) -> None:
        """A connection has ended."""
        self._open[host] -= 1
        if self._open[host] <= 0:
            del self._open[host]

    # -- HTTP

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """What a request gets; None lets a WebSocket open."""
        try:
            return self._find_answer(connection, request)
        except Exception as error:  # a fault of ours, told and counted; the port goes on
            self._fault("an answer", error)
            return _respond(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _find_answer(self, connection: ServerConnection, request: Request) -> Response | None:
        headers, remote = request.headers, connection.remote_address[0]
        host = _only(headers, "Host")
        if not self._requests.take(remote, time.monotonic()):
            return self._refuse(HTTPStatus.TOO_MANY_REQUESTS, f"too many requests from {remote}")
        if not self._access.allows_host(host, connection.local_address[0]):
            return self._refuse(HTTPStatus.FORBIDDEN, f"a request for another host, {host!a}, from {remote}")
        if not self._access.allows_origin(_only(headers, "Origin"), host):
            return self._refuse(HTTPStatus.FORBIDDEN, f"a web page of {headers.get('Origin')!a} at {remote}")
        path, _, question = request.path.partition("?")
        path = unquote(path)
        if headers.get("Upgrade", "").lower() == "websocket":
            return None
        if path == "/" and not question and "text/html" in headers.get("Accept", ""):
            return _respond(HTTPStatus.TEMPORARY_REDIRECT, location=SCREEN_PATH)
        page = self._pages.find(path)
        if page is not None:
            return _respond(HTTPStatus.OK, *page)
        status, body = answer(self._book, self._info, path, question.partition("&")[0])
        return _respond(status, "application/json", body.encode())

    def _refuse(self, status: HTTPStatus, line: str) -> Response:
        self._stage.count("control_refused")
        self._teller.say(status.phrase, f"control port: refused {line}")
        return _respond(status)

    def _fault(self, where: str, error: Exception) -> None:
        self._stage.count("control_faults")
        self._teller.say("faults", f"control port: an internal error in {where}: {error!r}")

    # -- WebSocket

    async def _attend(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path, _, question = connection.request.path.partition("?")
        token = parse_qs(question).get("token", [None])[0]
        may_change = self._access.may_change(connection.remote_address[0], token)
        try:
            if not self._listeners and not self._viewers:  # what came and went while nobody looked
                self._see(await self._look(self._book.everything))
            if path == LIVE_PATH:
                await self._attend_viewer(Client(connection, may_change))
            else:
                await self._attend_listener(Listener(connection, may_change))
        except ConnectionClosed:
            pass
        except Exception as error:
            self._fault("a connection", error)

    async def _attend_listener(self, listener: Listener) -> None:
        self._listeners[listener.peer] = listener
        try:
            async for message in listener.connection:
                if isinstance(message, bytes):
                    await self._act(listener, message)
                else:
                    self._command(listener, message)
        finally:
            del self._listeners[listener.peer]

    def _command(self, listener: Listener, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            self._stage.count("control_refused")
            return
        if isinstance(message, dict):
            listener.command(message.get("COMMAND"), message.get("DATA"))

    async def _attend_viewer(self, viewer: Client) -> None:
        viewer.offer(json.dumps({"hello": {"may_change": viewer.may_change, "rate": self._stage.clock.rate}}))
        viewer.offer(self._last_status or await self._look(lambda: self._feed.status(self._tree)))
        self._viewers[viewer.peer] = viewer
        self._feed.watch(True)
        try:
            async for message in viewer.connection:
                if isinstance(message, bytes):
                    await self._act(viewer, message)
        finally:
            del self._viewers[viewer.peer]
            self._feed.watch(bool(self._viewers))

    async def _act(self, client: Client, packet: bytes) -> None:
        if not client.may_change:
            self._stage.count("control_refused")
            self._teller.say("token", f"control port: {client.peer[0]} sent no token, and changes nothing")
            return
        assert self._loop is not None
        await asyncio.wrap_future(self._actor.submit(packet, client.peer))

    async def _look(self, look: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, look)

    # -- changes

    def _on_change(self, kind: str, name: str, value: Any) -> None:
        """A watcher of the stage, in anybody's thread."""
        self._changes.append((kind, name, value, self._actor.acting_for()))
        self._wake()

    def reply(self, packet: bytes, peer: Peer) -> None:
        """Send a client an answer; from any thread."""
        loop = self._loop
        client = self._listeners.get(peer)
        if loop is not None and client is not None:
            loop.call_soon_threadsafe(client.offer, packet)

    def send_to(self, peer: Peer, packet: bytes) -> None:
        """Send a client a packet; from any thread."""
        self.reply(packet, peer)

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not self._waking:
            self._waking = True
            try:
                loop.call_soon_threadsafe(self._pass_on)
            except RuntimeError:  # it has just been closed
                self._waking = False

    def _pass_on(self) -> None:
        self._waking = False
        while self._changes:
            kind, name, value, origin = self._changes.popleft()
            address = changed_address(kind, name)
            if self._viewers:
                self._page_changes[address] = value
            packet: bytes | None = None
            for listener in self._listeners.values():
                if address in listener.listened and listener.peer != origin:
                    packet = packet or self._write(address, value)
                    if packet is not None:
                        listener.offer(packet)

    def _write(self, address: str, value: Any) -> bytes | None:
        leaf = self._book.find(address)
        return None if leaf is None else write_values(address, leaf.arguments, (value,))

    async def _send_frames(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 1.0 / FRAMES_PER_SECOND, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            if not self._viewers:
                self._page_changes.clear()
                continue
            try:
                changes = [[address, value] for address, value in self._page_changes.items()]
                self._page_changes.clear()
                frame = self._feed.frame(changes)
                for viewer in self._viewers.values():
                    viewer.offer(frame)
            except Exception as error:
                self._fault("a frame", error)

    async def _send_states(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            try:
                await self._send_state()
            except Exception as error:
                self._fault("a status", error)

    async def _send_state(self) -> None:
        now = time.monotonic()
        for client in (*self._listeners.values(), *self._viewers.values()):
            if client.is_lost(now):
                self._stage.count("control_slow")
                client.connection.transport.abort()
        if self._listeners or self._viewers:
            self._tell_tree(await self._look(self._book.everything))
        if self._viewers:
            self._last_status = await self._look(lambda: self._feed.status(self._tree))
            for viewer in tuple(self._viewers.values()):
                viewer.offer(self._last_status)
        else:
            self._last_status = ""

    def _see(self, leaves: dict[str, Leaf]) -> None:
        self._seen = {address: leaf.arguments for address, leaf in leaves.items()}

    def _tell_tree(self, leaves: dict[str, Leaf]) -> None:
        """Tell of addresses that came, went or are others now, and of counters that moved."""
        before = self._seen
        self._see(leaves)
        told = [
            *(("PATH_REMOVED", address) for address in before if address not in leaves),
            *(("PATH_ADDED", address) for address in leaves if address not in before),
            *(("PATH_CHANGED", a) for a in leaves if a in before and before[a] != self._seen[a]),
        ]
        self._tree += any(address not in leaves or leaves[address].route.comes_in for _, address in told)
        for command, address in told:
            text = json.dumps({"COMMAND": command, "DATA": address})
            for listener in self._listeners.values():
                listener.offer(text)
        for listener in self._listeners.values():
            for address in listener.listened:
                leaf = leaves.get(address)
                if leaf is not None and leaf.route is STATISTIC and leaf.read is not None:
                    values = leaf.read()
                    if listener.sent.get(address, values) != values:
                        listener.offer(write_values(address, leaf.arguments, values))
                    listener.sent[address] = values


class _Connection(ServerConnection):
    """A connection that is ended at once where there are too many."""

    def __init__(self, port: ControlPort, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._port = port
        self._host = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self._host = name[0] if name else ""
        if not name or not self._port.admit(self._host):
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._host:
            self._port.dismiss(self._host)


def _only(headers: Headers, name: str) -> str | None:
    """A header that may be there once."""
    found = headers.get_all(name)
    return found[0] if len(found) == 1 else "" if found else None


def _respond(
    status: HTTPStatus, kind: str = "text/plain", body: bytes = b"", location: str | None = None
) -> Response:
    headers = Headers(PAGE_HEADERS)
    if location is not None:
        headers["Location"] = location
    if status is not HTTPStatus.NO_CONTENT:
        headers["Content-Type"] = kind
        headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(status, status.phrase, headers, body)


def _open(family: socket.AddressFamily) -> socket.socket:
    own = socket.socket(family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return own
