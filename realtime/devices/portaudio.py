"""PortAudio, through sounddevice: the library, its devices, and streams whose callback is compiled.

PortAudio does everything but JACK (why: see :mod:`struck.realtime.devices.jack`), and its JACK host must not
even become a client: that client would be dead after the server died, could not be closed, and would bring
down the next one opened. So JACK's server is hidden from it while it initialises.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from ...codec.events.errors import StruckError
from .bounded_call import GuardedCall
from .rates import advise_rate

_JACK_HOST: Final = "JACK Audio Connection Kit"
# Where JACK's library is PipeWire's own, the second stops it, else the first: a server of a name nobody has.
_HIDE_JACK: Final = {"JACK_DEFAULT_SERVER": "struck-hides-jack", "PIPEWIRE_NOJACK": "1"}
_hiding = threading.Lock()  # two threads that hide and restore would restore each other's


@contextmanager
def _hidden_jack() -> Iterator[None]:
    with _hiding:
        before = {name: os.environ.get(name) for name in _HIDE_JACK}
        os.environ.update(_HIDE_JACK)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


class PortAudio:
    """The initialised library. Its list of devices is as old as its initialisation; see :meth:`refresh`."""

    def __init__(self, sounddevice: ModuleType) -> None:
        self.sounddevice = sounddevice
        self.open_streams: set[PortAudioStream] = set()
        if any(host["name"] == _JACK_HOST for host in sounddevice.query_hostapis()):
            self.refresh()  # someone else imported sounddevice before, with JACK in sight

    def refresh(self) -> bool:
        """Look for devices anew; False, and nothing done, while a stream is open: it would be closed."""
        if self.open_streams:
            return False
        # The names are private, and the way its documentation names for this. They silence file descriptor 2
        # meanwhile: ALSA and JACK tell the screen about each device that they do not find.
        with _hidden_jack():
            self.sounddevice._terminate()
            self.sounddevice._initialize()
        return True

    def check_rate(self, device: DeviceSide, channels: int, rate: int) -> None:
        """Raises StruckError if that side of the device does not run at ``rate`` Hz so."""
        sd = self.sounddevice
        check = sd.check_input_settings if device.is_input else sd.check_output_settings
        try:
            check(device=device.index, channels=channels, dtype="float32", samplerate=rate)
        except sd.PortAudioError as error:
            if len(error.args) > 1 and error.args[1] == sd._lib.paInvalidSampleRate:
                raise StruckError(
                    f"{device.name} does not run at {rate} Hz; its own rate is {device.rate:g} Hz: "
                    + advise_rate(device.rate, "set it to 48000 Hz in the system's sound settings")
                ) from error
            raise StruckError(f"{device.name}: {_one_line(error)}") from error

    def give_up(self) -> None:
        """A call hangs inside the library: do not wait for it when the program ends."""
        # Its handler at exit would terminate the library as often as this says.
        vars(self.sounddevice)["_initialized"] = 0


@dataclass(frozen=True)
class DeviceSide:
    """One side of a device: its number in PortAudio's list, its name for messages, its own rate in Hz."""

    index: int
    is_input: bool
    name: str
    rate: float


class PortAudioStream:
    """A stream whose callback is a C function.

    Args:
        portaudio: the library.
        source: index of the input device, None for no input; ``sink``: of the output device.
        rate: in Hz.
        block_frames: frames of every call.
        input_channels, output_channels: 1 or 2.
        callback, userdata: addresses of a ``PaStreamCallback`` and of what it is handed.

    Raises:
        StruckError: the devices do not open so; the line ends with what PortAudio says.
    """

    def __init__(
        self,
        portaudio: PortAudio,
        source: int | None,
        sink: int | None,
        rate: int,
        block_frames: int,
        input_channels: int,
        output_channels: int,
        callback: int,
        userdata: int,
    ) -> None:
        sd = portaudio.sounddevice
        self._portaudio = portaudio
        self._closing: GuardedCall | None = None
        kind: str
        device: Any
        channels: Any
        if source is not None and sink is not None:
            kind, device, channels = "duplex", (source, sink), (input_channels, output_channels)
        elif source is not None:
            kind, device, channels = "input", source, input_channels
        else:
            kind, device, channels = "output", sink, output_channels
        try:
            # As python-rtmixer does it; pinned by a test.
            self._stream = sd._StreamBase(
                kind=kind,
                samplerate=rate,
                blocksize=block_frames,
                device=device,
                channels=channels,
                dtype="float32",
                latency="low",
                callback=sd._ffi.cast("void *", callback),
                userdata=sd._ffi.cast("void *", userdata),
            )
        except sd.PortAudioError as error:
            raise StruckError(f"PortAudio: {_one_line(error)}") from error
        portaudio.open_streams.add(self)
        latency = self._stream.latency
        seconds: tuple[float, float] = (
            latency if kind == "duplex" else (latency, 0.0) if kind == "input" else (0.0, latency)
        )
        self.input_latency_seconds, self.output_latency_seconds = seconds
        self.rate: float = self._stream.samplerate
        self.block_frames = self.period_frames = block_frames
        self.name = "PortAudio"
        #: What may come or go at once, at most.
        self.buffer_seconds = max(self.input_latency_seconds, self.output_latency_seconds)

    def start(self) -> None:
        """Blocks come from now on."""
        try:
            self._stream.start()
        except self._portaudio.sounddevice.PortAudioError as error:
            raise StruckError(f"PortAudio: {_one_line(error)}") from error

    @property
    def is_active(self) -> bool:
        if self._closing is not None:
            return False
        try:
            return bool(self._stream.active)
        except self._portaudio.sounddevice.PortAudioError:
            return False  # the device answers with an error: it is gone

    @property
    def is_lost(self) -> bool:
        """PortAudio does not tell a stream that lost its device from one that ended."""
        return self._closing is None and not self._stream.stopped and not self.is_active

    def reconnect(self) -> list[str]:
        """A device is connected or lost as a whole: nothing to do, no news."""
        return []

    def close(self, seconds: float = 2.0) -> bool:
        """End the stream at once. False if the device does not answer in time; it is left alone then."""
        if self._closing is None:
            self._closing = GuardedCall(self._close)
        try:
            self._closing.wait(seconds)
        except TimeoutError:
            self._portaudio.give_up()
            return False
        return True

    def _close(self) -> None:
        self._stream.close()  # aborts first where it still runs
        self._portaudio.open_streams.discard(self)


def _one_line(error: Exception) -> str:
    # PortAudioError's arguments: text, number, (host, its number, its text)
    text = str(error.args[0]).partition(":")[2].strip() or str(error)
    host = error.args[2][2] if len(error.args) > 2 and error.args[2][2] else ""
    return " ".join(f"{text} ({host})".split()) if host else " ".join(text.split())


@functools.cache
def load_portaudio() -> PortAudio:
    """The library, initialised at the first call.

    Raises:
        StruckError: it is not installed.
    """
    try:
        with _hidden_jack():
            import sounddevice
    except OSError as error:
        raise StruckError(
            "the PortAudio library is missing: install it (Debian, Ubuntu: libportaudio2)"
        ) from error
    return PortAudio(sounddevice)
