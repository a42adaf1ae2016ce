"""A stream of a JACK client: its process callback is compiled and calls the given stream callback.

One JACK period may be several blocks, never a part of one; a period that is not a multiple of the block ends
with a shorter one::

    JACK    |-------- 128 --------|-------- 128 --------|
    blocks  |--- 64 ---|--- 64 ---|--- 64 ---|--- 64 ---|

JACK's ports belong to the user as well: struck connects its own to the chosen client's once, at the start and
when that client comes back, and leaves them alone otherwise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import carray, float32, int64, types

from ..codec.errors import StruckError
from .c_calls import (
    CONTINUE,
    INPUT_OVERFLOW,
    OUTPUT_UNDERFLOW,
    as_pointer,
    c_callback,
    call_port_buffer,
    call_stream_callback,
)
from .jack import JackLibrary

#: The client to name for ports that the user connects.
UNCONNECTED: Final = "unconnected"


class MissingDevice(StruckError):
    """The device is not there; it may come back."""


# places in the table that the compiled callbacks know the stream by
(
    CALLBACK, USERDATA, GET_BUFFER, BLOCK, INPUTS, OUTPUTS, SOURCE, SINK, TIMES, SECONDS, PERIODS, POSITION,
    XRUNS, XRUNS_SEEN, ENDED,
) = range(15)  # fmt: skip
_INPUT_PORTS: Final = 16
_OUTPUT_PORTS: Final = 18
_TABLE_SIZE: Final = 20


@c_callback(types.int32(types.uint32, types.voidptr))
def _process(frames, userdata):
    """JACK's thread: one period, block by block."""
    table = carray(userdata, (_TABLE_SIZE,), np.int64)
    times = carray(as_pointer(table[TIMES]), (3,), np.float64)
    latencies = carray(as_pointer(table[SECONDS]), (3,), np.float64)
    inputs = table[INPUTS]
    outputs = table[OUTPUTS]
    source = carray(as_pointer(table[SOURCE]), (table[BLOCK] * inputs,), np.float32)
    sink = carray(as_pointer(table[SINK]), (table[BLOCK] * outputs,), np.float32)
    flags = 0
    if table[XRUNS] != table[XRUNS_SEEN]:
        table[XRUNS_SEEN] = table[XRUNS]
        flags = INPUT_OVERFLOW | OUTPUT_UNDERFLOW
    table[PERIODS] += 1
    done = 0
    while done < frames:
        count = min(table[BLOCK], int64(frames) - done)
        for c in range(inputs):
            address = call_port_buffer(table[GET_BUFFER], table[_INPUT_PORTS + c], int64(frames))
            port = carray(as_pointer(address), (int64(frames),), np.float32)
            for n in range(count):
                source[n * inputs + c] = port[done + n]
        for n in range(count * outputs):
            sink[n] = float32(0.0)
        times[1] = table[POSITION] * latencies[2]
        times[0] = times[1] - latencies[0]
        times[2] = times[1] + latencies[1]
        if table[ENDED] == 0:
            result = call_stream_callback(
                table[CALLBACK], table[SOURCE] if inputs > 0 else 0, table[SINK] if outputs > 0 else 0, count,
                table[TIMES], flags, table[USERDATA],
            )  # fmt: skip
            if result != CONTINUE:
                table[ENDED] = 1
        for c in range(outputs):
            address = call_port_buffer(table[GET_BUFFER], table[_OUTPUT_PORTS + c], int64(frames))
            port = carray(as_pointer(address), (int64(frames),), np.float32)
            for n in range(count):
                port[done + n] = sink[n * outputs + c]
        flags = 0
        done += count
        table[POSITION] += count
    return 0


@c_callback(types.int32(types.voidptr))
def _count_xrun(userdata):
    """A thread of libjack."""
    carray(userdata, (_TABLE_SIZE,), np.int64)[XRUNS] += 1
    return 0


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
        self._table[CALLBACK] = callback
        self._table[USERDATA] = userdata
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
                f"the JACK server runs at {client.rate} Hz, not {rate}: use --rate {client.rate}, "
                "or restart JACK"
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
        sources, sinks = self._peer_ports(True), self._peer_ports(False)
        for peer, ports, word in ((source, sources, "has"), (sink, sinks, "listens to")):
            if peer not in (None, UNCONNECTED) and not ports:
                raise MissingDevice(
                    f"JACK has no client {peer!r} that {word} audio ports; see struck devices"
                )
        self._times = np.zeros(3)
        self.input_latency_seconds = client.latency_seconds(sources[0], True) if sources else 0.0
        self.output_latency_seconds = client.latency_seconds(sinks[0], False) if sinks else 0.0
        self._seconds = np.array([self.input_latency_seconds, self.output_latency_seconds, 1.0 / rate])
        self._source = np.zeros((block_frames, 2), dtype=np.float32)
        self._sink = np.zeros((block_frames, 2), dtype=np.float32)
        for array in (self._source, self._sink):
            array.fill(0.0)  # maps the pages now, not in the audio thread
        table = np.zeros(_TABLE_SIZE, dtype=np.int64)
        table[GET_BUFFER] = library.address_of("jack_port_get_buffer")
        table[BLOCK] = self.block_frames
        table[INPUTS], table[OUTPUTS] = inputs, outputs
        table[SOURCE], table[SINK] = self._source.ctypes.data, self._sink.ctypes.data
        table[TIMES], table[SECONDS] = self._times.ctypes.data, self._seconds.ctypes.data
        for c in range(inputs):
            table[_INPUT_PORTS + c] = client.add_port(f"in_{c + 1}", is_input=True)
        for c in range(outputs):
            table[_OUTPUT_PORTS + c] = client.add_port(f"out_{c + 1}", is_input=False)
        self._table = table
        client.set_callbacks(_process.address, _count_xrun.address, table.ctypes.data)

    def _peer_ports(self, sources: bool) -> list[str]:
        """Ports of the chosen client, as many as ours; one alone is used for both of ours."""
        peer = self._peers[sources]
        if peer in (None, UNCONNECTED):
            return []
        ports = [port for port in self._client.find_ports(sources) if port.rpartition(":")[0] == peer]
        return ports[: len(self._own[sources])]

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
        return self._started and not self.is_lost and not self._table[ENDED]

    @property
    def xruns(self) -> int:
        """Periods that some client of the server was late for."""
        return int(self._table[XRUNS])

    def close(self, seconds: float = 2.0) -> bool:
        """End the stream; also a lost one. False if the server does not answer in time."""
        self._started = False
        return self._client.close(seconds)
