"""Whole performances from file to file: what is heard, recorded, counted and told."""

import json
import threading
import time

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.quantize import quantize_events, restore_events
from struck.codec.playing.decoder import render
from struck.codec.takes.takes import TakeReader
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.patches.patch import load_patch
from struck.realtime.engine.parameters import PARAMETERS
from struck.realtime.engine.state import OUT_MOST
from struck.realtime.host.host import Host
from struck.realtime.host.settings import LiveSettings
from struck.realtime.screen.teller import Teller
from struck.realtime.stage.soundings import SoundingEvent

from ...codec.hearing.encoder_sounds import melody

RATE = 22_050


@pytest.fixture(scope="module")
def weights():
    return load_codec_weights(default_codec_weights_path())


@pytest.fixture(scope="module")
def sound_path(tmp_path_factory):
    """Three notes, a second; softly, so that the limiter has nothing to do."""
    path = tmp_path_factory.mktemp("performance") / "melody.wav"
    soundfile.write(path, 0.5 * melody((57, 64, 69)), ANALYSIS_RATE, subtype="FLOAT")
    return path


class Show:
    """A performance, played and closed."""

    def __init__(self, weights, sound_path, during=None, **options):
        options = {"input": str(sound_path), "output": "none", "profile": "tight", **options}
        self.teller = Teller()
        self.performance = Host(LiveSettings(**options), weights, self.teller)
        self.soundings = []
        self.performance.stage.add_sink(self.soundings.append)
        with self.performance:
            if during is not None:
                during(self.performance)
            self.performance.run(threading.Event())
        self.counters = self.performance.gauges.counters()
        self.summary = self.performance.summary()

    @property
    def events(self):
        return [sounding.event for sounding in self.soundings if isinstance(sounding, SoundingEvent)]


@pytest.fixture(scope="module")
def show(weights, sound_path):
    """One show with everything, for the tests that only look at it."""
    folder = sound_path.parent
    found = Show(
        weights,
        sound_path,
        output=str(folder / "out.wav"),
        record=folder / "show.mcap",
        record_audio=folder / "show.wav",
    )
    found.folder = folder
    return found


def test_it_hears_and_plays_each_note_the_ledgers_latency_later(show):
    latency = show.performance.ledger.engine_seconds
    onsets = sorted(event.onset_seconds - latency for event in show.events)
    for expected in (0.15, 0.45, 0.75):
        assert min(abs(onset - expected) for onset in onsets) < 0.03
    out, rate = soundfile.read(show.folder / "out.wav")
    assert rate == RATE
    first = np.flatnonzero(np.abs(out) > 0.003)[0] / rate
    assert 0.0 <= first - show.events[0].onset_seconds < 0.02
    assert len(out) / rate >= 1.15


def test_the_take_holds_what_sounded(show):
    take = TakeReader(show.folder / "show.mcap")
    assert not take.truncated
    assert take.header.profile == "tight"
    assert take.header.source == "melody.wav"
    recorded = list(take.events())
    assert len(recorded) == len(show.events) == show.counters["events_heard"] >= 3
    expected = sorted(show.events, key=lambda event: event.onset_seconds)
    assert [event.onset_seconds for event in recorded] == [event.onset_seconds for event in expected]
    assert all(event in expected for event in recorded)


def test_the_take_played_again_is_the_sound_of_the_stage(show, weights):
    """Sample by sample but for the limiter's look-ahead, as the events were quantised before they sounded."""
    take = TakeReader(show.folder / "show.mcap")
    rendered = np.concatenate(list(render(weights, take.items(), RATE)))
    out, _ = soundfile.read(show.folder / "out.wav")
    count = min(len(rendered), len(out)) - 2_000
    lag = int(np.argmax(np.correlate(out[: count + 200], rendered[:count], "valid")))
    assert 0 <= lag < 200
    assert np.max(np.abs(out[lag : lag + count] - rendered[:count])) < 2e-3


def test_the_take_tells_how_it_began(show):
    take = TakeReader(show.folder / "show.mcap")
    start, tempo = (mark.value for mark in take.marks())
    assert tempo == {"kind": "tempo", "bpm": 120.0, "numerator": 4, "denominator": 4}
    assert start["kind"] == "start"
    assert start["rate"] == RATE
    assert start["engine_seconds"] == pytest.approx(show.performance.ledger.engine_seconds)
    (patch,) = (message.value for message in take.patches())
    assert patch == {"patch": "default", "controls": show.performance.stage.controls()}


def test_output_and_recorded_sound_are_the_same(show):
    assert (show.folder / "out.wav").read_bytes() == (show.folder / "show.wav").read_bytes()
    assert not list(show.folder.glob("*.part*"))


def test_nothing_was_lost(show):
    faults = {name: n for name, n in show.counters.items() if n and not name.startswith("events_")}
    assert faults == {}
    assert show.performance.stage.least_margin_samples > 0


@pytest.mark.parametrize("profile", ["live", "tight"])
def test_what_is_told_at_the_end_all_at_once_comes_in_its_order(weights, tmp_path, profile):
    """A tone that fades over the end of the file: its last amendments and its end are told together."""
    t = np.arange(96_000) / 48_000
    tone = 0.2 * np.sin(2 * np.pi * 440.0 * t) * np.exp(-3.0 * (t % 0.5))
    soundfile.write(tmp_path / "tone.wav", tone.astype(np.float32), 48_000)
    found = Show(weights, tmp_path / "tone.wav", profile=profile)
    assert found.counters["events_heard"] > 0
    assert found.counters["amendments_unknown"] == 0


def test_the_summary_is_json_and_whole(show):
    values = json.loads(json.dumps(show.summary, allow_nan=False))
    assert values["rate_hz"] == RATE
    assert values["profile"] == "tight"
    assert values["duration_seconds"] == pytest.approx(show.performance.position_seconds)
    assert values["counters"]["events_heard"] == len(show.events)
    assert values["latency"]["engine_seconds"] == pytest.approx(show.performance.ledger.engine_seconds)
    assert values["recordings"] == {str(show.folder / "show.mcap"): True}
    assert values["encoder_percent"] > 0.0
    assert 0.0 < values["latency"]["least_margin_seconds"] <= show.performance.ledger.engine_seconds


def test_status_at_the_end(show):
    status = show.performance.status()
    assert status.position_seconds == pytest.approx(show.performance.position_seconds)
    assert (status.patch, status.profile, status.rate_hz) == ("default", "tight", RATE)
    assert not any(name.startswith("events_") for name in status.counters)
    assert status.recordings[0].path == str(show.folder / "show.mcap")
    stats = show.performance.stage.stats()
    assert stats["events_heard"] == len(show.events)
    assert stats["position_seconds"] == pytest.approx(show.performance.position_seconds)
    assert -60.0 <= stats["output_peak_db"] <= 0.0


def test_events_are_quantised_unless_exact(show, weights, sound_path, tmp_path):
    assert restore_events(quantize_events(show.events)) == show.events
    exact = Show(weights, sound_path, exact=True, record=tmp_path / "exact.mcap")
    assert restore_events(quantize_events(exact.events)) == show.events
    take = TakeReader(tmp_path / "exact.mcap")
    assert take.header.exact
    vectors = {event.vector.tobytes() for event in take.events()}
    assert vectors == {event.vector.tobytes() for event in exact.events}


def test_the_same_show_twice_gives_the_same_bytes(show, weights, sound_path, tmp_path):
    Show(weights, sound_path, output=str(tmp_path / "out.wav"))
    assert (tmp_path / "out.wav").read_bytes() == (show.folder / "out.wav").read_bytes()


def test_controls_stand_over_the_patchs(weights, sound_path):
    found = Show(weights, sound_path, patch="bells", duration_seconds=0.05, controls=(("dry_db", -3.0),))
    controls = found.performance.stage.controls()
    assert controls["dry_db"] == -3.0
    assert controls["transpose"] == 12.0
    assert {p.name for p in PARAMETERS if controls[p.name] != p.default} == {
        "dry_db", "transpose", "decay", "room", "room_mix",
    }  # fmt: skip


def test_the_patch_chooses_the_profile_and_the_option_over_it(weights, sound_path):
    def profile(**options):
        found = Show(weights, sound_path, duration_seconds=0.02, **options)
        return found.performance.profile.name

    assert profile(profile=None, patch="marimba") == "tight"
    assert profile(profile=None) == "live"
    assert profile(profile="live", patch="marimba") == "live"


def test_the_dry_input_is_heard_at_once(weights, tmp_path):
    path = tmp_path / "tone.wav"
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)
    soundfile.write(path, tone.astype(np.float32), RATE, subtype="FLOAT")
    Show(weights, path, output=str(tmp_path / "out.wav"), controls=(("dry_db", 0.0), ("events_db", -60.0)))
    out, _ = soundfile.read(tmp_path / "out.wav")
    assert np.max(np.abs(out[200:4_000])) == pytest.approx(0.25, rel=0.02)


def test_backing_sounds_loops_and_ends_with_the_input(weights, tmp_path):
    """0.3 s of a tone under 1.2 s of silence: heard to the end, but not without end."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(round(1.2 * RATE), np.float32), RATE)
    loop = 0.2 * np.sin(2 * np.pi * 400 * np.arange(round(0.3 * RATE)) / RATE)
    soundfile.write(tmp_path / "loop.wav", loop.astype(np.float32), RATE, subtype="FLOAT")
    Show(weights, tmp_path / "silence.wav", output=str(tmp_path / "out.wav"), backing=tmp_path / "loop.wav")
    out, _ = soundfile.read(tmp_path / "out.wav")
    level = np.sqrt(np.mean(out[: round(1.2 * RATE)].reshape(12, -1) ** 2, axis=1))
    assert np.all(np.abs(level - 0.2 / np.sqrt(2)) < 0.02)  # no gap where it begins again
    assert np.max(np.abs(out[round(1.25 * RATE) :])) < 1e-4
    assert len(out) / RATE < 2.0


def test_a_patch_can_be_changed_while_it_plays(weights, sound_path, tmp_path):
    def change(performance):
        performance.stage.load_patch("pad")
        with pytest.raises(StruckError, match="no patch is called organ"):
            performance.stage.load_patch("organ")

    found = Show(weights, sound_path, during=change, record=tmp_path / "show.mcap", duration_seconds=0.1)
    assert found.performance.patch.name == "pad"
    assert found.performance.stage.controls()["attack"] == 8.0
    assert "patch pad is for the profile live; tight goes on" in found.teller.take(everything=True)
    patches = TakeReader(tmp_path / "show.mcap").patches()
    assert [message.value["patch"] for message in patches] == ["default", "pad"]


def test_a_note_that_a_performer_plays_is_heard_and_recorded(weights, sound_path, tmp_path):
    def play(performance):
        performance.stage.play_phrase(60, 127, "note")
        performance.accompaniment.advance()

    patch = tmp_path / "now.toml"
    patch.write_text('[phrases]\nstart = "now"\n')
    options = {"record": tmp_path / "show.mcap", "duration_seconds": 0.3, "phrases": "off"}
    found = Show(weights, sound_path, during=play, patch=str(patch), **options)
    assert found.counters["phrase_misses"] == found.counters["events_phrase"] == 1
    assert found.performance.state.engine.levels[OUT_MOST].max() > 0.01
    assert found.summary["phrases"]["tempo_bpm"] == pytest.approx(120.0)
    # What would have sounded after the end is not in the take.
    sounded = [event for event in found.events if event.onset_seconds < found.performance.position_seconds]
    assert len(list(TakeReader(tmp_path / "show.mcap").events())) == len(sounded) > 0


def test_a_patch_or_a_message_that_asks_for_what_there_is_not_is_refused(weights, sound_path, tmp_path):
    patch = tmp_path / "jazz.toml"
    patch.write_text('[phrases]\nstyle = "jazz"\n')
    with pytest.raises(StruckError, match=r"patch jazz \[phrases\]: unknown style 'jazz'; there are: single"):
        Show(weights, sound_path, patch=str(patch))

    def play(performance):
        with pytest.raises(ValueError, match="unknown style 'jazz'"):
            performance.stage.play_phrase(60, 127, "jazz")
        with pytest.raises(StruckError, match="unknown style"):
            performance.stage.load_patch("jazz.toml")
        for elsewhere in ("/etc/passwd.toml", "../jazz.toml", str(tmp_path / "sub" / "jazz.toml")):
            with pytest.raises(StruckError, match="patches are opened in"):
                performance.stage.load_patch(elsewhere)
        performance.stage.load_patch(str(plain))
        performance.stage.load_patch("bells")
        performance.stage.load_patch("plain.toml")

    plain = tmp_path / "plain.toml"
    plain.write_text("")
    Show(weights, sound_path, during=play, patch=str(plain), duration_seconds=0.1, phrases="off")


def test_a_show_that_began_with_a_shipped_patch_opens_no_file(weights, sound_path, tmp_path):
    patch = tmp_path / "plain.toml"
    patch.write_text("")

    def play(performance):
        with pytest.raises(StruckError, match="only shipped patches"):
            performance.stage.load_patch(str(patch))

    Show(weights, sound_path, during=play, duration_seconds=0.1, phrases="off")


def test_of_two_changes_of_patch_at_once_one_comes_after_the_other(weights, sound_path):
    def play(performance):
        stage = performance.stage
        begun, recall_controls = threading.Event(), stage.recall_controls

        def recall_slowly(values):
            if threading.current_thread() is slow:
                begun.set()
                time.sleep(0.05)  # so that the other thread could come in between
            recall_controls(values)

        stage.recall_controls = recall_slowly
        slow = threading.Thread(target=stage.load_patch, args=("bells",))
        slow.start()
        assert begun.wait(30.0)
        stage.load_patch("default")
        slow.join()
        named = load_patch(performance.patch.name).controls
        assert stage.controls() == {p.name: named.get(p.name, p.default) for p in PARAMETERS}

    Show(weights, sound_path, during=play, duration_seconds=0.1, phrases="off")


def test_stopping_ends_it_in_order(weights, sound_path, tmp_path):
    stop = threading.Event()
    settings = LiveSettings(
        input=str(sound_path),
        output=str(tmp_path / "out.wav"),
        profile="tight",
        record=tmp_path / "show.mcap",
    )
    with Host(settings, weights, Teller()) as performance:
        stop.set()
        performance.run(stop)
    performance.close()  # twice is harmless
    assert performance.summary()["recordings"] == {str(tmp_path / "show.mcap"): True}
    assert soundfile.info(tmp_path / "out.wav").frames == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "show.mcap"]


def test_a_fault_leaves_no_half_sound_but_the_take_of_what_was(weights, sound_path, tmp_path):
    out = tmp_path / "out.wav"
    out.write_bytes(b"precious")
    settings = LiveSettings(
        input=str(sound_path), output=str(out), profile="tight", record=tmp_path / "show.mcap"
    )

    def fail():
        with Host(settings, weights, Teller()) as performance:
            performance.stage.add_sink(lambda sounding: 1 // 0)
            performance.run(threading.Event())

    with pytest.raises(ZeroDivisionError):
        fail()
    assert out.read_bytes() == b"precious"
    assert TakeReader(tmp_path / "show.mcap").header.profile == "tight"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "show.mcap"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch": "organ"}, "no patch is called organ"),
        ({"patch": "unknown.toml"}, "no control is called wobble"),
        ({"patch": "beyond.toml"}, "decay is 11; the range is 0.1 to 10"),
        ({"input": "missing.wav"}, "missing.wav"),
        ({"backing": "long.wav"}, "longer than 30 s"),
        ({"backing": "missing.wav"}, "missing.wav"),
        ({"output": "nowhere/out.wav"}, "there is no folder"),
        ({"record_audio": "nowhere/out.wav"}, "there is no folder"),
        ({"record": "nowhere/show.mcap"}, "there is no folder"),
        ({"record": "unfinished.mcap"}, "holds an unfinished recording"),
        ({"osc_send": ("nonsense",)}, "is not an address"),
    ],
)
def test_what_cannot_be_had_is_told_and_replaces_nothing(
    weights, sound_path, tmp_path, monkeypatch, options, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unknown.toml").write_text("[controls]\nwobble = 1")
    (tmp_path / "beyond.toml").write_text("[controls]\ndecay = 11")
    (tmp_path / "unfinished.mcap.part").write_bytes(b"")
    if options.get("backing") == "long.wav":
        soundfile.write("long.wav", np.zeros(8_000 * 31, np.float32), 8_000)
    kept = {"record": "kept.mcap", "record_audio": "kept.wav", "output": "kept.flac"}
    for name in kept.values():
        (tmp_path / name).write_bytes(b"precious")
    before = sorted(tmp_path.iterdir())
    given = {"input": str(sound_path), "profile": "tight", **kept, **options}
    for name in ("record", "record_audio", "backing"):
        if name in given:
            given[name] = tmp_path / given[name]
    with pytest.raises(StruckError, match=words):
        Host(LiveSettings(**given), weights, Teller())
    assert sorted(tmp_path.iterdir()) == before
    assert all((tmp_path / name).read_bytes() == b"precious" for name in kept.values())


@pytest.mark.parametrize(("rate", "block_frames"), [(48_000, 480), (44_100, 32)])
def test_other_rates_and_blocks(weights, sound_path, tmp_path, rate, block_frames):
    found = Show(weights, sound_path, output=str(tmp_path / "out.flac"), rate=rate, block_frames=block_frames)
    assert soundfile.info(tmp_path / "out.flac").samplerate == rate
    assert found.counters["events_heard"] >= 3
    assert found.counters["late"] == 0
    latency = found.performance.ledger.engine_seconds
    assert min(abs(e.onset_seconds - latency - 0.15) for e in found.events) < 0.03
