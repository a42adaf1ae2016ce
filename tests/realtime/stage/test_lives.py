"""What happens on stage to events that sound: amendments, ends, expression, controls."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order
from struck.codec.events.descriptors import read_descriptors
from struck.codec.events.event_spec import read_field
from struck.codec.playing.changes import AMENDED, ENDED, UNKNOWN
from struck.codec.playing.decoder import Decoder
from struck.realtime.stage.shaping import Expression
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd

from ...codec.playing.decoder_events import RANDOM_WEIGHTS
from .test_stage import RATE, Show, note, step, value


def heard(show, kind):
    return [sounding for sounding in show.heard if isinstance(sounding, kind)]


def position(show):
    return show.clock.position_samples()


@pytest.fixture
def show():
    return Show()


def test_amended_fields_and_descriptors_are_what_was_asked_for(show):
    sounding = show.stage.play(note(0.0), "heard")
    show.stage.amend(sounding.id, 0.1, {"decay": 4.0, "gain_db": -30.0, "pitch_hz": 440.0, "room": "hall"})
    (amended,) = heard(show, SoundingAmendment)
    assert amended.event.gain_db == -30.0
    assert value(amended.event, "room") == 3.0
    assert read_descriptors(RANDOM_WEIGHTS, amended.event).pitch_hz == pytest.approx(440.0, rel=2e-3)
    assert amended.amendment.apply(sounding.event) == amended.event
    assert amended.amendment.at_seconds == pytest.approx(0.1, abs=1 / 22_050)
    assert (amended.id, amended.event.id) == (sounding.id, sounding.id)


def test_of_corrections_that_come_together_each_acts_at_its_own_time(show):
    """Several hops of hearing may be told at once: what the last says must not be heard before its time."""
    first = show.stage.play(note(0.0, hold=1.0, release=0.5, decay=8.0), "heard")
    other = show.stage.play(note(0.0, pitch=40.0), "heard")
    show.blocks(4)
    show.stage.correct(
        [
            Amendment.of_fields(first.id, 0.05, {"hold": 0.02}),
            Amendment.of_fields(other.id, 0.05, {"pitch": 41.0}),
            Amendment.of_fields(first.id, 0.1, {"release": 0.01}),
        ]
    )
    show.stage.end(first.id, 0.1)
    amended = [s for s in heard(show, SoundingAmendment) if s.id == first.id]
    assert [s.at_sample for s in amended] == pytest.approx([0.05 * RATE, 0.1 * RATE], abs=4)
    assert [value(s.event, "release") for s in amended] == pytest.approx([0.5, 0.01], rel=0.1)
    assert [value(s.event, "hold") for s in amended] == pytest.approx([0.02, 0.02], abs=0.01)
    assert [s.id for s in heard(show, SoundingAmendment)] == [first.id, other.id, first.id]
    # it sounds until its end: an amendment that waited for a voice which is over would be counted
    show.blocks(400)
    assert show.engine.decoder.changes.numbers[UNKNOWN] == 0
    assert show.engine.decoder.changes.numbers[ENDED] == 1


def test_what_changes_nothing_is_not_sent(show):
    sounding = show.stage.play(note(0.0), "heard")
    waiting = len(show.commands())
    show.stage.amend(sounding.id, 0.1, {"pitch": value(sounding.event, "pitch")})
    assert (waiting, len(show.commands()), heard(show, SoundingAmendment)) == (1, 0, [])


@pytest.mark.parametrize(
    "changes", [{"pitch": "high"}, {"decay": float("nan")}, {"room": "cellar"}, {"colour": 1.0}]
)
def test_amendments_that_cannot_be(show, changes):
    sounding = show.stage.play(note(0.0), "heard")
    with pytest.raises(ValueError, match=next(iter(changes))):
        show.stage.amend(sounding.id, 0.1, changes)


def test_what_does_not_sound_is_counted(show):
    show.stage.amend(7, 0.1, {"pitch": 60.0})
    show.stage.end(7, 0.1)
    sounding = show.stage.play(note(0.0), "heard")
    show.stage.end(sounding.id, 0.1)
    show.stage.end(sounding.id, 0.2)
    counts = show.stage.counts()
    assert (counts["amendments_unknown"], counts["ends_unknown"]) == (1, 2)
    assert len(heard(show, SoundingEnd)) == 1


def test_an_end_comes_after_the_onset(show):
    sounding = show.stage.play(note(1.0), "midi")
    show.stage.end(sounding.id, 0.5)
    (end,) = heard(show, SoundingEnd)
    assert end.at_sample > sounding.at_sample
    assert end.end.at_seconds > sounding.event.onset_seconds


def test_expressions_are_heard_together_with_the_next_look(show):
    sounding = show.stage.play(note(0.0), "midi")
    for semitones in np.linspace(0.0, 2.0, 100):
        show.stage.express(sounding.id, Expression(bend_semitones=semitones, level_db=-6.0))
    assert show.stage.moved.is_set()
    assert heard(show, SoundingAmendment) == []
    show.stage.send_expressions()
    (amended,) = heard(show, SoundingAmendment)
    assert value(amended.event, "pitch") == pytest.approx(62.0, abs=60 * step("pitch"))
    assert amended.event.gain_db == sounding.event.gain_db - 6.0
    show.stage.send_expressions()
    assert len(heard(show, SoundingAmendment)) == 1
    assert not show.stage.moved.is_set()


def test_a_note_begins_with_its_expression(show):
    sounding = show.stage.play(note(0.0), "midi", Expression(bend_semitones=-3.0, tilt=0.5))
    assert value(sounding.event, "pitch") == pytest.approx(57.0, abs=60 * step("pitch"))
    assert sounding.event.vector[13] == pytest.approx(0.5, abs=0.02)


def test_controls_move_what_sounds(show):
    first = show.stage.play(note(0.0), "heard")
    second = show.stage.play(note(0.0, pitch=40.0), "midi")
    show.stage.set_control("transpose", 5.0)
    show.stage.send_expressions()
    amended = {s.id: value(s.event, "pitch") for s in heard(show, SoundingAmendment)}
    assert amended == pytest.approx({first.id: 65.0, second.id: 45.0}, abs=60 * step("pitch"))
    show.stage.set_control("events_db", -6.0)  # a gain of the mixer moves no event
    show.stage.send_expressions()
    assert len(heard(show, SoundingAmendment)) == 2


def test_what_finds_the_ring_full_is_sent_the_next_time(show):
    sounding = show.stage.play(note(0.0), "midi")
    show.blocks(4)
    while show.stage.play(note(1e3), "osc") is not None:
        continue
    show.stage.express(sounding.id, Expression(bend_semitones=1.0))
    show.stage.send_expressions()
    assert heard(show, SoundingAmendment) == []
    assert show.stage.moved.is_set()
    show.blocks(64)
    show.stage.send_expressions()
    assert [s.id for s in heard(show, SoundingAmendment)] == [sounding.id]


def test_a_panic_ends_what_sounds_for_all_who_listen(show):
    first = show.stage.play(note(0.0), "heard")
    second = show.stage.play(note(0.0), "midi")
    show.blocks(4)
    show.stage.panic()
    assert [s.id for s in heard(show, SoundingEnd)] == [first.id, second.id]
    show.stage.amend(first.id, 1.0, {"pitch": 50.0})
    assert show.stage.counts()["amendments_unknown"] == 1


def test_the_engine_does_what_a_take_of_it_says():
    """Notes bent, pressed and ended while blocks go by; the offline decoder plays the same samples."""
    show = Show(exact=False, voice_count=64)
    rng = np.random.default_rng(4)
    played, parts, living = [], [], []
    for block in range(400):
        seconds = 64 * block / RATE
        if block % 20 == 0:
            pitch = float(rng.uniform(40, 80))
            sounding = show.stage.play(note(seconds + 0.005, pitch=pitch, hold=2.0, release=0.2), "midi")
            living.append(sounding.id)
        if block % 7 == 3:
            bend, level_db = rng.uniform(-2, 2), rng.uniform(-12, 0)
            show.stage.express(int(rng.choice(living)), Expression(bend, level_db))
            show.stage.send_expressions()
        if block % 33 == 30:
            show.stage.end(living.pop(0), seconds + 0.01)
        if block % 50 == 25:
            show.stage.set_control("brightness_db", float(rng.uniform(-6, 6)))
            show.stage.send_expressions()
        parts.append(show.blocks())
    live = np.concatenate(parts)
    changes = show.engine.decoder.changes.numbers
    assert changes[AMENDED] > 50
    assert changes[ENDED] > 8
    items = [
        s.event if hasattr(s, "event") and not isinstance(s, SoundingAmendment) else s.item
        for s in show.heard
    ]
    assert {type(item) for item in items} >= {Amendment, End}
    decoder = Decoder(RANDOM_WEIGHTS, RATE, 64)
    for item in in_stream_order(items):
        decoder.schedule(item)
    played = np.concatenate([decoder.process(64) for _ in range(400)])
    assert np.abs(live).max() > 0.01
    # the engine limits its output; below that it only multiplies by gains of 1
    assert np.abs(live - played).max() < 2.0**-23
    assert float(read_field(show.heard[0].event.vector, "hold")) == pytest.approx(2.0, rel=0.05)
