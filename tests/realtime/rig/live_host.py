"""``struck live`` on a JACK server of a test's own, from the moment at which it plays."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

from struck.realtime.midi.connections import close_client
from struck.realtime.midi.ports import import_rtmidi

from .jack_rig import JackServer
from .live_rig import END_SECONDS, PROGRAM, Live

#: Longer than any test: should a test die, its host does not play on for ever.
_LONGEST_SECONDS = 240
START_SECONDS = 240.0
_KEYBOARD_PORT = "keyboard:out"
_CONNECT_TIMES = 20
#: A patch whose notes rise at once and are silent soon after the note-off: each one's beginning can be seen.
DRY_PATCH = """
description = "A dry string."
[note]
gain_db = -12.0
[note.sound]
attack = 0.001
hold = 6.0
release = 0.03
decay = 0.5
tilt = -8.0
noisiness = 0.0
room_mix = 0.0
"""


class LiveHost:
    """A running host; a context manager that leaves no process behind.

    Args:
        server: the JACK server on which it plays.
        arguments: of ``struck live``; a ``--duration`` is added.
        duration_seconds: it ends by itself after that.
        program: what Python runs as ``struck``.
    """

    def __init__(
        self,
        server: JackServer,
        *arguments: object,
        duration_seconds: float = _LONGEST_SECONDS,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        before = clients(server)
        self._server = server
        self._live = Live(
            "--duration",
            *map(str, (duration_seconds, *arguments)),
            program=program,
            env={"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
        )
        try:
            self.client = self._wait_until_it_plays(before)
        except BaseException:
            self._live.kill()
            raise

    @property
    def lines(self) -> list[str]:
        """What it said on standard error."""
        return self._live.lines

    @property
    def running(self) -> bool:
        return self._live.process.poll() is None

    @property
    def pid(self) -> int:
        return self._live.process.pid

    @property
    def rss_bytes(self) -> int:
        """Memory that it holds now."""
        return self._live.rss_bytes

    def _wait_until_it_plays(self, before: set[str]) -> str:
        """Its client's name, once that is connected to the sound card or to what it listens to."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.running, f"struck live ended with {self._live.process.returncode}: {self.lines}"
            found: dict[str, list[str]] = {}
            # A busy server may refuse the tool just now, or keep it waiting.
            with suppress(AssertionError, subprocess.TimeoutExpired):
                found = connections(self._server)
            for name in found:
                client = name.rpartition(":")[0]
                if client not in before and re.fullmatch(r"struck(-\d+)?", client):
                    return client
            time.sleep(0.2)
        raise AssertionError(f"struck live did not begin to play: {self.lines}")

    def wait(self, seconds: float) -> dict[str, Any]:
        """Its summary, once it has ended by itself."""
        code = self._live.ended(seconds)
        assert code == 0, f"struck live ended with {code}: {self.lines}"
        return self._live.summary

    def stop(self) -> dict[str, Any]:
        """Ctrl-C; its summary."""
        self._live.stop()
        return self.wait(END_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.kill()


@contextmanager
def keyboard(server: JackServer) -> Iterator[Any]:
    """A MIDI output, as of ``rtmidi``, that plays into the host's ``--midi-in virtual:keys``.

    Ports are connected by their names: a number in a list of ports means another one as soon as one has come
    or gone.
    """
    rtmidi = import_rtmidi()
    sender = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
    try:
        sender.open_virtual_port("out")
        _connect_keyboard(server)
        yield sender
    finally:
        close_client(sender)


def _connect_keyboard(server: JackServer) -> None:
    """A busy server may refuse its tools, or take its time."""
    for _ in range(_CONNECT_TIMES):
        with suppress(AssertionError, ValueError, subprocess.TimeoutExpired):
            (port,) = [name for name in server.ports() if name.endswith(":keys")]
            if port not in connections(server).get(_KEYBOARD_PORT, ()):
                server.connect(_KEYBOARD_PORT, port)
            return
        time.sleep(0.2)
    raise AssertionError(f"the keyboard could not be connected; ports: {server.ports()}")


def clients(server: JackServer) -> set[str]:
    """Names of the server's clients that have ports."""
    return {port.rpartition(":")[0] for port in server.ports()}


def connections(server: JackServer) -> dict[str, list[str]]:
    """Ports that are connected, and to which."""
    found: dict[str, list[str]] = {}
    port = ""
    for line in server.tool("jack_lsp", "-c").split("\n"):
        if line.startswith("   "):
            found.setdefault(port, []).append(line.strip())
        elif line:
            port = line
    return found
