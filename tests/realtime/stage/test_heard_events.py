"""What is heard, on stage: ids, thresholds, corrections through controls, and what is taken back."""

from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.codec.playing.decoder import Decoder
from struck.realtime.engine.state import POSITION
from struck.realtime.stage.heard_events import HeardEvents
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd, SoundingEvent

from ...codec.playing.decoder_events import RANDOM_WEIGHTS
from .test_stage import RATE, Show, note, step, value


class HeardShow(Show):
    """A stage and what is heard on it."""

    def __init__(self, **others):
        super().__init__(**others)
        self.events = HeardEvents(self.stage)

    def tell(self, *items):
        self.events.tell(items)

    def told(self, kind):
        return [sounding for sounding in self.heard if isinstance(sounding, kind)]


def heard_note(id, onset_seconds=0.1, gain_db=-20.0, **values):
    return replace(note(onset_seconds, **values), gain_db=gain_db, id=id)


def at(samples):
    """A time of the analysis grid, in seconds."""
    return samples / ANALYSIS_RATE


@pytest.fixture
def show():
    return HeardShow()


def test_ids_of_a_stream_become_the_stages(show):
    show.stage.play(note(0.0), "midi")
    show.tell(heard_note(0), heard_note(7, pitch=40.0))
    show.tell(Amendment(7, 0.2, -25.0), End(0, 0.3))
    first, second = show.told(SoundingEvent)[1:]
    (amended,), (ended,) = show.told(SoundingAmendment), show.told(SoundingEnd)
    assert (amended.id, ended.id) == (second.id, first.id) == (3, 2)
    assert amended.event.gain_db == -25.0
    assert {amended.origin, ended.origin} == {"heard"}


def test_what_is_amended_as_it_begins_begins_first_in_a_take():
    show = HeardShow(exact=True)
    onset_seconds = np.nextafter(at(12_467), 1.0)  # as a sum of seconds may come out
    show.tell(heard_note(0, onset_seconds), Amendment(0, at(12_467), -25.0))
    (begun,), (amended,) = show.told(SoundingEvent), show.told(SoundingAmendment)
    assert amended.at_sample == begun.at_sample
    assert in_stream_order([amended.item, begun.event]) == [begun.event, amended.item]


def test_controls_hold_for_what_is_corrected(show):
    show.stage.set_control("transpose", 12.0)
    show.tell(heard_note(1))
    show.tell(Amendment.of_fields(1, 0.2, {"pitch": 62.0}))
    show.tell(Amendment(1, 0.3, -26.0))
    pitch, gain = show.told(SoundingAmendment)
    assert value(pitch.event, "pitch") == pytest.approx(74.0, abs=60 * step("pitch"))
    assert pitch.amendment.fields == ("pitch",)
    assert (gain.amendment.gain_db, gain.amendment.fields) == (-26.0, ())
    assert value(gain.event, "pitch") == value(pitch.event, "pitch")


def test_a_control_that_is_turned_keeps_what_was_corrected(show):
    show.tell(heard_note(1))
    show.tell(Amendment.of_fields(1, 0.2, {"pitch": 62.0}, gain_db=-30.0))
    show.stage.set_control("transpose", -12.0)
    show.stage.send_expressions()
    last = show.told(SoundingAmendment)[-1]
    assert value(last.event, "pitch") == pytest.approx(50.0, abs=60 * step("pitch"))
    assert last.event.gain_db == -30.0


def test_what_others_amend_of_a_heard_event_stays(show):
    show.tell(heard_note(1))
    show.stage.amend(show.heard[0].id, 0.1, {"tilt": -18.0})
    show.tell(Amendment(1, 0.2, -30.0))
    show.stage.set_control("transpose", 1.0)
    show.stage.send_expressions()
    assert {round(value(s.event, "tilt"), 3) for s in show.told(SoundingAmendment)} == {
        round(value(show.told(SoundingAmendment)[0].event, "tilt"), 3)
    }
    assert value(show.heard[-1].event, "tilt") == pytest.approx(-18.0, abs=24 * step("tilt"))


@pytest.mark.parametrize("rate_seconds", [at(2_205), at(2_206), at(2_207), at(2_208)])
def test_corrections_and_ends_act_when_they_say(show, rate_seconds):
    show.tell(heard_note(1, rate_seconds))
    later = rate_seconds + at(256)
    show.tell(Amendment(1, later, -30.0), End(1, later))
    (amended,), (ended,) = show.told(SoundingAmendment), show.told(SoundingEnd)
    assert amended.amendment.at_seconds == ended.end.at_seconds == pytest.approx(later, abs=1e-9)
    assert amended.at_sample == ended.at_sample == round(later * RATE)


def test_what_comes_after_its_time_acts_at_once_and_is_counted(show):
    show.tell(heard_note(1, 0.0))
    show.blocks(10)
    show.tell(Amendment(1, 0.001, -30.0))
    (amended,) = show.told(SoundingAmendment)
    assert 640 <= amended.at_sample <= 643
    assert show.stage.counts()["amendments_late"] == 1
    assert "amendments_late" not in HeardShow().stage.counts()


def test_what_is_taken_back_before_it_sounds_is_not_heard(show):
    show.tell(heard_note(1, at(2_205)), End(1, at(2_205)))
    assert np.abs(show.blocks(200)).max() < 1e-6
    show.tell(heard_note(2, at(8_820)))
    assert np.abs(show.blocks(200)).max() > 1e-3


def test_a_soft_event_begins_once_it_is_known_to_be_loud(show):
    show.stage.set_control("threshold_db", -40.0)
    show.tell(heard_note(1, 0.1, -60.0), heard_note(2, 0.1, -50.0), heard_note(3, 0.1, -30.0))
    show.tell(Amendment(1, at(2_500), -45.0))
    show.tell(Amendment.of_fields(1, at(3_000), {"pitch": 64.0}, gain_db=-25.0))
    show.tell(End(2, 0.2), Amendment(3, 0.2, -55.0), End(1, 0.3))
    first, late = show.told(SoundingEvent)
    assert first.event.gain_db == -30.0
    assert (late.event.gain_db, late.event.onset_seconds) == (-25.0, at(3_000))
    assert value(late.event, "pitch") == pytest.approx(64.0, abs=60 * step("pitch"))
    # what sounds goes on, however soft it becomes
    assert [(s.id, s.event.gain_db) for s in show.told(SoundingAmendment)] == [(first.id, -55.0)]
    assert [s.id for s in show.told(SoundingEnd)] == [late.id]
    assert show.stage.counts() == {"events_below_threshold": 2}


def test_nothing_is_said_of_what_never_sounded(show):
    while show.stage.play(note(1e3), "osc") is not None:
        continue
    refused = show.stage.counts()["commands_refused"]
    show.tell(heard_note(1), Amendment(1, 0.2, -30.0), End(1, 0.3), Amendment(9, 0.2, -30.0), End(9, 0.3))
    assert show.stage.counts() == {"commands_refused": refused + 1}
    assert show.told(SoundingAmendment) + show.told(SoundingEnd) == []


def test_what_hearing_has_lost_is_ended(show):
    show.tell(heard_note(1, 0.0, hold=5.0), heard_note(2, 0.05, hold=5.0))
    show.blocks(20)
    show.events.end_all()
    assert [s.id for s in show.told(SoundingEnd)] == [1, 2]
    show.blocks(1_500)
    assert np.abs(show.blocks(50)).max() < 1e-4
    show.tell(Amendment(1, 0.2, -30.0), End(2, 0.2))
    assert show.stage.counts().get("amendments_unknown", 0) == 0


def test_a_panic_is_noticed_once(show):
    show.tell(heard_note(1, 0.0))
    assert not show.events.was_silenced()
    show.stage.panic()
    assert show.events.was_silenced()
    assert not show.events.was_silenced()
    show.events.end_all()
    assert "ends_unknown" not in show.stage.counts()


def test_a_long_note_is_not_forgotten_over_many_short_ones(show):
    show.tell(heard_note(0, 0.0, hold=6.0, decay=20.0))
    for number in range(1, 5_000):
        show.tell(heard_note(number, number * 1e-4, hold=0.01, release=0.01, decay=0.05))
        if number % 50 == 0:
            show.commands()
            show.engine.numbers[POSITION] = round(number * 1e-4 * RATE)
    show.commands()
    show.tell(Amendment(0, 1.0, -30.0), End(0, 1.1))
    assert [s.id for s in show.told(SoundingAmendment)] == [s.id for s in show.told(SoundingEnd)] == [1]


def test_the_stage_sounds_as_the_stream_does():
    """Random lives, through the stage and through the offline decoder: the same samples."""
    rng = np.random.default_rng(9)
    show = HeardShow(exact=False, voice_count=64)
    items, living, parts = [], [], []
    for hop in range(200):
        seconds = at(256 * hop + 1_000)
        told = []
        if hop % 5 == 0:
            told.append(heard_note(hop, seconds, pitch=float(rng.uniform(40, 90)), hold=5.0, release=0.3))
            living.append(hop)
        for id in list(living):
            if rng.random() < 0.3:
                told.append(Amendment.of_fields(id, seconds, {"pitch": float(rng.uniform(40, 90))}))
            if rng.random() < 0.05:
                release = {"release": 0.05}
                told = [item for item in told if not (isinstance(item, Amendment) and item.id == id)]
                told += [Amendment.of_fields(id, seconds, release), End(id, seconds)]
                living.remove(id)
        items += told
        show.tell(*in_stream_order(told))
        while show.engine.numbers[POSITION] + 64 <= at(256 * hop) * RATE:
            parts.append(show.blocks())
    live = np.concatenate(parts)
    decoder = Decoder(RANDOM_WEIGHTS, RATE, 64)
    taken = [s.event if isinstance(s, SoundingEvent) else s.item for s in show.heard]
    for item in in_stream_order(taken):
        decoder.schedule(item)
    played = decoder.process(len(live))
    assert len(show.told(SoundingEnd)) > 5
    assert np.abs(played).max() > 0.01
    assert np.abs(live - played).max() < 2.0**-23
    changes = [s.item for s in show.heard if not isinstance(s, SoundingEvent)]
    wanted = [item for item in items if not isinstance(item, Event)]
    assert [c.at_seconds for c in changes] == pytest.approx([w.at_seconds for w in wanted], abs=1e-9)
