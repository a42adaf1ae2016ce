"""The stage: what the controls do to events, and what reaches the engine of what is asked for."""

import math
import threading

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, from_physical, read_field
from struck.codec.events.quantize import quantize_events, restore_events
from struck.codec.playing.decoder_state import ACTIVE, LATE, PENDING, STARTED
from struck.codec.transforms.transform import TransformSettings
from struck.realtime.engine.commands import (
    AT_SAMPLE,
    COMMAND_SIZE,
    CONTROL,
    END,
    FLAGS,
    KEY,
    KIND,
    LOOPS,
    PANIC,
    PLAY,
    START_PHRASE,
    STOP_PHRASE,
    VALUE,
)
from struck.realtime.engine.engine import process_engine
from struck.realtime.engine.parameters import ENGINE_PARAMETERS, PARAMETERS
from struck.realtime.engine.rings import LOST, pop_row
from struck.realtime.engine.state import POSITION, make_engine_state
from struck.realtime.stage.shaping import Expression
from struck.realtime.stage.soundings import SoundingEvent
from struck.realtime.stage.stage import Stage

from ...codec.playing.decoder_events import RANDOM_WEIGHTS, event, random_events
from ..osc.osc_host import FakeClock

RATE = FakeClock.rate


class Show:
    """A stage over an engine that plays blocks of 64 when asked to."""

    def __init__(self, exact=False, voice_count=32):
        self.engine = make_engine_state(
            RATE, 1, 1, voice_count, pending_count=512, ring_seconds=0.1, phrase_seconds=0.1
        )
        self.clock = FakeClock()
        self.lines = []
        self.stage = Stage(self.engine, RANDOM_WEIGHTS, self.clock, self.lines.append, exact)
        self.heard = []
        self.stage.add_sink(self.heard.append)

    def blocks(self, count=1):
        source, out = np.zeros((64, 1), np.float32), np.zeros((64, 1), np.float32)
        played = []
        for _ in range(count):
            process_engine(self.engine, source, out)
            played.append(out[:, 0].copy())
        return np.concatenate(played) if played else np.zeros(0, np.float32)

    def commands(self):
        """All rows that wait in the ring, taken out."""
        found, row = [], np.zeros(COMMAND_SIZE)
        while pop_row(self.engine.commands, row):
            found.append(row.copy())
        return found

    def shaped(self, given, **controls):
        """What becomes of an event with controls set."""
        for name, value in controls.items():
            self.stage.set_control(name, value)
        sounding = self.stage.play(given, "osc")
        assert sounding is not None
        return sounding.event


def note(onset_seconds=1.0, **values):
    return event(onset_seconds, -20.0, **{"pitch": 60.0, "decay": 2.0, "attack": 0.01, **values})


def value(heard, name):
    return float(read_field(heard.vector, name))


def step(name):
    """Half a level of a field, with a hair."""
    return 0.51 / (2 ** (FIELDS[INDEX[name]].bits - 1) - 1)


# -- controls


@pytest.mark.parametrize(
    ("control", "amount", "field", "expected"),
    [
        ("transpose", 7.0, "pitch", 67.0),
        ("transpose", -12.5, "pitch", 47.5),
        ("brightness_db", -4.0, "tilt", -16.0),
        ("decay", 3.0, "decay", 6.0),
        ("decay", 0.5, "noise_decay", 0.5),
        ("attack", 8.0, "attack", 0.08),
        ("room", 2.0, "room", 2.0),
        ("room_mix", 0.25, "room_mix", 0.5),
        ("room_mix", -1.0, "room_mix", 0.0),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_a_control_changes_its_field_and_no_other(control, amount, field, expected, exact):
    given = note(tilt=-12.0, noise_decay=1.0, room=0.0, room_mix=0.25)
    heard = Show(exact).shaped(given, **{control: amount})
    wanted = given.vector.astype(np.float64)
    wanted[INDEX[field]] = from_physical(FIELDS[INDEX[field]], expected)
    if control == "decay":  # the two decay times go together
        for name in ("decay", "noise_decay"):
            wanted[INDEX[name]] = from_physical(FIELDS[INDEX[name]], amount * value(given, name))
    allowed = 1e-6 if exact else np.array([step(f.name) for f in FIELDS])
    assert np.all(np.abs(heard.vector - wanted) <= allowed)
    assert heard.gain_db == given.gain_db


def test_controls_at_their_defaults_change_nothing():
    given = restore_events(quantize_events(random_events(2, seed=1, longest_onset_seconds=1.0)))[1]
    assert Show().shaped(given) == given
    assert Show(exact=True).shaped(given) == given


@pytest.mark.parametrize("amount", [48.0, -48.0])
def test_what_a_field_cannot_hold_lands_on_its_end(amount):
    heard = Show().shaped(note(pitch=126.0 if amount > 0 else 20.0), transpose=amount)
    assert heard.vector[INDEX["pitch"]] == math.copysign(1.0, amount)


def test_quantised_unless_exact():
    given = random_events(1, seed=2, longest_onset_seconds=1.0)[0]
    quantised = Show().shaped(given)
    assert quantised != given
    assert restore_events(quantize_events([quantised]))[0] == quantised
    assert Show(exact=True).shaped(given) == given


def test_quiet_events_stay_under_the_threshold():
    show = Show()
    show.stage.set_control("threshold_db", -30.0)
    assert show.stage.play(event(1.0, -31.0), "heard") is None
    assert show.stage.play(event(1.0, -30.0), "heard") is not None
    assert show.stage.counts() == {"events_below_threshold": 1}
    assert [sounding.event.gain_db for sounding in show.heard] == [-30.0]


def test_gains_go_to_the_engine_as_factors():
    show = Show()
    show.stage.set_control("events_db", -20.0)
    show.stage.set_control("dry_db", -60.0)
    show.stage.set_control("transpose", 1.0)
    rows = show.commands()
    assert [int(row[KIND]) for row in rows] == [CONTROL, CONTROL]
    assert [ENGINE_PARAMETERS[int(row[KEY])] for row in rows] == ["events_db", "dry_db"]
    assert [row[VALUE] for row in rows] == [pytest.approx(0.1), 0.0]


def test_controls_tell_where_they_stand():
    stage = Show().stage
    assert stage.controls() == {parameter.name: parameter.default for parameter in PARAMETERS}
    stage.set_control("decay", 1e9)
    stage.set_control("attack", -5)
    assert (stage.controls()["decay"], stage.controls()["attack"]) == (10.0, 0.1)


@pytest.mark.parametrize(
    ("name", "amount", "words"),
    [
        ("volume", 1.0, "no control is called volume"),
        ("decay", math.nan, "finite"),
        ("decay", math.inf, "fin"),
    ],
)
def test_controls_that_are_refused(name, amount, words):
    show = Show()
    before = show.stage.controls()
    with pytest.raises(ValueError, match=words):
        show.stage.set_control(name, amount)
    assert show.stage.controls() == before
    assert show.commands() == []


# -- events


def test_ids_count_and_sinks_hear_what_sounds():
    show = Show()
    more = []
    show.stage.add_sink(more.append)
    origins = ("heard", "midi", "osc", "heard")
    played = [show.stage.play(note(0.5 + 0.1 * i), origin) for i, origin in enumerate(origins)]
    assert [sounding.id for sounding in played] == [1, 2, 3, 4]
    assert [sounding.origin for sounding in played] == list(origins)
    assert show.heard == more == played
    for sounding in played:
        assert sounding.at_sample == round(sounding.event.onset_seconds * RATE)
    assert show.stage.counts() == {}
    show.blocks(700)
    assert show.stage.counts() == {"events_heard": 2, "events_midi": 1, "events_osc": 1}


def test_an_event_sounds_at_its_sample():
    show = Show()
    sounding = show.stage.play(note(441 / ANALYSIS_RATE, attack=0.001), "osc")
    assert sounding.at_sample == 960
    out = show.blocks(20)
    assert np.all(out[:960] == 0.0)
    assert np.any(out[960:980] != 0.0)


@pytest.mark.parametrize("origin", ["midi", "osc"])
def test_a_note_from_the_past_goes_into_the_next_block_on_the_grid_of_takes(origin):
    show = Show()
    show.blocks(100)
    position = int(show.engine.numbers[POSITION])
    for exact_onset, at_sample in ((0.0, 0), ((position - 1) / RATE, 0), ((position + 30) / RATE, 30)):
        sounding = show.stage.play(note(exact_onset), origin)
        assert 0 <= sounding.at_sample - position - at_sample <= math.ceil(RATE / ANALYSIS_RATE)
        on_grid = sounding.event.onset_seconds * ANALYSIS_RATE
        assert on_grid == pytest.approx(round(on_grid), abs=1e-6)
        assert restore_events(quantize_events([sounding.event]))[0].onset_sample(RATE) == sounding.at_sample
    show.blocks(3)
    numbers = show.engine.decoder.numbers
    assert (numbers[STARTED], numbers[LATE], numbers[PENDING]) == (3, 0, 0)


def test_a_heard_event_keeps_its_time_and_its_margin_is_remembered():
    show = Show()
    show.blocks(100)
    assert show.stage.least_margin_samples is None
    for ahead in (480, 96, 960):
        show.stage.play(note((6400 + ahead) / RATE), "heard")
    assert show.stage.least_margin_samples == pytest.approx(96, abs=2)
    late = show.stage.play(note(6300 / RATE), "heard")
    assert late.at_sample < 6400  # the decoder sees that it is late, and counts it
    assert show.stage.least_margin_samples < 0
    show.blocks(1)
    assert show.engine.decoder.numbers[LATE] == 1


def test_a_full_ring_refuses_counts_and_tells_no_sink():
    show = Show()
    room = len(show.engine.commands.rows)
    played = [show.stage.play(note(), "osc") for _ in range(room + 3)]
    assert played[room:] == [None] * 3
    assert len(show.heard) == room
    assert show.stage.counts() == {"commands_refused": 3}
    assert show.engine.commands.index[LOST] == 3
    show.blocks(64)
    again = show.stage.play(note(2.0), "osc")
    assert again.id == room + 1  # numbers are given to what sounds only


# -- phrases, patches, panic


def test_panic_silences_and_says_when():
    show = Show()
    times = []
    show.stage.add_panic(times.append)
    show.stage.play(note(0.0), "osc")
    show.stage.play(note(5.0), "osc")
    show.blocks(10)
    assert show.engine.decoder.numbers[ACTIVE] == 1
    show.stage.panic()
    show.blocks(2)
    numbers = show.engine.decoder.numbers
    assert (numbers[ACTIVE], numbers[PENDING]) == (0, 0)
    assert times == [640 / RATE]
    assert show.stage.counts()["panics"] == 1


def test_slots_are_started_with_their_gain_and_stopped():
    show = Show()
    show.stage.start_slot(2, 100, loops=True, gain=0.5)
    show.stage.start_slot(1, 200, loops=False)
    show.stage.stop_slot(2, 300)
    assert [tuple(row[[KIND, AT_SAMPLE, KEY, VALUE, FLAGS]]) for row in show.commands()] == [
        (START_PHRASE, 100, 2, 0.5, LOOPS), (START_PHRASE, 200, 1, 1.0, 0), (STOP_PHRASE, 300, 2, 0.0, 0),
    ]  # fmt: skip


def test_patches_phrases_and_stats_are_handed_over():
    show = Show()
    show.stage.count("osc_rejected", 2)
    show.stage.load_patch("bells")  # nobody is there yet
    show.stage.play_phrase(60, 100, "arpeggio")
    assert show.stage.stats() == {"osc_rejected": 2}
    done = []
    show.stage.hand_over(done.append, lambda *phrase: done.append(phrase), lambda: {"voices": 3, "load": 0.5})
    show.stage.load_patch("bells")
    show.stage.play_phrase(60, 100, "arpeggio")
    assert done == ["bells", (60, 100, "arpeggio")]
    assert show.stage.stats() == {"voices": 3, "load": 0.5}


@pytest.mark.parametrize(("pitch", "velocity"), [(-1, 60), (128, 60), (60, -1), (60, 128)])
def test_phrases_that_no_keyboard_plays(pitch, velocity):
    show = Show()
    show.stage.hand_over(print, lambda *phrase: pytest.fail("was played"), dict)
    with pytest.raises(ValueError, match="the range is 0 to 127"):
        show.stage.play_phrase(pitch, velocity, "arpeggio")


def test_a_panic_waits_for_room():
    show = Show()
    while show.stage.play(note(5.0), "osc") is not None:
        continue
    engine = threading.Timer(0.02, show.blocks, (20,))
    engine.start()
    show.stage.panic()
    engine.join()
    show.blocks(20)
    numbers = show.engine.decoder.numbers
    assert (numbers[ACTIVE], numbers[PENDING]) == (0, 0)


def test_while_the_engine_stands_still_nothing_waits_for_it():
    show = Show()
    show.stage.play(note(0.0), "osc")
    show.blocks(2)
    show.stage.play(note(3.0), "osc")
    show.stage.pause()
    for _ in range(1_000):
        assert show.stage.play(note(), "midi") is None
        show.stage.set_control("events_db", -20.0)
    show.stage.end(2, 3.5)
    show.stage.panic()  # at once, as it is silent anyway
    assert show.stage.counts() == {"events_osc": 1, "events_unplayed": 1_000, "panics": 1}
    show.stage.resume()
    show.blocks(4)
    numbers = show.engine.decoder.numbers
    assert (numbers[ACTIVE], numbers[PENDING]) == (0, 0)
    assert show.engine.targets[ENGINE_PARAMETERS.index("events_db")] == pytest.approx(0.1)
    assert show.stage.play(note(4.0), "osc") is not None


def test_a_panic_that_finds_the_ring_full_gets_through_and_takes_what_it_silences_with_it():
    show = Show()
    while show.stage.play(note(1e3), "midi") is not None:
        continue
    show.stage.end(1, 1e3)
    show.stage.set_control("events_db", -6.0)
    show.stage.panic()
    show.blocks(64)
    show.stage.attend()
    assert [int(row[KIND]) for row in show.commands()] == [PANIC, CONTROL]


def test_an_end_that_finds_the_ring_full_is_sent_when_there_is_room():
    show = Show()
    sounding = show.stage.play(note(0.0, hold=6.0, release=0.02, noisiness=1e-4), "midi")
    show.blocks(20)
    while show.stage.play(note(1e3), "osc") is not None:
        continue
    show.stage.end(sounding.id, 0.1)
    show.stage.stop_slot(1, 1_000)
    assert show.stage.counts()["commands_delayed"] == 2
    show.blocks(64)
    show.stage.attend()
    assert [int(row[KIND]) for row in show.commands()] == [END, STOP_PHRASE]


def test_of_controls_that_find_the_ring_full_the_latest_counts():
    show = Show()
    while show.stage.play(note(1e3), "osc") is not None:
        continue
    for step in range(100):
        show.stage.set_control("events_db", -0.1 * step)
    show.blocks(64)
    assert show.stage.play(note(1e3), "osc") is not None  # what is owed goes first
    control, play = show.commands()
    assert (int(control[KIND]), int(play[KIND])) == (CONTROL, PLAY)
    assert control[VALUE] == pytest.approx(10.0 ** (-9.9 / 20.0))


def test_panics_one_after_the_other_are_one():
    show = Show()
    for _ in range(1_000):
        show.stage.panic()
    assert [int(row[KIND]) for row in show.commands()] == [PANIC]
    show.stage.play(note(), "osc")
    show.stage.panic()
    assert [int(row[KIND]) for row in show.commands()] == [PLAY, PANIC]


# -- outcomes


def test_witnesses_are_told_by_the_engine():
    show = Show(voice_count=1)
    told = []
    show.stage.add_witness(told.append)
    show.blocks(100)
    late = show.stage.play(note(0.05, noisiness=1e-4), "heard")
    on_time = show.stage.play(note(0.2, noisiness=1e-4), "midi")
    dropped = show.stage.play(note(9.0), "osc")
    show.stage.attend()
    assert told == []
    show.blocks(200)
    show.stage.panic()
    show.blocks(1)
    show.stage.attend()
    whats = [(outcome.what, outcome.id) for outcome in told]
    assert whats == [("late", late.id), ("stolen", late.id), ("sounded", on_time.id), ("dropped", dropped.id)]
    assert told[0].sounding.at_sample == told[0].at_sample == 6_400
    assert told[0].sounding.event.onset_seconds == pytest.approx(6_400 / RATE, abs=1 / ANALYSIS_RATE)
    assert told[2].sounding == on_time
    assert show.stage.counts() == {"events_heard": 1, "events_midi": 1, "panics": 1}


def test_results_that_found_their_ring_full_are_presumed():
    show = Show()
    told = []
    show.stage.add_witness(told.append)
    played = [show.stage.play(note(0.1), "osc") for _ in range(3)]
    show.engine.results.index[0] += len(show.engine.results.rows)  # nobody has read for long
    show.blocks(200)
    show.engine.results.index[16] = show.engine.results.index[0]
    assert show.engine.results.index[LOST] == 3
    show.stage.attend()
    assert told == []
    show.blocks(RATE // 64)
    show.stage.attend()
    assert [(outcome.what, outcome.sounding) for outcome in told] == [("sounded", s) for s in played]


# -- threads


def test_many_threads_at_once_lose_and_mix_nothing():
    show = Show(voice_count=8)
    stop = threading.Event()

    def play_blocks():
        while not stop.is_set():
            show.blocks(4)

    def perform(part):
        for i in range(150):
            sounding = show.stage.play(note(1e3 + part, pitch=40.0 + part), "osc")
            if sounding is not None:
                show.stage.express(sounding.id, Expression(bend_semitones=0.01 * i))
                show.stage.send_expressions()
            show.stage.set_control("events_db", -float(i % 10))
            show.stage.count("told")

    engine = threading.Thread(target=play_blocks)
    performers = [threading.Thread(target=perform, args=(part,)) for part in range(4)]
    engine.start()
    for thread in performers:
        thread.start()
    for thread in performers:
        thread.join()
    stop.set()
    engine.join()
    show.blocks(64)
    counts = show.stage.counts()
    refused = counts.get("commands_refused", 0)
    assert counts["told"] == 600
    played = [sounding.id for sounding in show.heard if isinstance(sounding, SoundingEvent)]
    assert sorted(played) == list(range(1, len(played) + 1))
    assert len(played) >= 600 - refused
    # every row arrived whole: each event's key and time belong together
    numbers = show.engine.decoder.numbers
    assert numbers[PENDING] == min(512, len(played))
    places = show.engine.decoder.pending[: numbers[PENDING]]
    assert len(set(places.tolist())) == numbers[PENDING]


def test_panic_is_one_command():
    show = Show()
    show.stage.panic()
    assert [int(row[KIND]) for row in show.commands()] == [PANIC]


def test_warming_up_plays_nothing():
    show = Show()
    show.stage.warm_up()
    assert show.commands() == []
    assert show.heard == []


def test_what_sounds_keeps_its_controls_when_others_are_recalled():
    show = Show()
    before = show.stage.play(event(0.0, pitch=60.0), "midi")
    show.blocks(2)
    show.stage.recall_controls({"transpose": 12.0, "decay": 2.0, "events_db": -6.0})
    after = show.stage.play(event(0.1, pitch=60.0), "midi")
    show.heard.clear()
    show.stage.set_control("transpose", 5.0)
    show.stage.send_expressions()
    assert [sounding.id for sounding in show.heard] == [after.id]
    show.stage.express(before.id, Expression(bend_semitones=1.0))
    show.stage.send_expressions()
    assert read_field(show.heard[-1].event.vector, "pitch") == pytest.approx(61.0, abs=0.02)
    assert show.stage.controls()["events_db"] == -6.0
    with pytest.raises(ValueError, match="no control is called wobble"):
        show.stage.recall_controls({"transpose": 1.0, "wobble": 1.0})
    assert show.stage.controls()["transpose"] == 5.0


def test_transforms_drop_and_shape_events_to_come_and_what_sounds_keeps_its_own():
    show = Show()
    before = show.stage.play(event(0.0, pitch=60.0), "midi")
    show.stage.change_transforms(
        [TransformSettings("gate", {"level_db": -30.0}), TransformSettings("transpose", {"semitones": 12.0})]
    )
    assert show.stage.play(event(0.0, -40.0, pitch=60.0), "osc") is None
    after = show.stage.play(event(0.0, pitch=60.0), "heard")
    assert show.stage.counts()["events_transformed_away"] == 1
    assert read_field(after.event.vector, "pitch") == pytest.approx(72.0, abs=0.02)
    show.stage.set_control("transpose", 1.0)
    show.heard.clear()
    show.stage.send_expressions()
    pitches = {s.id: float(read_field(s.event.vector, "pitch")) for s in show.heard}
    assert pitches == pytest.approx({before.id: 61.0, after.id: 73.0}, abs=0.02)
