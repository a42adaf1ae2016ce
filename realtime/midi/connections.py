"""One MIDI input or output that comes and goes with its port; opened by :mod:`struck.realtime.midi.ports`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from ...codec.events.errors import StruckError
from .arrival import ArrivalClock
from .names import DEFAULT_VIRTUAL_NAMES, PortName, find_port

#: Called with the time of arrival (``time.perf_counter()``) and the bytes of a message.
OnMessage = Callable[[float, bytes], None]

#: A note must be in the engine within a block of 64 samples, 1.3 ms; two thousand looks a
#: second take some percent of a core.
LOOK_SECONDS: Final = 0.0005
#: A process thread that is in the middle of its callback has left it after this.
_CALLBACK_SECONDS: Final = 0.05
#: Whoever has sent active sensing sends something every 300 ms; after that it is gone, cable and all.
_ACTIVE_SENSING: Final = b"\xfe"
SILENCE_SECONDS: Final = 0.33


class Systems(Protocol):
    """What :class:`struck.realtime.midi.ports.MidiPorts` does for its ports."""

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...
    def apis(self, wanted: str | None) -> list[str]: ...
    def alive(self, api: str) -> bool: ...
    def client(self, api: str, direction: str) -> Any: ...
    def tell(self, line: str) -> None: ...


def close_client(client: Any) -> None:
    """Close an rtmidi object and its port, for good.

    With JACK, rtmidi frees what the process thread reads before it stops that thread: one that was just about
    to look at the port would read freed memory (seen once in fifty runs of a test that closes a dozen). So
    between both it gets the time to come to its end. And it is not left to be thrown away some day: it might
    outlive its server.
    """
    try:
        client.close_port()
        time.sleep(_CALLBACK_SECONDS)
    finally:
        client.delete()


class _Port:
    """What both directions share: one rtmidi object that comes and goes with its port."""

    direction = ""

    def __init__(self, ports: Systems, wanted: PortName) -> None:
        self._ports = ports
        self._wanted = wanted
        self._lock = threading.Lock()  # between poll and the thread that receives or sends
        self._client: Any = None
        self._api = ""
        #: Full name of the port, our own if it is virtual.
        self.name = wanted.name
        #: Counts how often the port was connected: whoever sends starts anew when it changes.
        self.connections = 0

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def on_jack(self) -> bool:
        """Whether its messages come with a JACK server's blocks."""
        return self._api == "jack"

    def open(self) -> bool:
        """Connect; False if no such port exists. Only :class:`MidiPorts` calls this."""
        wanted = self._wanted
        apis = self._ports.apis(wanted.api)
        if not apis:
            raise StruckError(f"there is no {wanted.api or 'MIDI'} system that answers, so no MIDI ports")
        for api in apis[:1] if wanted.virtual else apis:
            client = self._ports.client(api, self.direction)
            try:
                name = self._connect(client)
            except self._ports.errors as error:
                raise StruckError(f"cannot open the MIDI {self.direction} {wanted.name}: {error}") from error
            finally:
                if not client.is_port_open():
                    client.delete()
            if name is not None:
                with self._lock:
                    self._client, self._api, self.name = client, api, name
                    self.connections += 1
                    self._begin()
                return True
        return False

    def _connect(self, client: Any) -> str | None:
        """Open the port in ``client``; its name, or None if there is none of that name."""
        own = DEFAULT_VIRTUAL_NAMES[self.direction]
        if self._wanted.virtual:
            name = self._wanted.name or own
            client.open_virtual_port(name)
            return name
        ports = client.get_ports()
        found = find_port(self._wanted.name, ports)
        if found is not None:
            client.open_port(ports.index(found), name=own)
        return found

    def check(self) -> None:
        """Let go of a port that has gone, and tell. Only :class:`MidiPorts` calls this."""
        if self._client is None:
            return
        alive = self._ports.alive(self._api)
        if alive and (self._wanted.virtual or self.name in self._client.get_ports()):
            return
        self._drop()
        what = self.name if alive else f"{self.name} (the {self._api} server has stopped)"
        self._ports.tell(f"MIDI {self.direction} lost: {what}; it is used again as soon as it is back")

    def reconnect(self) -> None:
        """Connect again if the port is back, and tell. Only :class:`MidiPorts` calls this."""
        try:
            back = self.open()
        except StruckError:
            # told when it was lost; it is still not usable, whatever the reason, and is tried again
            return
        if back:
            self._ports.tell(f"MIDI {self.direction} back: {self.name}")

    def close(self) -> None:
        """Close the port for good."""
        self._drop()

    def _begin(self) -> None:
        """A new connection; with the lock."""

    def _end(self) -> None:
        """The connection is gone; with the lock."""

    def _drop(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            self._end()
        if client is not None:
            close_client(client)


class MidiInput(_Port):
    """One input. Made by :meth:`MidiPorts.open_input`.

    rtmidi's own thread, or JACK's of :mod:`struck.realtime.midi.jack_input`, only fills a queue. Were it to
    call Python, it would wait for the interpreter, miss JACK's cycle and lose messages: with two busy Python
    threads on two cores 30 of 100, beside 8 this way, and every client of the server would see overruns. A
    thread of ours looks at the queue instead, and :class:`ArrivalClock` finds out when messages arrived.
    """

    direction = "input"

    def __init__(
        self, ports: Systems, wanted: PortName, on_message: OnMessage, on_lost: Callable[[], None] | None
    ) -> None:
        super().__init__(ports, wanted)
        self._on_message, self._on_lost = on_message, on_lost
        self._lost = False
        self._last_seconds: float | None = None  # of a sender of active sensing
        self._arrivals = ArrivalClock()
        self._closing = False
        self._thread = threading.Thread(target=self._receive, name="midi input", daemon=True)
        self._thread.start()

    def step_seconds(self) -> float:
        """To which the times of its messages are known; 0: exactly."""
        return getattr(self._client, "step_seconds", 0.0)

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        super().close()

    def _begin(self) -> None:
        # rtmidi would forget the time between messages that it leaves out, so active sensing is left out by
        # whoever receives
        self._client.ignore_types(sysex=False, timing=False, active_sense=False)
        self._arrivals = ArrivalClock()

    def _end(self) -> None:
        self._lost = True
        self._last_seconds = None

    def _receive(self) -> None:
        while not self._closing:
            if self._lost:
                self._lost = False
                if self._on_lost:
                    self._on_lost()
            for arrival, data in self._waiting():
                if self._closing:  # a flood would never end
                    break
                if data == _ACTIVE_SENSING or self._last_seconds is not None:
                    self._last_seconds = time.perf_counter()
                try:
                    self._on_message(arrival, data)
                except Exception as error:  # a fault of ours must not end the playing: told, and on
                    self._ports.tell(f"MIDI {self.name}: {type(error).__name__}: {error}")
            self._look_for_silence()
            time.sleep(LOOK_SECONDS)

    def _look_for_silence(self) -> None:
        """A sender of active sensing that falls silent has lost its cable: its notes end as a lost port's."""
        last = self._last_seconds
        if last is None or time.perf_counter() - last < SILENCE_SECONDS:
            return
        self._last_seconds = None
        self._ports.tell(f"MIDI input {self.name} has fallen silent; its notes end")
        if self._on_lost:
            self._on_lost()

    def _waiting(self) -> Iterator[tuple[float, bytes]]:
        """The messages that are there; the lock is not held while one is worked on."""
        while True:
            with self._lock:
                message = self._client.get_message() if self._client is not None else None
                if message is None:
                    return
                data, delta_seconds = message
                offset_seconds = getattr(self._client, "offset_seconds", 0.0)
                arrival = self._arrivals.arrival(delta_seconds, time.perf_counter(), offset_seconds)
            yield arrival, bytes(data)


class MidiOutput(_Port):
    """One output. Made by :meth:`MidiPorts.open_output`."""

    direction = "output"

    def send(self, data: bytes) -> bool:
        """Send one message now; False if the port has gone, and the message with it."""
        with self._lock:
            # without its server, JACK would wait for ever
            if self._client is None or not self._ports.alive(self._api):
                return False
            try:
                self._client.send_message(data)
            except self._ports.errors:
                return False  # a device unplugged; the next poll tells
        return True
