"""Transforms on stage: copies in their time, what happens to an event happens to them, pedals and patches."""

import pytest

from struck.codec.events.amendments import Amendment
from struck.codec.events.beat_line import BeatLine
from struck.codec.events.event_spec import read_field
from struck.codec.transforms.transform import TransformSettings
from struck.realtime.stage.shaping import Expression
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd, SoundingEvent

from ...codec.playing.decoder_events import event, tone
from .test_stage import RATE, Show

BLOCK_SECONDS = 64 / RATE


def show_with(*settings, bpm=120.0):
    show = Show()
    line = BeatLine(0.0, 0.0, 60.0 / bpm)
    show.stage.transforms.beats = lambda: line
    show.stage.change_transforms(settings)
    return show


def play_to(show, seconds):
    """Play on to a stream time, releasing what is due as the host's threads do."""
    while show.engine.numbers[0] / RATE < seconds:
        show.blocks()
        show.stage.attend()
        show.stage.send_expressions()


def told(show, kind):
    return [sounding for sounding in show.heard if isinstance(sounding, kind)]


def begun(show):
    return [round(sounding.event.onset_seconds, 3) for sounding in told(show, SoundingEvent)]


def pitch(event):
    return round(float(read_field(event.vector, "pitch")), 1)


def test_echoes_come_in_their_time_and_end_as_long_after_their_events_as_those_did():
    show = show_with(TransformSettings("delay", {"time": 0.5, "repeats": 2.0}))
    first = show.stage.play(event(0.01, pitch=60.0, decay=8.0), "midi")
    play_to(show, 0.1)
    show.stage.express(first.id, Expression(bend_semitones=2.0))
    play_to(show, 0.2)
    show.stage.end(first.id, 0.2)
    play_to(show, 1.0)
    assert begun(show) == pytest.approx([0.01, 0.26, 0.51], abs=0.002)
    assert show.stage.counts()["events_midi"] == 3
    ends = [round(s.item.at_seconds, 3) for s in told(show, SoundingEnd)]
    assert ends == pytest.approx([0.2, 0.45, 0.7], abs=0.002)
    bends = [(s.item.at_seconds, pitch(s.event)) for s in told(show, SoundingAmendment)]
    assert [p for _, p in bends] == [62.0] * 3
    assert [t for t, _ in bends] == pytest.approx([0.1, 0.35, 0.6], abs=0.05)


def test_what_is_heard_is_corrected_in_its_echo_too_and_osc_amends_it():
    show = show_with(TransformSettings("delay", {"time": 0.2, "unit": "seconds", "repeats": 1.0}))
    first = show.stage.play(event(0.05, pitch=60.0, decay=8.0), "heard")
    show.stage.correct([Amendment.of_fields(first.id, 0.1, {"pitch": 61.0})])
    show.stage.amend(first.id, 0.15, {"decay": 1.0})
    play_to(show, 0.6)
    changes = [(round(s.item.at_seconds, 2), s.amendment.fields) for s in told(show, SoundingAmendment)]
    assert changes == [(0.1, ("pitch",)), (0.15, ("decay",)), (0.3, ("pitch",)), (0.35, ("decay",))]


def test_an_event_waits_for_its_beat_and_so_does_its_end():
    show = show_with(TransformSettings("quantise", {"grid": 1.0}))
    play_to(show, 0.3)
    first = show.stage.play(event(0.3, pitch=60.0), "midi")
    assert first.event.onset_seconds == pytest.approx(0.5, abs=1e-4)
    play_to(show, 0.4)
    show.stage.end(first.id, 0.4)
    play_to(show, 0.8)
    (end,) = told(show, SoundingEnd)
    assert end.item.at_seconds == pytest.approx(0.6, abs=0.002)


def test_a_loop_goes_round_until_it_is_off_or_another_patch_comes_or_panic():
    for stop in (
        lambda show: show.stage.set_transform("loop", "on", 0.0),
        lambda show: show.stage.change_transforms(()),
        lambda show: show.stage.panic(),
    ):
        show = show_with(TransformSettings("loop", {"length": 0.2, "unit": "seconds"}))
        show.stage.play(event(0.0), "osc")
        play_to(show, 0.5)
        assert begun(show) == pytest.approx([0.0, 0.2, 0.4], abs=1e-3)
        assert not show.stage.transforms.waits  # of a file's end it knows nothing
        stop(show)
        play_to(show, 1.2)
        assert len(begun(show)) == 3


def test_echoes_outlive_their_patch_and_die_in_a_panic():
    for panic in (False, True):
        show = show_with(TransformSettings("delay", {"time": 0.2, "unit": "seconds", "repeats": 3.0}))
        show.stage.play(event(0.0), "osc")
        play_to(show, 0.1)
        assert show.stage.transforms.waits
        if panic:
            show.stage.panic()
        show.stage.change_transforms([TransformSettings("gate", {"level_db": 0.0})])
        play_to(show, 1.0)
        assert len(begun(show)) == (1 if panic else 4)
        assert not show.stage.transforms.waits


def test_a_pedal_holds_what_sounds_and_a_key_that_goes_up_means_nothing():
    show = show_with(TransformSettings("freeze", {"release": 0.1}))
    played = [show.stage.play(tone(0.0, pitch=p, decay=1.0), "midi") for p in (57.0, 64.0)]
    play_to(show, 0.2)
    show.stage.set_transform("freeze", "hold", 1.0)
    show.stage.end(played[0].id, 0.25)
    show.stage.express(played[0].id, Expression(bend_semitones=2.0))
    play_to(show, 0.4)
    show.stage.set_control("transpose", 12.0)
    moment = abs(show.blocks(40)).max()
    play_to(show, 5.0)
    assert abs(show.blocks(40)).max() == pytest.approx(moment, rel=0.5)
    held = [s for s in told(show, SoundingEvent) if s.origin == "held"]
    assert {round(pitch(s.event)) for s in held} == {57, 64}
    show.stage.set_transform("freeze", "hold", 0.0)
    play_to(show, 5.5)
    assert abs(show.blocks(40)).max() < 0.05 * moment
    assert show.stage.counts().get("ends_unknown", 0) == 0
    assert {s.id for s in told(show, SoundingEnd)} == {s.id for s in told(show, SoundingEvent)}


def test_values_are_told_to_watchers_and_refused_out_of_range():
    show = show_with(TransformSettings("delay"), TransformSettings("delay"))
    seen = []
    show.stage.add_watcher(lambda *change: seen.append(change))
    show.stage.set_transform("delay2", "time", 1.5)
    assert seen == [("transform", "delay2/time", 1.5)]
    with pytest.raises(ValueError, match=r"the range is 0\.01 to 60"):
        show.stage.set_transform("delay2", "time", 0.0)
    assert [link.values["time"] for link in show.stage.transforms.links()] == [0.75, 1.5]
