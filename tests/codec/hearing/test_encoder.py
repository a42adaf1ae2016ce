"""The streaming encoder: any slicing gives the same events, nothing is heard in silence, notes are found."""

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE, read_field
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.encoder import EncoderObserver, StreamingEncoder
from struck.codec.measures.known_notes import ONSET_SECONDS, make_known_notes
from struck.codec.weights.codec_weights import CodecWeights, default_codec_weights_path, load_codec_weights

from .encoder_sounds import add_note, melody, silence

WEIGHTS = load_codec_weights(default_codec_weights_path())
WHOLE = 1 << 30
MELODY = (60.0, 67.0, 64.0)
#: A window of 512 samples tells no pitch: what is heard later does, see ``test_follower.py``.
TELL_PITCH = [name for name in PROFILES if name != "instant"]


def encode(encoder, sound, block=WHOLE):
    events = []
    for start in range(0, len(sound), block):
        events += encoder.process(sound[start : start + block])
    return events + encoder.flush()


def make_encoder(profile, observer=None):
    return StreamingEncoder(WEIGHTS, PROFILES[profile], observer)


def short_sound():
    """Two notes in noise; ends while the second sounds."""
    sound = add_note(add_note(silence(0.5), 0.1, 57.0), 0.3, 76.0)
    noise = np.random.default_rng(0).standard_normal(len(sound))
    return sound + (0.003 * noise).astype(np.float32)


def long_sound():
    rng = np.random.default_rng(1)
    sound = silence(7.0)
    for onset in (0.5, 2.7, 2.98, 5.94, 6.5):  # some at the edges of the studio profile's hops
        add_note(sound, onset, float(rng.integers(45, 80)))
    return sound


@pytest.fixture(scope="module")
def whole():
    """Events of the sounds given in one bite."""
    return {
        "tight": encode(make_encoder("tight"), short_sound()),
        "live": encode(make_encoder("live"), short_sound()),
        "studio": encode(make_encoder("studio"), long_sound()),
    }


# ---- streaming -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "block"),
    [
        ("tight", 1),
        ("tight", 64),
        ("tight", 4096),
        ("live", 480),
        ("live", 1),
        ("studio", 480),
        ("studio", 4096),
    ],
)
def test_any_slicing_gives_the_same_events(whole, profile, block):
    sound = long_sound() if profile == "studio" else short_sound()
    events = encode(make_encoder(profile), sound, block)
    assert len(events) >= 1
    assert events == whole[profile]


def test_reset_forgets_everything(whole):
    encoder = make_encoder("live")
    encoder.process(np.random.default_rng(3).standard_normal(9_000).astype(np.float32))
    encoder.reset()
    assert encode(encoder, short_sound()) == whole["live"]
    encoder.reset()
    assert encode(encoder, short_sound()) == whole["live"]


def test_flush_twice_and_process_after_flush():
    encoder = make_encoder("tight")
    encoder.process(add_note(silence(0.2), 0.02, 69.0))
    encoder.flush()
    assert encoder.flush() == []
    with pytest.raises(ValueError, match="flushed"):
        encoder.process(silence(0.1))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("length", [0, 1, 100, 1500])
def test_less_than_a_frame(profile, length):
    noise = 0.3 * np.random.default_rng(4).standard_normal(length)
    encoder = make_encoder(profile)
    events = encode(encoder, noise.astype(np.float32))
    assert all(event.onset_seconds * ANALYSIS_RATE < length for event in events)
    encoder.reset()
    encoder.flush()
    assert encoder.flush() == []


@pytest.mark.parametrize("profile", ["live", "tight", "instant"])
def test_events_come_within_the_latency(profile):
    """No later than the latency after the onset, to a block."""
    encoder, sound = make_encoder(profile), short_sound()
    late = []
    for start in range(0, len(sound), 64):
        for event in encoder.process(sound[start : start + 64]):
            late.append(start + 64 - round(event.onset_seconds * ANALYSIS_RATE) - encoder.latency_samples)
    assert late
    assert max(late) <= 64


@pytest.mark.parametrize("profile", PROFILES)
def test_the_end_of_the_stream_is_encoded(profile):
    sound = add_note(silence(1.0), 0.8, 69.0)
    assert any(event.onset_seconds > 0.7 for event in encode(make_encoder(profile), sound))


def test_observer_sees_every_event(whole):
    class Observer(EncoderObserver):
        def __init__(self):
            self.rounds, self.steps = 0, []

        def on_round(self, observed, power, fourth, found):
            assert observed.shape == power.shape == fourth.shape
            self.rounds += 1

        def on_event(self, step):
            assert step.removed > 0.0
            assert step.window_energy >= step.removed
            self.steps.append(step.event)

    observer = Observer()
    events = encode(make_encoder("live", observer), short_sound())
    assert events == whole["live"]
    assert sorted(observer.steps, key=lambda e: e.onset_seconds) == sorted(
        events, key=lambda e: e.onset_seconds
    )
    assert observer.rounds >= len({event.onset_seconds for event in events}) > 0


# ---- what is not music -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_is_heard_in_silence(profile):
    encoder = make_encoder(profile)
    assert encode(encoder, silence(0.8)) == []
    encoder.reset()
    noise = 1e-4 * np.random.default_rng(5).standard_normal(round(0.8 * ANALYSIS_RATE))
    assert encode(encoder, noise.astype(np.float32)) == []


def test_samples_that_are_no_numbers_count_as_zero(whole):
    sound = short_sound()
    sound[200:203] = 0.0
    expected = encode(make_encoder("tight"), sound)
    sound[200:203] = (np.nan, np.inf, -np.inf)
    encoder = make_encoder("tight")
    assert encode(encoder, sound) == expected
    assert encoder.nonfinite_samples == 3


def test_only_mono_is_taken():
    with pytest.raises(ValueError, match=r"mono samples have the shape \[N\]"):
        make_encoder("tight").process(np.zeros((2, 100), np.float32))


def test_weights_without_the_network_are_refused():
    with pytest.raises(StruckError, match="lack encoder weight"):
        StreamingEncoder(CodecWeights("bare", WEIGHTS.decoder, {}), PROFILES["live"])
    misshapen = {**WEIGHTS.encoder, "in.w": np.zeros((3, 3), np.float32)}
    with pytest.raises(StruckError, match=r"in\.w of shape"):
        StreamingEncoder(CodecWeights("bare", WEIGHTS.decoder, misshapen), PROFILES["live"])


# ---- music -----------------------------------------------------------------------------------------------


def pitch_of(event):
    return float(read_field(event.vector, "pitch"))


@pytest.mark.parametrize("profile", TELL_PITCH)
def test_a_melody_is_found(profile):
    """Of each note, an event within 60 ms and a semitone."""
    events = encode(make_encoder(profile), melody(MELODY))
    for i, pitch in enumerate(MELODY):
        near = [pitch_of(event) for event in events if abs(event.onset_seconds - 0.15 - 0.3 * i) < 0.06]
        assert any(abs(found - pitch) < 1.0 for found in near), f"{pitch} not among {near}"


@pytest.mark.parametrize("profile", TELL_PITCH)
@pytest.mark.parametrize("note", make_known_notes(), ids=lambda note: note.name)
def test_a_single_note_is_found_where_it_is(note, profile):
    """An event within 20 cents and 15 ms; of what the whole note is known, it is the loudest.

    How many events a note takes besides is what ``struck evaluate codec`` tells.
    """
    events = encode(make_encoder(profile), note.samples)
    if profile == "studio":
        events = [max(events, key=lambda event: event.gain_db)]
    near = [event for event in events if abs(event.onset_seconds - ONSET_SECONDS) < 0.015]
    assert any(abs(pitch_of(event) - note.pitch_midi) < 0.2 for event in near), events
