"""The control port of a performance: opened by its settings, shown what the host knows."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from ...codec.events.errors import StruckError
from ...patches.shelf import Shelf
from ..control.access import Access
from ..control.acting import Actor
from ..control.announcement import Announcement
from ..control.feed import Feed
from ..control.port import ControlPort
from ..engine.callback import CallbackState
from ..osc.addresses import parse_address
from ..phrases.band import Accompaniment
from ..stage.stage import Stage
from ..tempo.leader import ClockState, Leader
from .gauges import Gauges
from .log import Log
from .peers import Messages
from .show import Show


class Performance(Protocol):
    """What the port needs of a host."""

    stage: Stage
    state: CallbackState
    messages: Messages
    shelf: Shelf
    gauges: Gauges
    log: Log
    tempo: Leader
    accompaniment: Accompaniment
    show: Show | None

    def latency(self) -> Mapping[str, float]: ...


def open_control(address: str, host: Performance) -> ControlPort:
    """Open the control port; it serves once it is started.

    Args:
        address: ``[HOST:]PORT``.
        host: whose it is; its OSC listens there already.

    Raises:
        StruckError: the port is taken, or the address is none.
    """
    where, _ = parse_address(address)
    port = host.messages.osc_port
    assert port is not None
    stage, book = host.stage, host.messages.book
    actor = Actor(stage, stage.clock, book, latency=host.latency, on_packet=host.messages.record_osc)
    feed = Feed(host.state.engine, stage, lambda: _status(host))
    control = ControlPort(stage, book, feed, actor, where, port, Access(where))
    actor.reply = control.reply
    host.messages.send_events_to(
        lambda: [(peer, partial(control.send_to, peer)) for peer in actor.subscribers.peers()]
    )
    return control


def announce(address: str, port: int) -> Announcement:
    """Announce the control port of ``address`` on the network.

    Raises:
        StruckError: others do not reach it, or zeroconf is not there.
    """
    where, _ = parse_address(address)
    access = Access(where)
    if access.is_local:
        raise StruckError("--announce is for a port that others reach, such as --control 0.0.0.0:9000")
    try:
        found = socket.gethostbyname(access.reached_host)
    except OSError as error:
        raise StruckError(f"the control port cannot be announced: {error.strerror or error}") from error
    return Announcement("struck", found, port)


def _status(host: Performance) -> dict[str, Any]:
    """What changes seldom, as the page shows it."""
    return {
        "patch": host.stage.patch(),
        "patches": host.shelf.names(),
        "latency": {part: round(seconds, 5) for part, seconds in host.latency().items()},
        "counters": {name: number for name, number in host.gauges.faults().items() if number},
        "tempo": _tempo(host),
        "peers": host.messages.peers(),
        "setlist": None if host.show is None else {"scene": host.show.describe() or None},
        "learning": host.messages.learning(),
        "log": host.log.lines(),
    }


def _tempo(host: Performance) -> dict[str, Any]:
    """Beats per minute, and whose they are: a leader's by its state, or phrases' own."""
    now = time.perf_counter()
    line, state = host.tempo.line(), host.tempo.state(now)
    if line is not None and state is not ClockState.OFF:
        return {"bpm": round(line.tempo_bpm, 1), "state": state.value, "leader": host.tempo.name}
    own = host.accompaniment.stats().get("tempo_bpm")
    return {"bpm": own, "state": "own" if state is ClockState.OFF else state.value}
