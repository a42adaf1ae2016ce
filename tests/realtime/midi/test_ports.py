"""MIDI ports: names, arrival times, and a real JACK server whose ports come and go."""

import math
import time

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import read_field
from struck.realtime.midi import ports as midi_ports
from struck.realtime.midi.arrival import ArrivalClock
from struck.realtime.midi.connections import close_client
from struck.realtime.midi.names import PortName, find_port, parse_port_name
from struck.realtime.midi.note_sounds import NoteSettings
from struck.realtime.midi.notes import NotePlayer
from struck.realtime.midi.ports import MidiPorts, list_midi_ports

from ..rig.jack_rig import jack_server
from .midi_fakes import FakeClock, FakeStage


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


# ---- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FluidSynth", PortName(None, "FluidSynth", False)),
        ("JACK:FluidSynth", PortName("jack", "FluidSynth", False)),
        ("alsa:Midi Through:0", PortName("alsa", "Midi Through:0", False)),
        ("a2j:nano [20] (capture): MIDI 1", PortName(None, "a2j:nano [20] (capture): MIDI 1", False)),
        ("virtual", PortName(None, "", True)),
        ("virtual:keys", PortName(None, "keys", True)),
        ("jack:virtual:a:b", PortName("jack", "a:b", True)),
    ],
)
def test_names_are_taken_apart(text, name):
    assert parse_port_name(text) == name


@pytest.mark.parametrize("text", ["", "  ", "jack:", "alsa: "])
def test_empty_names_are_refused(text):
    with pytest.raises(StruckError, match="empty"):
        parse_port_name(text)


PORTS = ["nano:nano MIDI 1 20:0", "Keys:out", "Keystation:out", "struck midi output:out", "synth"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("synth", "synth"),
        ("NANO", "nano:nano MIDI 1 20:0"),
        ("nano:nano MIDI 1 24:0", "nano:nano MIDI 1 20:0"),  # plugged in again
        ("Keys:out", "Keys:out"),
        ("keystation", "Keystation:out"),
        ("struck midi", None),  # ours only by its whole name
        ("struck midi output:out", "struck midi output:out"),
        ("piano", None),
    ],
)
def test_ports_are_found(wanted, found):
    assert find_port(wanted, PORTS) == found


def test_an_ambiguous_name_is_refused():
    with pytest.raises(StruckError, match="several MIDI ports are called keys: Keys:out, Keystation:out"):
        find_port("keys", PORTS)


def test_rtmidi_missing_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rtmidi", None)
    with pytest.raises(StruckError, match="make live"):
        list_midi_ports()


# ---- arrival times -------------------------------------------------------------------------------------


def arrivals(times, delays, drift=1.0):
    clock = ArrivalClock()
    deltas = np.diff(np.asarray(times) * drift, prepend=times[0] * drift)
    return [clock.arrival(delta, t + delay) for t, delta, delay in zip(times, deltas, delays, strict=True)]


def test_late_reading_does_not_show():
    rng = np.random.default_rng(1)
    times = 100.0 + np.cumsum(rng.uniform(0.001, 0.05, 400))
    delays = rng.exponential(0.004, 400)
    delays[30] = 0.08  # another thread holds the interpreter
    found = np.asarray(arrivals(times, delays))
    assert np.all(np.diff(found) >= 0.0)
    error = found - times
    assert np.all(error >= -1e-9)  # never before it arrived
    assert np.all(error <= delays + 1e-9)
    assert error[50:].max() < 0.001
    assert np.ptp(error[200:]) < 0.0005


def test_drifting_clocks_are_followed():
    times = 100.0 + np.arange(6000) * 0.02  # two minutes, the device 100 ppm fast, then slow
    for drift in (1.0001, 0.9999):
        error = np.asarray(arrivals(times, np.full(6000, 0.0002), drift)) - times
        assert np.abs(error - 0.0002).max() < 0.0015


def test_a_forgotten_delta_starts_anew():
    clock = ArrivalClock()
    clock.arrival(0.0, 10.0)
    assert clock.arrival(0.5, 12.0) == 12.0
    assert clock.arrival(0.1, 12.15) == pytest.approx(12.1)
    # a small one is forgotten with the window
    for i in range(1, 300):
        arrival = clock.arrival(0.09, 12.15 + 0.1 * i)
        assert arrival <= 12.15 + 0.1 * i + 1e-9
    assert arrival == pytest.approx(12.15 + 0.1 * 299, abs=0.6)


@pytest.mark.parametrize("delta", [math.nan, math.inf, -1.0])
def test_impossible_deltas_do_no_harm(delta):
    clock = ArrivalClock()
    clock.arrival(0.0, 10.0)
    assert clock.arrival(delta, 10.0) == 10.0
    assert clock.arrival(0.05, 10.06) == pytest.approx(10.05)


# ---- a real server -------------------------------------------------------------------------------------


def send_until(send, condition) -> None:
    """A client that misses JACK's cycle on a busy machine misses its messages: send until one is heard."""
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end, "nothing was heard"
        send()
        time.sleep(0.03)


class Peer:
    """Another program: an rtmidi client of its own, with one port, that never outlives its server."""

    def __init__(self, direction: str) -> None:
        rtmidi = midi_ports.import_rtmidi()
        kind = rtmidi.MidiIn if direction == "input" else rtmidi.MidiOut
        self.client = kind(rtmidi.API_UNIX_JACK, name="peer")
        self.client.open_virtual_port("port")

    def close(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            close_client(client)


@pytest.fixture
def server():
    with jack_server() as server:
        yield server


@pytest.fixture
def peers(server):
    """Makes peers, and closes those that a test which fails leaves. When a client is opened, libjack frees
    those of a server that has gone; whoever closes one of them then closes what is not there, and may abort.
    """
    made = []

    def make(direction):
        made.append(Peer(direction))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def ports(server, lines):
    ports = MidiPorts(lines.append)
    yield ports
    ports.close()


@pytest.mark.jack
def test_a_virtual_input_hears_a_peer(server, ports, peers):
    got = []
    ports.open_input("virtual:keys", lambda arrival, data: got.append((arrival, data)))
    peer = peers("output")
    server.connect("peer:port", "struck midi input:keys")
    sent = [b"\x90\x3c\x64", b"\xfe", b"\xf8", b"\xf0\x7d\x01\x02\xf7", b"\xb0\x40\x7f"]
    before = time.monotonic()
    for data in sent:  # spaced, and again if lost: a client that misses JACK's cycle misses its messages
        while not got or got[-1][1] != data:
            peer.client.send_message(data)
            time.sleep(0.03)
    peer.close()
    seen = [data for _, data in got]
    assert sorted(set(seen), key=seen.index) == sent
    times = np.asarray([arrival for arrival, _ in got])
    assert before <= times[0]
    assert times[-1] <= time.monotonic()
    assert np.all(np.diff(times) >= 0.0)  # what a busy machine holds up comes at once
    assert times[-1] - times[0] > 0.01 * (len(sent) - 1)


@pytest.mark.jack
def test_a_sender_of_active_sensing_that_falls_silent_is_lost(server, ports, peers, lines):
    got, lost = [], []
    ports.open_input("virtual:keys", lambda arrival, data: got.append(data), lambda: lost.append(1))
    peer = peers("output")
    server.connect("peer:port", "struck midi input:keys")
    send_until(lambda: peer.client.send_message(b"\x90\x3c\x64"), lambda: got)
    time.sleep(0.5)
    assert not lost  # who never sends it may be silent
    send_until(lambda: peer.client.send_message(b"\xfe"), lambda: b"\xfe" in got)
    for _ in range(5):  # anything says that the cable is there
        peer.client.send_message(b"\xb0\x01\x40")
        time.sleep(0.1)
    assert not lost
    end = time.monotonic() + 10.0
    while not lost and time.monotonic() < end:
        time.sleep(0.02)
    peer.close()
    assert lost == [1]
    (line,) = lines
    assert line.endswith("has fallen silent; its notes end")


@pytest.mark.jack
def test_a_key_pressed_elsewhere_becomes_a_note_one_block_later(server, ports, peers):
    clock = FakeClock(48_000, 128)
    stage = FakeStage(48_000)
    player = NotePlayer(stage, clock, NoteSettings())
    got = []

    def receive(arrival: float, data: bytes) -> None:
        got.append(arrival)
        player.receive(arrival, data)

    ports.open_input("virtual", receive)
    peer = peers("output")
    server.connect("peer:port", "struck midi input:in")
    before = time.monotonic()
    send_until(lambda: peer.client.send_message(b"\x90\x3c\x64"), lambda: stage.calls)
    after = time.monotonic()
    peer.close()
    kind, _, event, _ = stage.calls[0]
    assert kind == "play"
    assert read_field(event.vector, "pitch") == pytest.approx(60.0, abs=0.02)
    assert before <= got[0] <= after
    late_seconds = event.onset_seconds - got[0] - 128 / 48_000
    assert -0.5 / 48_000 <= late_seconds <= 0.5 / 48_000 + 1 / 22_050


@pytest.mark.jack
def test_a_named_output_reaches_a_peer_and_is_listed(server, ports, peers):
    peer = peers("input")
    assert ("jack", "output", "peer:port") in [(p.api, p.direction, p.name) for p in list_midi_ports()]
    port = ports.open_output("PEER")
    assert port.name == "peer:port"
    got = []
    send_until(lambda: port.send(b"\x90\x3c\x64"), lambda: got.append(peer.client.get_message()) or got[-1])
    peer.close()
    assert got[-1][0] == [0x90, 0x3C, 0x64]


@pytest.mark.jack
def test_an_unknown_name_lists_those_there_are(server, ports, peers):
    with pytest.raises(StruckError, match="no MIDI input is called piano; there are none"):
        ports.open_input("piano", lambda arrival, data: None)
    peer = peers("output")
    with pytest.raises(StruckError, match="no MIDI input is called jack:piano; there are: jack:peer:port"):
        ports.open_input("jack:piano", lambda arrival, data: None)
    peer.close()
    assert "struck midi" not in " ".join(server.ports())


def test_no_midi_system_is_one_line(monkeypatch, capfd, lines):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "struck-none")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    ports = MidiPorts(lines.append)
    with pytest.raises(StruckError, match="no jack system that answers"):
        ports.open_input("jack:piano", lambda arrival, data: None)
    ports.close()
    assert capfd.readouterr().err == ""


@pytest.mark.jack
def test_a_port_goes_and_comes_back(server, ports, peers, lines):
    got, lost = [], []
    peer = peers("output")
    ports.open_input("peer", lambda arrival, data: got.append(data), on_lost=lambda: lost.append(1))
    ports.poll()
    assert lines == []
    peer.close()
    ports.poll()
    assert len(lines) == 1
    assert "lost: peer:port" in lines[0]
    wait_for(lambda: lost == [1])
    ports.poll()  # still away: nothing more to say
    assert len(lines) == 1
    peer = peers("output")
    ports.poll()
    assert len(lines) == 2
    assert "back: peer:port" in lines[1]
    send_until(lambda: peer.client.send_message(b"\x90\x3c\x64"), lambda: b"\x90\x3c\x64" in got)
    peer.close()


@pytest.mark.jack
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_server_goes_and_comes_back(server, ports, lines, capfd, end):
    got = []
    ports.open_input("virtual:keys", lambda arrival, data: got.append(data))
    output = ports.open_output("virtual:out")
    assert output.connections == 1
    getattr(server, end)()
    wait_for(lambda: not output.send(b"\xf8"))
    start = time.monotonic()
    for _ in range(20_000):  # more than JACK's buffer holds
        assert not output.send(b"\x90\x3c\x64")
    ports.poll()
    ports.poll()
    assert time.monotonic() - start < 30.0
    assert len(lines) == 2
    assert all("lost" in line and "the jack server has stopped" in line for line in lines)
    server.start()
    ports.poll()
    assert len(lines) == 4
    assert all("back" in line for line in lines[2:])
    assert output.connections == 2
    server.connect("struck midi output:out", "struck midi input:keys")
    send_until(lambda: output.send(b"\x90\x3c\x64"), lambda: b"\x90\x3c\x64" in got)
    assert capfd.readouterr().err == ""


@pytest.mark.jack
def test_a_fault_in_the_receiver_is_told_and_the_port_lives_on(server, ports, peers, lines):
    got = []

    def receive(arrival: float, data: bytes) -> None:
        if data == b"\xfa":
            raise KeyError("planted")
        got.append(data)

    ports.open_input("virtual", receive)
    peer = peers("output")
    server.connect("peer:port", "struck midi input:in")
    send_until(lambda: peer.client.send_message(b"\xfa"), lambda: lines)
    send_until(lambda: peer.client.send_message(b"\xfc"), lambda: got)
    peer.close()
    assert set(got) == {b"\xfc"}
    assert "KeyError" in lines[0]
