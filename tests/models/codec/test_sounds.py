"""Sound that nobody annotated: clips of one length, of long recordings, short ones, notes and music."""

import numpy as np
import pytest
import soundfile

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.codec.pipeline import render_samples
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.models.codec import sounds
from struck.models.codec.refitted import RefittedClip
from struck.models.codec.refitted_examples import ExampleSampler

from .training_data import make_training_data, synthesise_note


class Music:
    """Stands in for scores and sound fonts."""

    def __init__(self, data, notes, seed, sound_fonts):
        pass

    def draw(self):
        return synthesise_note(60, 18.0, ANALYSIS_RATE)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(sounds, "MusicSampler", Music)
    monkeypatch.setattr(sounds, "find_sound_fonts", list)
    folder = make_training_data(tmp_path)
    (folder / "sounds" / "kit").mkdir(parents=True)
    soundfile.write(folder / "sounds" / "long.wav", 0.1 * np.ones(20 * 44_100), 44_100)
    soundfile.write(folder / "sounds" / "kit" / "hit.flac", synthesise_note(70, 0.2, 44_100), 44_100)
    (folder / "sounds" / "broken.wav").write_bytes(b"not a sound")
    return folder


@pytest.mark.parametrize("kind", ["recordings", "notes", "music"])
def test_clips_have_one_length_and_a_level(data, monkeypatch, kind):
    monkeypatch.setattr(sounds, "_RECORDING_CHANCE", 1.0 if kind == "recordings" else 0.0)
    monkeypatch.setattr(sounds, "_NOTES_CHANCE", 1.0 if kind == "notes" else 0.0)
    sampler = sounds.SoundSampler(data, 1)
    clips = [sampler.draw() for _ in range(6)]
    for clip in clips:
        assert clip.shape == (sounds.CLIP_SAMPLES,)
        assert clip.dtype == np.float32
        assert -20.1 < 20 * np.log10(np.abs(clip).max()) < -0.9
    if kind == "recordings":
        steady = [np.std(clip[1000:-1000]) < 0.01 * clip.max() for clip in clips]
        assert any(steady)
        assert not all(steady)  # the hits are heard too


@pytest.mark.parametrize("n_fft", [2048, 1024, 512])
def test_what_is_left_of_one_event_is_the_event(tmp_path, n_fft):
    """An event alone in a clip: what the network is shown sounds from its onset on, as the target does."""
    weights = load_codec_weights(default_codec_weights_path())
    vector = np.zeros(32, np.float32)
    onset = 300 * 256 + 40
    samples = render_samples(weights, [Event(onset / ANALYSIS_RATE, -12.0, vector)], ANALYSIS_RATE)
    samples = np.pad(samples, (0, sounds.CLIP_SAMPLES))[: sounds.CLIP_SAMPLES]
    clip = RefittedClip(samples, np.array([onset]), np.array([-12.0], np.float32), vector[None])
    clip.save(tmp_path / "clip.npz")
    batch = ExampleSampler([tmp_path / "clip.npz"], default_codec_weights_path(), n_fft, 4, 1).draw()
    left, target = batch.left.numpy(), batch.target.numpy()
    assert left.shape == target.shape == (4, len(batch.mask[0]), n_fft // 2 + 1)
    assert bool((batch.mask <= batch.known).all())
    alike = (left * target).sum((1, 2)) / np.sqrt((left**2).sum((1, 2)) * (target**2).sum((1, 2)))
    assert alike.min() > 0.9
    near = np.round((batch.shift_seconds.numpy() * ANALYSIS_RATE - 40) / 256)
    assert set(near) <= {-1.0, 0.0, 1.0}
