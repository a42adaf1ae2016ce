"""Freeze, by its sound: what sounds is held at its level and in its colour, and ends with the pedal."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order
from struck.codec.events.event_spec import read_field
from struck.codec.events.events import Event
from struck.codec.pipeline import render_samples
from struck.codec.transforms.freeze import Moments
from struck.codec.transforms.streams import transform_stream
from struck.codec.transforms.transform import TransformSettings, Turn
from struck.codec.weights.codec_weights import shipped_codec_weights

from ..playing.decoder_events import FLAT_WEIGHTS, event, tone

RATE = 22_050
FREEZE = (TransformSettings("freeze", {"release": 0.3}),)


def held(items, down, up, weights=FLAT_WEIGHTS):
    turns = [Turn(down, "freeze", "hold", 1.0), Turn(up, "freeze", "hold", 0.0)]
    return transform_stream(items, FREEZE, turns=turns, weights=weights.decoder)


def level_db(sound, begin, end):
    part = sound[round(begin * RATE) : round(end * RATE)].astype(np.float64)
    return 10.0 * np.log10(np.mean(part**2) + 1e-12)


def centroid_octaves(sound, begin, end):
    """Power-weighted mean of the octaves above 100 Hz."""
    part = sound[round(begin * RATE) : round(end * RATE)] * np.hanning(
        round(end * RATE) - round(begin * RATE)
    )
    power = np.abs(np.fft.rfft(part)) ** 2
    hertz = np.fft.rfftfreq(len(part), 1.0 / RATE)
    high = hertz > 100.0
    return float(power[high] @ np.log2(hertz[high] / 100.0) / power[high].sum())


def test_a_decaying_tone_stands_still_while_the_pedal_is_down():
    played = [tone(0.0, -20.0, pitch=57.0, decay=2.0)]
    left = render_samples(FLAT_WEIGHTS, played, RATE)
    found = held(played, 0.5, 12.5)
    sound = render_samples(FLAT_WEIGHTS, found, RATE)
    moment_db = level_db(left, 0.45, 0.55)
    steps = [level_db(sound, t, t + 0.1) - moment_db for t in np.arange(0.7, 12.4, 0.1)]
    assert min(steps) > -3.0
    assert max(steps) < 3.0
    assert level_db(sound, 12.9, 13.0) < moment_db - 40.0  # 60 dB in 0.3 s
    assert all(np.abs(np.diff(sound)) < 0.1 * np.abs(sound).max() + 0.02)  # no click


@pytest.mark.parametrize("noisiness", [0.001, 0.6])
def test_a_struck_sound_is_held_in_its_colour(noisiness):
    played = [
        event(0.0, -20.0, pitch=50.0, decay=4.0, hold=5.0, tilt=-6.0, noisiness=noisiness, room_mix=0.0)
    ]
    weights = shipped_codec_weights()
    left = render_samples(weights, played, RATE)
    sound = render_samples(weights, held(played, 1.0, 9.0, weights), RATE)
    moment_db = level_db(left, 0.9, 1.1)
    steps = [level_db(sound, t, t + 0.2) - moment_db for t in np.arange(1.4, 8.8, 0.2)]
    assert min(steps) > -5.0
    assert max(steps) < 4.0
    assert abs(centroid_octaves(sound, 4.0, 6.0) - centroid_octaves(left, 0.9, 1.1)) < 0.7


def test_a_key_that_goes_up_meanwhile_means_nothing_and_what_is_played_meanwhile_passes():
    played = [
        tone(0.0, -20.0, pitch=57.0),
        Event(0.1, -30.0, tone(pitch=69.0).vector, 4),
        End(4, 1.0),
        Amendment.of_fields(4, 0.9, {"pitch": 70.0}),
        Event(1.5, -20.0, tone(pitch=76.0).vector, 9),
        End(9, 1.6),
    ]
    found = held(in_stream_order(played), 0.5, 3.0)
    after = [item for item in found if isinstance(item, Event) and item.onset_seconds > 0.4]
    kept = sorted({round(float(read_field(item.vector, "pitch"))) for item in after})
    assert kept == [57, 69, 76]
    assert all(item.at_seconds in (0.5, 3.0, 1.6) for item in found if isinstance(item, End))
    begun = {item.id for item in found if isinstance(item, Event)}
    ended = {item.id for item in found if isinstance(item, End)}
    assert begun == ended


def test_the_loudest_moments_and_none_of_what_has_faded():
    moments = Moments(FLAT_WEIGHTS.decoder)
    loud, soft = tone(0.0, -10.0, decay=40.0), tone(0.0, -30.0, decay=40.0)
    gone = tone(0.0, -20.0, decay=0.1)
    found = moments.loudest([(1, soft), (2, gone), (3, loud)], 1.0, 2)
    assert [moment.id for moment in found] == [3, 1]
    assert [moment.id for moment in moments.loudest([(1, soft), (3, loud)], 1.0, 1)] == [3]
    # 60 dB in 40 s: 1.5 dB in the first
    assert found[0].grain.gain_db == pytest.approx(-11.5, abs=0.2)


def test_without_weights_it_says_so():
    with pytest.raises(ValueError, match="freeze needs the decoder's weights"):
        transform_stream([tone(0.0)], FREEZE, turns=[Turn(0.5, "freeze", "hold", 1.0)])
