"""What is heard live, from file to file: the stream and the sound are those of offline; silence follows."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from struck.codec.events.amendments import Amendment, End, item_seconds
from struck.codec.events.event_spec import ANALYSIS_RATE, INDEX
from struck.codec.events.events import Event
from struck.codec.events.lives import collect_lives
from struck.codec.pipeline import render_samples
from struck.codec.takes.takes import TakeReader
from struck.codec.weights.codec_weights import shipped_codec_weights
from struck.realtime.commands import cli
from struck.realtime.host.host import Host
from struck.realtime.host.settings import LiveSettings

#: Of 24 bits, with which a file is written.
STEP = 2.0**-23
STOP_SECONDS = 1.0


def performance(rate):
    """A plucked string, a drum and a held tone that stops, then silence."""
    time = np.arange(round(STOP_SECONDS * rate)) / rate
    sound = np.zeros(round(2.2 * rate))
    string, drum = time[: len(time) // 2], time[: len(time) // 4]
    for k in range(1, 7):
        pluck = np.exp(-(3.0 + k) * string) * np.sin(2.0 * np.pi * k * 220.0 * string)
        sound[rate // 10 :][: len(string)] += 0.2 / k * pluck
    noise = np.random.default_rng(3).standard_normal(len(drum))
    sound[rate // 2 :][: len(drum)] += 0.2 * np.exp(-20.0 * drum) * noise
    held = (time > 0.55) * 0.2 * np.sin(2.0 * np.pi * 660.0 * time)
    sound[: len(held)] += held
    return (0.3 * sound).astype(np.float32)


def write_performance(path, rate, seconds=None):
    soundfile.write(path, performance(rate)[: None if seconds is None else round(seconds * rate)], rate)
    return path


def perform(source, sound, take, profile, **others):
    settings = LiveSettings(input=str(source), output=str(sound), record=take, profile=profile, **others)
    with Host(settings) as host:
        host.run()
    return host.summary()


def by_time(items):
    """With ids in the order in which events began."""
    places, items = {}, list(items)
    for item in items:
        if isinstance(item, Event):
            places[item.id] = len(places)
    return [replace(item, id=places[item.id]) for item in items]


def moved(item, seconds):
    at = round((item_seconds(item) + seconds) * ANALYSIS_RATE) / ANALYSIS_RATE
    return replace(item, **{"onset_seconds" if isinstance(item, Event) else "at_seconds": at})


def dry(items):
    """The same without rooms."""
    for item in items:
        if isinstance(item, End):
            yield item
            continue
        vector = item.vector.copy()
        if isinstance(item, Event) or not np.isnan(vector[INDEX["room_mix"]]):
            vector[INDEX["room_mix"]] = -1.0
        yield replace(item, vector=vector)


def peak_db(sound):
    return 20.0 * np.log10(np.abs(sound).max() + 1e-12)


@pytest.mark.parametrize(("profile", "rate"), [("live", 48_000), ("tight", 44_100), ("instant", 48_000)])
def test_what_sounds_live_is_what_encode_and_render_give(tmp_path, profile, rate):
    source = write_performance(tmp_path / "in.wav", rate)
    live, take, offline = tmp_path / "live.wav", tmp_path / "live.mcap", tmp_path / "offline.mcap"
    summary = perform(source, live, take, profile)
    assert cli.main(["encode", str(source), str(offline), "--profile", profile, "--json"]) == 0
    late = summary["latency"]["engine_seconds"]
    streams = [by_time(TakeReader(path).items()) for path in (take, offline)]
    assert {type(item) for item in streams[0]} == {Event, Amendment, End}
    assert streams[0] == [moved(item, late) for item in streams[1]]
    played, _ = soundfile.read(live, dtype="float32")
    rendered = render_samples(shipped_codec_weights(), TakeReader(take).items(), rate)
    count = min(len(played), len(rendered))
    assert count > 1.2 * rate
    assert 0.02 < np.abs(played).max() < 0.7  # the limiter sleeps
    assert np.abs(played[:count] - rendered[:count]).max() <= 2.0 * STEP
    assert summary["counters"]["late"] == 0
    assert summary["counters"].get("amendments_late", 0) == 0


@pytest.mark.parametrize("profile", ["live", "tight", "instant"])
def test_nothing_sounds_after_the_input_has_stopped(tmp_path, profile):
    rate = 48_000
    source = write_performance(tmp_path / "in.wav", rate)
    live, take = tmp_path / "live.wav", tmp_path / "live.mcap"
    summary = perform(source, live, take, profile, controls=(("room_mix", -1.0),))
    played, _ = soundfile.read(live, dtype="float32")
    silent = round((STOP_SECONDS + summary["latency"]["engine_seconds"] + 0.5) * rate)
    assert peak_db(played[:silent]) > -30.0
    assert len(played) <= silent or peak_db(played[silent:]) < -60.0


@pytest.mark.parametrize("seconds", [None, STOP_SECONDS])
@pytest.mark.parametrize("profile", ["studio", "live", "tight", "instant"])
def test_nothing_sounds_offline_after_the_input_has_stopped(tmp_path, profile, seconds):
    """Whether silence follows or the file ends."""
    source = write_performance(tmp_path / "in.wav", 22_050, seconds)
    take = tmp_path / "t.mcap"
    assert cli.main(["encode", str(source), str(take), "--profile", profile, "--json"]) == 0
    items = list(TakeReader(take).items())
    assert len(collect_lives(items)) >= 3
    sound = render_samples(shipped_codec_weights(), dry(items), 22_050)
    silent = round((STOP_SECONDS + 0.5) * 22_050)
    assert peak_db(sound[:silent]) > -30.0
    assert len(sound) <= silent or peak_db(sound[silent:]) < -60.0
