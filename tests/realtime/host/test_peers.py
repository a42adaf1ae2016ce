"""A performance's messages: patches alter notes, programs choose patches, what comes in is recorded."""

import socket
import struct
import time
from dataclasses import dataclass

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import read_field
from struck.codec.events.events import Event
from struck.patches.patch import load_patch, parse_patch, shipped_patches
from struck.patches.shelf import Shelf
from struck.realtime.engine.parameters import PARAMETERS
from struck.realtime.host import peers as messages_module
from struck.realtime.host.peers import Messages
from struck.realtime.host.settings import LiveSettings
from struck.realtime.phrases.beats import Beats
from struck.realtime.tempo.follower import ClockFollower

from ..osc.osc_host import FakeStage, udp_socket

PATCH = load_patch("default")


@dataclass
class Port:
    name: str
    connected: bool = True
    on_jack: bool = False

    def step_seconds(self):
        return 0.0


class Ports:
    """Stand-in for MIDI ports: the test plays into :attr:`receive`."""

    made: list["Ports"] = []  # noqa: RUF012 (emptied by the fixture)

    def __init__(self, tell):
        self.inputs, self.sent, self.closed, self.polls = {}, [], False, 0
        Ports.made.append(self)

    def open_input(self, name, on_message, on_lost):
        if name == "missing":
            raise StruckError("no MIDI input is called missing")
        self.inputs[name] = on_message
        return Port(name)

    def open_output(self, name):
        return Output(name, self.sent)

    def poll(self):
        self.polls += 1

    def close(self):
        self.closed = True


class Output:
    def __init__(self, name, sent):
        self.name, self.connected, self.connections = name, True, 1
        self._sent = sent

    def send(self, message):
        self._sent.append(bytes(message))
        return True


class Take:
    def __init__(self):
        self.entries = []

    def midi(self, at_seconds, message):
        self.entries.append(("midi", at_seconds, message))

    def osc(self, at_seconds, packet):
        self.entries.append(("osc", at_seconds, packet))


class LiveStage(FakeStage):
    """Also takes what MIDI needs, and any control of the table."""

    def __init__(self):
        super().__init__()
        self.sinks, self.panic_calls = [], []

    def set_control(self, name, value):
        self.set.append((name, value))

    def controls(self):
        return {p.name: p.default for p in PARAMETERS} | dict(self.set)

    def set_insert(self, insert, parameter, value):
        self.set.append((insert, parameter, value))

    def patch(self):
        return "default"

    def add_sink(self, sink):
        self.sinks.append(sink)

    def add_panic(self, call):
        self.panic_calls.append(call)


@pytest.fixture
def ports(monkeypatch):
    Ports.made.clear()
    monkeypatch.setattr(messages_module, "MidiPorts", Ports)
    return Ports.made


@pytest.fixture
def stage():
    return LiveStage()


@pytest.fixture
def open_messages(stage, ports):
    """Makes Messages and closes them."""
    opened = []

    def make(patch=PATCH, clock=None, beats=lambda: None, **options):
        found = Messages(
            LiveSettings(**options),
            stage,
            patch,
            Shelf(),
            lambda: {"total_seconds": 0.25},
            None,
            clock,
            beats,
        )
        opened.append(found)
        return found

    yield make
    for found in opened:
        found.close()


def test_without_ports_and_addresses_nothing_is_opened(open_messages, ports, stage):
    found = open_messages()
    found.start()
    found.poll()
    assert ports == []
    assert stage.sinks == []
    assert found.peers() == ()


def test_a_note_sounds_as_the_patch_says(open_messages, ports, stage):
    open_messages(midi_in=("keys",))
    ports[0].inputs["keys"](stage.clock.now, bytes([0x90, 57, 127]))
    (played,) = stage.played
    assert read_field(played.vector, "pitch") == pytest.approx(57.0, abs=0.02)
    assert played.gain_db == PATCH.note.gain_db
    assert read_field(played.vector, "decay") == pytest.approx(PATCH.note.sound["decay"], rel=0.06)


def test_another_patch_alters_the_notes_that_come(open_messages, ports, stage):
    found = open_messages(midi_in=("keys", "pads"))
    found.change_patch(load_patch("bells"))
    for name in ("keys", "pads"):
        ports[0].inputs[name](stage.clock.now, bytes([0x90, 57, 127]))
    bells = load_patch("bells").note
    for played in stage.played:
        assert played.gain_db == bells.gain_db
        assert read_field(played.vector, "decay") == pytest.approx(bells.sound["decay"], rel=0.06)
    ports[0].inputs["keys"](stage.clock.now + 1.0, bytes([0x80, 57, 0]))
    assert stage.ended == []  # bells ring out


def test_a_patchs_channels_are_the_only_ones(open_messages, ports, stage):
    open_messages(parse_patch("p", b"[note]\nchannels = [2]"), midi_in=("keys",))
    for status in (0x90, 0x91, 0x92):
        ports[0].inputs["keys"](stage.clock.now, bytes([status, 60, 100]))
    assert len(stage.played) == 1


def test_programs_choose_patches_and_missing_ones_are_told(open_messages, ports, stage):
    found = open_messages(midi_in=("keys",))
    names = shipped_patches()
    for number in (0, 3, len(names)):
        before = len(stage.patches) + len(stage.lines)
        ports[0].inputs["keys"](stage.clock.now, bytes([0xC0, number]))
        while len(stage.patches) + len(stage.lines) == before:
            time.sleep(0.001)
    found.close()
    assert stage.patches == [names[0], names[3]]
    told = " ".join(stage.lines)
    assert f"there is no program {len(names)} in bank 0; there are: 0 bells, 1 default" in told


def test_controllers_turn_the_table_of_parameters(open_messages, ports, stage):
    open_messages(midi_in=("keys",))
    ports[0].inputs["keys"](stage.clock.now, bytes([0xB0, 7, 64]))
    ports[0].inputs["keys"](stage.clock.now, bytes([0xB0, 72, 127]))
    assert stage.set == [("events_db", 0.0), ("decay", 10.0)]


class Phrases:
    """Writes down what its channel, the second, plays."""

    channel = 1

    def __init__(self):
        self.orders = []

    def note_on(self, at_sample, pitch, velocity):
        self.orders.append(("on", pitch, velocity))

    def note_off(self, at_sample, pitch):
        self.orders.append(("off", pitch))

    def release_all(self, at_sample):
        self.orders.append(("all",))


def test_notes_of_the_phrase_channel_are_phrases_and_no_notes(ports, stage):
    phrases = Phrases()
    patch = parse_patch("p", b"[note]\nchannels = [1]")  # whatever the notes listen to
    found = Messages(LiveSettings(midi_in=("keys",)), stage, patch, Shelf(), dict, phrases)
    for message in (
        b"\x91\x3c\x64", b"\x91\x00\x01", b"\x91\x3c\x00", b"\x81\x00\x40", b"\x90\x39\x7f", b"\x91\x7f\x7f",
    ):  # fmt: skip
        ports[0].inputs["keys"](stage.clock.now, message)
    assert phrases.orders == [("on", 60, 100), ("on", 0, 1), ("off", 60), ("off", 0), ("on", 127, 127)]
    assert len(stage.played) == 1
    found.close()


def test_all_notes_off_and_a_lost_port_end_phrases(ports, stage):
    phrases = Phrases()
    found = Messages(LiveSettings(midi_in=("keys",)), stage, PATCH, Shelf(), dict, phrases)
    ports[0].inputs["keys"](stage.clock.now, b"\xb1\x7b\x00")
    ports[0].inputs["keys"](stage.clock.now, b"\xb0\x7b\x00")
    assert phrases.orders == [("all",)]
    found._players[0].release_all()
    assert phrases.orders == [("all",), ("all",)]
    found.close()


def test_of_a_flood_of_phrases_some_are_dropped(ports, stage):
    phrases = Phrases()
    found = Messages(LiveSettings(midi_in=("keys",)), stage, PATCH, Shelf(), dict, phrases)
    for number in range(400):
        ports[0].inputs["keys"](stage.clock.now, bytes([0x91, number % 128, 100]))
    assert len(phrases.orders) == 256
    assert stage.counters["midi_dropped"] == 400 - 256
    found.close()


def test_midi_is_recorded_with_its_time(open_messages, ports, stage):
    found, take = open_messages(midi_in=("keys",)), Take()
    message = bytes([0x90, 57, 127])
    ports[0].inputs["keys"](stage.clock.now, message)  # before there is a take
    found.record(take)
    ports[0].inputs["keys"](stage.clock.now, message)
    at_sample = stage.clock.sample_at(stage.clock.now) + stage.clock.block_frames
    assert take.entries == [("midi", pytest.approx(at_sample / stage.clock.rate), message)]


def osc_message(address, *floats):
    def padded(text):
        return text.encode() + b"\0" * (4 - len(text) % 4)

    return padded(address) + padded("," + "f" * len(floats)) + struct.pack(f">{len(floats)}f", *floats)


def test_osc_comes_goes_and_is_recorded(open_messages, stage):
    receiver = udp_socket()
    target = f"127.0.0.1:{receiver.getsockname()[1]}"
    found, take = open_messages(osc_listen="127.0.0.1:0", osc_send=(target,)), Take()
    found.record(take)
    found.start()
    peers = found.peers()
    assert peers[0].startswith("OSC in 127.0.0.1:")
    assert peers[1:] == (f"OSC to {target}",)
    port = int(peers[0].rpartition(":")[2])
    packet = osc_message("/struck/control/transpose", 7.0)
    receiver.sendto(packet, ("127.0.0.1", port))
    deadline = time.monotonic() + 30.0
    while not (stage.set and take.entries) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert stage.set == [("transpose", 7.0)]
    assert [(kind, data) for kind, _, data in take.entries] == [("osc", packet)]
    event = Event(stage.clock.position_samples() / stage.clock.rate, -12.0, PATCH.note.vector)
    stage.sinks[0](stage.play(event, "heard"))
    assert b"/struck/event" in receiver.recv(4_096)
    receiver.close()


def test_events_go_out_as_mpe_and_panic_ends_them(open_messages, ports, stage):
    found = open_messages(midi_out="synth")
    assert found.peers() == ("MIDI out synth",)
    assert len(stage.sinks) == 1
    before = len(ports[0].sent)
    for call in stage.panic_calls:
        call(1.0)
    deadline = time.monotonic() + 30.0
    while not any(message[1:2] == b"\x78" for message in ports[0].sent[before:]):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_ports_that_are_away_are_shown_and_looked_for(open_messages, ports):
    found = open_messages(midi_in=("keys",))
    found._inputs[0].connected = False
    assert found.peers() == ("MIDI in keys (away)",)
    found.poll()
    assert ports[0].polls == 1


@pytest.mark.parametrize(
    "options",
    [
        {"osc_listen": "127.0.0.1:0", "midi_in": ("missing",)},
        {"midi_in": ("keys",), "osc_send": ("nonsense",)},
        {"osc_listen": "127.0.0.1:0", "osc_send": ("127.0.0.1:9", "host:70000")},
        {"osc_listen": "here"},
    ],
)
def test_what_cannot_be_had_leaves_nothing_open(options, stage, ports):
    with pytest.raises(StruckError):
        Messages(LiveSettings(**options), stage, PATCH, Shelf(), dict)
    assert all(made.closed for made in ports)


def test_the_port_of_osc_is_free_after_a_failure(stage, ports):
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    holder.close()
    with pytest.raises(StruckError, match="missing"):
        Messages(
            LiveSettings(osc_listen=f"127.0.0.1:{port}", midi_in=("missing",)), stage, PATCH, Shelf(), dict
        )
    again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    again.bind(("127.0.0.1", port))
    again.close()


def test_note_settings_keep_the_vector():
    notes = messages_module.note_settings(PATCH)
    assert np.array_equal(notes.vector, PATCH.note.vector)


def test_the_clock_of_an_input_is_followed(open_messages, ports):
    clock = ClockFollower()
    open_messages(midi_in=("keys", "pads"), clock=clock)
    for number in range(30):
        ports[0].inputs["pads"](5.0 + number / 48.0, b"\xf8")
        ports[0].inputs["keys"](5.01 + number / 48.0, b"\xf8")
    assert clock.line().tempo_bpm == pytest.approx(120.0)


def test_the_tempo_of_phrases_goes_out_as_a_clock(open_messages, ports):
    beats = Beats.of_tempo(48_000, 120.0)
    found = open_messages(clock_out="synth", beats=lambda: beats)
    assert found.peers() == ("MIDI clock out synth",)
    found.start()
    found.close()
    assert set(ports[0].sent) <= {b"\xfa", b"\xf8", b"\xfc"}
    assert ports[0].closed


def test_maps_of_files_and_of_the_patch_turn_and_recall(open_messages, ports, stage, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "struck" / "maps"
    folder.mkdir(parents=True)
    entry = '[[map]]\nsource = "cc {}"\ntakeover = "jump"\ntarget = "{}"\n'
    (folder / "keys.toml").write_text('port = "KEY"\n' + entry.format(7, "room_mix"))
    (folder / "pads.toml").write_text('port = "pads"\n' + entry.format(7, "decay"))
    (folder / "any.toml").write_text(entry.format(72, "room_mix"))  # names no port: only with --map
    (folder / "bad.toml").write_text("volume = 3\n")
    (tmp_path / "named.toml").write_text(entry.format(9, "patch/next"))
    patch = parse_patch("p", b'format = 2\n[[map]]\nsource = "wheel"\ntarget = "dry_db"\ntakeover = "jump"\n')
    found = open_messages(patch, midi_in=("keys",), maps=(tmp_path / "named.toml",))
    assert any("map bad.toml: unknown: volume (line 1); it is left out" in line for line in stage.lines)
    play = ports[0].inputs["keys"]
    for message in (b"\xb0\x07\x7f", b"\xe0\x7f\x7f", b"\xb0\x48\x7f", b"\xb0\x09\x7f"):
        play(stage.clock.now, message)
    found.change_map(parse_patch("q", b""))
    play(stage.clock.now, b"\xe0\x00\x00")
    found.close()
    assert stage.set == [("room_mix", 1.0), ("dry_db", 12.0), ("decay", 10.0)]
    assert stage.patches == ["marimba"]
