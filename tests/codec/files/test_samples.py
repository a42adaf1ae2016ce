"""Samples from other programs: scaled where the full scale is known, otherwise refused in a sentence."""

import numpy as np
import pytest
import soundfile

from struck.codec import Encoder, write_audio
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.files.audio_files import AudioWriter
from struck.codec.files.samples import as_mono, as_samples
from struck.codec.hearing.encoder import StreamingEncoder
from struck.codec.measures.metrics import energy_removed_db
from struck.codec.playing.decoder import Decoder
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

RATE = 22_050


def pluck() -> np.ndarray:
    time = np.arange(RATE) / RATE
    return (0.5 * np.exp(-5.0 * time) * np.sin(2 * np.pi * 330.0 * time)).astype(np.float32)


def forms(sound: np.ndarray) -> dict[str, np.ndarray]:
    """The same sound as other programs hand it in."""
    return {
        "float64": sound.astype(np.float64),
        "int16": np.rint(sound * 32_768).astype(np.int16),
        "int32": np.rint(sound.astype(np.float64) * 2**31).astype(np.int32),
        "big-endian int16": np.rint(sound * 32_768).astype(">i2"),
        "every other of a longer array": np.repeat(sound, 2)[::2],
        "a column": np.stack([sound, sound], axis=1)[:, 0],
        "backwards, twice": sound[::-1].copy()[::-1],
        "not writable": np.frombuffer(sound.tobytes(), np.float32),
    }


@pytest.mark.parametrize("form", forms(pluck()))
def test_every_form_is_the_same_sound(form):
    samples = as_samples(forms(pluck())[form])
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    assert np.abs(samples - pluck()).max() <= 1 / 65_536


def test_full_scale():
    np.testing.assert_array_equal(as_samples(np.array([-32_768, 16_384], np.int16)), [-1.0, 0.5])
    np.testing.assert_array_equal(as_samples(np.array([-(2**31), 2**30], np.int32)), [-1.0, 0.5])
    np.testing.assert_array_equal(as_samples([0.25, -0.5]), np.array([0.25, -0.5], np.float32))
    assert as_samples([]).shape == (0,)


@pytest.mark.parametrize("kind", ["int8", "uint8", "uint16", "int64", "bool", "complex64"])
def test_other_numbers_are_refused_in_a_sentence(kind):
    with pytest.raises(TypeError, match=rf"full scale at 1, int16 or int32; these are {kind}"):
        as_samples(np.zeros(4, kind))


def test_shapes():
    for shape in ((4, 1), (1, 4), (4, 2), ()):
        with pytest.raises(ValueError, match=r"mono samples have the shape \[N\].*mean over the channels"):
            as_mono(np.zeros(shape, np.float32))


@pytest.fixture(scope="module")
def weights():
    return load_codec_weights(default_codec_weights_path())


def hear(weights, block: np.ndarray) -> list[Event]:
    encoder = StreamingEncoder(weights, PROFILES["tight"])
    return encoder.process(block) + encoder.flush()


def test_the_encoder_hears_the_same_in_whole_numbers(weights):
    expected = hear(weights, pluck())
    assert expected
    for form in ("float64", "int16", "every other of a longer array"):
        found = hear(weights, forms(pluck())[form])
        assert [e.gain_db for e in found] == pytest.approx([e.gain_db for e in expected], abs=1.01)
        assert [e.onset_seconds for e in found] == pytest.approx(
            [e.onset_seconds for e in expected], abs=1e-3
        )


def test_whole_sounds_of_other_rates_in_whole_numbers(weights, tmp_path):
    sound = np.repeat(pluck(), 2)[: 2 * RATE]
    in_numbers = np.rint(sound * 32_768).astype(np.int16)
    encoder = Encoder("tight", weights)
    for rate in (RATE, 2 * RATE):
        expected = [event.gain_db for event in encoder.encode(sound, rate)]
        assert [event.gain_db for event in encoder.encode(in_numbers, rate)] == pytest.approx(
            expected, abs=1.01
        )
        with pytest.raises(TypeError, match="uint8"):
            encoder.encode(np.zeros(10, np.uint8), rate)
        with pytest.raises(ValueError, match="mono"):
            encoder.encode(np.zeros((10, 2)), rate)
    write_audio(tmp_path / "out.wav", in_numbers, RATE)
    assert np.abs(soundfile.read(tmp_path / "out.wav")[0] - sound).max() <= 1 / 65_000


def test_the_encoder_refuses_what_it_would_mishear(weights):
    encoder = StreamingEncoder(weights, PROFILES["tight"])
    with pytest.raises(TypeError, match="these are int64"):
        encoder.process(np.arange(100))
    with pytest.raises(ValueError, match="shape"):
        encoder.process(np.zeros((100, 2), np.float32))
    with pytest.raises(ValueError, match="takes 22050 samples a second, not 48000"):
        encoder.process(np.zeros(100, np.float32), 48_000)
    assert encoder.process(np.full(100, np.nan)) == []
    assert encoder.nonfinite_samples == 100


@pytest.mark.parametrize("form", ["int16", "int32", "every other of a longer array", "a column"])
@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_the_writer_writes_the_same_sound(tmp_path, form, subtype):
    with AudioWriter(tmp_path / "out.wav", RATE, subtype=subtype) as writer:
        writer.write(forms(pluck())[form])
    assert writer.notes == []
    assert np.abs(soundfile.read(tmp_path / "out.wav")[0] - pluck()).max() <= 1 / 65_000


def test_the_writer_refuses_other_whole_numbers(tmp_path):
    with AudioWriter(tmp_path / "out.wav", RATE) as writer, pytest.raises(TypeError, match="int64"):
        writer.write(np.arange(10))


def test_measures_take_whole_numbers_too():
    decoded = 0.5 * pluck()
    whole = energy_removed_db(forms(pluck())["int16"], decoded)
    assert whole == pytest.approx(energy_removed_db(pluck(), decoded), abs=0.01)


def test_the_decoder_refuses_parts_of_samples(weights):
    decoder = Decoder(weights, 48_000)
    event = Event(0.0, -20.0, np.zeros(VECTOR_SIZE))
    for at in (0.5, np.float64(3.0), "3"):
        with pytest.raises(TypeError):
            decoder.schedule(event, at)
    with pytest.raises(TypeError):
        decoder.process(64.0)
    with pytest.raises(ValueError, match="frames is -1"):
        decoder.process(-1)
    assert len(decoder.process(np.int64(64))) == 64
