"""A stream of a JACK client: its process callback is compiled and calls the given stream callback.

One JACK period may be several blocks, never a part of one; a period that is not a multiple of the block ends
with a shorter one::

    JACK    |-------- 128 --------|-------- 128 --------|
    blocks  |--- 64 ---|--- 64 ---|--- 64 ---|--- 64 ---|

How late the sound is on the way through struck stands at its ports, for hosts that compensate it: an output
is as much later than the inputs as heard events are.

JACK's ports belong to the user as well: struck connects its own to the chosen client's once, at the start and
when that client comes back, and leaves them alone otherwise.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import carray, float32, int64, typeof, types

from ...codec.events.errors import StruckError
from ..engine.address_tables import make_address_table, state_reader
from ..engine.c_pointers import (
    CONTINUE,
    INPUT_OVERFLOW,
    OUTPUT_UNDERFLOW,
    as_pointer,
    c_callback,
    call_c,
    call_stream_callback,
)
from .jack import CAPTURE_LATENCY, LONGEST_LATENCY_SECONDS, JackLibrary
from .rates import advise_rate

#: The client to name for ports that the user connects.
UNCONNECTED: Final = "unconnected"


class MissingDevice(StruckError):
    """The device is not there; it may come back."""


# places in JackState.words: addresses of the stream callback, of what it is handed and of its arrays, of
# jack_port_get_buffer; most frames of a block; what has been counted; addresses of what reads and what sets
# a port's latency, and the frames from an input to an output
(
    CALLBACK, USERDATA, SOURCE, SINK, TIMES, GET_BUFFER, BLOCK, PERIODS, POSITION, XRUNS, XRUNS_SEEN, ENDED,
    GET_LATENCY, SET_LATENCY, LATENCY,
) = range(15)  # fmt: skip


class JackState(NamedTuple):
    """What the compiled callbacks know the stream by, C and D channels in and out."""

    words: np.ndarray  # int64 [15]
    inputs: np.ndarray  # int64 [C] addresses of ports
    outputs: np.ndarray  # int64 [D]
    source: np.ndarray  # float32 [N, C] a block
    sink: np.ndarray  # float32 [N, D]
    times: np.ndarray  # float64 [3] a block's PaStreamCallbackTimeInfo
    seconds: np.ndarray  # float64 [3] latencies in and out; of a frame
    span: np.ndarray  # uint32 [2] least and most latency in frames, of the port that is asked


def _make_state(block_frames: int, inputs: list[int], outputs: list[int]) -> JackState:
    """A state of zeros with addresses of ports."""
    # Written, not left for the audio thread to be the first: pages are mapped when they are touched.
    source, sink = (np.full((block_frames, len(p)), 0.0, np.float32) for p in (inputs, outputs))
    words, times = np.zeros(LATENCY + 1, np.int64), np.full(3, 0.0)
    words[[SOURCE, SINK, TIMES]] = [a.ctypes.data if a.size else 0 for a in (source, sink, times)]
    ports = np.array(inputs, np.int64), np.array(outputs, np.int64)
    return JackState(words, *ports, source, sink, times, np.zeros(3), np.zeros(2, np.uint32))


_state_at = state_reader(typeof(_make_state(1, [0], [0])))


@c_callback(types.int32(types.uint32, types.voidptr))
def _process(frames, userdata):
    """JACK's thread: one period, block by block."""
    state = _state_at(userdata)
    words, times, seconds = state.words, state.times, state.seconds
    flags = 0
    if words[XRUNS] != words[XRUNS_SEEN]:
        words[XRUNS_SEEN] = words[XRUNS]
        flags = INPUT_OVERFLOW | OUTPUT_UNDERFLOW
    words[PERIODS] += 1
    done = 0
    while done < frames:
        count = min(words[BLOCK], int64(frames) - done)
        for c in range(len(state.inputs)):
            address = call_c(words[GET_BUFFER], state.inputs[c], int64(frames), int64(0))
            port = carray(as_pointer(address), (int64(frames),), np.float32)
            for n in range(count):  # loops: numba may copy, so allocate, for slices
                state.source[n, c] = port[done + n]
        for n in range(count):
            for c in range(len(state.outputs)):
                state.sink[n, c] = float32(0.0)
        times[1] = words[POSITION] * seconds[2]
        times[0] = times[1] - seconds[0]
        times[2] = times[1] + seconds[1]
        if words[ENDED] == 0:
            result = call_stream_callback(
                words[CALLBACK], words[SOURCE], words[SINK], count, words[TIMES], flags, words[USERDATA]
            )
            if result != CONTINUE:
                words[ENDED] = 1
        for c in range(len(state.outputs)):
            address = call_c(words[GET_BUFFER], state.outputs[c], int64(frames), int64(0))
            port = carray(as_pointer(address), (int64(frames),), np.float32)
            for n in range(count):
                port[done + n] = state.sink[n, c]
        flags = 0
        done += count
        words[POSITION] += count
    return 0


@c_callback(types.int32(types.voidptr))
def _count_xrun(userdata):
    """A thread of libjack."""
    _state_at(userdata).words[XRUNS] += 1
    return 0


@c_callback(types.void(types.int32, types.voidptr))
def _tell_latency(mode, userdata):
    """A thread of libjack: what the ports of one side know of latency, and ours, is told to the other's."""
    state = _state_at(userdata)
    words, span = state.words, state.span
    forward = mode == CAPTURE_LATENCY
    known, told = (state.inputs, state.outputs) if forward else (state.outputs, state.inputs)
    longest = int64(LONGEST_LATENCY_SECONDS / state.seconds[2])
    least, most = longest, int64(0)
    for n in range(len(known)):
        call_c(words[GET_LATENCY], known[n], int64(mode), span.ctypes.data)
        if int64(span[1]) < longest:  # others have none set
            least, most = min(least, int64(span[0])), max(most, int64(span[1]))
    own = words[LATENCY] if len(state.inputs) and len(state.outputs) else int64(0)
    span[0], span[1] = np.uint32(min(least, most) + own), np.uint32(most + own)
    for n in range(len(told)):
        call_c(words[SET_LATENCY], told[n], int64(mode), span.ctypes.data)


class JackStream:
    """Audio to and from JACK.

    Args:
        library: libjack.
        source: name of the JACK client to listen to, :data:`UNCONNECTED`, or None for no input.
        sink: the same for the client to play to.
        rate: in Hz, which must be the server's.
        block_frames: most frames per call.
        input_channels, output_channels: ports of our own, 1 or 2, where there is an input, an output.
        callback, userdata: addresses of a compiled ``PaStreamCallback`` and of what it is handed. Its time
            info is stream time in seconds plus and minus the latencies.

    Raises:
        StruckError: no server answers, it runs at another rate, or the named client is not there.
    """

    def __init__(
        self,
        library: JackLibrary,
        source: str | None,
        sink: str | None,
        rate: int,
        block_frames: int,
        input_channels: int,
        output_channels: int,
        callback: int,
        userdata: int,
    ) -> None:
        client = library.open_client("struck")
        if client is None:
            raise MissingDevice(
                "no JACK server answers: start one (jackd, QjackCtl), or choose another device"
            )
        self._client = client
        try:
            self._prepare(library, source, sink, rate, block_frames, input_channels, output_channels)
        except BaseException:
            client.close()
            raise
        self._state.words[[CALLBACK, USERDATA]] = callback, userdata
        self._started = False

    def _prepare(
        self,
        library: JackLibrary,
        source: str | None,
        sink: str | None,
        rate: int,
        block_frames: int,
        input_channels: int,
        output_channels: int,
    ) -> None:
        client = self._client
        if client.rate != rate:
            raise StruckError(
                f"the JACK server runs at {client.rate} Hz, not {rate}: "
                + advise_rate(client.rate, "restart JACK at 48000 Hz (jackd -d ... -r 48000)")
            )
        self.rate = rate
        self.block_frames = min(block_frames, client.period_frames)
        self.name = client.name
        self.period_frames = client.period_frames
        self.buffer_seconds = client.period_frames / rate  # what comes and goes at once
        inputs = input_channels if source is not None else 0
        outputs = output_channels if sink is not None else 0
        self._peers = {True: source, False: sink}
        self._own = {
            True: [f"{client.name}:in_{c + 1}" for c in range(inputs)],
            False: [f"{client.name}:out_{c + 1}" for c in range(outputs)],
        }
        self._present = {True: False, False: False}
        self._first_input = 0  # of the peer's ports, the one that our first is connected to
        sources, sinks = self._peer_ports(True), self._peer_ports(False)
        for peer, ports, word in ((source, sources, "has"), (sink, sinks, "listens to")):
            if peer not in (None, UNCONNECTED) and not ports:
                raise MissingDevice(
                    f"JACK has no client {peer!r} that {word} audio ports; see struck devices"
                )
        self.input_latency_seconds = client.latency_seconds(sources[0], True) if sources else 0.0
        self.output_latency_seconds = client.latency_seconds(sinks[0], False) if sinks else 0.0
        self._state = _make_state(
            self.block_frames,
            [client.add_port(f"in_{c + 1}", is_input=True) for c in range(inputs)],
            [client.add_port(f"out_{c + 1}", is_input=False) for c in range(outputs)],
        )
        self._state.seconds[:] = self.input_latency_seconds, self.output_latency_seconds, 1.0 / rate
        self._state.words[GET_BUFFER] = library.address_of("jack_port_get_buffer")
        self._state.words[BLOCK] = self.block_frames
        self._table = make_address_table(self._state)
        self._state.words[GET_LATENCY] = library.address_of("jack_port_get_latency_range")
        self._state.words[SET_LATENCY] = library.address_of("jack_port_set_latency_range")
        client.set_callbacks(
            _process.address, self._table.ctypes.data, _count_xrun.address, _tell_latency.address
        )

    def _peer_ports(self, sources: bool) -> list[str]:
        """Ports of the chosen client, as many as ours; one alone is used for both of ours."""
        peer = self._peers[sources]
        if peer in (None, UNCONNECTED):
            return []
        ports = [port for port in self._client.find_ports(sources) if port.rpartition(":")[0] == peer]
        first = self._first_input if sources else 0
        return ports[first : first + len(self._own[sources])]

    def choose_input(self, channel: int) -> None:
        """Hear the peer's ports from this one on, counted from 1.

        Raises:
            StruckError: it has no such port.
        """
        if channel - 1 == self._first_input:
            return
        before, self._first_input = self._first_input, channel - 1
        wanted = self._peer_ports(True)
        if not wanted and self._peers[True] not in (None, UNCONNECTED) and self._present[True]:
            self._first_input = before
            raise StruckError(f"JACK:{self._peers[True]} has no port {channel}")
        if self._present[True]:
            own = self._own[True]
            every = [p for p in self._client.find_ports(True) if p.rpartition(":")[0] == self._peers[True]]
            self._client.disconnect([(peer, port) for peer in every for port in own])
            self._client.connect(list(zip(wanted, own, strict=False)))

    @property
    def hears(self) -> bool:
        """Whether it has an input."""
        return bool(self._own[True])

    def tell_latency(self, frames: int) -> None:
        """Tell JACK how many frames later than at the inputs the sound is at the outputs."""
        if self._state.words[LATENCY] != frames:
            self._state.words[LATENCY] = frames
            if self._started:
                self._client.renew_latencies()

    def start(self) -> None:
        """Blocks come from now on."""
        self._client.activate()
        self._started = True
        self.reconnect()

    def reconnect(self) -> list[str]:
        """Connect to a chosen client that was not there before: at the start, and when it comes back.

        Returns:
            What the performer should know, in lines: which of them went or came.
        """
        news: list[str] = []
        if self.is_lost:
            return news
        for sources in (True, False):
            ports = self._peer_ports(sources)
            if ports and not self._present[sources]:
                pairs = list(zip(ports, self._own[sources], strict=False))
                self._client.connect(pairs if sources else [(own, peer) for peer, own in pairs])
            if bool(ports) != self._present[sources]:
                fate = "is back" if ports else "is gone; it is connected again as soon as it is back"
                news.append(f"JACK:{self._peers[sources]} {fate}")
            self._present[sources] = bool(ports)
        return news

    @property
    def is_lost(self) -> bool:
        """The server ended, or threw the client out."""
        return self._client.is_dead

    @property
    def is_active(self) -> bool:
        return self._started and not self.is_lost and not self._state.words[ENDED]

    @property
    def xruns(self) -> int:
        """Periods that some client of the server was late for."""
        return int(self._state.words[XRUNS])

    def close(self, seconds: float = 2.0) -> bool:
        """End the stream; also a lost one. False if the server does not answer in time."""
        self._started = False
        return self._client.close(seconds)
