"""What each OSC message does to the host: one packet in, calls to the stage and replies out."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...codec.events.errors import StruckError
from ..stage.token_bucket import KindTeller, SenderBuckets, TokenBucket
from . import namespace as osc
from .address_book import AddressBook, Leaf
from .addresses import Peer
from .packets import (
    Refusal,
    TimedMessage,
    Value,
    read_arguments,
    read_event,
    read_message,
    split_packet,
    write_bundle,
    write_message,
    write_statistic,
    write_values,
)
from .patterns import is_pattern
from .peer_names import PeerNames
from .subscribers import Subscribers
from .time_tags import IMMEDIATELY, TimeTags

if TYPE_CHECKING:
    from ..engine.clock import StreamClock
    from ..stage.stage import Stage

#: A cloud of grains or a rack of faders stays below this; a runaway loop does not.
MESSAGES_PER_SECOND: Final = 2_000
MESSAGES_AT_ONCE: Final = 1_000

#: Replies to one host, and in all; each is a packet. Whoever sends a packet may give another's address as its
#: own, and a request is smaller than its answer: struck must not be what floods that other.
REPLIES_PER_SECOND: Final = 50
REPLIES_AT_ONCE: Final = 100
ALL_REPLIES_PER_SECOND: Final = 400
ALL_REPLIES_AT_ONCE: Final = 400

#: Tags further ahead are a mistake of somebody's clock, and would hold a place until then.
AHEAD_SECONDS_MAX: Final = 60.0
DEFERRED_MAX: Final = 1_024

#: Replies stay below what an Ethernet frame carries.
_REPLY_BYTES: Final = 1_400

#: The stage schedules these itself, to the sample.
_SCHEDULED: Final = (osc.EVENT, osc.AMEND, osc.END)

_PANIC_HEAD: Final = osc.PANIC.address.encode() + b"\0"


class _Deferred(NamedTuple):
    due_seconds: float
    number: int  # keeps the order of what is due together, and the comparison from going on
    route: osc.Route
    name: str
    values: list[Value]
    peer: Peer


class OscDispatcher:
    """Checks every message that comes in and does what it says; all on one thread, the server's.

    An address may be a pattern: then it stands for every address with a value that it means. Without
    arguments such an address asks for the value.

    Nothing that a packet holds makes it raise. Every message is counted once on the stage (one whose address
    is a pattern, once for each that it stands for): ``osc_accepted``,
    ``osc_rejected`` (malformed, out of range, refused by the stage) or ``osc_dropped`` (too many: the
    packet was not looked at, or no place was left); an unreadable packet counts as one message. Replies that
    would be too many, to one host or in all, are not sent: ``osc_replies_dropped``.

    Args:
        stage: what is played on; see ``realtime/stage/stage.py``.
        clock: of the stream.
        subscribers: who gets the events.
        reply: sends a packet to a peer.
        latency: the latency ledger, seconds by part.
        on_packet: called with the stream position and the bytes of each packet of which something was
            accepted that changes what sounds; on the server's thread.
        is_own: whether what is sent to a peer comes back here; such a subscriber is refused.
        book: all addresses; None makes one.
        monotonic, wall: ``time.perf_counter`` and ``time.time``, or fakes.
    """

    def __init__(
        self,
        stage: Stage,
        clock: StreamClock,
        subscribers: Subscribers,
        reply: Callable[[bytes, Peer], None],
        *,
        latency: Callable[[], Mapping[str, float]] | None = None,
        on_packet: Callable[[int, bytes], None] | None = None,
        is_own: Callable[[Peer], bool] = lambda peer: False,
        book: AddressBook | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._subscribers = subscribers
        self._send_reply = reply
        self._reply_buckets = SenderBuckets(
            REPLIES_PER_SECOND, REPLIES_AT_ONCE, ALL_REPLIES_PER_SECOND, ALL_REPLIES_AT_ONCE
        )
        self._latency = latency
        self._on_packet = on_packet
        self._is_own = is_own
        self._book = book or AddressBook(stage)
        self._monotonic = monotonic
        self._tags = TimeTags(monotonic, wall)
        self._bucket = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)
        self._teller = KindTeller(stage.tell, monotonic)
        self._deferred: list[_Deferred] = []
        self._numbers = itertools.count()
        self._names = PeerNames()
        self._actions: dict[str, Callable[[list[Any], str, Peer, float | None], None]] = {
            osc.EVENT.address: self._play,
            osc.AMEND.address: self._amend,
            osc.END.address: self._end,
            osc.CONTROL.address: self._set_control,
            osc.PATCH.address: self._load_patch,
            osc.SAVE.address: self._save_patch,
            osc.INSERT.address: self._set_insert,
            osc.DO.address: self._do,
            osc.INSERT_VALUE.address: self._set_insert_value,
            osc.TRANSFORM_VALUE.address: self._set_transform,
            osc.LEARN.address: self._learn,
            osc.UNLEARN.address: self._unlearn,
            osc.PHRASE.address: self._play_phrase,
            osc.PANIC.address: self._panic,
            osc.PING.address: self._pong,
            osc.STATS.address: self._send_stats,
            osc.LATENCY.address: self._send_latency,
            osc.SUBSCRIBE.address: self._subscribe,
            osc.UNSUBSCRIBE.address: self._unsubscribe,
        }

    # ---- packets ---------------------------------------------------------------------------------------

    def handle(self, packet: bytes, peer: Peer) -> bool:
        """Do what a packet says.

        Returns:
            False if it was dropped unread because too many came; a panic never is.
        """
        if not self._bucket.take(self._monotonic()) and not packet.startswith(_PANIC_HEAD):
            self._stage.count("osc_dropped")
            return False
        try:
            messages = split_packet(packet)
        except Refusal as refusal:
            self._refuse(refusal, peer)
            return True
        sounding = False
        for index, message in enumerate(messages):
            if index and not self._bucket.take(self._monotonic()):
                self._stage.count("osc_dropped", len(messages) - index)
                break
            sounding |= self._handle_message(message, peer)
        if sounding and self._on_packet is not None:
            try:
                self._on_packet(self._clock.position_samples(), packet)
            except Exception as error:
                self._fault("keeping a packet", error)
        return True

    def run_due(self) -> float | None:
        """Do what was deferred and is due; seconds until the next, None if there is none."""
        while self._deferred:
            remaining_seconds = self._deferred[0].due_seconds - self._monotonic()
            if remaining_seconds > 0.0:
                return remaining_seconds
            _, _, route, name, values, peer = heapq.heappop(self._deferred)
            self._act(route, values, name, peer, None)
        return None

    def _handle_message(self, timed: TimedMessage, peer: Peer) -> bool:
        """Whether it was accepted, or is deferred, and changes what sounds."""
        try:
            address, arguments = read_message(timed.message)
            leaves = self._matching(address) if is_pattern(address) else None
        except Refusal as refusal:
            self._refuse(refusal, peer)
            return False
        if leaves is None:
            return self._handle_address(address, arguments, timed.tag, peer)
        if not arguments:
            self._tell_values(leaves, peer)
            return False
        sounding = False
        for index, leaf in enumerate(leaves):
            if index and not self._bucket.take(self._monotonic()):
                self._stage.count("osc_dropped", len(leaves) - index)
                break
            sounding |= self._handle_address(leaf.address, arguments, timed.tag, peer)
        return sounding

    def _matching(self, pattern: str) -> list[Leaf]:
        try:
            leaves = self._book.matching(pattern)
        except ValueError as error:
            raise Refusal("addresses", f"{pattern!a}: {error}") from error
        if not leaves:
            raise Refusal("addresses", f"{pattern!a} means none of struck's addresses that have a value")
        return leaves

    def _handle_address(self, address: str, arguments: list[Any], tag: int, peer: Peer) -> bool:
        try:
            found = osc.find_route(address)
            if found is None or not found[0].comes_in:
                raise Refusal("addresses", f"{address!a} is not an address that struck knows")
            route, name = found
            if route.readable and not arguments:
                leaf = self._book.find(address)
                if leaf is None:
                    raise Refusal("addresses", f"{address!a} is not an address that struck knows")
                self._tell_values([leaf], peer)
                return False
            values = read_arguments(route, arguments)
            due_seconds = self._due(tag) if route.sounding else None
        except Refusal as refusal:
            self._refuse(refusal, peer)
            return False
        if due_seconds is not None and route not in _SCHEDULED and due_seconds > self._monotonic():
            if len(self._deferred) >= DEFERRED_MAX:
                self._stage.count("osc_dropped")
                self._teller.say("full", f"OSC: no place for more than {DEFERRED_MAX} messages that wait")
                return False
            heapq.heappush(
                self._deferred, _Deferred(due_seconds, next(self._numbers), route, name, values, peer)
            )
            return True
        return self._act(route, values, name, peer, due_seconds) and route.sounding

    def _due(self, tag: int) -> float | None:
        if tag <= IMMEDIATELY:  # some send 0 and mean 1
            return None
        due_seconds = self._tags.to_monotonic(tag)
        if due_seconds - self._monotonic() > AHEAD_SECONDS_MAX:
            raise Refusal("time tags", f"a time tag is more than {AHEAD_SECONDS_MAX:g} s ahead")
        return due_seconds

    def _act(
        self, route: osc.Route, values: list[Value], name: str, peer: Peer, due_seconds: float | None
    ) -> bool:
        try:
            self._actions[route.address](values, name, peer, due_seconds)
        except Refusal as refusal:
            self._refuse(refusal, peer)
        except (ValueError, StruckError) as error:
            self._refuse(Refusal(route.address, f"{route.address}: {error}"), peer)
        except _Full:
            self._stage.count("osc_dropped")
        except Exception as error:
            self._stage.count("osc_rejected")
            self._fault(route.address, error)
        else:
            self._stage.count("osc_accepted")
            return True
        return False

    def _fault(self, where: str, error: Exception) -> None:
        """A fault of struck's own must not end the performance: it is counted and told, not hidden."""
        self._stage.count("osc_faults")
        self._teller.say("faults", f"OSC: an internal error in {where}: {error!r}")

    def _refuse(self, refusal: Refusal, peer: Peer) -> None:
        self._stage.count("osc_rejected")
        self._teller.say(refusal.kind, f"OSC from {peer[0]}:{peer[1]} refused: {refusal}")

    def _reply(self, packet: bytes, peer: Peer) -> None:
        if self._reply_buckets.take(peer[0], self._monotonic()):
            self._send_reply(packet, peer)
        else:
            self._stage.count("osc_replies_dropped")

    # ---- actions ---------------------------------------------------------------------------------------

    def _play(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        sounding = self._stage.play(read_event(values, self._at_seconds(due_seconds)), "osc")
        if sounding is None:
            raise _Full
        self._names.give(peer, values[0], sounding.id)

    def _amend(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        changes = dict(zip(values[1::2], values[2::2], strict=True))
        self._stage.amend(self._names.find(peer, values[0]), self._at_seconds(due_seconds), changes)

    def _end(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.end(self._names.find(peer, values[0]), self._at_seconds(due_seconds))

    def _at_seconds(self, due_seconds: float | None) -> float:
        """Stream time at which what is due then, or at once, takes place."""
        if due_seconds is None:
            # The block that is being computed has begun: the next one is the first that can be on time.
            at_sample = self._clock.position_samples() + self._clock.block_frames
        else:
            at_sample = max(0, self._clock.sample_at(due_seconds))
        return at_sample / self._clock.rate

    def _set_control(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.set_control(name, values[0])

    def _load_patch(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.ask_patch(values[0])

    def _set_insert(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.set_insert(*values)

    def _set_insert_value(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        insert, _, parameter = name.partition("/")
        self._stage.set_insert(insert, parameter, values[0])

    def _set_transform(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        transform, _, field = name.partition("/")
        self._stage.set_transform(transform, field, values[0])

    def _do(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.do(*values)

    def _learn(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.learn(values[0])

    def _unlearn(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.unlearn(values[0])

    def _save_patch(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.save_patch(values[0])

    def _play_phrase(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._stage.play_phrase(*values)

    def _panic(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        if self._deferred:
            self._stage.count("osc_dropped", len(self._deferred))
            self._deferred.clear()
        self._stage.panic()

    def _pong(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        self._reply(write_message(osc.PONG), peer)

    def _tell_values(self, leaves: Sequence[Leaf], peer: Peer) -> None:
        self._stage.count("osc_accepted")
        self._reply_all(
            (
                write_values(leaf.address, leaf.arguments, leaf.read())
                for leaf in leaves
                if leaf.read is not None
            ),
            peer,
        )

    def _send_stats(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        stats = self._stage.stats()
        self._reply_all((write_statistic(osc.STATISTIC, *item) for item in stats.items()), peer)

    def _reply_all(self, answers: Iterable[bytes], peer: Peer) -> None:
        """Send messages in as few bundles as carry them."""
        messages: list[bytes] = []
        for answer in answers:
            messages.append(answer)
            if len(write_bundle(IMMEDIATELY, messages)) > _REPLY_BYTES and len(messages) > 1:
                self._reply(write_bundle(IMMEDIATELY, messages[:-1]), peer)
                del messages[:-1]
        if messages:
            self._reply(write_bundle(IMMEDIATELY, messages), peer)

    def _send_latency(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        ledger = self._latency() if self._latency is not None else {}
        pairs = [item for pair in ledger.items() for item in pair]
        self._reply(write_message(osc.LATENCY, *pairs), peer)

    def _subscribe(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        listener = _listener(values, peer)
        if self._is_own(listener):
            raise Refusal("subscribers", f"{osc.SUBSCRIBE.address}: that is struck's own port")
        room = self._subscribers.add(listener)
        remaining_seconds = osc.SUBSCRIPTION_SECONDS if room else 0.0
        self._reply(write_message(osc.SUBSCRIBED, listener[1], remaining_seconds), peer)
        if not room:
            raise Refusal("subscribers", f"{osc.SUBSCRIBE.address}: there are too many subscribers")
        self._send_latency([], "", listener, None)

    def _unsubscribe(self, values: list[Any], name: str, peer: Peer, due_seconds: float | None) -> None:
        listener = _listener(values, peer)
        self._subscribers.remove(listener)
        self._reply(write_message(osc.SUBSCRIBED, listener[1], 0.0), peer)


class _Full(Exception):
    """The stage has no place for one more event; it has counted that."""


def _listener(values: list[Any], peer: Peer) -> Peer:
    return (peer[0], values[0] if values else peer[1], *peer[2:])
