"""Events on instruments: which message comes at which sample; a real instrument hears exactly these."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.events.lives import sounding_seconds
from struck.patches.insert_patch import InsertPatch
from struck.realtime.inserts.instruments.instrument import Instrument
from struck.realtime.inserts.instruments.note_rows import StreamNotes, send_sounding
from struck.realtime.inserts.plugins.group import PluginGroup
from struck.realtime.inserts.rack.process import COMMAND
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd, SoundingEvent

from .plugin_bench import BLOCK, open_named, run
from .rack_host import RATE, RackHost, insert
from .test_lv2 import MDA, opened

ON, OFF, PRESSURE, KEY_PRESSURE, CONTROL, BEND = 0x90, 0x80, 0xD0, 0xA0, 0xB0, 0xE0


def event(at_sample, id=None, pitch=60.0, gain_db=-12.0, tilt=0.0, decay=0.5, hold=5.0):
    vector = np.zeros(VECTOR_SIZE, np.float32)
    for name, value in (("pitch", pitch), ("decay", decay), ("hold", hold)):
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    vector[INDEX["tilt"]] = tilt
    return Event(at_sample / RATE, gain_db, vector, id)


def faded(found):
    """Sample at which an event has faded."""
    return found.onset_sample(RATE) + round(sounding_seconds(found) * RATE)


class Player:
    """An instrument and what sends to it."""

    def __init__(self, mpe=False, voices=0, late_samples=0):
        self.instrument = Instrument(RATE, mpe, voices, late_samples)
        self.notes = StreamNotes(self.send, RATE)
        self.position = 0

    def send(self, kind, at_sample, event_id, *values):
        row = np.zeros(8)
        row[: 4 + len(values)] = kind, at_sample, 0, event_id, *values
        self.instrument.take(row)
        return True

    def hear(self, *items):
        for item in items:
            self.notes.hear(item)

    def play(self, end, frames=BLOCK):
        """Messages up to block in which ``end`` is, each with its sample."""
        found = []
        while self.position < end:
            found += [(self.position + f, *m) for f, m in self.instrument.messages(self.position, frames)]
            self.position += frames
        return found


def test_a_note_begins_and_ends_at_its_samples_on_the_nearest_key():
    player = Player()
    first = event(1_000, 1, pitch=60.3)
    player.hear(first, event(1_001, 2, pitch=67.6), End(2, 2_345 / RATE))
    assert player.play(48_000) == [
        (1_000, ON, 60, 64),
        (1_001, ON, 68, 64),
        (2_345, OFF, 68, 64),
        (faded(first), OFF, 60, 64),
    ]


@pytest.mark.parametrize("frames", [32, 64, 256])
def test_blocks_change_nothing(frames):
    player = Player(mpe=True)
    items = [event(500 + 777 * n, n, pitch=50.0 + 1.3 * n) for n in range(20)]
    items += [Amendment.of_fields(n, (900 + 777 * n) / RATE, {"pitch": 51.0 + 1.3 * n}) for n in range(20)]
    player.hear(*items[:20], *items[20:])
    other = Player(mpe=True)
    other.hear(*items)
    assert player.play(60_000, frames) == other.play(60_000)


def test_rows_may_come_in_any_order_before_their_samples():
    player = Player()
    player.notes.hear(event(3_000, 1, pitch=70.0))
    player.notes.hear(event(1_000, 2, pitch=50.0, decay=0.02))
    assert [(at, *m[:2]) for at, *m in player.play(3_100)][::2] == [(1_000, ON, 50), (3_000, ON, 70)]


def test_what_becomes_of_an_event_is_bend_pressure_and_brightness_on_its_own_channel():
    player = Player(mpe=True)
    player.hear(event(1_000, 7, pitch=60.25, tilt=0.0), event(1_500, 8, pitch=72.0))
    bend = round(0.25 / 48 * 8192) + 8192
    assert player.play(1_024) == [
        (1_000, BEND | 1, bend & 127, bend >> 7),
        (1_000, CONTROL | 1, 74, 64),
        (1_000, ON | 1, 60, 64),
    ]
    player.play(2_000)
    changed = np.full(VECTOR_SIZE, np.nan, np.float32)
    changed[INDEX["tilt"]] = 1.0
    player.hear(Amendment.of_fields(7, 3_001 / RATE, {"pitch": 61.0}))
    player.hear(Amendment(7, 4_002 / RATE, -6.0), Amendment(7, 5_003 / RATE, vector=changed))
    bend = round(1.0 / 48 * 8192) + 8192
    assert player.play(6_000) == [
        (3_001, BEND | 1, bend & 127, bend >> 7),
        (4_002, PRESSURE | 1, 90),
        (5_003, CONTROL | 1, 74, 127),
    ]


def test_on_the_nearest_key_only_the_level_is_amended():
    player = Player()
    player.hear(event(1_000, 7), Amendment.of_fields(7, 1_500 / RATE, {"pitch": 66.0}))
    player.hear(Amendment(7, 2_000 / RATE, -6.0))
    assert player.play(2_500) == [(1_000, ON, 60, 64), (2_000, KEY_PRESSURE, 60, 90)]


def test_voices_bend_by_two_semitones_each_on_its_own_channel():
    player = Player(voices=2)
    assert player.instrument.set_up()[2] == bytes((CONTROL, 6, 2))
    player.hear(event(100, 1, pitch=60.5), event(200, 2, pitch=64.0), event(300, 3, pitch=67.0))
    found = player.play(400)
    ons = [message for message in found if message[1] & 0xF0 == ON]
    assert [(at, status & 15, key) for at, status, key, _ in ons] == [
        (100, 0, 60),
        (200, 1, 64),
        (300, 0, 67),
    ]
    bend = round(0.5 / 2 * 8192) + 8192
    assert (100, BEND | 0, bend & 127, bend >> 7) in found
    assert (300, OFF | 0, 60, 64) in found  # the one that would have ended first makes room


def test_an_event_that_is_amended_to_ring_on_does():
    player = Player()
    player.hear(event(1_000, 7, decay=0.1), Amendment.of_fields(7, 1_500 / RATE, {"decay": 0.6}))
    (_, end) = player.play(96_000)
    assert abs(end[0] - faded(event(1_000, 7, decay=0.6))) <= 1


def sound(items):
    player = Player()
    for item in items:
        send_sounding(player.send, item, RATE)
    return player


def heard(at_sample, id, origin):
    return SoundingEvent(id, event(at_sample, id), at_sample, origin)


def test_what_was_heard_and_taken_back_is_not_played_and_a_short_key_is():
    for origin, messages in (("heard", 0), ("midi", 2)):
        end = SoundingEnd(7, End(7, 1_002 / RATE), 1_002, origin)
        assert len(sound([heard(1_000, 7, origin), end]).play(2_000)) == messages
    # one that has begun ends
    player = sound([heard(1_000, 7, "heard")])
    player.play(1_024)
    send_sounding(player.send, SoundingEnd(7, End(7, 1_100 / RATE), 1_100, "heard"), RATE)
    assert player.play(2_000) == [(1_100, OFF, 60, 64)]


def test_the_stages_amendments_arrive():
    player = sound([heard(1_000, 7, "osc")])
    louder = Amendment(7, 1_500 / RATE, -6.0)
    item = SoundingAmendment(7, louder, louder.apply(event(1_000, 7)), 1_500, "osc")
    send_sounding(player.send, item, RATE)
    assert (1_500, KEY_PRESSURE, 60, 90) in player.play(2_000)


def test_what_comes_too_late_sounds_at_once_and_is_counted():
    player = Player()
    player.play(1_000)
    player.hear(event(500, 1))
    assert player.play(2_000)[0] == (1_024, ON, 60, 64)
    assert player.instrument.late_count == 1


def test_the_same_key_again_ends_what_sounds_on_it():
    player = Player()
    player.hear(event(100, 1), event(500, 2), End(1, 600 / RATE))
    assert player.play(1_000) == [(100, ON, 60, 64), (500, OFF, 60, 64), (500, ON, 60, 64)]


def test_all_notes_end_where_the_rack_leaves_and_at_a_panic():
    player = Player(mpe=True)
    player.hear(event(100, 1), event(110, 2), event(5_000, 3))
    player.play(1_000)
    player.instrument.release()
    player.hear(event(2_000, 4))
    assert [(at, m[0] & 0xF0) for at, *m in player.play(8_000)] == [(1_024, OFF), (1_024, OFF)]
    player = Player(mpe=True)
    player.hear(event(100, 1), event(5_000, 3))
    player.play(1_000)
    messages = player.instrument.panic()
    for number in (120, 123):
        assert all(bytes((CONTROL | channel, number, 0)) in messages for channel in range(16))
    player.hear(End(1, 2_000 / RATE), event(3_000, 5))
    assert [(at, m[0] & 0xF0) for at, *m in player.play(6_000)][-1] == (3_000, ON)


def test_a_group_gives_each_channel_an_instrument_of_its_own():
    opened(MDA + "JX10").close()
    silence = np.zeros((2, 100 * BLOCK), np.float32)
    both = PluginGroup(lambda: open_named("lv2", MDA + "JX10"), 2)
    notes = [(100, bytes((ON, 60, 100))), (900, bytes((ON | 1, 67, 100))), (2_000, bytes((BEND | 1, 0, 127)))]
    alone = [
        run(open_named("lv2", MDA + "JX10"), silence, [(100, bytes((ON, 60, 100)))]),
        run(
            open_named("lv2", MDA + "JX10"),
            silence,
            [(900, bytes((ON, 67, 100))), (2_000, bytes((BEND, 0, 127)))],
        ),
    ]
    np.testing.assert_allclose(run(both, silence, notes), alone[0] + alone[1], atol=1e-6)
    both.close()


@pytest.mark.parametrize(("name", "voices"), [("Piano", 0), ("EPiano", 0), ("JX10", 3)])
def test_a_real_instrument_hears_exactly_these_messages(name, voices):
    """Through the rack it gives the bits that it gives when it is played by hand, so much later."""
    opened(MDA + name).close()
    items = [
        event(1_003, 1, pitch=60.4),
        event(4_801, 2, pitch=64.0, gain_db=-6.0),
        Amendment(1, 6_007 / RATE, -3.0),
        Amendment.of_fields(1, 7_011 / RATE, {"pitch": 61.4}),
        End(1, 9_999 / RATE),
        End(2, 20_001 / RATE),
    ]
    with RackHost(BLOCK, command=COMMAND) as host:
        host.change(insert(MDA + name, place="events", name="instrument", voices=voices))
        rack = host.bay.rack
        notes = StreamNotes(rack.note_sender(0), RATE)
        for item in items:
            notes.hear(item)
        silence = np.zeros((40_960, 2), np.float32)
        out = host.play(silence, lane=1)
        late = rack.delay_frames + rack.latency_samples[1]
        assert rack.counters()["insert_late_notes"] == 0
    player = Player(voices=voices)
    player.hear(*items)
    messages = [(at, bytes(message)) for at, *message in player.play(40_960)]
    patch = InsertPatch("events", "lv2", MDA + name, voices=voices)

    def open_one():
        return open_named("lv2", patch.plugin)

    by_hand = PluginGroup(open_one, voices) if voices else open_one()
    run(by_hand, np.zeros((2, 16 * BLOCK), np.float32))  # as the rack warms it up
    for message in player.instrument.set_up():
        by_hand.note(0, message)
    run(by_hand, np.zeros((2, BLOCK), np.float32))
    expected = run(by_hand, np.ascontiguousarray(silence.T), messages).T
    assert np.abs(expected[:1_003]).max() == 0.0
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(out[late:], expected[:-late], atol=1e-6)
