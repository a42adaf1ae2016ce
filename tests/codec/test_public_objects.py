"""The public objects of the codec do what the rooms below do, with the weights shipped."""

import numpy as np
import pytest
import soundfile

from struck.codec import (
    Decoder,
    Encoder,
    Event,
    StruckError,
    Take,
    change,
    describe,
    load_codec_weights,
    read_audio,
    render,
    write_audio,
)
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.joint.profile_encoder import make_encoder
from struck.codec.pipeline import render_samples
from struck.codec.weights.codec_weights import (
    default_codec_weights_path,
    save_codec_weights,
    shipped_codec_weights,
)

from .hearing.encoder_sounds import melody

WEIGHTS = shipped_codec_weights()
MIDDLE = Event(0.1, -12.0, np.zeros(32))
LATER = change(Event(3.5, -20.0, np.zeros(32)), pitch_hz=440.0)


@pytest.fixture
def other_weights(tmp_path):
    """Weights whose decoder is another one, read from a file."""
    decoder = {name: 0.5 * array for name, array in WEIGHTS.decoder.items()}
    save_codec_weights(tmp_path / "other.safetensors", decoder, WEIGHTS.encoder)
    return load_codec_weights(tmp_path / "other.safetensors")


@pytest.mark.parametrize(("profile", "steps"), [("studio", None), ("studio", 0), ("tight", None)])
def test_the_encoder_hears_what_struck_encode_hears(profile, steps):
    sound = melody((60.0, 67.0))
    below = make_encoder(WEIGHTS, PROFILES[profile], steps)
    expected = sorted(below.process(sound) + below.flush(), key=lambda event: event.onset_seconds)
    encoder = Encoder(profile, refine_steps=steps)
    assert encoder.encode(sound) == expected
    assert encoder.encode(sound) == expected  # what was heard before is forgotten
    encoder.reset()
    assert sorted(encoder.process(sound) + encoder.flush(), key=lambda event: event.onset_seconds) == expected


def test_a_sound_at_another_rate_is_resampled():
    seconds = np.arange(48_000) / 48_000
    tone = 0.3 * np.exp(-4 * seconds) * np.sin(2 * np.pi * 330 * seconds)
    loudest = max(Encoder("live").encode(tone, 48_000), key=lambda event: event.gain_db)
    assert describe(loudest).pitch_hz == pytest.approx(330, rel=0.01)
    assert loudest.onset_seconds < 0.02


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Encoder("loud"), "no profile 'loud'; there are studio, live, tight"),
        (lambda: Encoder("live", refine_steps=-1), "refine_steps is -1"),
        (lambda: Encoder("live").encode(np.zeros(10), 0), "rate is 0"),
        (lambda: Encoder("live").encode(np.zeros((10, 2)), 48_000), r"shape \[N\]"),
        (lambda: Decoder(44_101), "44101"),
        (lambda: render([], 44_101), "44101"),
        (lambda: change(MIDDLE, colour=3.0), "no descriptor is called colour"),
        (lambda: change(MIDDLE, room="cave"), "no room is called cave"),
    ],
)
def test_what_cannot_be_is_told(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_events_are_rendered_in_any_order_and_as_the_decoder_plays_them():
    sound = render([LATER, MIDDLE], 22_050)
    assert np.array_equal(sound, render_samples(WEIGHTS, [MIDDLE, LATER], 22_050))
    decoder = Decoder(22_050)
    for event in (MIDDLE, LATER):
        decoder.schedule(event)
    assert np.array_equal(decoder.process(len(sound)), sound)
    assert render([], 22_050).max(initial=0.0) == 0.0


def test_descriptors_are_set_together_in_any_order():
    wanted = {
        "decay_seconds": 0.7,
        "brightness": 1.5,
        "room": "chamber",
        "pitch_hz": 110.0,
        "loudness_db": -30.0,
    }
    found = describe(change(MIDDLE, **wanted))
    for name, value in wanted.items():
        assert getattr(found, name) == (value if name == "room" else pytest.approx(value, rel=0.02))
    assert describe(MIDDLE) != found  # the event itself stays as it was


def test_a_take_is_written_whole_and_read_back(tmp_path, other_weights):
    path = tmp_path / "one.mcap"
    take = Take.write(path, [LATER, MIDDLE], profile="live", source="me", duration_seconds=9.0, exact=True)
    assert isinstance(take, Take)
    again = Take.open(path)
    assert list(again.events()) == [MIDDLE, LATER]
    assert (again.header.profile, again.header.source, again.duration_seconds) == ("live", "me", 9.0)
    assert (again.info()["events"], again.truncated) == (2, False)
    assert np.array_equal(again.render(22_050), render([MIDDLE, LATER], 22_050))
    with pytest.raises(StruckError, match="was made with the weights"):
        again.render(22_050, other_weights)
    Take.write(path, [MIDDLE], weights=other_weights).check_weights(other_weights)
    with pytest.raises(ValueError, match="no profile"):
        Take.write(path, [LATER], profile="loud")
    assert len(list(Take.open(path).events())) == 1  # what stood there is still whole
    with pytest.raises(StruckError, match="cannot read"):
        Take.open(tmp_path / "none.mcap")


def test_other_weights_are_heard(other_weights):
    assert not np.array_equal(render([MIDDLE], 22_050, other_weights), render([MIDDLE], 22_050))
    assert describe(MIDDLE, other_weights) != describe(MIDDLE)
    assert load_codec_weights(default_codec_weights_path()).decoder_hash == WEIGHTS.decoder_hash


@pytest.mark.parametrize("channels", [1, 2])
def test_sound_files(tmp_path, channels):
    path = tmp_path / "sound.flac"
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (4_410, channels)).astype(np.float32)
    write_audio(path, samples if channels == 2 else samples[:, 0], 44_100)
    assert soundfile.info(path).channels == channels
    sound, rate = read_audio(path)
    assert rate == 44_100
    assert np.allclose(sound, samples.mean(1), atol=1e-6)
    resampled, rate = read_audio(path, 22_050)
    assert (len(resampled), rate) == (2_205, 22_050)
    with pytest.raises(StruckError, match="extension"):
        write_audio(tmp_path / "sound.mp3", samples, 44_100)
