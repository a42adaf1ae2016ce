"""Events to a live port: on time, on channels of their own, ended, and whole as system exclusive."""

import threading
import time
from dataclasses import replace

import mido
import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.takes.mpe import MEMBER_CHANNELS, gain_to_velocity, zone_messages
from struck.realtime.midi.mpe_out import MpeSender
from struck.realtime.midi.parser import parse
from struck.realtime.midi.sysex import HEADER, decode_vector, encode_vector, pack_7bit, unpack_7bit
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd, SoundingEvent

from .midi_fakes import FakeClock, FakeSounding, FakeStage

ZONE = [bytes(message.bytes()) for message in zone_messages()]


def make_event(pitch: float = 60.0, decay: float = 0.5, gain_db: float = 0.0) -> Event:
    vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
    for name, value in {"pitch": pitch, "decay": decay, "hold": 6.0}.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(0.0, gain_db, vector)


class FakeOutput:
    def __init__(self) -> None:
        self.connections = 1
        self.away = False
        self.sent: list[tuple[float, bytes]] = []

    def send(self, data: bytes) -> bool:
        if not self.away:
            self.sent.append((time.monotonic(), data))
        return not self.away


class Rig:
    """A sender on a clock that stands still until it is moved, so only ``send_due`` sends."""

    def __init__(self, **options) -> None:
        self.clock, self.stage, self.output = FakeClock(), FakeStage(), FakeOutput()
        self.sender = MpeSender(
            self.output, self.clock, self.stage.count, now=lambda: self.clock.now, **options
        )

    def queue(self, number: int, seconds: float, **values) -> None:
        self.sender(FakeSounding(number, make_event(**values), round(seconds * self.clock.rate)))

    def messages_at(self, seconds: float) -> list[mido.Message]:
        """What is sent when the clock reads ``seconds``."""
        self.clock.now = seconds
        self.sender.send_due()
        found = [mido.Message.from_bytes(data) for _, data in self.output.sent]
        self.output.sent.clear()
        return found


@pytest.fixture
def rig(monkeypatch):
    # its thread only waits: nothing may be sent behind the test's back
    monkeypatch.setattr(MpeSender, "_run", lambda self: None)
    rig = Rig()
    rig.messages_at(0.0)  # the zone
    return rig


def notes(messages: list[mido.Message], kind: str) -> list[mido.Message]:
    return [message for message in messages if message.type == kind]


def test_the_zone_is_told_first_and_after_each_connection(monkeypatch):
    monkeypatch.setattr(MpeSender, "_run", lambda self: None)
    rig = Rig()
    rig.sender.send_due()
    assert [data for _, data in rig.output.sent] == ZONE
    rig.queue(1, 0.0)
    rig.messages_at(0.0)
    rig.output.connections = 2
    assert len(rig.messages_at(0.1)) == len(ZONE)
    assert rig.messages_at(2.0) == []  # what sounded before the connection has no note-off to come


def test_notes_start_and_end_when_they_sound(rig):
    rig.queue(2, 1.0, pitch=60.25)
    rig.queue(1, 0.5, pitch=48.0)
    assert rig.messages_at(0.49) == []
    bend, brightness, note = rig.messages_at(0.5)
    assert (note.type, note.note, note.velocity) == ("note_on", 48, 127)
    assert (brightness.control, brightness.channel) == (74, note.channel)
    assert (bend.pitch, bend.channel) == (0, note.channel)
    off, bend, _, second = rig.messages_at(1.01)
    assert (off.type, off.note, off.channel) == ("note_off", 48, note.channel)
    assert second.note == 60
    assert bend.pitch == pytest.approx(0.25 / 48 * 8192, abs=1.0)
    assert second.channel != note.channel
    assert len(rig.messages_at(1.52)) == 1
    assert rig.stage.counts["midi_out_sent"] == 2


def test_every_sounding_note_has_a_channel_and_the_first_to_end_gives_its_own(rig):
    for i in range(16):
        rig.queue(i, 0.0, pitch=40.0 + i, decay=1.0 if i == 5 else 3.0)
    messages = rig.messages_at(0.0)
    channels = [message.channel for message in notes(messages, "note_on")]
    assert sorted(channels[:15]) == list(MEMBER_CHANNELS)
    (off,) = notes(messages, "note_off")
    assert off.note == 45
    assert channels[15] == channels[5]
    assert len(notes(rig.messages_at(9.0), "note_off")) == 15


def test_late_events_and_a_missing_port_are_counted(rig):
    rig.queue(1, 0.0)
    assert rig.messages_at(1.0) == []
    assert rig.stage.counts["midi_out_dropped"] == 1
    rig.output.away = True
    rig.queue(2, 1.0)
    rig.messages_at(1.0)
    assert rig.stage.counts["midi_out_dropped"] == 2
    assert rig.stage.counts["midi_out_sent"] == 0


def test_the_queue_is_bounded(rig):
    for i in range(3_000):
        rig.queue(i, 5.0)
    assert rig.stage.counts["midi_out_dropped"] == 3_000 - 1_024


def wait_for(condition) -> None:
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.mark.wall_clock
def test_the_thread_sends_on_time_and_ends_all_notes():
    output, clock, stage = FakeOutput(), FakeClock(), FakeStage()
    sender = MpeSender(output, clock, stage.count)
    start = time.monotonic() + 0.1
    due = start + 0.05 * np.arange(11)
    for i, seconds in enumerate(due):
        sender(FakeSounding(i, make_event(60.0 + i, decay=20.0), clock.sample_at(seconds)))
    wait_for(lambda: stage.counts["midi_out_sent"] == 11)
    late_seconds = [seconds for seconds, data in output.sent if data[0] & 0xF0 == 0x90] - due
    assert late_seconds.min() > -0.001
    assert np.median(late_seconds) < 0.04  # a busy machine may hold up some
    sender(FakeSounding(9, make_event(), clock.sample_at(start + 60.0)))
    sender.panic()
    wait_for(lambda: len([1 for _, data in output.sent if data[1] == 120]) == 16)
    offs = [data for _, data in output.sent if data[0] & 0xF0 == 0x80]
    assert sorted(data[1] for data in offs) == list(range(60, 71))
    output.sent.clear()
    sender.close()
    sender(FakeSounding(10, make_event(), 0))  # closed: nothing happens
    assert not [thread for thread in threading.enumerate() if thread.name == "midi output"]
    assert all(data[0] & 0xF0 == 0xB0 for _, data in output.sent)


# ---- system exclusive ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(20))
def test_seven_bits_round_trip(size):
    data = np.random.default_rng(size).bytes(size)
    packed = pack_7bit(data)
    assert all(byte < 128 for byte in packed)
    assert unpack_7bit(packed) == data


def test_vectors_round_trip():
    rng = np.random.default_rng(4)
    for number in (0, 1, 2**32 - 1):
        event = Event(3.0, float(np.float32(rng.uniform(-90, 12))), rng.uniform(-1, 1, VECTOR_SIZE))
        data = encode_vector(event, number, 7, 99)
        assert len(data) == 164
        assert parse(data) == ([data], 0)
        message = decode_vector(data)
        assert (message.id, message.channel, message.note) == (number, 7, 99)
        assert message.gain_db == event.gain_db
        assert np.array_equal(message.vector, event.vector)


def test_damaged_vectors_are_refused():
    data = encode_vector(make_event(), 1, 2, 3)
    for broken in (
        b"",
        data[:-1],
        data[:-2] + b"\xf7",
        b"\xf0\x7e" + data[2:],
        data + b"\xf7",
        HEADER + b"\xf7",
    ):
        with pytest.raises(ValueError, match="not a struck vector message"):
            decode_vector(broken)
    rng = np.random.default_rng(6)
    for _ in range(2_000):
        broken = bytearray(data)
        broken[rng.integers(len(HEADER), len(data) - 1)] = rng.integers(256)
        try:
            vector = decode_vector(bytes(broken)).vector
        except ValueError:
            continue
        assert np.all(np.abs(vector) <= 1.0)


def test_the_vector_stands_before_its_note(monkeypatch):
    monkeypatch.setattr(MpeSender, "_run", lambda self: None)
    rig = Rig(sysex=True)
    rig.messages_at(0.0)
    rig.queue(77, 0.0, pitch=64.0)
    messages = rig.messages_at(0.0)
    assert [message.type for message in messages] == ["pitchwheel", "control_change", "sysex", "note_on"]
    decoded = decode_vector(bytes(messages[2].bytes()))
    assert (decoded.id, decoded.channel, decoded.note) == (77, messages[3].channel, 64)


# ---- what becomes of a note ----------------------------------------------------------------------------


def test_a_note_is_bent_pressed_and_ended_as_its_event_is(rig):
    event = replace(make_event(decay=30.0, gain_db=-12.0), id=9)
    rig.sender(SoundingEvent(9, event, 48_000, "heard"))
    (on,) = notes(rig.messages_at(1.0), "note_on")
    amendment = Amendment.of_fields(9, 2.0, {"pitch": 62.0, "tilt": 0.0}, gain_db=-24.0)
    rig.sender(SoundingAmendment(9, amendment, amendment.apply(event), 96_000, "heard"))
    assert rig.messages_at(1.9) == []
    sent = rig.messages_at(2.1)
    assert {message.channel for message in sent} == {on.channel}
    (bend,) = notes(sent, "pitchwheel")
    assert bend.pitch / 8192 * 48 == pytest.approx(2.0, abs=0.03)
    (pressure,) = notes(sent, "aftertouch")
    assert pressure.value == gain_to_velocity(-24.0)
    assert [message.control for message in notes(sent, "control_change")] == [74]
    rig.sender(SoundingEnd(9, End(9, 3.0), 144_000, "heard"))
    assert notes(rig.messages_at(2.9), "note_off") == []
    assert [message.note for message in notes(rig.messages_at(3.0), "note_off")] == [on.note]


def test_amendments_and_ends_of_what_was_not_sent_send_nothing(rig):
    amendment = Amendment(5, 1.0, -6.0)
    rig.sender(SoundingAmendment(5, amendment, make_event(), 48_000, "heard"))
    rig.sender(SoundingEnd(5, End(5, 1.0), 48_000, "heard"))
    assert rig.messages_at(2.0) == []


def test_what_is_taken_back_before_it_sounds_is_no_note(rig):
    rig.queue(1, 1.0)
    rig.queue(2, 1.0)
    at_sample = rig.clock.rate
    rig.sender(SoundingEnd(1, End(1, 1.0), at_sample, "heard"))
    rig.sender(SoundingEnd(2, End(2, 1.5), round(1.5 * at_sample), "heard"))
    sent = rig.messages_at(1.0)
    assert [message.note for message in notes(sent, "note_on")] == [60]
    assert notes(sent, "note_off") == []
    assert len(notes(rig.messages_at(1.5), "note_off")) == 1
