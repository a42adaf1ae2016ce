"""Streams call a compiled callback, are lost and come back."""

import inspect
import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba import config

from struck.codec.events.errors import StruckError
from struck.realtime.bench.gil_trial import measure_gil
from struck.realtime.devices.devices import DeviceChoice, read_devices
from struck.realtime.devices.driver import DeviceDriver, stream_channels
from struck.realtime.devices.jack import load_jack
from struck.realtime.devices.jack_stream import MissingDevice
from struck.realtime.devices.portaudio import load_portaudio
from struck.realtime.devices.rates import advise_rate

from ..rig.jack_rig import jack_server
from .stream_callbacks import FLAGS, FRAMES, HAD_INPUT, HAD_OUTPUT, Counting

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")
ROOT = Path(__file__).parents[3]
CARD = DeviceChoice(0, "Card", "ALSA", 2, 2, 48_000.0, 0)


def make(source, sink, callback, rate=48_000, block_frames=64, tell=lambda line: None):
    devices = read_devices()
    return DeviceDriver(
        devices.find(source, "input"), devices.find(sink, "output"), rate, block_frames, callback,
        callback.calls, tell,
    )  # fmt: skip


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


class FakeStream:
    rate, block_frames, input_latency_seconds, output_latency_seconds = 48_000.0, 64, 0.25, 0.5
    is_lost = False
    is_active = True
    closes = True
    reconnects = 0

    def start(self):
        pass

    def reconnect(self):
        self.reconnects += 1
        return []

    def close(self, seconds):
        return self.closes


class FakeDriver(DeviceDriver):
    """A driver whose streams and time are made here."""

    def __init__(self, input=CARD, output=CARD, block_frames=64):
        self.lines = []
        self.beats = 0
        self.seconds = 0.0
        self.error = None
        self.tries = []
        callback = Counting()
        super().__init__(
            input, output, 48_000, block_frames, callback, lambda: self.beats, self.lines.append,
            lambda: self.lines.append("on_lost"), now=lambda: self.seconds,
        )  # fmt: skip

    def _make_stream(self, source, sink, rate, callback, userdata):
        self.tries.append(self.seconds)
        if self.error is not None:
            raise self.error
        self.made = FakeStream()
        return self.made

    def _check_rates(self, source, sink, rate=0):
        pass

    def _find_again(self, device):
        return device

    def pass_time(self, seconds, beating=True):
        for _ in range(round(seconds / 0.5)):
            self.seconds += 0.5
            self.beats += beating
            self.poll()


def test_sounddevice_still_has_what_is_used():
    """Private names of sounddevice: when one goes, this says which."""
    sounddevice = load_portaudio().sounddevice
    parameters = inspect.signature(sounddevice._StreamBase.__init__).parameters
    for name in (
        "kind", "samplerate", "blocksize", "device", "channels", "dtype", "latency", "callback", "userdata"
    ):  # fmt: skip
        assert name in parameters, f"sounddevice._StreamBase has no argument {name!r} any more"
    assert parameters["wrap_callback"].default is None, "a C pointer as callback is not the default any more"
    for name in ("_initialize", "_terminate", "_initialized", "_ffi", "_lib"):
        assert hasattr(sounddevice, name), f"sounddevice.{name} is gone"
    assert sounddevice._lib.paInvalidSampleRate == -9997
    assert sounddevice._ffi.cast("PaStreamCallback*", sounddevice._ffi.cast("void *", 64))


@pytest.mark.parametrize("block_frames", [31, 0, -64, 2049])
def test_block_out_of_range(block_frames):
    with pytest.raises(StruckError, match="must be 32 to 2048"):
        FakeDriver(block_frames=block_frames)


def test_neither_input_nor_output():
    with pytest.raises(ValueError, match="neither"):
        FakeDriver(None, None)


def test_channels_of_a_stream():
    assert stream_channels(None, "input") == 0
    assert stream_channels(DeviceChoice(0, "a", "ALSA", 1, 8, 48e3, 0), "input") == 1
    assert stream_channels(DeviceChoice(0, "a", "ALSA", 1, 8, 48e3, 0), "output") == 2


def test_runs_and_closes():
    driver = FakeDriver()
    assert driver.state == "idle"
    driver.start()
    driver.pass_time(3.0)
    assert (driver.state, driver.is_active, driver.made.reconnects) == ("running", True, 6)
    assert (driver.input_latency_seconds, driver.output_latency_seconds) == (0.25, 0.5)
    with pytest.raises(ValueError, match="running"):
        driver.start()
    driver.close()
    driver.close()
    assert driver.finished
    assert driver.poll() == "closed"
    assert driver.reopen() is False
    assert driver.lines == []


def test_silence_of_a_second_is_a_loss():
    driver = FakeDriver()
    driver.start()
    driver.pass_time(2.0)
    driver.pass_time(1.0, beating=False)
    assert driver.state == "running"
    driver.pass_time(0.5, beating=False)
    assert driver.state == "lost"
    assert driver.lines[0] == (
        "ALSA:Card -> ALSA:Card is gone (no audio for 1 s); waiting for it to come back"
    )
    assert driver.stats()["device_losses"] == 1


def test_retries_ever_more_rarely_and_tells_once():
    driver = FakeDriver(None)
    driver.start()
    driver.made.is_lost = True
    driver.error = MissingDevice("not there")
    driver.tries.clear()
    driver.pass_time(20.0)
    assert driver.tries == [1.0, 1.5, 2.5, 4.5, 8.5, 12.5, 16.5]
    assert len(driver.lines) == 2  # gone, on_lost
    driver.error = StruckError("runs at another rate")
    driver.pass_time(10.0)
    assert driver.lines[2:] == ["runs at another rate"]
    driver.error = None
    driver.pass_time(4.0)
    assert driver.lines[3:] == ["ALSA:Card is back"]
    assert driver.state == "running"


def test_nothing_is_opened_while_a_dead_stream_does_not_close():
    driver = FakeDriver()
    driver.start()
    driver.made.is_lost = True
    driver.made.closes = False
    dead = driver.made
    driver.tries.clear()
    driver.pass_time(10.0)
    assert driver.state == "lost"
    assert driver.tries == []
    dead.closes = True
    driver.pass_time(4.0)
    assert driver.state == "running"


@pytest.mark.jack
def test_jack_calls_with_whole_blocks():
    with jack_server(block=256):
        callback = Counting()
        driver = make("default", "default", callback)
        assert driver.name == "JACK:system -> JACK:system"
        assert driver.rate == 48_000
        assert driver.block_frames == 64
        assert 0.0 < driver.output_latency_seconds < 0.1
        driver.start()
        wait_until(lambda: callback.calls() >= 100)
        assert driver.poll() == "running"
        driver.close()
        stopped = callback.calls()
        time.sleep(0.1)
        assert callback.calls() == stopped
        assert stopped % 4 == 0  # periods of four blocks
        assert callback.counts[FRAMES] == 64
        assert callback.counts[HAD_INPUT]
        assert callback.counts[HAD_OUTPUT]
        assert callback.counts[FLAGS] & ~6 == 0


@pytest.mark.jack
def test_jack_is_told_the_latency_on_the_way_through():
    """What a host reads to move a recording back: the card's own at the input, and ours at the output."""

    def spans(server, port):
        words = server.tool("jack_lsp", "-l", port)
        return {
            side: tuple(map(int, re.search(rf"{side} latency = \[ (\d+) (\d+) \]", words).groups()))
            for side in ("playback", "capture")
        }

    with jack_server(block=128) as server:
        driver = make("jack:system", "jack:system", Counting())
        driver.tell_latency(3_520)
        driver.start()
        card_in = spans(server, "system:capture_1")["capture"]
        card_out = spans(server, "system:playback_1")["playback"]

        def are(frames):
            later = tuple(n + frames for n in card_in), tuple(n + frames for n in card_out)
            return (
                spans(server, "struck:out_1")["capture"],
                spans(server, "struck:in_1")["playback"],
            ) == later

        wait_until(lambda: are(3_520))
        driver.tell_latency(100)  # other inserts
        wait_until(lambda: are(100))
        driver.close()


@pytest.mark.jack
def test_a_jack_period_shorter_than_the_block_is_the_block():
    with jack_server(block=64):
        callback = Counting()
        driver = make("none", "default", callback, block_frames=256)
        assert driver.block_frames == 64
        driver.start()
        wait_until(lambda: callback.calls() >= 10)
        driver.close()
        assert not callback.counts[HAD_INPUT]
        assert callback.counts[FRAMES] == 64


@pytest.mark.jack
def test_sound_keeps_its_level_and_its_side():
    with jack_server() as server:
        first, second, third = Counting("levels"), Counting(), Counting()
        drivers = [
            make("none", "jack:unconnected", first),
            make("jack:unconnected", "jack:unconnected", second),
            make("jack:unconnected", "none", third),
        ]
        names = ["struck", "struck-01", "struck-02"]  # JACK's suffixes
        for driver in drivers:
            driver.start()
        assert "struck:in_1" not in server.ports()
        for source, sink in itertools.pairwise(names):
            for side in (1, 2):
                server.connect(f"{source}:out_{side}", f"{sink}:in_{side}")
        wait_until(lambda: third.heard() == (0.25, 0.5))
        assert second.heard() == (0.125, 0.25)
        for driver in drivers:
            driver.close()


@pytest.mark.jack
def test_jack_at_another_rate():
    with jack_server(rate=44_100):
        callback = Counting()
        with pytest.raises(StruckError, match="runs at 44100 Hz, not 48000: use --rate 44100"):
            make("default", "default", callback)
        make("default", "default", callback, rate=44_100).close()  # nothing was left open


@pytest.mark.jack
@pytest.mark.parametrize("rate", [16_000, 32_000])
def test_jack_at_a_rate_at_which_struck_cannot_run_names_what_helps(rate):
    with jack_server(rate=rate):
        words = f"runs at {rate} Hz, not 48000: struck cannot run at that rate, so restart JACK at 48000 Hz"
        with pytest.raises(StruckError, match=words) as caught:
            make("default", "default", Counting())
    assert "--rate" not in str(caught.value)


@pytest.mark.parametrize(
    ("own_rate", "advice"),
    [
        (44_100.0, "use --rate 44100, or set it"),
        (22_050.0, "use --rate 22050, or set it"),
        (16_000.0, "struck cannot run at that rate, so set it"),
        (32_000.0, "struck cannot run at that rate, so set it"),
        (384_000.0, "struck cannot run at that rate, so set it"),
    ],
)
def test_advice_about_a_rate_can_be_followed(own_rate, advice):
    assert advise_rate(own_rate, "set it") == advice


def test_no_jack_server():
    system = DeviceChoice(0, "system", "JACK", 2, 2, 48_000.0)
    os.environ["JACK_NO_START_SERVER"] = "1"
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = "struck-nobody"
    try:
        if load_jack() is None:
            pytest.skip("libjack not installed")
        callback = Counting()
        with pytest.raises(StruckError, match="no JACK server answers"):
            DeviceDriver(system, system, 48_000, 64, callback, callback.calls, print)
    finally:
        if before is None:
            del os.environ["JACK_DEFAULT_SERVER"]
        else:
            os.environ["JACK_DEFAULT_SERVER"] = before


@pytest.mark.jack
def test_a_chosen_client_that_comes_back_is_connected_again():
    with jack_server() as server:
        performer, callback = Counting("levels"), Counting()
        player = make("none", "jack:unconnected", performer)  # is named struck, as the first
        player.start()
        driver = make("jack:struck", "jack:unconnected", callback)
        driver.start()
        wait_until(lambda: callback.heard() == (0.125, 0.25))
        player.close()
        assert driver.poll() == "running"
        wait_until(lambda: callback.heard() == (0.0, 0.0))
        player = make("none", "jack:unconnected", performer)
        player.start()
        assert "struck-01:in_1" not in server.tool("jack_lsp", "-c", "struck:out_1")
        driver.poll()
        wait_until(lambda: callback.heard() == (0.125, 0.25))
        player.close()
        driver.close()


NULL_DEVICES = """</usr/share/alsa/alsa.conf>
pcm.first { type null }
pcm.second { type null }
"""
PORTAUDIO_TRIAL = """
import time
from struck.realtime.devices.devices import read_devices
from struck.realtime.devices.driver import DeviceDriver
from tests.realtime.devices.stream_callbacks import Counting, FRAMES, HAD_INPUT, HAD_OUTPUT
devices = read_devices()
if not any(device.name == "second" for device in devices.devices):
    print("no null devices"); raise SystemExit
for source, sink in (("first", "first"), ("alsa:first", "second"), ("none", "first"), ("second", "none")):
    callback = Counting()
    driver = DeviceDriver(devices.find(source, "input"), devices.find(sink, "output"), 44_100, 64, callback,
        callback.calls, print)
    driver.start()
    while callback.calls() < 100:
        time.sleep(0.01)
    assert driver.poll() == "running" and driver.is_active
    driver.close()
    calls = callback.calls()
    time.sleep(0.05)
    assert callback.calls() == calls
    assert callback.counts[FRAMES] == 64
    assert callback.counts[HAD_INPUT] == (source != "none")
    assert callback.counts[HAD_OUTPUT] == (sink != "none")
assert read_devices(refresh=True).devices == devices.devices
print("ok")
"""


def test_portaudio_calls_the_compiled_callback(tmp_path):
    """On ALSA's null devices, which run as fast as they are asked."""
    if sys.platform != "linux" or not Path("/usr/share/alsa/alsa.conf").exists():
        pytest.skip("no ALSA here")
    (tmp_path / "asound.conf").write_text(NULL_DEVICES)
    environment = {
        **os.environ,
        "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf"),
        "JACK_DEFAULT_SERVER": "struck-nobody",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PORTAUDIO_TRIAL],
        capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment,
    )  # fmt: skip
    if done.stdout == "no null devices\n":
        pytest.skip("PortAudio does not list ALSA's null devices")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


@pytest.mark.jack
def test_a_compiled_callback_does_not_wait_for_python():
    """Blocks of 2.7 ms while two threads hold Python's lock, which each may for 5 ms."""
    compiled = python = 0.0
    with jack_server(block=128):
        jack = load_jack()
        for _ in range(4):
            trial = measure_gil(jack, 48_000, 128, 0.4)
            if trial.compiled_share > 0.9 and trial.python_share < 0.8 * trial.compiled_share:
                return
            compiled += trial.compiled_share
            python += trial.python_share
    # on a machine so busy that JACK itself does not get its time, the one still loses far less
    assert compiled > 1.25 * python
