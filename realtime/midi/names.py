"""How MIDI ports are named on the command line and found among those that exist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...codec.events.errors import StruckError

#: What may stand before a name, and how rtmidi calls that system.
APIS: Final = {"jack": "UNIX_JACK", "alsa": "LINUX_ALSA", "coremidi": "MACOSX_CORE", "winmm": "WINDOWS_MM"}

VIRTUAL: Final = "virtual"
DEFAULT_VIRTUAL_NAMES: Final = {"input": "in", "output": "out"}

#: Our own ports begin with this (JACK and ALSA: the client's name); a part of a name never finds them.
OWN_CLIENT: Final = "struck midi"

_ALSA_NUMBERS: Final = re.compile(r" \d+:\d+$")  # of client and port: others after each plugging in


@dataclass(frozen=True)
class PortName:
    """``[API:]NAME`` or ``[API:]virtual[:NAME]``, taken apart."""

    api: str | None  # a key of APIS; None: whichever has the port
    name: str  # in a virtual port its own name, maybe empty
    virtual: bool


def parse_port_name(text: str) -> PortName:
    """Take a name apart.

    >>> parse_port_name("jack:FluidSynth")
    PortName(api='jack', name='FluidSynth', virtual=False)
    >>> parse_port_name("virtual:keys")
    PortName(api=None, name='keys', virtual=True)

    Raises:
        StruckError: it is empty.
    """
    api, colon, rest = text.partition(":")
    if not colon or api.lower() not in APIS:
        api, rest = "", text
    head, colon, tail = rest.partition(":")
    if head.lower() == VIRTUAL:
        return PortName(api.lower() or None, tail.strip(), True)
    if not rest.strip():
        raise StruckError(f"the MIDI port name {text!r} is empty; struck devices lists those there are")
    return PortName(api.lower() or None, rest.strip(), False)


def find_port(wanted: str, ports: Sequence[str]) -> str | None:
    """The port that ``wanted`` names: exactly, else without ALSA's numbers, else as a part of it.

    Upper and lower case matter only in an exact name. None: no such port.

    Raises:
        StruckError: it is part of several names.
    """
    if wanted in ports:
        return wanted
    stem = _ALSA_NUMBERS.sub("", wanted)
    found = [port for port in ports if _ALSA_NUMBERS.sub("", port) == stem]
    if not found:
        part = wanted.lower()
        found = [port for port in ports if part in port.lower() and not port.startswith(OWN_CLIENT)]
    if len(found) > 1:
        raise StruckError(f"several MIDI ports are called {wanted}: {', '.join(found)}")
    return found[0] if found else None
