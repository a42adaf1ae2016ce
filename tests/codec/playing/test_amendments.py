"""Amendments and ends of sounding voices: as if born so, without a click, the same for every slicing."""

import itertools

import numpy as np
import pytest
from scipy.signal import firwin, oaconvolve

from struck.codec.events.amendments import Amendment, End, end_sound, in_stream_order
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.playing.arrivals import amend_voice, drop_voices, end_voice
from struck.codec.playing.changes import AMENDED_PER_CELL
from struck.codec.playing.decoder import Decoder, render

from .decoder_events import FLAT_WEIGHTS, RANDOM_WEIGHTS, amended_stream, named, tone

RATE = 48_000


def play(items, blocks, rate=RATE, weights=RANDOM_WEIGHTS, **options):
    decoder = Decoder(weights, rate, **options)
    for item in items:
        decoder.schedule(item)
    return np.concatenate([decoder.process(frames) for frames in blocks]), decoder


def set_field(name, v, at_seconds=0.1, id=5, gain_db=None):
    vector = np.full(VECTOR_SIZE, np.nan, np.float32)
    if name is not None:
        vector[INDEX[name]] = v
    return Amendment(id, at_seconds, gain_db, vector)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_any_slicing_gives_the_same_bytes(rate):
    items = amended_stream(12, seed=rate, rate=rate, samples=9600)
    whole, decoder = play(items, [9600], rate, voice_count=8)
    counters = decoder.counters()
    assert counters["amended"] > 30
    assert counters["ended"] > 0
    assert counters["stolen"] > 0
    rng = np.random.default_rng(1)
    ragged = itertools.takewhile(lambda n: n, rng.integers(1, 300, 60))
    for blocks in ([32] * 300, [64] * 150, [2048] * 5, [1] * 2000, list(ragged)):
        sliced, _ = play(items, blocks, rate, voice_count=8)
        count = min(9600, len(sliced))
        assert sliced[:count].tobytes() == whole[:count].tobytes()


def test_an_amendment_that_changes_nothing_changes_no_sound():
    """Its slide is rendered by another kernel: what that leaves is rounding."""
    event = named(
        tone(tilt=-12.0, glide=2.0, glide_time=0.4, decay=0.5, room_mix=0.4, room=1.5, noisiness=0.3), 5
    )
    plain, _ = play([event], [RATE // 2])
    again = [set_field("pitch", event.vector[0], at_seconds=0.013 * i) for i in range(1, 20)]
    amended, decoder = play([event, *again], [RATE // 2])
    assert decoder.counters()["amended"] == 19
    assert np.max(np.abs(amended - plain)) < 2e-4 * np.max(np.abs(plain))


@pytest.mark.parametrize("field", [f.name for f in FIELDS] + [None])
@pytest.mark.parametrize("at_seconds", [0.05, 0.3])
def test_from_the_amendment_on_it_is_as_if_it_had_been_born_so(field, at_seconds):
    """Compared by what phases do not change: the power of each third of a second's spectrum, in octaves."""
    event = named(
        tone(tilt=-9.0, glide=2.0, glide_time=0.2, attack=0.1, hold=0.2, release=2.0, room_mix=0.0,
             noisiness=0.01, noise_decay=2.0), 5)  # fmt: skip
    amendment = set_field(field, 0.4, at_seconds, gain_db=None if field else -32.0)
    length = RATE
    amended, _ = play([event, amendment], [length])
    born, _ = play([named(amendment.apply(event), 5)], [length])
    start = round((at_seconds + 0.011) * RATE)
    # what a room still rings of the time before is not the event's
    window = np.hanning(RATE // 3)
    for first in (start, start + RATE // 4):
        powers = []
        for sound in (amended, born):
            spectrum = np.abs(np.fft.rfft(sound[first : first + len(window)] * window)) ** 2
            powers.append(np.add.reduceat(spectrum, [20, 120, 240, 480, 960, 1920, 3600])[:-1])
        ratio = 10 * np.log10((powers[0] + 1e-6 * max(powers[1])) / (powers[1] + 1e-6 * max(powers[1])))
        assert np.max(np.abs(ratio)) < (3.0 if field in ("room_mix", "room") else 1.0)


def test_level_and_frequency_are_there_within_ten_milliseconds():
    """A gain alone leaves phases: from 10 ms on the samples are those of the event born so."""
    for rate in (22_050, 44_100, 48_000, 96_000):
        for at in (4096, 4097, 4159):
            event = named(tone(), 5)
            amendment = set_field(None, 0.0, at / rate, gain_db=-40.0)
            amended, _ = play([event, amendment], [rate // 4], rate)
            born, _ = play([amendment.apply(event)], [rate // 4], rate)
            there = at + round(0.01 * rate)
            assert np.max(np.abs(amended[there:] - born[there:])) < 1e-4 * np.max(np.abs(born))
            louder, _ = play([event], [rate // 4], rate)
            assert np.array_equal(amended[:at], louder[:at])


def high_energy_db(sound, at, rate):
    """Energy above 8 kHz in the 20 ms around sample ``at``."""
    taps = firwin(1023, 8000, window=("kaiser", 14), pass_zero=False, fs=rate)
    high = oaconvolve(sound.astype(np.float64), taps, mode="same")
    return 10 * np.log10(np.sum(high[at - rate // 100 : at + rate // 100] ** 2) + 1e-30)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_no_amendment_clicks(rate):
    """Against the tones before and after it: a brighter tone has more above 8 kHz by right."""
    event = named(tone(tilt=-12.0, glide=0.5, glide_time=1.0, release=0.1), 5)
    at = round(0.3 * rate)
    length = at + rate // 20
    plain = high_energy_db(play([event], [length], rate, FLAT_WEIGHTS)[0], at, rate)
    values = (-0.9, 0.9)
    amendments = [set_field(f.name, v, 0.3) for f in FIELDS for v in values]
    amendments += [set_field(None, 0.0, 0.3, gain_db=g) for g in (-60.0, 0.0)]
    for amendment in amendments:
        born = high_energy_db(play([amendment.apply(event)], [length], rate, FLAT_WEIGHTS)[0], at, rate)
        got = high_energy_db(play([event, amendment], [length], rate, FLAT_WEIGHTS)[0], at, rate)
        assert got <= max(plain, born) + 3.0, amendment.fields


def test_a_partial_that_had_faded_comes_back():
    event = named(tone(tilt=-9.0, decay=0.1, noisiness=0.0001), 5)
    gone, decoder = play([event], [RATE // 2])
    assert np.max(np.abs(gone[-4800:])) < 1e-4
    back, decoder = play([event, set_field("decay", 1.0, 0.12)], [RATE // 2])
    assert decoder.counters()["amended"] == 1
    born, _ = play([set_field("decay", 1.0).apply(event)], [RATE // 2])
    late = slice(RATE // 2 - 4800, RATE // 2)
    assert np.std(back[late]) == pytest.approx(np.std(born[late]), rel=0.05)


def test_an_end_is_a_release_at_its_time():
    event = named(tone(release=0.1, gain_db=0.0), 5)
    sound, decoder = play([event, End(5, 0.25)], [RATE])
    assert decoder.counters()["ended"] == 1
    level = [20 * np.log10(np.std(sound[n : n + 480]) + 1e-9) for n in (11_500, 12_000 + 64, 12_000 + 2464)]
    assert level[0] - level[1] == pytest.approx(3.0, abs=1.0)
    assert level[1] - level[2] == pytest.approx(30.0, abs=1.0)
    assert decoder.active_voice_count == 0  # released, it gives its voice back before its own time


def test_an_end_before_anyone_hears_the_event_withdraws_it():
    event = named(tone(onset_seconds=0.1, attack=0.05, gain_db=0.0), 5)
    sound, decoder = play([event, End(5, 0.1)], [RATE // 2])
    assert not sound.any()
    assert decoder.active_voice_count == 0


def test_an_ended_event_may_be_amended_and_stays_ended():
    event = named(tone(release=1.0), 5)
    items = [event, End(5, 0.1), set_field("hold", 1.0, 0.2), set_field("release", 0.9, 0.3)]
    sound, _ = play(items, [2 * RATE])
    ended, _ = play([event, End(5, 0.1), set_field("release", 0.9, 0.3)], [2 * RATE])
    assert np.max(np.abs(sound - ended)) < 1e-4 * np.max(np.abs(sound))


def test_what_comes_at_or_before_the_onset_is_how_the_event_is_born():
    event = named(tone(onset_seconds=0.1), 5)
    for at_seconds in (0.0, 0.1):
        amended, _ = play([event, set_field("pitch", 0.3, at_seconds)], [RATE // 4])
        born, _ = play([set_field("pitch", 0.3).apply(event)], [RATE // 4])
        assert amended.tobytes() == born.tobytes()


def test_two_at_one_time_and_out_of_order_act_in_the_order_in_which_they_come():
    event = named(tone(), 5)
    softer = set_field(None, 0, 0.2, gain_db=-30.0)
    wanted, _ = play([event, set_field("pitch", 0.2, 0.1), softer], [RATE // 2])
    twice = [event, set_field("pitch", 0.9, 0.1), set_field("pitch", 0.2, 0.1)]
    got, decoder = play([*twice, softer], [RATE // 2])
    assert got.tobytes() == wanted.tobytes()
    assert decoder.counters()["amended"] == 3
    backward = [event, softer, set_field("pitch", 0.2, 0.1)]
    together = [event, set_field("pitch", 0.2, 0.2, gain_db=-30.0)]
    assert play(backward, [RATE // 2])[0].tobytes() == play(together, [RATE // 2])[0].tobytes()


def test_unknown_ids_and_records_that_are_not_finite_are_refused_and_counted():
    decoder = Decoder(FLAT_WEIGHTS, RATE)
    assert not decoder.schedule(set_field("pitch", 0.1))
    assert not decoder.schedule(End(7, 0.0))
    decoder.schedule(tone())  # an event without an id cannot be named
    record = decoder.make_records([tone()])[0]
    assert not amend_voice(decoder.state, record, 0, 0)
    assert not end_voice(decoder.state, 0, 0)
    decoder.schedule(named(tone(), 5))
    record[900] = np.nan
    assert not amend_voice(decoder.state, record, 6, 0)
    counters = decoder.counters()
    assert counters["amendments_unknown"] == 4
    assert counters["rejected"] == 1
    with pytest.raises(TypeError, match="Amendment"):
        decoder.schedule("amendment")


def test_an_amendment_that_waits_for_an_event_that_is_over_is_unknown_and_an_end_is_not():
    short = named(tone(hold=0.01, release=0.005, attack=0.001), 5)
    _, decoder = play([short, set_field("pitch", 0.1, 0.9), End(5, 0.95)], [RATE])
    assert decoder.counters()["amendments_unknown"] == 1
    assert decoder.counters()["amended"] == 0
    assert not decoder.schedule(set_field("pitch", 0.1, 1.1))
    assert decoder.counters()["amendments_unknown"] == 2
    assert not decoder.schedule(End(5, 1.1))
    assert not decoder.schedule(End(6, 1.1))  # never was
    assert decoder.counters()["amendments_unknown"] == 3


@pytest.mark.parametrize("blocks", [[RATE], [64] * (RATE // 64)])
def test_a_release_that_is_made_shorter_than_it_has_lasted_and_then_ended_is_no_fault(blocks):
    """The sound has ended: what is being released is told a short release and an end, which may come a block
    later, when the voice is over."""
    event = named(tone(hold=0.05, release=1.5, attack=0.001), 5)
    decoder = Decoder(FLAT_WEIGHTS, RATE)
    decoder.schedule(event)
    decoder.process(RATE // 2)
    amendment, end = end_sound(event, 0.5)
    decoder.schedule(amendment)
    for frames in blocks:
        decoder.process(frames)
        decoder.schedule(end)  # of many ends none is counted
    assert np.max(np.abs(decoder.process(64))) < 1e-4
    counters = decoder.counters()
    assert (counters["amended"], counters["amendments_unknown"]) == (1, 0)


def test_an_id_means_the_last_event_that_has_it():
    """After 2**32 events an id comes again, maybe while the old one still rings."""
    one, two = named(tone(), 5), named(tone(onset_seconds=0.1, pitch=81.0), 5)
    amended, _ = play([one, two, set_field(None, 0, 0.2, gain_db=-90.0)], [RATE // 2])
    alone, _ = play([tone()], [RATE // 2])
    assert np.max(np.abs((amended - alone)[RATE // 4 :])) < 1e-3 * np.max(np.abs(alone))


def test_ten_thousand_amendments_in_a_second_are_bounded_and_counted():
    decoder = Decoder(FLAT_WEIGHTS, RATE, voice_count=64)
    for id in range(50):
        decoder.schedule(named(tone(gain_db=-30.0), id), at_sample=0)
    records = decoder.make_records([tone(gain_db=-30.0, pitch=60.0 + 0.1 * i) for i in range(64)])
    accepted = 0
    for block in range(100):
        for i in range(100):
            n = 100 * block + i
            accepted += amend_voice(decoder.state, records[n % 64], 1 + n % 50, 480 * block + i)
        out = decoder.process(480)
        assert np.all(np.isfinite(out))
    counters = decoder.counters()
    assert counters["amended"] + counters["amendments_dropped"] >= accepted - 200
    assert accepted == 10_000


def test_more_amendments_than_a_cell_takes_wait_for_the_next():
    count = AMENDED_PER_CELL + 10
    decoder = Decoder(FLAT_WEIGHTS, RATE, voice_count=count)
    for id in range(count):
        decoder.schedule(named(tone(), id), at_sample=0)
    decoder.process(6400)
    for id in range(count):
        decoder.schedule(set_field("pitch", 0.1, 0.0, id=id), at_sample=6464)
    decoder.process(128)
    assert decoder.counters()["amended"] == AMENDED_PER_CELL
    assert decoder.counters()["amendments_spilled"] == 10
    decoder.process(64)
    assert decoder.counters()["amended"] == count


def test_a_full_list_drops_and_counts_and_gives_its_places_back():
    decoder = Decoder(FLAT_WEIGHTS, RATE)
    places = len(decoder.state.changes.rows)
    for _ in range(2):
        decoder.schedule(named(tone(), 5), at_sample=decoder.position_samples)
        taken = [end_voice(decoder.state, 6, 10**9) for _ in range(places + 3)]
        assert sum(taken) == places
        drop_voices(decoder.state)
    assert decoder.counters()["amendments_dropped"] == 6


def test_render_takes_a_stream():
    items = in_stream_order(amended_stream(6, seed=3, rate=RATE, samples=20_000))
    wanted, _ = play(items, [24_000])
    got = np.concatenate(list(render(RANDOM_WEIGHTS, items, RATE)))[:24_000]
    assert got.tobytes() == wanted[: len(got)].tobytes()


def test_events_are_equal_whatever_their_id():
    assert named(tone(), 5) == tone()
    assert isinstance(named(tone(), 5), Event)
