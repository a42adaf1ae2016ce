"""Amended events in magnitude frames: numpy against torch, and both against the sound."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from struck.codec.events.amendments import Amendment, End  # noqa: E402
from struck.codec.events.event_spec import ANALYSIS_RATE, INDEX, VECTOR_SIZE  # noqa: E402
from struck.codec.events.events import Event  # noqa: E402
from struck.codec.events.lives import collect_lives  # noqa: E402
from struck.codec.events.segments import tabulate_lives  # noqa: E402
from struck.codec.hearing.event_frames import FRAMES_BEFORE, EventFrames  # noqa: E402
from struck.codec.hearing.spectrum import HOP, frames_to_magnitudes  # noqa: E402
from struck.codec.playing.decoder import Decoder  # noqa: E402
from struck.models.codec.event_spectrum import EventSpectrum  # noqa: E402

from .test_event_decoder import WEIGHTS, error_db, one_thread  # noqa: E402, F401
from .test_life_decoder import random_stream  # noqa: E402

N_FFT = 2048


def test_numpy_and_torch_agree_on_lives():
    """As well as on events: the table of lobes, 1/256 of a bin fine, leaves -56 to -60 dB of either."""
    lives = [collect_lives(random_stream(1, seed, ANALYSIS_RATE, 20_000))[0] for seed in range(6)]
    shifts = np.linspace(-0.005, 0.005, 6).astype(np.float32)
    weights = {name: torch.from_numpy(array) for name, array in WEIGHTS.decoder.items()}
    rendered = EventFrames(WEIGHTS.decoder, N_FFT).render_lives(lives, shifts)
    for life, shift, frames in zip(lives, shifts, rendered, strict=True):
        spectrum = EventSpectrum(np.arange(len(frames[0])) - FRAMES_BEFORE, N_FFT)
        with torch.no_grad():
            twin = spectrum.forward_lives(weights, tabulate_lives([life]), torch.tensor([shift]))
        tone, noise = (part[0].numpy() for part in twin)
        assert error_db(frames[0], tone) <= -55.0
        assert error_db(frames[1], noise) <= -100.0


def test_a_life_without_amendments_is_the_event():
    (life,) = collect_lives([Event(0.0, -10.0, np.zeros(VECTOR_SIZE, np.float32), 1)])
    frames = EventFrames(WEIGHTS.decoder, N_FFT)
    shift = np.zeros(1, np.float32)
    (lived,) = frames.render_lives([life], shift)
    (plain,) = frames.render(np.array([-10.0], np.float32), life.event.vector[None], shift)
    for got, wanted in zip(lived, plain, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("field", "value", "gain_db", "end_seconds"),
    [
        (None, 0.0, -30.0, None),
        (None, 0.0, -6.0, None),
        ("pitch", -0.2, None, None),
        ("tilt", 0.5, None, None),
        (None, 0.0, -13.0, 0.3),
    ],
)
def test_frames_show_what_the_decoder_plays(field, value, gain_db, end_seconds):
    """Nearly as well as an event that is not amended; a slide counts as a step in its middle."""
    vector = np.zeros(VECTOR_SIZE, np.float32)
    for name, v in {"noisiness": -1.0, "room_mix": -1.0, "hold": 1.0, "decay": 0.8, "glide": 0.0}.items():
        vector[INDEX[name]] = v
    onset = 8 * HOP / ANALYSIS_RATE
    event = Event(onset, -12.0, vector, 1)
    change = np.full(VECTOR_SIZE, np.nan, np.float32)
    if field is not None:
        change[INDEX[field]] = value
    items = [event, Amendment(1, onset + 0.25, gain_db, change)]
    if end_seconds is not None:
        items.append(End(1, onset + end_seconds))
    errors = []
    for stream in ([event], items):
        decoder = Decoder(WEIGHTS, ANALYSIS_RATE)
        for item in stream:
            decoder.schedule(item)
        sound = np.concatenate([np.zeros(N_FFT // 2, np.float32), decoder.process(80 * HOP)])
        count = 60
        starts = (8 - FRAMES_BEFORE + np.arange(count)) * HOP
        seen = frames_to_magnitudes(np.stack([sound[s : s + N_FFT] for s in starts]))
        tone, _ = EventFrames(WEIGHTS.decoder, N_FFT).render_lives(
            collect_lives(stream), np.zeros(1, np.float32)
        )[0]
        errors.append(error_db(tone[:count], seen[: len(tone)]))
    assert errors[0] < -20.0
    assert errors[1] < -15.0
