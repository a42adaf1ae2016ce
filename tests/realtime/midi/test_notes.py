"""MIDI to the stage: exact onsets, pedals, bends, zones, floods and noise; a take plays the same again."""

import random

import mido
import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, VECTOR_SIZE, read_field
from struck.codec.events.events import Event
from struck.codec.events.quantize import quantize_events, quantize_gains, quantize_vectors, restore_events
from struck.codec.takes.mpe import (
    MpeNotes,
    brightness_control,
    gain_to_velocity,
    velocity_to_gain,
    zone_messages,
)
from struck.realtime.midi.note_sounds import HIGHEST_NOTE, LOWEST_NOTE, NoteSettings
from struck.realtime.midi.notes import NOTES_AT_ONCE, NOTES_PER_SECOND, NotePlayer, map_controls

from .midi_fakes import FakeClock, FakeStage


class Rig:
    """A player on fakes; ``send`` takes a mido message's words."""

    def __init__(self, notes: NoteSettings | None = None, clock: FakeClock | None = None, **options) -> None:
        self.clock = clock or FakeClock()
        self.stage = FakeStage(self.clock.rate)
        self.player = NotePlayer(self.stage, self.clock, notes or NoteSettings(), **options)
        self.stage.calls.clear()
        self.seconds = 1.0

    def send(self, kind: str, channel: int = 0, **values) -> None:
        self.stage.key = key(values.get("note", 0), channel)
        data = mido.Message(kind, channel=channel, **values).bytes()
        self.player.receive(self.seconds, bytes(data))

    def control(self, control: int, value: int = 0, channel: int = 0) -> None:
        self.send("control_change", channel, control=control, value=value)

    def registered(self, number: int, value: int, fine: int = 0, channel: int = 0) -> None:
        for control, what in ((101, 0), (100, number), (6, value), (38, fine)):
            self.control(control, what, channel)

    def play(self, note: int = 60, velocity: int = 100, channel: int = 0) -> Event:
        self.send("note_on", channel, note=note, velocity=velocity)
        return self.stage.calls[-1][2]


def key(note: int, channel: int = 0) -> int:
    return 1 + 128 * channel + note


# ---- onset and sound -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "block"), [(44_100, 64), (48_000, 128), (96_000, 256), (22_050, 64)])
def test_onset_is_one_block_after_arrival_on_the_grid_of_takes(rate, block):
    rig = Rig(clock=FakeClock(rate, block))
    for rig.seconds in np.sort(np.random.default_rng(2).uniform(0.0, 100.0, 200)):
        event = rig.play(velocity=64)
        late_samples = event.onset_seconds * rate - (round(rig.seconds * rate) + block)
        assert 0.0 <= round(late_samples, 6) < rate / ANALYSIS_RATE
        assert event.onset_seconds * ANALYSIS_RATE == pytest.approx(
            event.onset_sample(ANALYSIS_RATE), abs=1e-6
        )
        rig.stage.calls.clear()


def test_a_take_gives_back_what_was_played():
    rig = Rig()
    events = []
    for i in range(200):
        rig.seconds = 0.01 * i
        events.append(rig.play(note=20 + i % 100, velocity=1 + i % 127))
    assert restore_events(quantize_events(events)) == events


def test_every_note_has_its_pitch():
    rig = Rig()
    for rig.seconds, note in enumerate(range(LOWEST_NOTE, HIGHEST_NOTE + 1)):
        pitch = float(read_field(rig.play(note).vector, "pitch"))
        step = 120.0 / (2 ** FIELDS[INDEX["pitch"]].bits - 2)
        assert abs(pitch - note) <= 0.51 * step  # 1.5 cents: the levels of a take
    for note in (LOWEST_NOTE - 1, HIGHEST_NOTE + 1):
        rig.stage.calls.clear()
        rig.send("note_on", note=note, velocity=100)
        assert rig.stage.calls == []
    assert rig.stage.counts["midi_out_of_range"] == 2


def test_velocity_sets_gain_and_brightness():
    rig = Rig(NoteSettings(gain_db=-6.0, velocity_brightness_db=12.0))
    loud = rig.play(velocity=127)
    rig.seconds = 2.0
    soft = rig.play(velocity=40)
    assert loud.gain_db == -6.0
    assert soft.gain_db == float(quantize_gains(np.float64(-6.0 + velocity_to_gain(40))))
    tilt = float(read_field(NoteSettings().vector, "tilt"))
    assert float(read_field(loud.vector, "tilt")) == pytest.approx(tilt, abs=0.4)
    assert float(read_field(soft.vector, "tilt")) == pytest.approx(tilt - 12.0 * (1 - 40 / 127), abs=0.4)
    other = [i for i in range(VECTOR_SIZE) if i not in (INDEX["pitch"], INDEX["tilt"])]
    assert np.array_equal(loud.vector[other], quantize_vectors(NoteSettings().vector)[other])


def test_velocity_curve_is_that_of_files():
    for velocity in range(1, 128):
        assert gain_to_velocity(velocity_to_gain(velocity)) == velocity


def test_another_sound_takes_the_next_note():
    rig = Rig()
    rig.play()
    vector = np.full(VECTOR_SIZE, 0.5, dtype=np.float32)
    rig.player.set_notes(NoteSettings(vector=vector))
    rig.seconds = 2.0
    assert rig.play().vector[INDEX["noisiness"]] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "values",
    [
        {"vector": np.zeros(31, dtype=np.float32)},
        {"vector": np.full(VECTOR_SIZE, np.nan, dtype=np.float32)},
        {"gain_db": 99.0},
        {"gain_db": float("nan")},
        {"velocity_brightness_db": -1.0},
        {"bend_range_semitones": float("nan")},
        {"channels": [16]},
    ],
)
def test_wrong_settings_are_refused(values):
    with pytest.raises(ValueError, match=r"\d"):
        NoteSettings(**values)


# ---- note-off, pedal -----------------------------------------------------------------------------------


def test_note_off_releases_after_one_block():
    rig = Rig()
    rig.play()
    rig.seconds = 1.5
    rig.send("note_off", note=60)
    assert rig.stage.taken("end") == [(key(60), 72_000 + 64)]
    rig.send("note_off", note=60)  # once is enough
    assert rig.stage.calls == []


def test_velocity_zero_is_a_note_off():
    rig = Rig()
    rig.play(channel=3)
    rig.send("note_on", 3, note=60, velocity=0)
    assert [k for k, _ in rig.stage.taken("end")] == [key(60, 3)]


def test_a_note_off_at_the_same_time_still_comes_after_the_onset():
    rig = Rig()
    for rig.seconds in np.sort(np.random.default_rng(3).uniform(0.0, 10.0, 100)):
        onset = rig.play().onset_seconds * rig.clock.rate
        rig.send("note_off", note=60)
        ((_, at_sample),) = rig.stage.taken("end")
        assert at_sample > onset


def test_a_key_struck_again_releases_the_older():
    rig = Rig()
    rig.play()
    rig.seconds = 2.0
    rig.play()
    kinds = [call[0] for call in rig.stage.calls]
    assert kinds == ["play", "end", "play"]
    onset = rig.stage.calls[2][2].onset_seconds * rig.clock.rate
    assert rig.stage.calls[1][2] == round(onset)


def test_a_key_struck_twice_at_once_is_one_note():
    rig = Rig()
    rig.play()
    rig.play()
    assert [call[0] for call in rig.stage.calls] == ["play"]
    assert rig.stage.counts["midi_dropped"] == 1


def test_without_release_notes_ring_out():
    rig = Rig(NoteSettings(release=False))
    rig.play()
    rig.send("note_off", note=60)
    assert rig.stage.taken("end") == []
    rig.control(123)  # but can be ended
    assert len(rig.stage.taken("end")) == 1


def test_the_pedal_holds_notes():
    rig = Rig()
    rig.control(64, 127)
    rig.play(60)
    rig.play(64)
    rig.send("note_off", note=60)
    assert rig.stage.taken("end") == []
    rig.control(64, 63)
    assert [k for k, _ in rig.stage.taken("end")] == [key(60)]
    rig.send("note_off", note=64)
    assert [k for k, _ in rig.stage.taken("end")] == [key(64)]


def test_a_held_note_struck_again_is_not_released_by_the_old_note_off():
    rig = Rig()
    rig.control(64, 127)
    rig.play()
    rig.send("note_off", note=60)
    rig.seconds = 2.0
    rig.play()
    assert len(rig.stage.taken("end")) == 1
    rig.control(64, 0)  # the key is down
    assert rig.stage.taken("end") == []


@pytest.mark.parametrize("control", [121, 123, 127])
def test_controllers_that_end_notes(control):
    rig = Rig()
    rig.control(64, 127)
    rig.play(60)
    rig.play(70, channel=1)
    rig.send("note_off", note=60)
    rig.control(control)
    assert [k for k, _ in rig.stage.taken("end")] == [key(60)]


@pytest.mark.parametrize("data", [b"\xb0\x78\x00", b"\xff"])
def test_all_sound_off_and_reset_are_panic(data):
    rig = Rig()
    rig.control(64, 127)
    rig.play()
    rig.player.receive(1.0, data)
    assert rig.stage.taken("panic") == [()]
    rig.send("note_off", note=60)
    assert rig.stage.calls == []


def test_a_lost_sender_leaves_no_note():
    rig = Rig()
    rig.control(64, 127)
    rig.play(60)
    rig.play(61, channel=5)
    rig.send("note_off", note=60)
    rig.player.release_all()
    assert sorted(k for k, _ in rig.stage.taken("end")) == [key(60), key(61, 5)]
    rig.play()
    rig.send("note_off", note=60)  # the pedal went with the sender
    assert len(rig.stage.taken("end")) == 1


def test_a_refused_note_needs_no_release():
    rig = Rig()
    rig.stage.full = True
    rig.send("note_on", note=60, velocity=100)
    rig.send("note_off", note=60)
    assert rig.stage.calls == []


# ---- bends, pressure, zones ----------------------------------------------------------------------------


@pytest.fixture
def held() -> Rig:
    """A note sounds on each channel."""
    return hold_all(Rig())


def hold_all(rig: Rig) -> Rig:
    for channel in range(16):
        rig.play(60, channel=channel)
    rig.stage.calls.clear()
    return rig


def expressions(rig: Rig, part: str) -> dict[int, float]:
    """By channel, what its note has been told of one part of the expression since the last call."""
    return {(k - 1) // 128: round(getattr(e, part), 4) for k, e in rig.stage.taken("express")}


def bends(rig: Rig) -> dict[int, float]:
    return expressions(rig, "bend_semitones")


def test_bends_reach_both_ends(held):
    for pitch, semitones in ((8191, 2.0), (-8192, -2.0), (0, 0.0), (-4096, -1.0)):
        held.send("pitchwheel", 2, pitch=pitch)
        assert bends(held) == {2: semitones}


def test_a_note_begins_as_its_channel_is_bent_and_pressed():
    rig = Rig(NoteSettings(pressure_db=6.0))
    rig.send("pitchwheel", 2, pitch=8191)
    rig.send("aftertouch", 2, value=127)
    rig.play(channel=2)
    ((_, _, expression),) = rig.stage.taken("play")
    assert (expression.bend_semitones, expression.level_db) == (2.0, 6.0)


def test_bend_range_is_registered_parameter_0(held):
    held.send("pitchwheel", pitch=8191)
    held.registered(0, 12, 50)
    assert bends(held)[0] == 12.5
    held.control(101, 127)
    held.control(100, 127)
    held.control(6, 1)  # now data for nothing
    held.send("pitchwheel", pitch=8191)
    assert bends(held) == {0: 12.5}
    held.control(99, 1)  # not registered
    held.control(6, 1)
    held.control(121)
    assert bends(held) == {0: 0.0}


def test_mpe_members_bend_with_their_master():
    rig = hold_all(Rig(NoteSettings(mpe=True)))
    rig.send("pitchwheel", 4, pitch=4096)
    assert bends(rig) == {4: pytest.approx(24.0, abs=0.01)}
    rig.send("pitchwheel", 0, pitch=-8192)
    found = bends(rig)
    assert set(found) == set(range(16))
    assert found[0] == found[1] == -2.0
    assert found[4] == pytest.approx(22.0, abs=0.01)
    rig.registered(0, 24, channel=1)  # one member's range is all members'
    rig.send("pitchwheel", 4, pitch=8191)
    assert bends(rig)[4] == 22.0


def test_zones_are_configured_by_registered_parameter_6(held):
    held.registered(6, 3)
    held.registered(6, 13, channel=15)  # takes one of the lower zone's
    held.stage.calls.clear()
    held.send("pitchwheel", 0, pitch=8191)
    assert set(bends(held)) == {0, 1}
    held.send("pitchwheel", 15, pitch=8191)
    assert set(bends(held)) == set(range(2, 16))
    held.send("pitchwheel", 14, pitch=8191)
    assert bends(held) == {14: 50.0}
    held.registered(6, 0, channel=15)
    held.stage.calls.clear()
    held.send("pitchwheel", 14, pitch=8191)
    assert bends(held) == {14: 2.0}
    held.registered(6, 5, channel=7)  # no master: no meaning
    assert held.stage.calls == []


@pytest.mark.parametrize(
    ("target", "level_db", "brightness_db"),
    [("level", 4.5, 0.0), ("brightness", 0.0, 4.5), ("off", 0.0, 0.0)],
)
def test_pressure_does_what_the_patch_says(target, level_db, brightness_db):
    rig = hold_all(Rig(NoteSettings(pressure=target, pressure_db=9.0)))
    rig.play(64, channel=3)
    rig.stage.calls.clear()
    rig.send("aftertouch", 3, value=63)
    pressed = rig.stage.taken("express")
    assert [k for k, _ in pressed] == [key(60, 3), key(64, 3)]
    for _, expression in pressed:
        assert expression.level_db == pytest.approx(level_db, abs=0.05)
        assert expression.brightness_db == pytest.approx(brightness_db, abs=0.05)


def test_polyphonic_pressure_is_one_keys():
    rig = hold_all(Rig())
    rig.play(64, channel=3)
    rig.stage.calls.clear()
    rig.send("polytouch", 3, note=64, value=127)
    rig.send("polytouch", 3, note=65, value=127)
    ((pressed, expression),) = rig.stage.taken("express")
    assert (pressed, expression.level_db) == (key(64, 3), NoteSettings().pressure_db)


def test_the_masters_pressure_is_its_members():
    rig = hold_all(Rig(NoteSettings(mpe=True)))
    rig.send("aftertouch", 0, value=127)
    assert set(expressions(rig, "level_db")) == set(range(16))


def test_a_member_s_pressure_and_its_master_s_go_together():
    rig = hold_all(Rig(NoteSettings(mpe=True, pressure_db=12.7)))
    rig.send("aftertouch", 4, value=100)
    assert expressions(rig, "level_db") == {4: 10.0}
    rig.send("aftertouch", 0, value=60)
    found = expressions(rig, "level_db")
    assert (found.pop(4), set(found.values())) == (10.0, {6.0})
    rig.send("aftertouch", 4, value=0)  # the master still presses
    assert expressions(rig, "level_db") == {4: 6.0}
    rig.play(72, channel=4)
    ((_, _, expression),) = rig.stage.taken("play")
    assert expression.level_db == pytest.approx(6.0)


def test_tuning_is_registered_parameters_1_and_2(held):
    held.registered(1, 0x60)  # half a semitone up, by the coarse part of 14 bits
    assert bends(held)[0] == 0.5
    held.registered(1, 0x40, 0x40)
    assert bends(held)[0] == pytest.approx(64 / 8192, abs=1e-4)
    held.registered(1, 0x40, 0)
    held.registered(2, 64 - 12)
    assert bends(held)[0] == -12.0
    held.send("pitchwheel", 0, pitch=8191)
    assert bends(held) == {0: -10.0}
    held.control(121)  # controllers are reset, tuning is none
    assert bends(held) == {0: -12.0}
    held.play(72)
    ((_, _, expression),) = held.stage.taken("play")
    assert expression.bend_semitones == -12.0


def test_an_mpe_zone_is_tuned_by_its_master():
    rig = hold_all(Rig(NoteSettings(mpe=True)))
    rig.registered(2, 64 + 5)
    assert set(bends(rig).values()) == {5.0}


def test_brightness_of_a_member_moves_its_note():
    rig = hold_all(Rig(NoteSettings(mpe=True)))
    rig.control(74, 127, channel=5)
    assert expressions(rig, "tilt") == {5: 1.0}


def test_what_one_dimension_says_leaves_the_others():
    rig = hold_all(Rig(NoteSettings(mpe=True)))
    rig.send("pitchwheel", 4, pitch=4096)
    rig.send("aftertouch", 4, value=127)
    rig.control(74, 0, channel=4)
    *_, (_, expression) = rig.stage.taken("express")
    assert expression.bend_semitones == pytest.approx(24.0, abs=0.01)
    assert (expression.level_db, expression.tilt) == (6.0, -1.0)


def test_a_note_that_has_ended_is_not_bent():
    rig = Rig()
    rig.play()
    rig.send("note_off", note=60)
    rig.stage.calls.clear()
    rig.send("pitchwheel", pitch=8191)
    assert rig.stage.calls == []


def test_the_masters_pedal_holds_its_members():
    rig = Rig(NoteSettings(mpe=True))
    rig.control(64, 127)
    rig.play(channel=5)
    rig.send("note_off", 5, note=60)
    assert rig.stage.taken("end") == []
    rig.control(64, 0)
    assert [k for k, _ in rig.stage.taken("end")] == [key(60, 5)]


def test_what_is_sent_as_mpe_is_heard_the_same():
    rng = np.random.default_rng(5)
    rig = Rig(NoteSettings(gain_db=0.0))
    for message in zone_messages():
        rig.player.receive(0.0, bytes(message.bytes()))
    notes = MpeNotes()
    for seconds in range(50):
        vector = rng.uniform(-0.8, 0.8, VECTOR_SIZE).astype(np.float32)
        event = Event(0.0, float(rng.uniform(-40.0, 0.0)), vector)
        rig.stage.calls.clear()
        for _, message in notes.start(event, seconds, seconds + 1.0):
            rig.player.receive(float(seconds), bytes(message.bytes()))
        (play,) = [call for call in rig.stage.calls if call[0] == "play"]
        _, _, heard, expression = play
        pitch = float(read_field(heard.vector, "pitch")) + expression.bend_semitones
        assert pitch == pytest.approx(float(read_field(vector, "pitch")), abs=0.03)
        assert heard.gain_db == pytest.approx(event.gain_db, abs=2.0)
        assert brightness_control(heard) == pytest.approx(brightness_control(event), abs=2)


# ---- everything else -----------------------------------------------------------------------------------


class Parameter:
    def __init__(self, name, control):
        self.name, self.control = name, control


def test_controllers_move_parameters():
    stage = FakeStage()
    parameters = [Parameter("room_mix", 91), Parameter("attack", None), Parameter("output_db", 7)]
    controls = map_controls(stage, parameters, lambda parameter, value: value / 127.0)
    assert set(controls) == {91, 7}
    rig = Rig(controls=controls)
    rig.control(91, 127)
    rig.control(7, 0, channel=9)
    rig.control(20, 5)
    assert stage.taken("control") == [("room_mix", 1.0), ("output_db", 0.0)]


def test_programs_clock_and_recording():
    programs, clock, recorded = [], [], []
    rig = Rig(
        on_program=lambda *place: programs.append(place),
        on_clock=lambda *values: clock.append(values),
        on_midi=lambda *values: recorded.append(values),
    )
    rig.send("control_change", control=0, value=2)
    rig.send("control_change", control=32, value=3)
    rig.send("program_change", program=5)
    for status in (0xFA, 0xF8, 0xFC, 0xFE):
        rig.player.receive(2.0, bytes((status,)))
    rig.player.receive(2.0, b"\xf2\x05\x01")
    rig.player.receive(2.0, b"\xf0\x7d\x01\xf7")
    assert programs == [(259, 5)]
    assert clock == [(2.0, b"\xfa"), (2.0, b"\xf8"), (2.0, b"\xfc"), (2.0, b"\xf2\x05\x01")]
    assert rig.stage.counts["midi_clock"] == 4
    assert recorded[2] == (48_000 + 64, b"\xc0\x05")
    assert [data for _, data in recorded[3:]] == [
        b"\xfa", b"\xf8", b"\xfc", b"\xf2\x05\x01", b"\xf0\x7d\x01\xf7"
    ]  # fmt: skip


def test_a_patch_that_fails_is_told():
    def load(bank, number):
        raise StruckError(f"there is no patch {number}")

    rig = Rig(on_program=load)
    rig.send("program_change", program=5)
    assert rig.stage.lines == ["MIDI: there is no patch 5"]


def test_other_channels_are_not_listened_to():
    rig = Rig(NoteSettings(channels=[2]))
    rig.send("note_on", 1, note=60, velocity=100)
    assert rig.stage.calls == []
    rig.play(channel=2)


def test_a_flood_is_bounded_and_counted():
    rig = Rig()
    sent = 20_000
    for i in range(sent):  # in one second
        rig.seconds = 5.0 + i / sent
        rig.send("note_on", note=30 + i % 60, velocity=100)
    played = len(rig.stage.taken("play"))
    assert played <= NOTES_PER_SECOND + NOTES_AT_ONCE + 1
    assert played + rig.stage.counts["midi_dropped"] == sent
    for note in range(30, 90):  # note-offs always come through
        rig.send("note_off", note=note)
    assert len(rig.stage.taken("end")) == 60


def test_hostile_bytes_never_raise_and_settings_stay_sane():
    rng = random.Random(11)
    rig = Rig(controls={control: lambda value: None for control in range(120)})
    for i in range(30_000):
        data = rng.randbytes(rng.randrange(1, 6))
        if rng.random() < 0.7:
            data = bytes((0x80 | data[0],)) + bytes(byte & 0x7F for byte in rng.randbytes(2))
        rig.seconds = 0.001 * i
        rig.player.receive(rig.seconds, data)
    for call in rig.stage.calls:
        if call[0] == "play":
            assert abs(call[3].bend_semitones) <= 2 * 97.0
        elif call[0] == "express":
            assert abs(call[2].bend_semitones) <= 2 * 97.0
        elif call[0] == "end":
            assert call[2] > 0
    assert any(call[0] == "play" for call in rig.stage.calls)
    assert rig.stage.counts["midi_rejected"] > 100
    assert rig.stage.lines == []


# ---- ends belong to who began --------------------------------------------------------------------------


class FakePhrases:
    """Remembers what its keys did; its channel is the patch's, 0 to 15."""

    def __init__(self, channel=1):
        self.channel = channel
        self.calls = []

    def note_on(self, at_sample, pitch, velocity):
        self.calls.append(("on", pitch))

    def note_off(self, at_sample, pitch):
        self.calls.append(("off", pitch))

    def release_all(self, at_sample):
        self.calls.append("all")


def names(rig):
    return [call[0] for call in rig.stage.calls]


@pytest.mark.parametrize("control", [123, 124, 125, 126, 127])
def test_all_notes_off_reaches_phrases_whatever_channels_the_patch_has(control):
    phrases = FakePhrases(channel=1)
    rig = Rig(NoteSettings(channels=[0]), phrases=phrases)
    rig.send("note_on", 1, note=40, velocity=100)
    rig.send("note_off", 1, note=40)
    rig.control(control, channel=1)
    assert phrases.calls == [("on", 40), ("off", 40), "all"]


def test_all_notes_off_reaches_what_another_patch_began_on_its_channel():
    phrases = FakePhrases(channel=1)
    rig = Rig(phrases=phrases)
    rig.play(60, channel=2)
    rig.send("note_on", 1, note=40, velocity=100)
    phrases.channel = None
    rig.player.set_notes(NoteSettings(channels=[9]))
    rig.stage.calls.clear()
    rig.control(123, channel=2)
    rig.control(123, channel=1)
    assert names(rig) == ["end"]
    assert phrases.calls == [("on", 40), "all"]


@pytest.mark.parametrize("channel", [0, 1, 7])
def test_all_sound_off_is_a_panic_on_every_channel(channel):
    rig = Rig(NoteSettings(channels=[3]), phrases=FakePhrases(channel=None))
    rig.control(120, channel=channel)
    assert names(rig) == ["panic"]


def test_a_system_reset_is_a_panic_whatever_channels_the_patch_has():
    rig = Rig(NoteSettings(channels=[3]))
    rig.player.receive(1.0, b"\xff")
    assert names(rig) == ["panic"]


def test_a_note_off_ends_what_its_key_began_also_after_a_change_of_patch():
    phrases = FakePhrases(channel=1)
    rig = Rig(phrases=phrases)
    rig.play(60, channel=0)
    rig.send("note_on", 1, note=40, velocity=100)
    phrases.channel = 0  # another patch: phrases on another channel, none of the notes' channels
    rig.player.set_notes(NoteSettings(channels=[9], release=False))
    rig.stage.calls.clear()
    rig.send("note_off", 0, note=60)
    rig.send("note_on", 1, note=40, velocity=0)
    assert [(call[0], call[1]) for call in rig.stage.calls] == [("end", key(60))]
    assert phrases.calls == [("on", 40), ("off", 40)]


def test_a_note_of_a_patch_that_lets_notes_ring_rings_on_in_the_next():
    rig = Rig(NoteSettings(release=False))
    rig.play(60)
    rig.player.set_notes(NoteSettings())
    rig.stage.calls.clear()
    rig.send("note_off", note=60)
    assert rig.stage.calls == []


@pytest.mark.parametrize("lift", [(64, 0), (121, 0)])
def test_a_pedal_is_lifted_also_where_the_patch_has_left_its_channel(lift):
    rig = Rig()
    rig.control(64, 127)
    rig.play(60)
    rig.send("note_off", note=60)
    rig.player.set_notes(NoteSettings(channels=[9]))
    rig.stage.calls.clear()
    rig.control(*lift)
    assert "end" in names(rig)
    rig.stage.calls.clear()
    rig.control(64, 127)  # but to press one is for the channels of the patch
    rig.player.set_notes(NoteSettings())
    rig.play(62)
    rig.send("note_off", note=62)
    assert names(rig)[-1] == "end"


def test_what_a_map_has_plays_nothing_but_note_offs_still_end():
    mapped = []

    def on_control(message):
        mapped.append(message)
        return message[1] == 60

    rig = Rig(on_control=on_control)
    rig.send("note_on", note=60, velocity=100)
    assert rig.stage.calls == []
    rig.send("note_on", note=61, velocity=100)
    rig.player._on_control = lambda message: True
    rig.send("note_off", note=61)
    assert [call[0] for call in rig.stage.calls] == ["play", "end"]
    assert len(mapped) == 2
