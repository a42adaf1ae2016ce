"""A patch's transforms from file to file: echoes sound after the input's end, and the take has them."""

import numpy as np
import soundfile

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.codec.pipeline import render_samples
from struck.codec.takes.takes import TakeReader
from struck.codec.weights.codec_weights import shipped_codec_weights
from struck.realtime.host.host import Host
from struck.realtime.host.settings import LiveSettings

from ...codec.hearing.encoder_sounds import add_note, silence

PATCH = """format = 2
[[transform]]
kind = "delay"
time = 2.0
repeats = 2
fall_db = 6.0
"""


def perform(folder, patch):
    (folder / "patch.toml").write_text(patch, encoding="utf-8")
    soundfile.write(folder / "in.wav", add_note(silence(0.8), 0.1, 60.0, decay_rate=8.0), ANALYSIS_RATE)
    settings = LiveSettings(
        input=str(folder / "in.wav"),
        output=str(folder / "out.wav"),
        patch=str(folder / "patch.toml"),
        record=folder / "take.mcap",
        profile="tight",
        phrases="off",
    )
    with Host(settings) as host:
        host.run()
    events = [item for item in TakeReader(folder / "take.mcap").items() if isinstance(item, Event)]
    return events, *soundfile.read(folder / "out.wav", dtype="float32")


def test_echoes_sound_after_the_input_has_ended_and_the_take_has_them(tmp_path):
    (tmp_path / "plain").mkdir()
    plain, _, _ = perform(tmp_path / "plain", "format = 2\n")
    events, sound, rate = perform(tmp_path, PATCH)
    assert len(plain) >= 1
    wanted = sorted(event.onset_seconds + n for event in plain for n in (0.0, 1.0, 2.0))  # 120 bpm
    onsets = sorted(event.onset_seconds for event in events)
    assert len(onsets) == len(wanted)
    assert np.abs(np.array(onsets) - wanted).max() < 1e-3
    # the rendered take is the show
    again = render_samples(shipped_codec_weights(), TakeReader(tmp_path / "take.mcap").items(), rate)
    mono = sound.reshape(len(sound), -1)[:, 0]
    count = min(len(again), len(mono))
    assert count > 2.0 * rate
    assert np.abs(again[:count] - mono[:count]).max() < 1e-4 + 0.02 * np.abs(mono).max()
