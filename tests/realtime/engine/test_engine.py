"""The engine: events on their samples, the decoder's own bits, gains, rings, commands, damage."""

import numpy as np
import pytest

from struck.codec.playing.arrivals import amend_voice, end_voice, insert_event
from struck.codec.playing.changes import UNKNOWN
from struck.codec.playing.decoder import Decoder
from struck.codec.playing.decoder_state import DELAYED, LATE, PENDING, STARTED, STOLEN
from struck.codec.playing.voice_records import RECORD_SIZE
from struck.realtime.engine import commands
from struck.realtime.engine.commands import (
    COMMANDS,
    LOOPS,
    PANIC,
    PLAY,
    START_PHRASE,
    STOP_PHRASE,
)
from struck.realtime.engine.rings import LOST, OFFERED, READ, WRITE, write_frames
from struck.realtime.engine.slots import FADE, fill_slot
from struck.realtime.engine.state import (
    CAPTURING,
    DAMAGED,
    FEED_ENDED,
    FEEDING,
    IN_MOST,
    IN_PEAK,
    OUT_MOST,
    OUT_PEAK,
    RECORDING,
    REFUSED_PHRASES,
    SLICE_FRAMES,
    STARVED,
    WIDTH,
    limiter_gain,
    make_engine_state,
    publish_number,
    slot_is_playing,
)

from ...codec.playing.decoder_events import RANDOM_WEIGHTS, random_events, tone
from .engine_host import RATE, EngineHost, noise, take


def decoder_for(rate=RATE):
    return Decoder(RANDOM_WEIGHTS, rate, voice_count=64, pending_count=512)


def insert(decoder, record, onset):
    return insert_event(decoder.state, record, onset, 0)


# -- events


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize(
    ("block_frames", "inputs", "outputs"),
    [(32, 1, 2), (32, 2, 1), (64, 1, 1), (64, 1, 2), (480, 2, 2), (480, 1, 2), (2048, 2, 1), (2048, 1, 1)],
)
def test_dry_off_and_events_at_0_db_are_the_decoder_bit_for_bit(rate, block_frames, inputs, outputs):
    """Onsets at the first sample, inside, at edges, and two at once; the input is not heard."""
    host = EngineHost(rate, inputs, outputs)
    decoder = decoder_for(rate)
    for i, event in enumerate(random_events(8, seed=rate)):
        quiet = type(event)(0.0, -40.0, event.vector)
        onset = (0, 31, 479, 480, 480, 2047, 2048, 3001)[i]
        assert host.play(quiet, onset)
        decoder.schedule(quiet, onset)
    out = host.run(noise(6_144, inputs), (block_frames,))
    expected = decoder.process(6_144)
    assert limiter_gain(host.state) == 1.0
    assert expected.any()
    for c in range(outputs):
        assert out[:, c].tobytes() == expected.tobytes()
    assert host.position == 6_144


@pytest.mark.parametrize("block_frames", [32, 64, 480, 2048])
@pytest.mark.parametrize("onset", [0, 63, 64, 479, 2048])
def test_an_event_sounds_at_its_sample(block_frames, onset):
    host = EngineHost()
    host.play(tone(gain_db=-6.0, pitch=100.0, attack=0.001), onset)
    out = host.run(4_096, (block_frames,))
    assert np.flatnonzero(out[:, 0])[0] == onset + 1  # at the onset itself its force is zero
    assert np.array_equal(out[:, 0], out[:, 1])


def test_an_event_that_comes_late_starts_at_once_and_is_counted():
    host = EngineHost()
    host.run(1_000, (500,))
    host.play(tone(pitch=100.0, attack=0.001), 10)
    assert np.flatnonzero(host.run(1_000, (500,))[:, 0])[0] == 1
    assert host.state.decoder.numbers[LATE] == 1


@pytest.mark.parametrize("slicing", [(1,), (32,), (480,), (2048,), (64, 1, 777), (5_000,)])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 2), (2, 2)])
def test_any_slicing_gives_the_same_bytes(slicing, inputs, outputs):
    """Events, ends, an amendment, gains on their way, phrases, the limiter at work; all told in advance."""
    results = []
    for cut in ((64,), slicing):
        host = EngineHost(inputs=inputs, outputs=outputs)
        host.settle(dry_db=-6.0)
        publish_number(host.state.numbers, RECORDING, 1)
        for slot in range(2):
            assert fill_slot(host.state.phrases, slot, noise(3_000, 1, seed=slot)[:, 0])
        # a block of one frame obeys four commands: what acts when it is obeyed comes first
        events = random_events(12, seed=5)
        host.play(events[0], 700, 100)
        host.amend(100, events[1], 1_500)
        host.control("output_db", 6.0)
        host.control("ceiling_db", -12.0)
        host.send(START_PHRASE, 1_001, key=0, value=0.5, flags=LOOPS)
        host.send(START_PHRASE, 100, key=1, value=0.5)
        host.send(STOP_PHRASE, 6_000, key=0)
        for i, event in enumerate(events[1:]):
            host.play(event, 500 + 333 * i, 1 + i)
            host.end(1 + i, 900 + 401 * i)
        out = host.run(noise(10_000, inputs, most=1.0), cut)
        results.append((out, take(host.state.capture), take(host.state.recording)))
        assert limiter_gain(host.state) < 1.0
    for sound, expected in zip(results[1], results[0], strict=True):
        assert sound.tobytes() == expected.tobytes()


# -- gains


def test_the_dry_input_passes_bit_for_bit():
    for inputs, outputs in ((1, 1), (2, 2), (1, 2), (2, 1)):
        host = EngineHost(inputs=inputs, outputs=outputs)
        host.control("dry_db", 0.0)
        host.run(RATE // 2)
        sound = noise(5_000, inputs)
        out = host.run(sound, (480,))
        if inputs == outputs:
            assert out.tobytes() == sound.tobytes()
        else:
            mono = sound.astype(np.float64).mean(1).astype(np.float32)
            assert all(np.array_equal(out[:, c], mono) for c in range(outputs))


@pytest.mark.parametrize(("name", "before_db"), [("dry_db", -60.0), ("output_db", 0.0), ("input_db", 0.0)])
def test_a_gain_moves_smoothly_and_arrives(name, before_db):
    host = EngineHost(outputs=1)
    host.settle(**{"dry_db": 0.0, name: before_db})
    steady = np.full((RATE // 5, 1), 0.25, dtype=np.float32)
    before = host.run(steady)[-1, 0]
    host.control(name, 6.0)
    out = np.concatenate([[before], host.run(steady)[:, 0]])
    steps = np.diff(out.astype(np.float64))
    after = 0.25 * 10.0 ** (6.0 / 20.0)
    assert np.all(steps >= 0.0)
    assert np.max(steps) < (after - before) / 200.0  # 5 ms are 240 samples
    assert out[RATE // 40] == pytest.approx(after, rel=0.01)
    assert out[-1] == np.float32(after)


def test_every_gain_acts_on_its_own_part():
    levels = {}
    for name in (None, "dry_db", "events_db", "phrases_db", "output_db"):
        host = EngineHost(outputs=1)
        host.settle(dry_db=-20.0, output_db=-6.0)
        if name is not None:
            host.settle(**{name: -60.0})
        fill_slot(host.state.phrases, 0, np.full(6_000, 0.01, np.float32))
        host.send(START_PHRASE, 0, value=1.0)
        host.play(tone(gain_db=-40.0), 0)
        levels[name] = host.run(np.full((4_000, 1), 0.1, np.float32))[:, 0].astype(np.float64)
    silent = {name: levels[None] - level for name, level in levels.items() if name is not None}
    assert silent["dry_db"][100:] == pytest.approx(0.1 * 0.1 * 10 ** (-6 / 20), rel=1e-3)
    assert silent["phrases_db"][100:] == pytest.approx(0.01 * 10 ** (-6 / 20), rel=1e-3)
    assert np.std(silent["events_db"]) > 1e-3
    assert not levels["output_db"].any()


def test_nothing_leaves_above_the_ceiling():
    host = EngineHost()
    host.settle(dry_db=12.0, ceiling_db=-3.0)
    ceiling = 10.0 ** (-3.0 / 20.0)
    out = host.run(noise(20_000, 1, most=3.0))
    assert np.max(np.abs(out).astype(np.float64)) <= ceiling
    host.control("ceiling_db", -20.0)
    host.run(noise(RATE // 5, 1, most=3.0))
    assert np.max(np.abs(host.run(noise(20_000, 1, most=3.0))).astype(np.float64)) <= 0.1


# -- damage


@pytest.mark.parametrize("inputs", [1, 2])
def test_what_is_not_sound_is_silenced_and_counted(inputs):
    host = EngineHost(inputs=inputs, outputs=inputs)
    host.settle(dry_db=0.0)
    sound = noise(1_000, inputs)
    bad = {0: np.nan, 63: np.inf, 64: -np.inf, 500: 1e30, 999: -1e7}
    damaged = sound.copy()
    for place, value in bad.items():
        damaged[place, 0] = value
        sound[place, 0] = 0.0
    assert host.run(damaged).tobytes() == sound.tobytes()
    assert host.state.numbers[DAMAGED] == len(bad)
    heard = take(host.state.capture)[:, 0]
    assert np.all(np.isfinite(heard))
    assert np.max(np.abs(heard)) <= 0.5
    assert np.all(np.isfinite(host.state.levels))
    assert host.run(sound).tobytes() == sound.tobytes()


def test_damage_from_inside_does_not_get_out_either():
    host = EngineHost()
    fill_slot(host.state.phrases, 0, np.array([0.1, np.nan, np.inf, 1e30, 0.2], dtype=np.float32))
    host.send(START_PHRASE, 10, value=1.0)
    out = host.run(100)
    assert out[10:15, 0].tolist() == pytest.approx([0.1, 0.0, 0.0, 0.0, 0.2])
    assert host.state.numbers[DAMAGED] == 6  # in both channels
    assert limiter_gain(host.state) == 1.0


def test_a_record_that_is_not_finite_is_refused_and_the_engine_plays_on():
    host = EngineHost()
    record = np.zeros(RECORD_SIZE)
    record[7] = np.nan
    host.send(PLAY, 0, 0, 1.0, record, event_id=5)
    host.play(tone(), 100)
    out = host.run(2_000)
    assert np.all(np.isfinite(out))
    assert np.any(out)
    assert host.state.decoder.numbers[STARTED] == 1
    assert host.results() == [("dropped", 5, 0)]


# -- rings


@pytest.mark.parametrize("inputs", [1, 2])
def test_the_capture_is_exactly_the_input_times_its_gain(inputs):
    host = EngineHost(inputs=inputs)
    sound = noise(4_000, inputs)
    host.run(sound, (64, 480))
    mono = sound.astype(np.float64).mean(1).astype(np.float32)
    assert take(host.state.capture)[:, 0].tobytes() == mono.tobytes()
    host.settle(input_db=-20.0)
    host.run(sound)
    scaled = (0.1 * sound.astype(np.float64)).astype(np.float32)
    mono = scaled.astype(np.float64).mean(1).astype(np.float32)
    assert take(host.state.capture)[:, 0].tobytes() == mono.tobytes()
    host.state.numbers[CAPTURING] = 0
    host.run(sound)
    assert len(take(host.state.capture)) == 0


def test_an_encoder_that_is_away_finds_zeros_for_what_it_missed():
    host = EngineHost(ring_seconds=0.2)
    capacity = len(host.state.capture.frames)
    sound = noise(RATE, 1)
    assert len(sound) > 4 * capacity
    host.run(sound)
    first = take(host.state.capture)
    assert np.array_equal(first, sound[: len(first)])
    host.run(sound[:64])
    rest = take(host.state.capture)
    assert len(first) + len(rest) == len(sound) + 64 == host.position
    assert not rest[:-64].any()
    assert np.array_equal(rest[-64:], sound[:64])
    assert host.state.capture.index[LOST] == len(rest) - 64


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_recording_is_exactly_what_went_out(outputs):
    host = EngineHost(outputs=outputs)
    host.settle(dry_db=6.0, ceiling_db=-6.0)
    host.play(tone(), 50)
    sound = noise(1_000, 1, most=1.0)
    host.run(sound)
    assert len(take(host.state.recording)) == 0
    publish_number(host.state.numbers, RECORDING, 1)
    out = host.run(sound, (64, 480))
    assert take(host.state.recording).tobytes() == out.tobytes()
    publish_number(host.state.numbers, RECORDING, 0)
    host.run(sound)
    assert len(take(host.state.recording)) == 0


@pytest.mark.parametrize("inputs", [1, 2])
def test_a_feed_takes_the_place_of_the_device_and_starvation_is_counted(inputs):
    host = EngineHost(inputs=inputs, outputs=inputs)
    host.settle(dry_db=0.0)
    publish_number(host.state.numbers, FEEDING, 1)
    device = noise(640, inputs, seed=7)
    sound = noise(1_000, inputs)
    write_frames(host.state.feed, sound[:700])
    assert host.run(device).tobytes() == sound[:640].tobytes()
    assert host.state.numbers[STARVED] == 0
    out = host.run(device[:128])
    assert np.array_equal(out[:60], sound[640:700])
    assert not out[60:].any()
    assert host.state.numbers[STARVED] == 68
    write_frames(host.state.feed, sound[700:])
    publish_number(host.state.numbers, FEED_ENDED, 1)
    out = host.run(device[:512])
    assert np.array_equal(out[:300], sound[700:])
    assert not out[300:].any()
    assert host.state.numbers[STARVED] == 68  # after its end a feed does not starve


def test_meters_rise_at_once_and_fall_20_db_in_1_7_s():
    host = EngineHost(inputs=2)
    host.settle(dry_db=-6.0)
    peak = np.zeros((64, 2), dtype=np.float32)
    peak[5] = 0.5, -0.25
    host.run(peak)
    levels = host.state.levels
    assert levels[IN_PEAK] == pytest.approx([0.5, 0.25])
    assert levels[OUT_PEAK] == pytest.approx(np.array([0.5, 0.25]) * 10 ** (-6 / 20), rel=1e-3)
    host.run(round(1.7 * RATE))
    assert levels[IN_PEAK] == pytest.approx([0.05, 0.025], rel=0.01)
    assert levels[IN_MOST] == pytest.approx([0.5, 0.25])
    assert levels[OUT_MOST, 0] > 0.2


# -- what a player does


@pytest.mark.parametrize("block_frames", [32, 64, 480, 2048])
def test_amendments_and_ends_are_the_decoders(block_frames):
    host, decoder = EngineHost(outputs=1), decoder_for()
    note = tone(gain_db=-30.0, release=0.05, noisiness=0.3)
    higher = tone(gain_db=-36.0, pitch=66.0, release=0.05, noisiness=0.1)
    for event_id, onset in ((5, 0), (6, 0), (7, 3_000)):
        host.play(note, onset, event_id)
        assert insert_event(decoder.state, decoder.make_records([note])[0], onset, event_id)
    host.amend(5, higher, 1_000)
    assert amend_voice(decoder.state, decoder.make_records([higher])[0], 5, 1_000)
    for event_id, at_sample in ((5, 2_001), (7, 6_000)):
        host.end(event_id, at_sample)
        assert end_voice(decoder.state, event_id, at_sample)
    out = host.run(8_192, (block_frames,))[:, 0]
    assert out.tobytes() == decoder.process(8_192).tobytes()


def test_an_end_that_comes_late_acts_at_once():
    host = EngineHost()
    host.play(tone(release=0.03, noisiness=0.0, gain_db=-12.0), 0, 5)
    host.run(4_800)
    host.end(5, 4_000)
    assert np.max(np.abs(host.run(4_800)[-2_400:])) < 1e-3


def test_an_event_that_began_late_is_ended_by_an_end_before_it_began():
    host = EngineHost()
    host.run(1_280)
    host.play(tone(release=0.03, noisiness=0.0, gain_db=-12.0), 0, 1)
    host.end(1, 700)  # before it began, but after it was to begin
    assert np.max(np.abs(host.run(4_800)[-2_400:])) < 1e-3
    assert host.results() == [("late", 1, 1_280)]


def test_amendments_and_ends_of_what_does_not_sound_are_counted():
    host = EngineHost()
    host.amend(3, tone(), 0)
    host.end(4, 0)
    host.run(64)
    assert host.state.decoder.changes.numbers[UNKNOWN] == 2


def test_panic_is_silence_now():
    host = EngineHost()
    host.settle(dry_db=-60.0)
    fill_slot(host.state.phrases, 0, np.full(40_000, 0.1, np.float32))
    fill_slot(host.state.phrases, 1, np.full(40_000, 0.1, np.float32))
    for i in range(20):
        host.play(tone(room_mix=0.5), 100 * i, 1 + i)
    host.play(tone(), 20_000, 30)
    host.end(1, 30_000)
    host.send(START_PHRASE, 0, key=0, value=1.0, flags=LOOPS)
    host.send(START_PHRASE, 20_000, key=1, value=1.0)
    assert host.run(9_600).any()
    host.send(PANIC)
    out = host.run(30_000)
    assert out[:FADE, 0] == pytest.approx(0.1 * (1.0 - np.arange(FADE) / FADE), abs=1e-6)
    assert not out[FADE:].any()
    assert not slot_is_playing(host.state, 0)
    assert not slot_is_playing(host.state, 1)
    host.play(tone(), host.position)
    assert host.run(1_000).any()


@pytest.mark.parametrize(("block_frames", "per_block"), [(8, 4), (32, 8), (64, 16), (480, 120), (2048, 256)])
def test_a_flood_is_obeyed_in_portions_that_the_block_bounds(block_frames, per_block):
    host = EngineHost()
    sent = sum(host.play(tone(gain_db=-60.0), 10**6) for _ in range(300))
    assert sent == 256
    assert host.state.commands.index[LOST] == 44
    for obeyed in range(per_block, 256 + per_block, per_block):
        host.run(block_frames, (block_frames,))
        assert host.state.decoder.numbers[PENDING] == min(256, obeyed)
    assert host.state.commands.index[READ] == host.state.commands.index[WRITE] == 256


def test_a_phrase_sounds_at_its_sample_in_the_mix_and_a_refused_start_is_counted():
    host = EngineHost()
    sound = noise(5_000, 1, seed=3)[:, 0]
    assert fill_slot(host.state.phrases, 2, sound)
    host.send(START_PHRASE, 1_234, key=2, value=1.0)
    host.send(START_PHRASE, 1_500, key=2, value=1.0)  # plays already
    host.send(START_PHRASE, 1_500, key=3, value=1.0)  # empty
    out = host.run(8_000, (480,))
    assert not out[:1_234].any()
    assert np.array_equal(out[1_234:6_234, 0], sound)
    assert not out[6_234:].any()
    assert host.state.numbers[REFUSED_PHRASES] == 2


# -- limits


def count(host, place):
    return int(host.state.numbers[place])


@pytest.mark.parametrize("block_frames", [32, 64, 480, 2048])
def test_more_starts_than_a_cell_may_have_are_put_off_in_their_order_and_counted(block_frames):
    host = EngineHost()
    for i in range(40):
        host.play(tone(gain_db=-60.0), 6_400 + 5, event_id=1 + i)
    host.run(6_400, (2_048, 64))
    host.run(1_024, (block_frames,))
    wanted = [("sounded", 1 + i, 6_405) for i in range(16)]
    wanted += [("late", 17 + i, 6_464) for i in range(16)] + [("late", 33 + i, 6_528) for i in range(8)]
    assert host.results() == wanted
    numbers = host.state.decoder.numbers
    assert (numbers[STARTED], numbers[DELAYED], numbers[LATE]) == (40, 24, 24)


def test_starts_that_are_put_off_sound_the_same_for_every_slicing():
    sounds = []
    for slicing in ((64,), (7, 100, 1), (2_048,)):
        host = EngineHost(outputs=1, voice_count=24)
        for i in range(100):
            host.play(tone(gain_db=-50.0, pitch=40.0 + i % 40), 9_000 + i // 30)
        host.run(8_192, (64,))
        sounds.append(host.run(4_096, slicing).tobytes())
        assert host.state.decoder.numbers[STOLEN] > 50
    assert sounds[0] == sounds[1] == sounds[2]


def test_what_was_stolen_is_told():
    host = EngineHost(voice_count=2)
    for i in range(3):
        host.play(tone(gain_db=-20.0 - 10.0 * i), 64 * i, event_id=1 + i)
    host.run(640)
    assert host.results() == [("sounded", 1, 0), ("sounded", 2, 64), ("stolen", 2, 128), ("sounded", 3, 128)]


def test_a_panic_tells_of_what_it_drops_and_a_second_one_has_nothing_to_do():
    host = EngineHost()
    host.play(tone(room_mix=0.5), 0, event_id=1)
    host.play(tone(), 90_000, event_id=2)
    host.run(640)
    host.send(PANIC)
    host.play(tone(), 95_000, event_id=3)
    host.send(PANIC)
    host.run(640)
    assert host.results() == [("sounded", 1, 0), ("dropped", 2, 640), ("dropped", 3, 640)]


def test_every_kind_of_command_has_its_row_in_the_table():
    numbers = [getattr(commands, kind.name.upper()) for kind in COMMANDS]
    assert numbers == list(range(len(COMMANDS)))
    made = [
        commands.play(1, 2), commands.amend(3, 4), commands.end(5, 6), commands.control(9, 10.0),
        commands.panic(), commands.start_phrase(11, 12, True, 13.0, False),
        commands.start_phrase(14, 15, True, 16.0, True), commands.stop_phrase(17, 18),
    ]  # fmt: skip
    assert [head.kind for head in made] == list(range(len(COMMANDS)))
    for head in made:  # only what the table lists is set
        used = {name for name, value in head._asdict().items() if value and name != "kind"}
        assert used == set(COMMANDS[head.kind].fields)


# -- the state


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"rate": 44_101}, "44101"),
        ({"rate": 8_000}, "8000"),
        ({"rate": RATE, "input_channels": 0}, "input_channels"),
        ({"rate": RATE, "output_channels": 3}, "output_channels"),
    ],
)
def test_a_state_that_cannot_be(options, word):
    with pytest.raises(ValueError, match=word):
        make_engine_state(**options)


def test_a_block_longer_than_a_slice_and_a_block_of_nothing():
    host = EngineHost()
    host.settle(dry_db=0.0)
    host.run(0)
    sound = noise(3 * SLICE_FRAMES + 5, 1)
    out = host.run(sound, (len(sound),))
    assert np.array_equal(out[:, 0], sound[:, 0])
    assert host.state.capture.index[OFFERED] == len(sound)


def test_what_is_heard_of_a_stereo_input_is_chosen_and_changes_without_a_step():
    host = EngineHost(inputs=2, outputs=2)
    host.settle(dry_db=0.0, ceiling_db=0.0)
    seconds = np.arange(9_600) / 48_000.0
    left, right = 0.2 * np.sin(2e3 * seconds), 0.1 * np.sin(5e2 * seconds)
    source = np.column_stack([left, right]).astype(np.float32)
    plain = host.run(source)
    assert take(host.state.capture)[:, 0] == pytest.approx(0.5 * (left + right), abs=1e-6)
    for weights, width, heard in (((1, 0), 0, left), ((0.5, -0.5), 0, 0.5 * (left - right))):
        for place, factor in enumerate((width, *weights), WIDTH):
            assert host.send(commands.CONTROL, 0, place, factor)
        out = host.run(source)
        settled = take(host.state.capture)[4_800:, 0]
        assert settled == pytest.approx(heard[4_800:], abs=1e-5)
        largest = np.abs(np.diff(out, axis=0)).max()
        assert largest <= 1.2 * max(np.abs(np.diff(plain, axis=0)).max(), np.abs(np.diff(heard)).max())
        assert out[4_800:, 0] == pytest.approx(out[4_800:, 1], abs=1e-5)  # in the middle
