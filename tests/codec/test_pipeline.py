"""What is done between files."""

from pathlib import Path

import numpy as np

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.profiles import PROFILES
from struck.codec.files.audio_files import read_mono
from struck.codec.pipeline import make_header, render_samples, render_take
from struck.codec.takes.takes import TakeReader, TakeWriter
from struck.codec.weights.codec_weights import shipped_codec_weights

from .events.test_lives import make_event

RATE = 48_000


def test_a_take_is_rendered_as_its_events_were_amended_and_ended(tmp_path: Path) -> None:
    weights = shipped_codec_weights()
    event = make_event(0.1, 7, hold=5.0, decay=20.0, room_mix=0.0, noisiness=0.0)
    bend = Amendment.of_fields(7, 0.4, {"pitch": 84.0}, gain_db=-14.0)
    sounds = {}
    for name, items in (("held", [event]), ("played", [event, bend, End(7, 0.6)])):
        with TakeWriter(tmp_path / f"{name}.mcap", make_header(weights, PROFILES["live"], name)) as writer:
            for item in items:
                writer.write(item)
        sound = tmp_path / f"{name}.wav"
        render_take(tmp_path / f"{name}.mcap", sound, weights, RATE, "FLOAT", lambda seconds: None)
        sounds[name] = read_mono(sound, RATE)
        taken = list(TakeReader(tmp_path / f"{name}.mcap").items())
        assert np.array_equal(sounds[name], render_samples(weights, taken, RATE))
    held, played = sounds["held"], sounds["played"]
    before = round(0.39 * RATE)
    assert np.array_equal(held[:before], played[:before])
    assert np.max(np.abs(played[round(0.45 * RATE) : round(0.55 * RATE)])) > 0.01
    assert np.max(np.abs(played[round(0.75 * RATE) :])) < 1e-3 * np.max(np.abs(played))
    assert len(played) < 0.5 * len(held)
