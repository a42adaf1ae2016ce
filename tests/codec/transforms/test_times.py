"""Transforms that move events in time, on whole streams: quantise, delay, loop, swap; and amendments."""

from collections import Counter

import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.beat_line import BeatLine
from struck.codec.events.event_spec import read_field
from struck.codec.events.events import Event
from struck.codec.transforms.chain import EventChain
from struck.codec.transforms.families import Families
from struck.codec.transforms.streams import transform_stream
from struck.codec.transforms.transform import Surroundings, TransformSettings, Turn

from ..playing.decoder_events import event


def asked(kind, **values):
    return TransformSettings(kind, values)


def at(bpm, live=False):
    line = BeatLine(0.0, 0.0, 60.0 / bpm)
    return Surroundings(1, lambda: line, live)


def note(onset, pitch=60.0, id=None, gain_db=-20.0):
    return Event(onset, gain_db, event(pitch=pitch).vector, id)


def onsets(items):
    return [round(item.onset_seconds, 6) for item in items if isinstance(item, Event)]


def lives(items):
    """Of each event by onset: when it was amended and to which pitch, and when it ended."""
    found = []
    for begun in (item for item in items if isinstance(item, Event)):
        changes = [
            (round(item.at_seconds - begun.onset_seconds, 6), round(float(read_field(item.vector, "pitch"))))
            for item in items
            if isinstance(item, Amendment) and item.id == begun.id
        ]
        ends = [
            round(i.at_seconds - begun.onset_seconds, 6)
            for i in items
            if isinstance(i, End) and i.id == begun.id
        ]
        found.append((changes, ends))
    return found


PHRASE = [
    note(0.1, 60.0, 5),
    Amendment.of_fields(5, 0.2, {"pitch": 61.0}),
    note(0.3, 64.0, 9),
    End(5, 0.45),
    End(9, 0.6),
    note(1.02, 67.0),
]


def test_quantise_moves_to_the_nearest_place_and_what_happens_later_moves_along():
    found = transform_stream(PHRASE, [asked("quantise", grid=0.5)], at(120))
    assert onsets(found) == [0.0, 0.25, 1.0]
    assert lives(found) == [([(0.1, 61)], [0.35]), ([], [0.3]), ([], [])]
    half = transform_stream(PHRASE, [asked("quantise", grid=0.5, strength=0.5)], at(120))
    assert onsets(half) == [0.05, 0.275, 1.01]


def test_live_nothing_begins_before_it_was_played():
    found = transform_stream(
        [note(0.24), note(0.26), note(0.49)], [asked("quantise", grid=0.5)], at(120, True)
    )
    assert onsets(found) == [0.25, 0.26, 0.5]


@pytest.mark.parametrize(("unit", "seconds"), [("beats", 0.375), ("seconds", 0.75)])
def test_delay_repeats_softer_and_each_echo_has_the_whole_life(unit, seconds):
    found = transform_stream(PHRASE, [asked("delay", time=0.75, unit=unit, repeats=2.0)], at(120))
    wanted = sorted(round(o + n * seconds, 6) for o in (0.1, 0.3, 1.02) for n in range(3))
    assert onsets(found) == wanted
    levels = Counter(round(item.gain_db) for item in found if isinstance(item, Event))
    assert levels == {-20: 3, -26: 3, -32: 3}
    assert Counter(str(life) for life in lives(found)) == {
        str(([(0.1, 61)], [0.35])): 3,
        str(([], [0.3])): 3,
        str(([], [])): 3,
    }
    ids = [item.id for item in found if isinstance(item, Event) and item.id is not None]
    assert len(set(ids)) == len(ids) == 6


def test_a_delay_without_the_original_and_without_repeats():
    only = [asked("delay", time=0.5, unit="seconds", repeats=1.0, fall_db=0.0, original=False)]
    assert onsets(transform_stream(PHRASE, only)) == [0.6, 0.8, 1.52]
    assert transform_stream(PHRASE, [asked("delay", repeats=0.0)]) == PHRASE
    assert transform_stream(PHRASE, [asked("delay", repeats=0.0, original=False)]) == []


def test_an_echo_of_an_echo_and_a_gate_behind_them():
    chain = [
        asked("delay", time=1.0, unit="seconds", repeats=2.0, fall_db=10.0),
        asked("delay", time=0.1, unit="seconds", repeats=1.0, fall_db=3.0),
        asked("gate", level_db=-34.0),
    ]
    found = transform_stream([note(0.0, gain_db=-20.0)], chain)
    assert onsets(found) == [0.0, 0.1, 1.0, 1.1]
    assert [round(item.gain_db) for item in found] == [-20, -23, -30, -33]


def test_a_loop_repeats_its_first_round_to_the_end_of_the_stream():
    played = [note(0.5), note(1.9), note(2.6, id=3), End(3, 2.7), note(9.0)]
    found = transform_stream(played, [asked("loop", length=4.0)], at(120))
    # it begins with the beat at 0.5 and lasts to 2.5: what is played later is over it
    assert onsets(found) == [0.5, 1.9, 2.5, 2.6, 3.9, 4.5, 5.9, 6.5, 7.9, 8.5, 9.0]
    twice = transform_stream(played, [asked("loop", length=4.0, times=2.0)], at(120))
    assert onsets(twice) == [0.5, 1.9, 2.5, 2.6, 3.9, 4.5, 5.9, 9.0]


def test_a_loop_is_switched_on_and_off():
    played = [note(0.1 + 0.5 * n, 60.0 + n) for n in range(13)]
    turns = [Turn(0.98, "loop", "on", 1.0), Turn(5.2, "loop", "on", 0.0)]
    found = transform_stream(played, [asked("loop", on=False, length=2.0)], at(120), turns)
    repeated = [(item.onset_seconds, float(read_field(item.vector, "pitch"))) for item in found]
    wanted = [(item.onset_seconds, 60.0 + n) for n, item in enumerate(played)]
    wanted += [(t + n * 1.0, p) for t, p in ((1.1, 62.0), (1.6, 63.0)) for n in range(1, 5) if t + n < 5.2]
    assert sorted(repeated) == [pytest.approx(one, abs=0.01) for one in sorted(wanted)]


def test_a_turn_must_fit():
    for turn, words in (
        (Turn(0.0, "loop", "on", 1.0), "no transform is called loop; there are: delay"),
        (
            Turn(0.0, "delay", "unit", 1.0),
            "delay has no unit to turn; there are: time, repeats, fall_db, original",
        ),
        (Turn(0.0, "delay", "time", 99.0), "time of delay is 99; the range is 0.01 to 60"),
    ):
        with pytest.raises(ValueError, match=words):
            transform_stream(PHRASE, [asked("delay")], turns=[turn])


def test_values_are_turned_for_events_to_come():
    turns = [Turn(0.2, "transpose", "semitones", 12.0), Turn(0.2, "transpose2", "semitones", 1.0)]
    found = transform_stream(PHRASE, [asked("transpose"), asked("transpose")], turns=turns)
    pitches = [round(float(read_field(item.vector, "pitch"))) for item in found if isinstance(item, Event)]
    assert pitches == [60, 77, 80]
    assert lives(found)[0][0] == [(0.1, 61)]  # it began before


class Tempo:
    """A grid of beats that changes its tempo."""

    def __init__(self, bpm):
        self.line = BeatLine(0.0, 0.0, 60.0 / bpm)

    def __call__(self):
        return self.line

    def turn(self, at_seconds, bpm, song=0):
        self.line = BeatLine(at_seconds, self.line.beat_at(at_seconds), 60.0 / bpm, song)


def played_on(tempo, kind, turn_at, until, **values):
    """Onsets of the copies of an event at 0 s, the tempo turned on the way."""
    chain = EventChain([asked(kind, **values)], Surroundings(beats=tempo, live=True))
    families, begun = Families(), []

    class Played:
        id = 1

    def play(event, shaper, first):
        begun.append(round(event.onset_seconds, 3))
        return Played()

    copies = chain.begin(note(0.0))
    families.start(note(0.0), next(copies), copies, play)
    for n in range(round(until / 0.01)):
        if n == round(turn_at / 0.01):
            tempo.turn(turn_at, 60.0)
        families.follow()
        families.release(0.01 * n)
    return begun


def test_beats_follow_the_tempo_on_the_way():
    # at 120 a beat is 0.5 s, from 1.25 s on 1 s: beat 3 is half a beat later, at 1.75 s
    assert played_on(Tempo(120.0), "loop", 1.25, 4.0, length=1.0) == [0.0, 0.5, 1.0, 1.75, 2.75, 3.75]
    assert played_on(Tempo(120.0), "delay", 1.25, 4.0, time=1.0, repeats=4.0) == [0.0, 0.5, 1.0, 1.75, 2.75]


def test_a_song_that_jumps_leaves_what_waits_where_it_was():
    tempo = Tempo(120.0)
    chain = EventChain([asked("delay", time=2.0, repeats=1.0)], Surroundings(beats=tempo))
    _, echo = chain.begin(note(0.0))
    tempo.line = BeatLine(0.5, 400.0, 0.5, song=1)
    assert echo.due() == 1.0


def test_swap_gives_an_event_the_room_of_the_one_before_and_its_own_amendments_stay():
    played = [
        Event(0.0, -20.0, event(room=0.0, pitch=60.0, attack=0.5).vector),
        Event(1.0, -20.0, event(room=3.0, pitch=72.0, attack=0.01).vector, 1),
        Amendment.of_fields(1, 1.5, {"pitch": 73.0}),
        Event(2.0, -20.0, event(room=2.0).vector),
    ]
    found = transform_stream(played, [asked("swap", part="room")])
    rooms = [float(read_field(item.vector, "room")) for item in found if isinstance(item, Event)]
    assert rooms == pytest.approx([0.0, 0.0, 3.0], abs=0.02)
    assert found[2] == played[2]
    assert read_field(found[1].vector, "attack") == pytest.approx(0.01, rel=0.05)
    attacks = transform_stream(played, [asked("swap", part="attack", share=1.0)])
    assert read_field(attacks[1].vector, "attack") == pytest.approx(0.5, rel=0.05)
    assert read_field(attacks[1].vector, "pitch") == pytest.approx(72.0, abs=0.02)
