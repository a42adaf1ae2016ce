"""A control port over a real stage, whose engine plays when asked to; and who talks to it."""

import asyncio
import http.client
import json
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from struck.realtime.control.access import Access
from struck.realtime.control.acting import Actor
from struck.realtime.control.feed import Feed
from struck.realtime.control.port import ControlPort
from struck.realtime.engine.engine import process_engine
from struck.realtime.engine.state import POSITION, make_engine_state
from struck.realtime.host.learning import Learning
from struck.realtime.mapping.mapper import Mapper
from struck.realtime.mapping.targets import Targets
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.address_book import AddressBook
from struck.realtime.osc.packets import read_message, split_packet, write_message
from struck.realtime.osc.server import OscServer
from struck.realtime.stage.stage import Stage

from ...codec.playing.decoder_events import RANDOM_WEIGHTS
from ..osc.osc_host import FakeClock

PATCHES = ("bells", "default", "pad")
#: An address that is not this machine's own.
ELSEWHERE = "192.0.2.7"


class ControlHost:
    """A stage, its OSC server and its control port; a context manager.

    Args:
        is_own: whether clients count as programs on this machine, which need no token.
    """

    def __init__(self, is_own=True):
        self.engine = make_engine_state(
            FakeClock.rate, 1, 2, voice_count=32, pending_count=512, ring_seconds=0.1, phrase_seconds=0.1
        )
        self.clock = FakeClock()
        self.lines = []
        self.stage = Stage(self.engine, RANDOM_WEIGHTS, self.clock, self.lines.append)
        self.phrases, self.done = [], []
        self.stage.hand_over(
            self.load_patch,
            lambda *phrase: self.phrases.append(phrase),
            lambda: dict(self.stage.counts()),
            lambda insert, parameter, value: None,
            lambda name, value: self.done.append(name),
        )
        self.stage.note_patch("default")
        self.folder = tempfile.TemporaryDirectory()
        self.learning = Learning(self.stage.tell, Path(self.folder.name))
        self.mapper = Mapper(Targets(self.stage, {}), self.stage.tell)
        self.learning.add("keys", self.mapper, self.mapper.change)
        self.stage.hand_over_learning(self.learning.learn, self.learning.unlearn)
        self.book = AddressBook(self.stage)
        self.osc = OscServer(self.stage, self.clock, "127.0.0.1", 0, book=self.book)
        self.port = self.osc.address[1]
        self.token = "a-token"
        access = Access("127.0.0.1", self.token)
        if not is_own:
            # As for a client from elsewhere: this machine's tests have no other address for sure.
            access = ElsewhereAccess("127.0.0.1", self.token)
        actor = self.actor = Actor(self.stage, self.clock, self.book)
        self.feed = Feed(self.engine, self.stage, self.status)
        self.control = ControlPort(self.stage, self.book, self.feed, actor, "127.0.0.1", self.port, access)
        actor.reply = self.control.reply
        #: The output's last block.
        self.last = np.zeros((64, 2), np.float32)
        self._stopping = threading.Event()
        self._player = threading.Thread(target=self._play_on, daemon=True)

    def load_patch(self, name):
        if name not in PATCHES:
            raise ValueError(f"no patch is called {name}")
        self.stage.note_patch(name)

    def status(self):
        return {
            "patch": self.stage.patch(),
            "patches": list(PATCHES),
            "latency": {"total_seconds": 0.25, "output_device_seconds": 0.0},
            "counters": {name: n for name, n in self.stage.counts().items() if name.startswith("control")},
            "tempo": {"bpm": 120.0, "state": "own"},
            "learning": self.learning.state(),
            "setlist": {"scene": "Opener: verse" if "setlist/next" in self.done else None},
            "peers": ["OSC in 127.0.0.1"],
            "log": [(number, line) for number, line in enumerate(self.lines, 1)],
        }

    def play(self, blocks=1):
        source, out = np.zeros((64, 1), np.float32), np.zeros((64, 2), np.float32)
        for _ in range(blocks):
            process_engine(self.engine, source, out)
        self.last = out

    def play_on(self):
        """Play from now on, at the pace of the clock."""
        self._player.start()

    def _play_on(self):
        began, rate = time.monotonic(), self.clock.rate
        played = 0
        while not self._stopping.is_set():
            due = int((time.monotonic() - began) * rate) // 64
            self.play(due - played)
            played = due
            self.stage.send_expressions()
            self.stage.attend()
            time.sleep(0.004)

    @property
    def position_seconds(self):
        return self.engine.numbers[POSITION] / self.clock.rate

    def drop_clients(self):
        """Cut all connections, as a network that fails does."""
        viewers = [viewer.connection.transport for viewer in self.control._viewers.values()]
        self.control._loop.call_soon_threadsafe(lambda: [transport.abort() for transport in viewers])

    def __enter__(self):
        self.osc.start()
        self.control.start()
        return self

    def __exit__(self, *exception):
        self._stopping.set()
        if self._player.is_alive():
            self._player.join()
        self.control.close()
        self.osc.close()
        self.folder.cleanup()

    def get(self, path, **headers):
        """Status and body of one request."""
        response = self.response(path, **headers)
        return response.status, response.body

    def response(self, path, **headers):
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.body = response.read()
            return response

    def json(self, path):
        status, body = self.get(path)
        assert status == 200, (path, status)
        return json.loads(body)

    def connect(self, path="/", **options):
        return connect(f"ws://127.0.0.1:{self.port}{path}", **options)


class ElsewhereAccess(Access):
    """Rules under which every client is on another machine."""

    def may_change(self, remote_address, token):
        return super().may_change(ELSEWHERE, token)


async def listen(socket, *paths):
    for path in paths:
        await socket.send(json.dumps({"COMMAND": "LISTEN", "DATA": path}))


async def receive(socket, count, seconds=20.0):
    """Address and values of the next ``count`` messages, those of a bundle one by one."""
    found = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            message = await socket.recv()
            if isinstance(message, bytes):  # texts tell of addresses that come and go
                found += [read_message(timed.message) for timed in split_packet(message)]
    return found


async def settle(socket):
    """Wait until what was sent has been done, where nothing else is told meanwhile."""
    await socket.send(write_message(osc.PING))
    assert await receive(socket, 1) == [("/struck/pong", [])]
