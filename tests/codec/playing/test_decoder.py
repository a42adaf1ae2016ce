"""The decoder as a stream: slicing, onsets, stealing, silence, hostile input, memory."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.playing.arrivals import insert_event
from struck.codec.playing.decoder import Decoder, render

from ...allocations import run_counting
from .decoder_events import FLAT_WEIGHTS, RANDOM_WEIGHTS, event, random_events, tone
from .one_event import sound

RATE = 48_000


def play(events, blocks, rate=RATE, **options):
    decoder = Decoder(RANDOM_WEIGHTS, rate, **options)
    for each in events:
        decoder.schedule(each)
    return np.concatenate([decoder.process(frames) for frames in blocks]), decoder


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("voice_count", [64, 5])
def test_any_slicing_gives_the_same_bytes(rate, voice_count):
    """Including the rooms, the noise, gliding, and stealing (5 voices for 24 events)."""
    length = 9600
    events = random_events(24, seed=rate + voice_count, longest_onset_seconds=6000 / rate)
    whole, decoder = play(events, [length], rate, voice_count=voice_count)
    assert decoder.counters()["stolen"] == (19 if voice_count == 5 else 0)
    assert np.any(whole)
    rng = np.random.default_rng(1)
    ragged = itertools.takewhile(lambda n: n, rng.integers(1, 300, 60))
    for blocks in ([64] * 150, [480] * 20, [1] * 3000, list(ragged)):
        sliced, _ = play(events, blocks, rate, voice_count=voice_count)
        count = min(length, len(sliced))
        assert sliced[:count].tobytes() == whole[:count].tobytes()


@pytest.mark.parametrize("onset", [0, 1, 63, 64, 65, 479, 480])
def test_an_event_starts_at_its_sample(onset):
    """The first sample after the onset sounds (the force is zero at the onset itself), none before."""
    attack = tone(gain_db=0.0, pitch=100.0, attack=0.001)
    decoder = Decoder(FLAT_WEIGHTS, RATE)
    decoder.schedule(attack, at_sample=onset)
    out = decoder.process(2000)
    reference = Decoder(FLAT_WEIGHTS, RATE)
    reference.schedule(attack, at_sample=0)
    assert np.flatnonzero(out)[0] == onset + 1
    # noise at -40 dB differs with the stream position, the tone must not (exactly: see the next test)
    assert np.max(np.abs(out[onset:] - reference.process(2000 - onset))) < 0.05


def test_the_tone_does_not_depend_on_where_it_starts():
    pure = tone(pitch=80.0, noisiness=0.0, gain_db=-80.0)  # the noise is then below -120 dB: none
    outs = []
    for onset in (0, 17, 64, 127):
        decoder = Decoder(FLAT_WEIGHTS, RATE)
        decoder.schedule(pure, at_sample=onset)
        outs.append(decoder.process(onset + 4096)[onset:])
    assert all(np.array_equal(outs[0], out) for out in outs[1:])


def test_events_may_be_scheduled_in_any_order():
    events = random_events(40, seed=6, longest_onset_seconds=0.1)
    in_order, _ = play(events, [9600], voice_count=6)
    order = np.random.default_rng(2).permutation(len(events))
    shuffled, decoder = play([events[i] for i in order], [9600], voice_count=6)
    assert shuffled.tobytes() == in_order.tobytes()
    assert decoder.counters()["started"] == 40


def test_places_are_given_back():
    """Far more events than places, started, stolen and ended."""
    decoder = Decoder(FLAT_WEIGHTS, RATE, voice_count=3, pending_count=4)
    short = tone(hold=0.01, release=0.005, attack=0.001)
    for i in range(40):
        for _ in range(4):
            assert decoder.schedule(short, at_sample=decoder.position_samples + 10)
        assert not decoder.schedule(short)
        assert decoder.process(RATE // 5 if i % 2 else 100).any()
    assert decoder.counters()["started"] == 160
    decoder.process(RATE)
    state = decoder.state
    assert decoder.active_voice_count == 0
    assert sorted(state.free) == list(range(7))


def test_two_events_at_one_sample_add():
    one, two = random_events(2, seed=8)
    dry = [Event(0.0, e.gain_db, np.where(np.arange(VECTOR_SIZE) == 24, -1.0, e.vector)) for e in (one, two)]
    singles = [play([e], [4096])[0] for e in dry]
    both, decoder = play(dry, [4096])
    assert decoder.counters()["started"] == 2
    # noise powers add, noises do not: without noise (above) the sum is exact but for rounding
    assert np.max(np.abs(both - singles[0] - singles[1])) < 1e-4 * np.max(np.abs(both))


def test_silence_gives_exact_zeros_before_and_after():
    decoder = Decoder(RANDOM_WEIGHTS, RATE)
    assert not decoder.process(5000).any()
    short = event(hold=0.01, release=0.005, room=0.0, room_mix=0.3, noisiness=0.5)
    decoder.schedule(short, at_sample=6000)
    assert decoder.process(10_000).any()
    decoder.process(RATE)
    assert decoder.active_voice_count == 0
    assert not decoder.process(5000).any()


def test_the_quietest_voice_is_stolen_without_a_click():
    outs = []
    for voice_count in (2, 3):
        decoder = Decoder(FLAT_WEIGHTS, RATE, voice_count=voice_count)
        decoder.schedule(tone(gain_db=-12.0, pitch=57.0), at_sample=0)
        decoder.schedule(tone(gain_db=-30.0, pitch=72.0), at_sample=10)
        decoder.schedule(tone(gain_db=-12.0, pitch=45.0), at_sample=9610)
        outs.append(decoder.process(19_200).astype(np.float64))
        assert decoder.counters()["stolen"] == 3 - voice_count
        assert decoder.active_voice_count == voice_count
    missing = outs[1] - outs[0]  # what the stolen voice would have played
    assert np.max(np.abs(missing[:9610])) == 0.0
    assert np.max(np.abs(missing[9610 + 192 :])) > 0.03
    # cut at once, the tone (amplitude 0.045) would bend by up to its amplitude in one sample
    assert np.max(np.abs(np.diff(missing, 2))) < 1e-3


def test_late_events_start_at_once_or_are_refused():
    for allow_late in (True, False):
        decoder = Decoder(FLAT_WEIGHTS, RATE, allow_late=allow_late)
        decoder.process(100)
        assert decoder.schedule(tone(), at_sample=50) is allow_late
        assert decoder.counters()["late"] == 1
        assert decoder.process(1000).any() == allow_late


def test_a_full_table_drops_and_counts():
    decoder = Decoder(FLAT_WEIGHTS, RATE, pending_count=2)
    assert [decoder.schedule(tone(), at_sample=10) for _ in range(3)] == [True, True, False]
    assert decoder.counters()["dropped"] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_never_reach_a_voice(bad):
    decoder = Decoder(FLAT_WEIGHTS, RATE)
    record = decoder.make_records([tone()])[0]
    record[700] = bad
    assert not insert_event(decoder.state, record, 0, 0)
    assert decoder.counters()["rejected"] == 1
    assert not decoder.process(1000).any()


def test_hostile_arguments():
    decoder = Decoder(FLAT_WEIGHTS, RATE)
    with pytest.raises(TypeError):
        decoder.schedule("event")
    with pytest.raises(ValueError, match="at_sample"):
        decoder.schedule(tone(), at_sample=-1)
    for rate in (0, 8000, 22_051, 1_000_000):
        with pytest.raises(ValueError, match="rate"):
            Decoder(FLAT_WEIGHTS, rate)
    with pytest.raises(ValueError, match="voice_count"):
        Decoder(FLAT_WEIGHTS, RATE, voice_count=0)


def test_extreme_vectors_stay_finite_and_bounded():
    rng = np.random.default_rng(3)
    for rate in (22_050, 96_000):
        decoder = Decoder(RANDOM_WEIGHTS, rate)
        for _ in range(100):
            vector = rng.choice([-1.0, 1.0], VECTOR_SIZE).astype(np.float32)
            decoder.schedule(Event(0.0, 12.0, vector), at_sample=int(rng.integers(0, 2000)))
        out = decoder.process(20_000)
        assert np.all(np.isfinite(out))
        assert np.max(np.abs(out)) < 100 * 4 * 16


def test_reset_starts_over():
    events = random_events(10, seed=5, longest_onset_seconds=0.05)
    decoder = Decoder(RANDOM_WEIGHTS, RATE)
    outs = []
    for _ in range(2):
        for each in events:
            decoder.schedule(each)
        outs.append(decoder.process(7000))
        decoder.reset()
        assert decoder.active_voice_count == 0
    assert outs[0].tobytes() == outs[1].tobytes()


def test_render_reads_lazily_and_ends_after_the_tail():
    read = []

    def source():
        for i in range(4):
            read.append(i)
            yield tone(0.25 * i, hold=0.01, release=0.05, room_mix=0.2, room=1.0)

    blocks = render(FLAT_WEIGHTS, source(), 22_050)
    first = next(blocks)
    assert first.dtype == np.float32
    assert read == [0, 1]
    out = np.concatenate([first, *blocks])
    assert read == [0, 1, 2, 3]
    assert np.max(np.abs(out[-2000:])) < 1e-4
    assert 1.0 * 22_050 < len(out) < 5.0 * 22_050


@pytest.mark.parametrize("onset_seconds", [0.5, 1.0, 1.013, 3.0])
def test_render_plays_what_begins_after_a_pause(onset_seconds):
    """The stream is known a little ahead of its sound: no voice and silence are not yet the end."""
    sound = np.concatenate(list(render(FLAT_WEIGHTS, [event(onset_seconds)], 22_050)))
    assert np.argmax(np.abs(sound) > 1e-4) / 22_050 == pytest.approx(onset_seconds, abs=0.02)


def test_render_refuses_disorder_and_bounds_the_tail():
    with pytest.raises(ValueError, match="order of their times"):
        list(render(FLAT_WEIGHTS, [tone(1.0), tone(0.5)], 22_050))
    out = np.concatenate(list(render(FLAT_WEIGHTS, [tone(hold=6.0)], 22_050, longest_tail_seconds=0.5)))
    assert abs(len(out) - 0.5 * 22_050) <= 512
    assert sum(len(b) for b in render(FLAT_WEIGHTS, [], 22_050)) < 22_050


def test_blocks_allocate_nothing():
    """In a process of its own, since Numba counts allocations only when told so at its start."""
    control, blocks = run_counting("tests.codec.playing.count_allocations")
    assert control == 10_000  # the count does count
    assert blocks == 0


def test_python_reference_of_the_block_function(tmp_path):
    """The same source without the compiler, in a process of its own: Python cannot call inner kernels."""
    file = tmp_path / "reference.npy"
    subprocess.run(
        [sys.executable, "-m", "tests.codec.playing.one_event", file],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        check=True,
    )
    reference = np.load(file)
    assert np.any(reference[31:])
    assert np.max(np.abs(sound() - reference)) <= 1e-6 * np.max(np.abs(reference))
