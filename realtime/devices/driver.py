"""Opens, watches and reopens the audio devices whose streams call the engine's compiled callback.

One stream where both sides are of one host, else two and a bridge between their clocks::

    JACK in, JACK out            one client                    ─► engine ─►
    ALSA card in and out         one duplex stream             ─► engine ─►
    ALSA in, JACK out            two streams     in ─► bridge ─► engine ─► out

Nothing here runs on an audio thread. Whoever supervises calls :meth:`DeviceDriver.poll` about each half
second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal, Protocol

from ...codec.events.errors import StruckError
from .bridge import aim_bridge, bridge_stats, latency_seconds, make_bridge
from .bridge_callbacks import BridgeCallbacks
from .devices import JACK, DeviceChoice, Direction, list_devices
from .jack import JackLibrary, load_jack
from .jack_stream import JackStream, MissingDevice
from .portaudio import DeviceSide, PortAudio, PortAudioStream, load_portaudio

BLOCK_FRAMES_RANGE: Final = (32, 2048)
_SILENT_SECONDS: Final = 1.0
_FIRST_RETRY_SECONDS: Final = 0.5
_LONGEST_RETRY_SECONDS: Final = 4.0
_CLOSE_SECONDS: Final = 0.5

State = Literal["idle", "running", "lost", "closed"]
Stream = JackStream | PortAudioStream


class CallbackHandle(Protocol):
    """A compiled ``PaStreamCallback`` by its address, and the address of what it is handed."""

    @property
    def pointer(self) -> int: ...

    @property
    def userdata(self) -> int: ...


def stream_channels(device: DeviceChoice | None, direction: Direction) -> int:
    """Channels that a stream of the device has: 2, 1 of a mono device, 0 without a device."""
    return 0 if device is None else min(2, device.channels(direction))


class DeviceDriver:
    """The open devices; made idle, see :meth:`start`.

    Args:
        input, output: devices, of which one may be None.
        rate: in Hz.
        block_frames: most frames per call of the callback, 32 to 2048; see :attr:`block_frames`.
        callback: called with the channels that :func:`stream_channels` says.
        heartbeat: a number that changes with each call of the callback.
        tell: takes one line for the user.
        on_lost: called once after a device was lost, before the first try to open it again. All other JACK
            clients of this process (MIDI ports) must be closed there: libjack forgets a dead server only with
            the last of its clients, and opening one before that crashes.
        jack: libjack, None if there is none; ``portaudio``: loads PortAudio; ``now``: a clock in seconds.

    Raises:
        StruckError: a device does not open so.
    """

    def __init__(
        self,
        input: DeviceChoice | None,
        output: DeviceChoice | None,
        rate: int,
        block_frames: int,
        callback: CallbackHandle,
        heartbeat: Callable[[], int],
        tell: Callable[[str], None],
        on_lost: Callable[[], None] | None = None,
        *,
        jack: JackLibrary | None = None,
        portaudio: Callable[[], PortAudio] = load_portaudio,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        low, high = BLOCK_FRAMES_RANGE
        if not low <= block_frames <= high:
            raise StruckError(f"a block of {block_frames} samples: it must be {low} to {high}")
        if input is None and output is None:
            raise ValueError("neither input nor output: nothing to drive")
        self._input, self._output = input, output
        self._rate = rate
        self._asked_block_frames = block_frames
        self._callback = callback
        self._heartbeat = heartbeat
        self._tell = tell
        self._on_lost = on_lost
        self._jack = jack if jack is not None else load_jack()
        self._load_portaudio = portaudio
        self._now = now
        self._state: State = "idle"
        self._streams: list[Stream] = []
        self._dying: list[Stream] = []
        self._bridge: BridgeCallbacks | None = None
        # Callbacks that a stream which would not close may still call.
        self._kept: list[BridgeCallbacks] = []
        self.losses = 0
        # Of streams that were closed.
        self._past_xruns = 0
        self._latency_frames = 0
        self._first_channel = 1  # of the input, that is heard
        self._last_failure = ""
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._next_try = 0.0
        try:
            self._open(input, output)
        except BaseException:
            self._close_streams(_CLOSE_SECONDS)
            raise

    # what there is

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_active(self) -> bool:
        """Whether blocks are coming, as far as the devices say."""
        return self._state == "running" and all(stream.is_active for stream in self._streams)

    @property
    def finished(self) -> bool:
        """Closed for good."""
        return self._state == "closed"

    @property
    def rate(self) -> float:
        """Of the engine's callback, in Hz, as the device reports it."""
        return self._streams[-1].rate if self._streams else self._rate

    @property
    def block_frames(self) -> int:
        """Most frames per call: as asked, or a whole JACK period where that is shorter."""
        return self._streams[-1].block_frames if self._streams else self._asked_block_frames

    @property
    def period_frames(self) -> int:
        """Frames that come at once: one block, or several."""
        return self._streams[-1].period_frames if self._streams else self.block_frames

    @property
    def input_latency_seconds(self) -> float:
        """From the air to the callback, the bridge included."""
        if self._input is None or not self._streams:
            return 0.0
        bridge = 0.0 if self._bridge is None else latency_seconds(self._bridge.state)
        return self._streams[0].input_latency_seconds + bridge

    @property
    def output_latency_seconds(self) -> float:
        """From the callback to the air."""
        return self._streams[-1].output_latency_seconds if self._streams and self._output else 0.0

    @property
    def name(self) -> str:
        return " -> ".join(str(device) for device in (self._input, self._output) if device is not None)

    def stats(self) -> dict[str, int | float]:
        """Counters, flat."""
        counts: dict[str, int | float] = {"device_losses": self.losses}
        counts["device_xruns"] = self._past_xruns + self._count_xruns()
        if self._bridge is not None:
            counts |= bridge_stats(self._bridge.state)
        return counts

    # what one does

    def start(self) -> None:
        """The callback is called from now on."""
        if self._state != "idle":
            raise ValueError(f"start of a driver that is {self._state}")
        self._start_streams()

    def tell_latency(self, frames: int) -> None:
        """Tell the devices' server, where there is one, how much later than the input the output is."""
        self._latency_frames = frames
        for stream in self._streams:
            if isinstance(stream, JackStream):
                stream.tell_latency(frames)

    def choose_input(self, channel: int) -> None:
        """Hear the input's channels from this one on, counted from 1; of JACK's clients only.

        Raises:
            StruckError: there is no such channel, or none of a sound card can be chosen so.
        """
        if channel == self._first_channel:
            return
        for stream in self._streams:
            if isinstance(stream, JackStream) and stream.hears:
                stream.choose_input(channel)
                self._first_channel = channel
                return
        raise StruckError(f"channel {channel} can be had from JACK's clients only")

    def stop(self) -> None:
        """No more calls. The devices are given back; a stopped driver does not start again."""
        self.close()

    def close(self) -> None:
        """The same, in any state. A device that does not answer is left behind, and its callback kept."""
        self._close_streams(seconds=2.0)
        self._state = "closed"

    def poll(self) -> State:
        """Look whether the devices still run; try to open lost ones again, ever more rarely.

        At once, but for opening and closing: half a second for a device that does not answer when it is
        closed, five seconds for a JACK server that does not when it is opened.
        """
        if self._state == "running":
            reason = self._find_loss()
            if reason:
                self._lose(reason)
            else:
                for stream in self._streams:
                    for line in stream.reconnect():
                        self._tell(line)
        elif self._state == "lost" and self._now() >= self._next_try:
            self.reopen()
        return self._state

    def reopen(self) -> bool:
        """Try now to open lost devices again; whether they run."""
        if self._state != "lost":
            return self._state == "running"
        self._retry_seconds = min(2.0 * self._retry_seconds, _LONGEST_RETRY_SECONDS)
        self._next_try = self._now() + self._retry_seconds
        self._dying = [stream for stream in self._dying if not stream.close(0.0)]
        if self._dying:
            return False
        try:
            self._open(self._find_again(self._input), self._find_again(self._output))
            self._start_streams()
        except StruckError as error:
            self._close_streams(_CLOSE_SECONDS)
            # That it is still away is no news; why it will not open although it is there is, once.
            if not isinstance(error, MissingDevice) and str(error) != self._last_failure:
                self._tell(str(error))
                self._last_failure = str(error)
            return False
        self._last_failure = ""
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._tell(f"{self.name} is back")
        return True

    # how

    def _open(self, source: DeviceChoice | None, sink: DeviceChoice | None) -> None:
        callback, userdata = self._callback.pointer, self._callback.userdata
        block = self._asked_block_frames
        if source is None or sink is None or source.host == sink.host == JACK:
            self._streams = [self._make_stream(source, sink, self._rate, callback, userdata)]
            return
        if source.host == sink.host:
            self._check_rates(source, sink)
            try:
                self._streams = [self._make_stream(source, sink, self._rate, callback, userdata)]
                return
            except StruckError:
                self._streams = []  # as two cards of one host: bridged, which says what else is wrong
        rate = self._choose_input_rate(source)
        channels = stream_channels(source, "input")
        state = make_bridge(channels, rate, self._rate, block, block)
        bridge = BridgeCallbacks(state, block, callback, userdata)
        self._kept.append(bridge)
        self._streams = [self._make_stream(source, None, rate, bridge.write_callback, bridge.userdata)]
        self._streams.append(self._make_stream(None, sink, self._rate, bridge.read_callback, bridge.userdata))
        # A device's own buffer may be longer than a block, and PortAudio hands on all blocks in it at once.
        input_seconds, output_seconds = (stream.buffer_seconds for stream in self._streams)
        aim_bridge(
            state, max(block, round(input_seconds * rate)), max(block, round(output_seconds * self._rate))
        )
        self._bridge = bridge

    def _make_stream(
        self,
        source: DeviceChoice | None,
        sink: DeviceChoice | None,
        rate: int,
        callback: int,
        userdata: int,
    ) -> Stream:
        channels = stream_channels(source, "input"), stream_channels(sink, "output")
        device = source or sink
        assert device is not None
        if device.host == JACK:
            if self._jack is None:
                raise StruckError("JACK is not installed")
            names = source.name if source else None, sink.name if sink else None
            stream = JackStream(
                self._jack, *names, rate, self._asked_block_frames, *channels, callback, userdata
            )
            if source is not None and self._first_channel != 1:
                stream.choose_input(self._first_channel)
            return stream
        self._check_rates(source, sink, rate)
        indices = source.portaudio_index if source else None, sink.portaudio_index if sink else None
        return PortAudioStream(
            self._load_portaudio(), *indices, rate, self._asked_block_frames, *channels, callback, userdata
        )

    def _check_rates(self, source: DeviceChoice | None, sink: DeviceChoice | None, rate: int = 0) -> None:
        for device, direction in ((source, "input"), (sink, "output")):
            if device is not None and device.portaudio_index is not None:
                side = DeviceSide(device.portaudio_index, direction == "input", str(device), device.rate)
                channels = min(2, device.input_channels if direction == "input" else device.output_channels)
                self._load_portaudio().check_rate(side, channels, rate or self._rate)

    def _choose_input_rate(self, source: DeviceChoice) -> int:
        """The engine's where the device has it, else the device's own: the bridge converts."""
        if source.host == JACK:
            return round(source.rate)
        try:
            self._check_rates(source, None)
        except StruckError:
            return round(source.rate)
        return self._rate

    def _start_streams(self) -> None:
        self.tell_latency(self._latency_frames)
        for stream in self._streams:
            stream.start()
        self._state = "running"
        self._beat = self._heartbeat()
        self._beat_at = self._now()
        self._blocks_written = 0
        self._written_at = self._now()

    def _find_loss(self) -> str:
        """Why the devices are lost, or ""."""
        if any(stream.is_lost for stream in self._streams):
            return "the server ended" if self._uses_jack() else "it stopped"
        now = self._now()
        beat = self._heartbeat()
        if beat != self._beat:
            self._beat, self._beat_at = beat, now
        written = self._bridge.blocks_written if self._bridge is not None else None
        if written is None or written != self._blocks_written:
            self._blocks_written, self._written_at = written or 0, now
        if now - min(self._beat_at, self._written_at) > _SILENT_SECONDS:
            return f"no audio for {_SILENT_SECONDS:g} s"
        return ""

    def _uses_jack(self) -> bool:
        return any(device is not None and device.host == JACK for device in (self._input, self._output))

    def _lose(self, reason: str) -> None:
        self._state = "lost"
        self.losses += 1
        self._tell(f"{self.name} is gone ({reason}); waiting for it to come back")
        self._close_streams(_CLOSE_SECONDS)
        if self._on_lost is not None:
            self._on_lost()
        self._retry_seconds = _FIRST_RETRY_SECONDS / 2
        self._next_try = self._now() + _FIRST_RETRY_SECONDS

    def _count_xruns(self) -> int:
        return sum(stream.xruns for stream in self._streams if isinstance(stream, JackStream))

    def _close_streams(self, seconds: float) -> None:
        self._past_xruns += self._count_xruns()
        self._dying += [stream for stream in self._streams if not stream.close(seconds)]
        self._streams = []
        self._bridge = None
        if not self._dying:
            self._kept.clear()

    def _find_again(self, device: DeviceChoice | None) -> DeviceChoice | None:
        """A device of PortAudio under its new number; of JACK, its stream looks for itself."""
        if device is None or device.host == JACK:
            return device
        portaudio = self._load_portaudio()
        portaudio.refresh()
        for candidate in list_devices(portaudio, None).devices:
            if (candidate.host, candidate.name) == (device.host, device.name):
                return candidate
        raise MissingDevice(f"{device} is not there")
