"""The encoder for files: any slicing gives the same events, notes are few events, and silence none."""

from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order
from struck.codec.events.event_spec import ANALYSIS_RATE, INDEX, read_field
from struck.codec.events.profiles import PROFILES
from struck.codec.events.quantize import quantize_events, restore_events
from struck.codec.events.settle import settle
from struck.codec.hearing.following.hearing import make_hearing
from struck.codec.hearing.joint.encoder import JointEncoder
from struck.codec.hearing.joint.profile_encoder import make_encoder
from struck.codec.measures.known_notes import ONSET_SECONDS, make_known_notes
from struck.codec.measures.metrics import energy_removed_db
from struck.codec.pipeline import render_samples
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

from ..encoder_sounds import add_note, midi_to_hz, silence

WEIGHTS = load_codec_weights(default_codec_weights_path())
STUDIO = PROFILES["studio"]
WHOLE = 1 << 30


def encode(sound, block=WHOLE, encoder=None):
    encoder = encoder or make_encoder(WEIGHTS, STUDIO)
    events = []
    for start in range(0, len(sound), block):
        events += encoder.process(sound[start : start + block])
    return events + encoder.flush()


def three_windows():
    """Seven seconds with notes at the edges of hops, and noise."""
    rng = np.random.default_rng(1)
    sound = silence(7.0) + 1e-3 * rng.standard_normal(round(7.0 * ANALYSIS_RATE)).astype(np.float32)
    for onset in (0.5, 2.7, 2.98, 5.94, 6.5):
        add_note(sound, onset, float(rng.integers(45, 80)))
    return sound


def pitch_of(event):
    return float(read_field(event.vector, "pitch"))


@pytest.fixture(scope="module")
def whole():
    return encode(three_windows())


def test_it_is_studios():
    assert isinstance(make_encoder(WEIGHTS, STUDIO), JointEncoder)
    assert not isinstance(make_encoder(WEIGHTS, STUDIO, 0), JointEncoder)
    with pytest.raises(ValueError, match="steps is 0"):
        JointEncoder(WEIGHTS, STUDIO, 0, 0.04)


@pytest.mark.parametrize("block", [64, 4096])
def test_any_slicing_gives_the_same_events(whole, block):
    assert len(whole) >= 5
    encoder = make_encoder(WEIGHTS, STUDIO)
    encoder.process(np.random.default_rng(3).standard_normal(70_000).astype(np.float32))
    encoder.reset()  # forgets everything
    assert encode(three_windows(), block, encoder) == whole


def test_a_take_gives_the_same_events_back(whole):
    assert restore_events(quantize_events(whole)) == whole


def test_events_come_within_the_latency():
    encoder, sound = make_encoder(WEIGHTS, STUDIO), three_windows()
    late = []
    for start in range(0, len(sound), 1024):
        for event in encoder.process(sound[start : start + 1024]):
            late.append(start + 1024 - round(event.onset_seconds * ANALYSIS_RATE) - encoder.latency_samples)
    assert late
    assert max(late) <= 1024


def test_nothing_is_heard_in_silence_nor_after_it():
    assert encode(silence(4.0)) == []
    noise = 1e-4 * np.random.default_rng(5).standard_normal(4 * ANALYSIS_RATE)
    assert encode(noise.astype(np.float32)) == []
    sound = add_note(silence(8.0), 0.3, 60.0, decay_rate=8.0)
    sound[ANALYSIS_RATE:] = 0.0
    assert max(event.onset_seconds for event in encode(sound)) < 1.05
    after = render_samples(WEIGHTS, encode(sound), ANALYSIS_RATE)[round(1.5 * ANALYSIS_RATE) :]
    assert np.abs(after).max(initial=0.0) < 1e-3 * np.abs(sound).max()


def dry(item):
    """An event or amendment without its room, whose tail outlasts any sound."""
    if isinstance(item, End):
        return item
    vector = item.vector.copy()
    vector[INDEX["room_mix"]] = -1.0
    return replace(item, vector=vector)


def test_what_goes_on_for_longer_than_is_known_is_ended_when_it_stops():
    """Noise that sounds as if it never ended when its events are told, and stops in the third hop."""
    stop = round(6.5 * ANALYSIS_RATE)
    sound = silence(7.2)
    sound[:stop] = 0.1 * np.random.default_rng(6).standard_normal(stop)
    encoder = make_encoder(WEIGHTS, STUDIO)
    events = encode(sound, encoder=encoder)
    told_once = in_stream_order([*events, *encoder.take_changes()])
    ends = [item.at_seconds for item in told_once if isinstance(item, End)]
    # Some end with it; others, that take over in the third hop, are told how long they sound.
    assert ends
    assert max(ends) < 6.6
    settled = settle(told_once)
    assert len(settled) == len(events)
    hearing = make_hearing(WEIGHTS, STUDIO)
    amended = [*hearing.process(sound), *hearing.flush()]
    for told in (told_once, settled, amended):
        heard = render_samples(WEIGHTS, [dry(item) for item in told], ANALYSIS_RATE)
        after = heard[round(7.0 * ANALYSIS_RATE) :]
        assert np.abs(after).max(initial=0.0) < 1e-3 * np.abs(sound).max()
        assert heard[round(6.2 * ANALYSIS_RATE) : round(6.4 * ANALYSIS_RATE)].std() > 0.05


@pytest.mark.parametrize("length", [0, 1, 100, 1500])
def test_less_than_a_frame(length):
    noise = 0.3 * np.random.default_rng(4).standard_normal(length)
    events = encode(noise.astype(np.float32))
    assert all(event.onset_seconds * ANALYSIS_RATE < length for event in events)


def test_the_end_of_the_sound_is_encoded():
    sound = add_note(silence(6.2), 6.0, 69.0)  # in the third window, 0.2 s before the end
    assert any(abs(event.onset_seconds - 6.0) < 0.03 for event in encode(sound))


@pytest.mark.parametrize("note", make_known_notes(), ids=lambda note: note.name)
def test_a_plucked_note_is_two_events_at_most(note):
    events = encode(note.samples)
    assert 1 <= len(events) <= 2
    loudest = max(events, key=lambda event: event.gain_db)
    assert abs(pitch_of(loudest) - note.pitch_midi) < 0.2
    assert abs(loudest.onset_seconds - ONSET_SECONDS) < 0.015


@pytest.mark.parametrize("pitch", [45.0, 57.0, 72.0])
def test_a_damped_note_ends_with_its_sound(pitch):
    sound = add_note(silence(2.0), 0.2, pitch, decay_rate=1.0)
    end = round(0.9 * ANALYSIS_RATE)
    sound[end : end + 440] *= np.linspace(1.0, 0.0, 440, dtype=np.float32)
    sound[end + 440 :] = 0.0
    events = encode(sound)
    assert len(events) <= 2
    after = render_samples(WEIGHTS, events, ANALYSIS_RATE)[end + round(0.1 * ANALYSIS_RATE) :]
    assert np.abs(after).max(initial=0.0) < 0.03 * np.abs(sound).max()  # 30 dB down


def test_notes_that_ring_over_each_other_are_told_apart():
    """Of a melody over a bass that rings on, each note is found, and most of the energy."""
    notes = [(0.2, 45.0), (0.7, 68.0), (1.2, 70.0), (1.7, 71.0)]
    sound = silence(2.8)
    for onset, pitch in notes:
        add_note(sound, onset, pitch, decay_rate=2.0)
    events = encode(sound)
    for onset, pitch in notes:
        near = [pitch_of(event) for event in events if abs(event.onset_seconds - onset) < 0.05]
        assert any(abs(found - pitch) < 0.5 for found in near), f"{pitch} at {onset} not among {near}"
    assert len(events) <= 2 * len(notes)
    assert energy_removed_db(sound, render_samples(WEIGHTS, events, ANALYSIS_RATE)) > 10.0


def test_a_partial_of_a_whistle_is_where_it_is():
    """Steady and high, near the end of the range of pitches that are proposed."""
    time = np.arange(round(1.0 * ANALYSIS_RATE)) / ANALYSIS_RATE
    sound = silence(1.4)
    sound[4_410 : 4_410 + len(time)] = 0.1 * np.sin(2 * np.pi * midi_to_hz(103.0) * time)
    loudest = max(encode(sound), key=lambda event: event.gain_db)
    assert abs(pitch_of(loudest) - 103.0) < 0.3


def test_what_changes_is_amended_where_it_is_streamed():
    """A tone that swells after it began: the stream follows it, a list of events cannot."""
    sound = add_note(silence(3.0), 0.2, 57.0, decay_rate=0.0)
    sound *= np.interp(np.arange(len(sound)), [0, 20_000, 45_000], [0.2, 0.2, 1.0]).astype(np.float32)
    hearing = make_hearing(WEIGHTS, STUDIO)
    items = [*hearing.process(sound), *hearing.flush()]
    assert any(isinstance(item, Amendment) for item in items)
    followed, once = (
        energy_removed_db(sound, render_samples(WEIGHTS, told, ANALYSIS_RATE))
        for told in (items, encode(sound))
    )
    assert followed > once
