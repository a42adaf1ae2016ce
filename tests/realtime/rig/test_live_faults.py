"""``struck live`` on stage when things break: servers, clients, ports, disks, the network, the encoder."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numba import config

from struck.codec.events.descriptors import Descriptors
from struck.codec.events.events import Event
from struck.codec.takes.reader import TakeReader
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.packets import read_message, split_packet, write_event, write_message
from struck.realtime.osc.time_tags import IMMEDIATELY

from .jack_rig import jack_server
from .live_rig import Live, live, program

pytestmark = [
    pytest.mark.jack,
    pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer"),
    pytest.mark.skipif(sys.platform != "linux", reason="the rig is a JACK server on Linux"),
]

NOTE_SECONDS = 0.25
PANIC = write_message(osc.PANIC)
PING = write_message(osc.PING)
STATS = write_message(osc.STATS)
EVENT = write_event(
    1,
    Event(0.0, -30.0, np.zeros(32, np.float32)),
    Descriptors(220.0, -20.0, 1.25, 0.005, 2.5, 0.125, "dry"),
    IMMEDIATELY,
)


@pytest.fixture(scope="module")
def one_server():
    with jack_server(block=256) as running:
        for tool in ("jack_metro", "jack_midiseq"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")
        yield running


@pytest.fixture
def server(one_server):
    """It runs, whatever a test before has done to it."""
    if not one_server.running:
        one_server.start()
    return one_server


@pytest.fixture
def peer():
    """A socket that talks to a port where struck can listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0.5)
        sender.connect(("127.0.0.1", port))
        yield sender


def address(peer):
    return f"127.0.0.1:{peer.getpeername()[1]}"


def answers(peer, seconds=120.0):
    """Whether struck answers a ping."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            peer.send(PING)
            if peer.recv(4096).startswith(b"/struck/pong"):
                return True
        except (TimeoutError, ConnectionRefusedError):
            time.sleep(0.02)
    return False


def wait_for_stat(peer, name, least, seconds=60.0):
    """Until struck says that a counter, or another of its gauges, stands that high."""
    end = time.monotonic() + seconds
    while True:
        try:
            peer.send(STATS)
            while True:
                for timed in split_packet(peer.recv(65_536)):
                    address, values = read_message(timed.message)
                    if address == f"/struck/stats/{name}" and values[0] >= least:
                        return
        except (TimeoutError, ConnectionRefusedError):
            assert time.monotonic() < end, f"{name} does not become {least}"


def metro():
    """An audio client that clicks four times a second."""
    return program("jack_metro", "--bpm", "240", "--name", "metro", "--amplitude", "0.5")


def keys():
    """A MIDI port that plays four notes a second."""
    return program("jack_midiseq", "keys", "12000", "0", "60", "6000")


def wait_for_port(server, name, seconds=30.0):
    end = time.monotonic() + seconds
    while True:
        try:
            if any(port.startswith(name) for port in server.ports()):
                return
        except (AssertionError, subprocess.TimeoutExpired):
            # a server that has just started, on a busy machine, does not always answer
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, f"no port {name}"
        time.sleep(0.05)


def check_sound(path, seconds, tolerance=0.2):
    """The recording is whole, finite, as long as the stream, and not silent."""
    sound, rate = soundfile.read(path)
    assert len(sound) / rate == pytest.approx(seconds, abs=tolerance)
    assert np.isfinite(sound).all()
    assert 1e-3 < np.abs(sound).max() <= 1.0
    assert not path.with_name(path.name + ".part").exists()
    return sound


def onsets(path):
    return np.array([event.onset_seconds for event in TakeReader(path).events()])


# ---- servers, clients and ports go away ---------------------------------------------------------------


def test_the_server_goes_and_comes_back(server, peer, tmp_path):
    take, sound, tone = tmp_path / "show.mcap", tmp_path / "show.wav", tmp_path / "tone.wav"
    soundfile.write(tone, 0.2 * np.sin(2.0 * np.pi * 3_000.0 / 48_000.0 * np.arange(24_000)), 48_000)
    began, away_seconds = time.monotonic(), 0.0
    with metro() as first, keys() as second:
        wait_for_port(server, "metro")
        wait_for_port(server, "keys")
        files = ("--record", take, "--record-audio", sound)
        with live(
            *("--input", "jack:metro", "--output", "jack:system", "--midi-in", "keys"),
            *("--osc-listen", address(peer), *files, "--dry", "0", "--backing", tone),
        ) as show:
            assert answers(peer)
            time.sleep(1.0)
            for losses, end in enumerate((server.stop, server.kill), 1):
                end()
                left = time.monotonic()
                first.kill()
                second.kill()
                wait_for_stat(peer, "device_losses", losses)
                for _ in range(600):  # more than the engine's queue takes
                    peer.send(EVENT)
                time.sleep(0.2)
                away_seconds += time.monotonic() - left
                server.start()
                with metro(), keys():
                    wait_for_port(server, "struck:out_1", 60.0)
                    wait_for_port(server, "struck midi input", 60.0)
                    time.sleep(1.2)
                    if end == server.kill:
                        server.stop()
                        wait_for_stat(peer, "device_losses", 3)
                        assert show.stop() < 20.0
            assert show.process.returncode == 0, show.words
    summary = show.summary
    seconds = summary["duration_seconds"]
    assert summary["recordings"] == {str(take): True, str(sound): True}
    # it stands still while the server is away
    assert 3.0 < seconds < time.monotonic() - began - away_seconds
    assert summary["counters"]["device_losses"] == 3
    assert summary["counters"]["events_unplayed"] >= 100  # the system may drop some of a burst
    recorded = check_sound(sound, seconds)
    spectrum = np.abs(np.fft.rfft(recorded[-24_000:, 0] * np.hanning(24_000)))
    assert spectrum[1_500] > 20.0 * np.median(spectrum[1_400:1_600])  # the backing plays again
    found = onsets(take)
    assert found.min() >= 0.0
    assert found.max() <= seconds
    # what was played while it was away does not come all at once when it is back: clicks and notes only
    assert np.histogram(found, np.arange(0.0, seconds + 0.1, 0.1))[0].max() <= 40
    kinds = [mark.value for mark in TakeReader(take).marks()]
    assert sum(mark.get("what") == "device" for mark in kinds) == 3
    lost = [mark for mark in TakeReader(take).midi() if mark.value[0] & 0xF0 == 0x90]
    assert max(note.seconds for note in lost) > seconds - 1.0
    # one line each, of three losses and of two clients; of the same within ten seconds it is told together
    for news in ("is gone", "JACK:system is back", "MIDI input lost", "MIDI input back"):
        assert 1 <= len(show.matching(news)) <= 6, show.words


def unplug(peer):
    """End a program that plays. Killed, it can stop the server for seconds; asked to end while the machine is
    held up, it may hang in its own farewell."""
    peer.terminate()
    try:
        peer.wait(20.0)
    except subprocess.TimeoutExpired:
        peer.kill()


def test_an_input_and_a_midi_port_are_unplugged_and_plugged_in_again(server, tmp_path):
    take, sound = tmp_path / "show.mcap", tmp_path / "show.wav"
    files = ("--record", take, "--record-audio", sound)
    with metro() as clicks, keys() as notes:
        wait_for_port(server, "metro")
        wait_for_port(server, "keys")
        with live(
            *("--input", "jack:metro", "--output", "jack:system", "--midi-in", "keys", *files, "--dry", "0")
        ) as show:
            time.sleep(1.0)
            for peer in (clicks, notes):
                unplug(peer)
            show.wait_for("MIDI input lost: keys")
            show.wait_for("JACK:metro is gone")
            time.sleep(0.5)
            with metro(), keys():
                show.wait_for("MIDI input back: keys")
                show.wait_for("JACK:metro is back")
                assert "metro:" in server.tool("jack_lsp", "-c", "struck:in_1")
                time.sleep(1.5)
                show.stop()
    assert show.process.returncode == 0
    assert len(show.told) == 4, show.words
    summary = show.summary
    seconds = summary["duration_seconds"]
    recorded = check_sound(sound, seconds)
    assert np.abs(recorded[-48_000:]).max() > 1e-3
    assert summary["counters"]["device_losses"] == 0
    last = [note.seconds for note in TakeReader(take).midi()][-1]
    assert last > seconds - 1.0


# ---- floods and garbage -------------------------------------------------------------------------------


def test_floods_garbage_and_damage(server, peer, tmp_path):
    """50,000 OSC packets a second, as much MIDI as goes, and an input that is not a number."""
    sound = tmp_path / "show.wav"
    with program(sys.executable, "-m", "tests.realtime.rig.bad_client") as bad:
        wait_for_port(server, "bad")
        with live(
            *("--input", "jack:bad", "--output", "jack:system", "--midi-in", "bad midi"),
            *("--osc-listen", address(peer), "--record-audio", sound, "--dry", "0"),
        ) as show:
            assert bad.poll() is None
            assert answers(peer)
            show.wait_for(r"the input is damaged: \d+ samples were NaN")
            before = show.rss_bytes
            rng = np.random.default_rng(1)
            garbage = [rng.bytes(int(size)) for size in rng.integers(0, 1_400, 500)]
            garbage += [EVENT[:cut] for cut in range(0, len(EVENT), 7)] + [
                b"#bundle\0" * 40,
                b"/struck/event\0\0\0",
            ]
            began = time.monotonic()
            for number in range(100_000):
                peer.send(garbage[number // 2 % len(garbage)] if number % 2 else EVENT)
                ahead = number / 50_000 - (time.monotonic() - began)
                if ahead > 0.002:
                    time.sleep(ahead)
            flooded = time.monotonic() - began
            peer.send(PANIC)
            assert answers(peer)
            grown = show.rss_bytes - before
            assert show.stop() < 40.0
    assert show.process.returncode == 0
    summary = show.summary
    counters = summary["counters"]
    assert grown < 60e6
    assert counters["panics"] >= 1  # garbage holds some of its own
    assert counters["osc_rejected"] > 50  # the system drops most
    assert counters["damaged_samples"] > 10_000
    assert counters["midi_messages"] > 1_000
    assert counters.get("record_dropped", 0) == 0
    assert counters["unrecorded_samples"] == 0
    # the callback has its time for all that, though all voices sound, and the machine is overloaded
    blocks = summary["duration_seconds"] * summary["rate_hz"] / summary["block_frames"]
    assert summary["callback_median_percent"] < 60.0
    assert counters.get("overruns", 0) < 0.1 * blocks
    check_sound(sound, summary["duration_seconds"])
    assert len([line for line in show.told if "damaged" in line]) <= 2 + (flooded + 5.0) / 5.0
    assert len(show.lines) < 60 + summary["duration_seconds"], show.words


# ---- the disk -----------------------------------------------------------------------------------------


def test_a_full_disk_is_told_once_and_music_goes_on(server, peer, tmp_path):
    take, sound = tmp_path / "show.mcap", tmp_path / "show.wav"
    arguments = ("--input", "none", "--output", "jack:system", "--osc-listen", address(peer), "--exact")
    with live(*arguments, "--record", take, "--record-audio", sound) as show:
        assert answers(peer)
        wait_for_stat(peer, "position_seconds", 1.2)
        written = max(path.stat().st_size for path in tmp_path.glob("*.part"))
        limit = written + 50_000
        resource.prlimit(show.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        show.wait_for("the sound recording stopped: .*; what was recorded is in")
        # as small as the take is now; the clock of its disk is its own
        small = (tmp_path / "show.mcap.part").stat().st_size + 500
        resource.prlimit(show.process.pid, resource.RLIMIT_FSIZE, (small, resource.RLIM_INFINITY))
        for _ in range(200):
            peer.send(EVENT)
            time.sleep(0.002)
        show.wait_for("the take stopped: .*; what was recorded is in")
        assert answers(peer)
        time.sleep(0.5)
        assert answers(peer)
        show.stop()
    assert show.process.returncode == 1
    assert len(show.matching("stopped")) == 2
    assert show.lines[-1].startswith("struck: ")
    assert "is not whole" in show.lines[-1]
    assert show.summary["recordings"] == {str(take): False, str(sound): False}
    assert not take.exists()
    assert not sound.exists()
    assert soundfile.info(tmp_path / "show.wav.part").duration > 0.5
    TakeReader(tmp_path / "show.mcap.part").statistics()


# ---- the encoder --------------------------------------------------------------------------------------

BROKEN_ENCODER = """
import sys
from struck.codec.hearing.following.follower import Follower
from struck.realtime.commands.cli import main
process, calls = Follower.process, []
def broken(self, samples):
    calls.append(len(samples))
    if sum(calls) > 22_050 + 22_050:  # a second after it was warmed up
        raise FloatingPointError("the encoder broke")
    return process(self, samples)
Follower.process = broken
sys.exit(main(sys.argv[1:]))
"""


def test_notes_and_the_dry_sound_go_on_without_the_encoder(server, tmp_path):
    take, sound = tmp_path / "show.mcap", tmp_path / "show.wav"
    files = ("--record", take, "--record-audio", sound)
    with metro(), keys():
        wait_for_port(server, "metro")
        wait_for_port(server, "keys")
        with live(
            *("--input", "jack:metro", "--output", "jack:system", "--midi-in", "keys", *files, "--dry", "0"),
            program=("-c", BROKEN_ENCODER),
        ) as show:
            show.wait_for("hearing failed: .*the encoder broke.*; it goes on")
            time.sleep(1.5)
            show.stop()
    assert show.process.returncode == 1
    assert show.lines[-1].startswith("struck: hearing failed: ")
    assert all("hearing failed: " in line for line in show.told), show.words
    summary = show.summary
    seconds = summary["duration_seconds"]
    assert summary["faults"] == [show.lines[-1].removeprefix("struck: ")]
    assert summary["counters"]["hearing_faults"] >= 2  # it tried again
    recorded = check_sound(sound, seconds)
    assert np.abs(recorded[-24_000:]).max() > 1e-2  # the clicks
    assert onsets(take).max() > seconds - 1.0  # the notes
    assert any(mark.value["kind"] == "fault" for mark in TakeReader(take).marks())


# ---- the end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signals", "pause", "status"),
    [
        ([signal.SIGINT, signal.SIGINT], 0.01, {0}),
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], 0.01, {0, 130}),
        ([signal.SIGTERM], 0.0, {143}),
        ([signal.SIGKILL], 0.0, {-signal.SIGKILL}),
    ],
    ids=["twice", "three times", "SIGTERM", "SIGKILL"],
)
def test_the_end(server, tmp_path, peer, signals, pause, status):
    take, sound = tmp_path / "show.mcap", tmp_path / "show.wav"
    take.write_text("an earlier take")
    arguments = ("--input", "none", "--output", "jack:system", "--osc-listen", address(peer))
    with live(*arguments, "--record", take, "--record-audio", sound) as show:
        assert answers(peer)
        for seconds in np.arange(0.0, 2.5, 0.05):
            peer.send(EVENT)
            wait_for_stat(peer, "position_seconds", seconds)
        for number in signals:
            show.send(number)
            time.sleep(pause)
        assert show.ended() in status
    if signals == [signal.SIGKILL]:
        assert take.read_text() == "an earlier take"
        assert soundfile.info(tmp_path / "show.wav.part").duration > 0.9
        assert onsets(tmp_path / "show.mcap.part").max() > 0.9
        return
    if show.process.returncode != 130:
        seconds = show.summary["duration_seconds"]
        assert TakeReader(take).duration_seconds == pytest.approx(seconds, abs=0.2)
        check_sound(sound, seconds)
        assert not list(tmp_path.glob("*.part"))
    assert len(show.matching("closing; interrupt again")) == (len(signals) > 1)


def test_a_closed_terminal_ends_in_order(server, peer, tmp_path):
    """A narrow one, whose window is closed while the picture is drawn."""
    import fcntl
    import struct
    import termios

    sound = tmp_path / "show.wav"
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 3, 9, 0, 0))
    arguments = ("--input", "none", "--output", "jack:system", "--osc-listen", address(peer))
    show = Live(
        *(*arguments, "--record-audio", sound),
        stdin=its,
        stdout=its,
        stderr=its,
        env={"TERM": "xterm"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its)
    try:
        read = os.read(ours, 65_536)
        while not answers(peer, 0.2):
            assert show.process.poll() is None, read
        peer.send(EVENT)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            read += os.read(ours, 65_536)
        assert b"Traceback" not in read
        os.close(ours)
        assert show.ended() == 128 + signal.SIGHUP
    finally:
        show.kill()
    check_sound(sound, soundfile.info(sound).duration)


def test_nobody_reads_what_it_says(server, peer, tmp_path):
    take, sound = tmp_path / "show.mcap", tmp_path / "show.wav"
    arguments = ("--input", "none", "--output", "jack:system", "--osc-listen", address(peer))
    mouth, ear = os.pipe(), os.pipe()
    show = Live(*arguments, "--record", take, "--record-audio", sound, stdout=mouth[1], stderr=ear[1])
    for end in (*mouth, *ear):
        os.close(end)
    try:
        while not answers(peer, 0.2):
            assert show.process.poll() is None
        peer.send(b"nonsense")  # worth a line
        peer.send(EVENT)
        time.sleep(1.0)
        assert answers(peer)
        show.stop()
        assert show.process.returncode == 1  # as of any command whose result nobody takes
    finally:
        show.kill()
    assert TakeReader(take).statistics().events == 1
    check_sound(sound, TakeReader(take).duration_seconds)


def test_closed_streams_do_not_get_into_a_recording(server, tmp_path):
    sound = tmp_path / "show.wav"
    command = '"$0" -m struck.realtime.commands.cli live --input none --output jack:system --duration 1'
    done = subprocess.run(
        ["sh", "-c", f'exec {command} --record-audio "$1" <&- >&- 2>&-', sys.executable, str(sound)],
        timeout=180.0,
    )
    assert done.returncode == 0
    assert soundfile.info(sound).duration >= 1.0
    assert not list(tmp_path.glob("*.part"))


def test_ctrl_c_while_a_frozen_server_is_opened(server, tmp_path):
    arguments = ("--input", "none", "--output", "jack:system", "--record", tmp_path / "show.mcap")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        show = Live(*arguments)
        time.sleep(0.5)
        maps = Path(f"/proc/{show.process.pid}/maps")
        while "libjack" not in maps.read_text():
            time.sleep(0.05)
        time.sleep(0.3)
        show.stop()
    finally:
        os.kill(server.pid, signal.SIGCONT)
        show.kill()
    assert show.process.returncode == 130
    assert show.told == ["struck: interrupted"]
    assert not list(tmp_path.iterdir())
