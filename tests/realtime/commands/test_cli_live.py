"""`struck live` as a user types it."""

import json
import re

import numpy as np
import pytest
import soundfile

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.takes.takes import TakeReader
from struck.realtime.commands.cli import build_parser, main
from struck.realtime.commands.live import make_settings
from struck.realtime.host.settings import LiveSettings

from ...codec.hearing.encoder_sounds import melody


@pytest.fixture(scope="module")
def sound_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "melody.wav"
    soundfile.write(path, melody((57, 69)), ANALYSIS_RATE)
    return path


def settings(*arguments):
    return make_settings(build_parser().parse_args(["live", *arguments]))


def test_help_tells_options_with_examples(capsys):
    with pytest.raises(SystemExit) as left:
        main(["live", "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "struck live --input jack:fluidsynth --output jack:system" in text
    for option in (
        "--input",
        "--profile",
        "--patch",
        "--record-audio",
        "--midi-in",
        "--osc-listen",
        "--json",
    ):
        assert option in text


def test_defaults_are_those_of_the_settings():
    assert settings() == LiveSettings()


def test_every_option_finds_its_setting(tmp_path):
    found = settings(
        *("--input", "jack:in", "--output", "jack:out", "--profile", "tight", "--patch", "pad"),
        *("--rate", "44100", "--block", "128", "--dry", "-6", "--backing", "loop.wav", "--compute", "12.5"),
        *("--duration", "60", "--record", "show.mcap", "--record-audio", "show.wav", "--exact"),
        *("--midi-in", "keys", "--midi-in", "virtual:pads", "--midi-out", "synth", "--sysex"),
        *("--osc-listen", "9000", "--osc-send", "a:1", "--osc-send", "b:2"),
        *("--clock-out", "virtual:clock", "--clock-offset", "-12"),
    )
    assert (found.clock_out, found.clock_offset_seconds) == ("virtual:clock", -0.012)
    assert (found.input, found.output, found.profile, found.patch) == ("jack:in", "jack:out", "tight", "pad")
    assert (found.rate, found.block_frames, found.controls) == (44_100, 128, (("dry_db", -6.0),))
    assert (str(found.backing), found.compute_seconds, found.duration_seconds) == ("loop.wav", 0.0125, 60.0)
    assert (str(found.record), str(found.record_audio), found.exact) == ("show.mcap", "show.wav", True)
    assert (found.midi_in, found.midi_out, found.sysex) == (("keys", "virtual:pads"), "synth", True)
    assert (found.osc_listen, found.osc_send, found.paced) == ("9000", ("a:1", "b:2"), False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "studio"],
        ["--block", "31"],
        ["--clock-offset", "501"],
        ["--block", "2049"],
        ["--rate", "22000"],
        ["--rate", "44101"],
        ["--dry", "13"],
        ["--dry", "nan"],
        ["--compute", "-1"],
        ["--duration", "-1"],
        ["--duration", "inf"],
        ["--midi-in"],
        ["in.wav"],
    ],
)
def test_wrong_usage_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(["live", *arguments])
    assert left.value.code == 2
    assert "usage: struck" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "none", "--output", "none"], "there is nothing to perform"),
        (["--input", "missing.wav", "--output", "none"], "missing.wav"),
        (["--input", "SOUND", "--output", "none", "--patch", "organ"], "no patch is called organ"),
        (["--input", "SOUND", "--output", "none", "--weights", "none.safetensors"], "weights not found"),
        (["--input", "SOUND", "--output", "SOUND"], "both input and output"),
    ],
)
def test_faults_are_one_line_and_exit_1(arguments, words, sound_path, capsys):
    arguments = [str(sound_path) if word == "SOUND" else word for word in arguments]
    assert main(["live", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("struck: ")
    assert err.count("\n") == 1
    assert words in err


def test_from_file_to_file_with_json(sound_path, tmp_path, capsys):
    out_path, take_path = tmp_path / "out.wav", tmp_path / "show.mcap"
    options = ["--input", sound_path, "--output", out_path, "--record", take_path, "--profile", "tight"]
    assert main(["live", *map(str, options), "--json"]) == 0
    out, err = capsys.readouterr()
    values = json.loads(out)
    assert values["counters"]["events_heard"] >= 2
    assert values["recordings"] == {str(take_path): True}
    assert values["output"] == str(out_path)
    assert re.search(r"latency \d+\.\d ms = lookahead 34\.8 \+ hop 5\.8", err)
    sound, rate = soundfile.read(out_path)
    assert rate == values["rate_hz"] == ANALYSIS_RATE
    assert len(sound) / rate == pytest.approx(values["duration_seconds"])
    assert np.max(np.abs(sound)) > 0.01
    assert len(list(TakeReader(take_path).events())) == values["counters"]["events_heard"]


def test_for_people_counters_that_are_0_are_left_out(sound_path, tmp_path, capsys):
    record = ["--record", str(tmp_path / "show.mcap"), "--profile", "tight", "--duration", "0.5"]
    assert main(["live", "--input", str(sound_path), "--output", "none", *record]) == 0
    out, _ = capsys.readouterr()
    assert "events_heard" in out.replace(" ", "_")
    assert "stolen" not in out
    assert f"{tmp_path / 'show.mcap'}, whole" in out
    assert "NOT WHOLE" not in out
