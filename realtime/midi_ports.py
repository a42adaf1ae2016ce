"""MIDI ports by name: opened, watched and, when they went away, connected again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ..codec.errors import StruckError
from .jack_watch import JackWatch
from .midi_arrival import ArrivalClock
from .midi_names import APIS, DEFAULT_VIRTUAL_NAMES, OWN_CLIENT, PortName, find_port, parse_port_name

#: Called with the time of arrival (``time.monotonic()``) and the bytes of a message.
OnMessage = Callable[[float, bytes], None]

#: A note must be in the engine within a block of 64 samples, 1.3 ms; looking costs 10 us.
LOOK_SECONDS: Final = 0.0005
_QUEUE_MESSAGES: Final = 8_192  # rtmidi's: more than four seconds of the densest stream that is played


@dataclass(frozen=True)
class MidiPort:
    """A port that exists: ``api:name`` opens it."""

    api: str
    direction: str  # "input" (it sends to us) or "output"
    name: str


class MidiPorts:
    """All MIDI ports of a performance.

    Ports are opened, closed and polled from one thread. JACK's are all closed before its server is looked for
    again: libjack crashes on a client that outlived its server once another was refused.

    Args:
        tell: takes one line for the performer.

    Raises:
        StruckError: python-rtmidi is not installed.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rtmidi = import_rtmidi()
        self._jack = JackWatch(self._rtmidi)
        self._ports: list[MidiInput | MidiOutput] = []

    def open_input(
        self, name: str, on_message: OnMessage, on_lost: Callable[[], None] | None = None
    ) -> MidiInput:
        """Receive from a port.

        Args:
            name: of the port; see :mod:`struck.realtime.midi_names`.
            on_message: called on a thread of the port's own.
            on_lost: called on the same thread when the port has gone, whose note-offs will not come.

        Raises:
            StruckError: no port is called that, or several are, or there is no MIDI system.
        """
        port = MidiInput(self, parse_port_name(name), on_message, on_lost)
        return self._add(port, name)

    def open_output(self, name: str) -> MidiOutput:
        """Send to the port called ``name``; errors as :meth:`open_input`."""
        port = MidiOutput(self, parse_port_name(name))
        return self._add(port, name)

    def existing(self) -> list[MidiPort]:
        """Ports of all systems, but for our own."""
        found = []
        for api in self.apis(None):
            for direction in DEFAULT_VIRTUAL_NAMES:
                client = self.client(api, direction)
                names = client.get_ports()
                client.delete()
                found += [MidiPort(api, direction, name) for name in names if not name.startswith(OWN_CLIENT)]
        return found

    def poll(self) -> None:
        """See which ports have gone and which are back, and tell; call it about every second.

        Takes milliseconds, or a second for each of its ports when a JACK server has gone.
        """
        for port in self._ports:
            port.check()
        for port in self._ports:
            if not port.connected:
                port.reconnect()

    def close(self) -> None:
        """Close all ports. Nothing is received or sent afterwards."""
        for port in self._ports:
            port.close()
        self._ports.clear()
        self._jack.close()

    def apis(self, wanted: str | None) -> list[str]:
        """Names of the MIDI systems that answer, the first choice first.

        JACK, if a server answers: whoever starts one wants its ports, and it gives the best times. Then the
        operating system's: hardware may be known to it alone.
        """
        compiled = self._rtmidi.get_compiled_api()
        present = [name for name, constant in APIS.items() if self._constant(constant) in compiled]
        # without the sequencer, ALSA's library complains on standard error
        answering = {"jack": self._look_for_jack, "alsa": Path("/dev/snd/seq").exists}
        return [
            name
            for name in present
            if wanted in (None, name) and (name not in answering or answering[name]())
        ]

    def _look_for_jack(self) -> bool:
        if self._jack.answers:
            return True
        for port in self._ports:
            port.check()  # closes those of a server that has gone
        return self._jack.look()

    def alive(self, api: str) -> bool:
        """Whether what was opened with ``api`` can still be used."""
        return api != "jack" or self._jack.answers

    def client(self, api: str, direction: str) -> Any:
        """An rtmidi object without a port.

        Raises:
            StruckError: the system refuses.
        """
        kind = self._rtmidi.MidiIn if direction == "input" else self._rtmidi.MidiOut
        options = {"queue_size_limit": _QUEUE_MESSAGES} if direction == "input" else {}
        try:
            client = kind(self._constant(APIS[api]), name=f"{OWN_CLIENT} {direction}", **options)
        except self._rtmidi.SystemError as error:
            raise StruckError(f"{api} MIDI does not answer: {error}") from error
        return client

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What rtmidi raises."""
        return (self._rtmidi.RtMidiError,)

    def tell(self, line: str) -> None:
        """Pass one line on to the performer."""
        self._tell(line)

    def _constant(self, name: str) -> int:
        return int(getattr(self._rtmidi, f"API_{name}"))

    def _add(self, port: Any, name: str) -> Any:
        try:
            opened = port.open()
        except StruckError:
            port.close()
            raise
        if not opened:
            there = [f"{p.api}:{p.name}" for p in self.existing() if p.direction == port.direction]
            raise StruckError(
                f"no MIDI {port.direction} is called {name}; there "
                + (f"are: {', '.join(there)}" if there else "are none. virtual:NAME makes one")
            )
        self._ports.append(port)
        return port


class _Port:
    """What both directions share: one rtmidi object that comes and goes with its port."""

    direction = ""

    def __init__(self, ports: MidiPorts, wanted: PortName) -> None:
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
            client.close_port()
            client.delete()


class MidiInput(_Port):
    """One input. Made by :meth:`MidiPorts.open_input`.

    rtmidi's own thread (with JACK: its process thread) only fills a queue. Were it to call Python, it would
    wait for the interpreter, miss JACK's cycle and lose messages: with two busy Python threads, a third
    of them, and every client of the server would see overruns. A thread of ours looks at the queue instead,
    and :class:`ArrivalClock` finds out when messages arrived.
    """

    direction = "input"

    def __init__(
        self, ports: MidiPorts, wanted: PortName, on_message: OnMessage, on_lost: Callable[[], None] | None
    ) -> None:
        super().__init__(ports, wanted)
        self._on_message, self._on_lost = on_message, on_lost
        self._lost = False
        self._arrivals = ArrivalClock()
        self._closing = False
        self._thread = threading.Thread(target=self._receive, name="midi input", daemon=True)
        self._thread.start()

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

    def _receive(self) -> None:
        while not self._closing:
            if self._lost:
                self._lost = False
                if self._on_lost:
                    self._on_lost()
            for arrival, data in self._waiting():
                try:
                    self._on_message(arrival, data)
                except Exception as error:  # a fault of ours must not end the playing: told, and on
                    self._ports.tell(f"MIDI {self.name}: {type(error).__name__}: {error}")
            time.sleep(LOOK_SECONDS)

    def _waiting(self) -> Iterator[tuple[float, bytes]]:
        """The messages that are there; the lock is not held while one is worked on."""
        while True:
            with self._lock:
                message = self._client.get_message() if self._client is not None else None
                if message is None:
                    return
                data, delta_seconds = message
                arrival = self._arrivals.arrival(delta_seconds, time.monotonic())
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


def list_midi_ports() -> list[MidiPort]:
    """MIDI ports that exist now, of all systems, for ``struck devices``.

    Raises:
        StruckError: python-rtmidi is not installed.
    """
    ports = MidiPorts(tell=lambda line: None)
    try:
        return ports.existing()
    finally:
        ports.close()


def import_rtmidi() -> ModuleType:
    """The module rtmidi, which is an extra.

    Raises:
        StruckError: it is not installed.
    """
    try:
        import rtmidi
    except ImportError as error:
        raise StruckError("MIDI ports need python-rtmidi: run make live") from error
    module: ModuleType = rtmidi
    return module
