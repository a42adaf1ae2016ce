"""The commands that use the codec, from file to file, as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.realtime.commands.cli import main

RATE = 22_050


def pluck(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    partials = sum(
        np.exp(-(2 + n) * time) * np.sin(2 * np.pi * n * frequency_hz * time) / n for n in range(1, 8)
    )
    return (0.2 * np.asarray(partials)).astype(np.float32)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Three plucked notes, two seconds."""
    samples = np.zeros(2 * RATE, np.float32)
    for onset_seconds, frequency_hz in ((0.2, 220.0), (0.7, 330.0), (1.1, 440.0)):
        note = pluck(frequency_hz, 0.8)
        start = round(onset_seconds * RATE)
        samples[start : start + len(note)] += note
    path = tmp_path_factory.mktemp("sound") / "plucks.wav"
    soundfile.write(path, samples, RATE)
    return path


@pytest.fixture(scope="module")
def take(sound) -> Path:
    path = sound.with_name("plucks.mcap")
    assert main(["encode", str(sound), str(path)]) == 0
    return path


def run_json(capsys, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def fails_with(capsys, words: str, *arguments: object) -> None:
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("struck: ")
    assert err.count("\n") == 1
    assert words in err


def test_encode_tells_what_it_wrote(sound, tmp_path, capsys):
    values = run_json(capsys, "encode", sound, tmp_path / "out.mcap")
    assert values["event_count"] >= 1
    assert values["duration_seconds"] == pytest.approx(2.0)
    assert values["byte_count"] == (tmp_path / "out.mcap").stat().st_size
    assert os.listdir(tmp_path) == ["out.mcap"]


def test_text_for_people_is_one_line(sound, tmp_path, capsys):
    assert main(["encode", str(sound), str(tmp_path / "out.mcap")]) == 0
    out, err = capsys.readouterr()
    assert "events from 2.0 s of sound" in out
    assert out.count("\n") == 1
    assert err == ""


@pytest.mark.parametrize("profile", ["studio", "live", "tight"])
def test_resynth_in_every_profile(sound, tmp_path, capsys, profile):
    values = run_json(capsys, "resynth", sound, tmp_path / "out.wav", "--profile", profile)
    samples, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == values["rate_hz"] == 48_000
    assert values["event_count"] >= 1
    assert np.sqrt(np.mean(samples**2)) > 1e-3


def test_resynth_is_encode_then_render(sound, take, tmp_path, capsys):
    """But for the take's quantisation."""
    run_json(capsys, "resynth", sound, tmp_path / "direct.wav", "--rate", "22050")
    run_json(capsys, "render", take, tmp_path / "through.wav", "--rate", "22050")
    direct, _ = soundfile.read(tmp_path / "direct.wav")
    through, _ = soundfile.read(tmp_path / "through.wav")
    length = min(len(direct), len(through))
    levels = [np.sqrt(np.mean(x[:length] ** 2)) for x in (direct, through)]
    assert 20 * abs(np.log10(levels[0] / levels[1])) < 3.0


@pytest.mark.parametrize(
    ("name", "options", "rate", "subtype"),
    [
        ("out.wav", [], 48_000, "PCM_24"),
        ("out.flac", ["--rate", "44100", "--bits", "16"], 44_100, "PCM_16"),
        ("out.wav", ["--rate", "96000", "--bits", "float"], 96_000, "FLOAT"),
    ],
)
def test_render_rates_and_formats(take, tmp_path, capsys, name, options, rate, subtype):
    values = run_json(capsys, "render", take, tmp_path / name, *options)
    info = soundfile.info(tmp_path / name)
    assert (info.samplerate, info.subtype) == (rate, subtype)
    assert values["duration_seconds"] == pytest.approx(info.frames / rate)
    assert info.frames / rate > 1.0


@pytest.mark.parametrize(
    ("command", "name"), [("encode", "out.mcap"), ("render", "out.wav"), ("resynth", "out.wav")]
)
def test_neither_hearing_nor_playing_needs_torch(sound, take, tmp_path, command, name):
    source = take if command == "render" else sound
    program = (
        "import sys; from struck.realtime.commands.cli import main;"
        f"status = main([{command!r}, {str(source)!r}, {str(tmp_path / name)!r}]);"
        "sys.exit(status or ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_recording_of_no_samples_makes_an_empty_take(tmp_path, capsys):
    soundfile.write(tmp_path / "in.wav", np.zeros(0), RATE)
    values = run_json(capsys, "encode", tmp_path / "in.wav", tmp_path / "out.mcap")
    assert (values["event_count"], values["duration_seconds"]) == (0, 0.0)
    run_json(capsys, "info", tmp_path / "out.mcap")
    run_json(capsys, "render", tmp_path / "out.mcap", tmp_path / "out.wav")


def test_damaged_samples_are_told_and_do_no_harm(sound, tmp_path, capsys):
    samples, _ = soundfile.read(sound, dtype="float32")
    samples[5_000:5_010] = np.nan
    soundfile.write(tmp_path / "in.wav", samples, RATE, subtype="FLOAT")
    assert main(["resynth", str(tmp_path / "in.wav"), str(tmp_path / "out.wav")]) == 0
    assert "10 damaged samples" in capsys.readouterr().err


def test_info_convert_plot(sound, take, tmp_path, capsys):
    event_count = run_json(capsys, "info", take)["events"]
    assert event_count >= 1
    for name in ("out.jsonl", "out.mid", "out.csv"):
        values = run_json(capsys, "convert", take, tmp_path / name)
        assert values["byte_count"] == (tmp_path / name).stat().st_size > 0
    run_json(capsys, "convert", tmp_path / "out.jsonl", tmp_path / "back.mcap")
    assert run_json(capsys, "info", tmp_path / "back.mcap")["events"] == event_count
    for options in ([], ["--sound", sound]):
        run_json(capsys, "plot", take, tmp_path / "out.png", *options)
        assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "options",
    [
        ["--transpose", "7", "--stretch", "1.5"],
        ["--thin", "40", "--room", "2", "--room-mix", "0.5"],
        ["--randomize-vectors", "--randomize-times", "--seed", "3"],
        ["--perturb", "0.1"],
    ],
)
def test_edit_makes_a_take_that_plays(take, tmp_path, capsys, options):
    values = run_json(capsys, "edit", take, tmp_path / "edited.mcap", *options)
    assert values["event_count"] <= values["event_count_before"]
    run_json(capsys, "render", tmp_path / "edited.mcap", tmp_path / "out.wav")


def test_edit_repeats_and_holds_and_tells_what_is_wrong_with_a_turn(take, tmp_path, capsys):
    before = run_json(capsys, "info", take)["events"]
    delay = ["--transform", "delay time=0.5 repeats=2 fall_db=1", "--tempo", "96"]
    values = run_json(capsys, "edit", take, tmp_path / "echo.mcap", *delay)
    assert before < values["event_count"] <= 3 * before
    hold = ["--transform", "freeze", "--turn", "0.5 freeze/hold 1", "--turn", "1 freeze/hold 0"]
    run_json(capsys, "edit", take, tmp_path / "held.mcap", *hold)
    run_json(capsys, "render", tmp_path / "held.mcap", tmp_path / "out.wav")
    left = sorted(os.listdir(tmp_path))
    out = tmp_path / "bad.mcap"
    fails_with(capsys, "has no pedal to turn", "edit", take, out, *delay[:2], "--turn", "1 delay/pedal 1")
    fails_with(capsys, "the range is 0 to 32", "edit", take, out, *delay[:2], "--turn", "1 delay/repeats 99")
    fails_with(capsys, "none is asked for", "edit", take, out, "--turn", "1 freeze/hold 1")
    assert sorted(os.listdir(tmp_path)) == left


def test_edit_takes_json_lines_too(take, tmp_path, capsys):
    run_json(capsys, "convert", take, tmp_path / "take.jsonl")
    values = run_json(capsys, "edit", tmp_path / "take.jsonl", tmp_path / "edited.mcap", "--transpose", 2)
    assert values["event_count"] == values["event_count_before"] > 0
    assert run_json(capsys, "info", tmp_path / "edited.mcap")["events"] == values["event_count"]


def test_faults_of_input(sound, tmp_path, capsys):
    out = tmp_path / "out.mcap"
    (tmp_path / "text.wav").write_text("dear diary")
    (tmp_path / "text.mcap").write_text("dear diary")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(b"\x10")
    fails_with(capsys, "not found", "encode", tmp_path / "missing.wav", out)
    fails_with(capsys, "text.wav", "encode", tmp_path / "text.wav", out)
    fails_with(capsys, "text.mcap", "render", tmp_path / "text.mcap", tmp_path / "out.wav")
    fails_with(capsys, "missing.mcap", "render", tmp_path / "missing.mcap", tmp_path / "out.wav")
    fails_with(capsys, "missing.mcap", "info", tmp_path / "missing.mcap")
    fails_with(capsys, "missing.st", "encode", sound, out, "--weights", tmp_path / "missing.st")
    fails_with(capsys, "torn.safetensors", "encode", sound, out, "--weights", torn)
    fails_with(capsys, "no folder", "train", "codec", "--data", tmp_path / "missing")
    assert sorted(os.listdir(tmp_path)) == ["text.mcap", "text.wav", "torn.safetensors"]


def test_faults_of_output(sound, take, tmp_path, capsys):
    fails_with(capsys, "extension must be .mcap", "encode", sound, tmp_path / "out.wav")
    fails_with(capsys, "missing", "encode", sound, tmp_path / "missing" / "out.mcap")
    fails_with(capsys, "extension must be", "render", take, tmp_path / "out.xyz")
    fails_with(capsys, "extension must be", "plot", take, tmp_path / "out.xyz")
    fails_with(capsys, "out.xyz", "convert", take, tmp_path / "out.xyz")
    fails_with(capsys, "both input and output", "resynth", sound, sound)
    fails_with(capsys, "both input and output", "edit", take, take)
    (tmp_path / "link.wav").symlink_to(sound)
    fails_with(capsys, "both input and output", "resynth", sound, tmp_path / "link.wav")
    assert os.listdir(tmp_path) == ["link.wav"]


def test_a_fault_leaves_the_file_that_stood_there(sound, tmp_path, capsys):
    (tmp_path / "out.mcap").write_bytes(b"good")
    fails_with(capsys, "not found", "encode", tmp_path / "missing.wav", tmp_path / "out.mcap")
    assert (tmp_path / "out.mcap").read_bytes() == b"good"


def test_evaluate(sound, tmp_path, capsys):
    (tmp_path / sound.name).write_bytes(sound.read_bytes())
    values = run_json(capsys, "evaluate", "codec", tmp_path, "--profile", "studio")
    assert [file["name"] for file in values["files"]] == [sound.name]
    assert values["files"][0]["struck"]["bits_per_second"] > 0
    assert [note["name"] for note in values["single_notes"]] == ["plucked string A3", "struck string E4"]
    assert all(note["event_count"] > 0 for note in values["single_notes"])


def test_evaluate_tells_of_all_profiles(sound, tmp_path, capsys):
    (tmp_path / sound.name).write_bytes(sound.read_bytes())
    values = run_json(capsys, "evaluate", "codec", tmp_path)
    assert list(values) == ["studio", "live", "tight", "instant"]
    for name, report in values.items():
        [file] = report["files"]
        assert file["events_per_second"] > 0
        assert (file["gabor"] is not None) == (name == "studio")
        assert file["struck"]["bits_per_second"] > file["amendment_bits_per_second"]
        assert report["median"]["amendments_per_second"] > 0


def test_extensions_in_capitals(take, tmp_path, capsys):
    (tmp_path / "TAKE.MCAP").write_bytes(take.read_bytes())
    for name in ("OUT.WAV", "UP.MCAP", "TABLE.CSV", "PICTURE.PNG"):
        command = {"OUT.WAV": "render", "UP.MCAP": "edit", "TABLE.CSV": "convert", "PICTURE.PNG": "plot"}[
            name
        ]
        run_json(capsys, command, tmp_path / "TAKE.MCAP", tmp_path / name)
    assert soundfile.info(tmp_path / "OUT.WAV").format == "WAV"
    assert "pitch_hz" in (tmp_path / "TABLE.CSV").read_text()  # what is heard, which needs the weights
    assert (tmp_path / "PICTURE.PNG").read_bytes().startswith(b"\x89PNG")


def test_every_command_that_reads_a_take_tells_what_is_missing(take, tmp_path, capsys):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(take.read_bytes()[:-200])
    for command, name in (("render", "a.wav"), ("convert", "a.jsonl"), ("edit", "a.mcap"), ("plot", "a.png")):
        assert main([command, str(cut), str(tmp_path / name), "--json"]) == 0
        out, err = capsys.readouterr()
        (told,) = json.loads(out)["notes"]
        assert told == f"{cut} is cut off: what is whole was read"
        assert err == f"struck: note: {told}\n"
