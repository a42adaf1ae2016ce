"""MIDI ports by name: opened, watched and, when they went away, connected again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from numba import config

from ...codec.events.errors import StruckError
from ..devices.jack_watch import JackWatch
from .connections import MidiInput, MidiOutput, OnMessage
from .names import APIS, DEFAULT_VIRTUAL_NAMES, OWN_CLIENT, parse_port_name

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
    again: a client that is opened then lets libjack free those of the old server, and whoever closes one of
    them after that closes what is not there, which may abort the process.

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
            name: of the port; see :mod:`struck.realtime.midi.names`.
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
                try:
                    names = client.get_ports()
                finally:
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
        """An rtmidi object without a port, or what is used as one.

        Raises:
            StruckError: the system refuses.
        """
        if api == "jack" and direction == "input" and not config.DISABLE_JIT:
            from .jack_input import JackMidiInput  # compiled, and only where there is JACK

            assert self._jack.library is not None
            return JackMidiInput(self._jack.library, f"{OWN_CLIENT} {direction}")
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
            port.close()
            there = [f"{p.api}:{p.name}" for p in self.existing() if p.direction == port.direction]
            raise StruckError(
                f"no MIDI {port.direction} is called {name}; there "
                + (f"are: {', '.join(there)}" if there else "are none. virtual:NAME makes one")
            )
        self._ports.append(port)
        return port


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
        line = "MIDI ports need python-rtmidi: run make live, or pip install python-rtmidi"
        raise StruckError(line) from error
    module: ModuleType = rtmidi
    return module
