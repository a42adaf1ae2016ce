"""Training from end to end on a tiny folder: every stage, checkpoints, resuming, weights that encode."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.encoder import StreamingEncoder
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.models import network_trainer
from struck.models.codec import datasets, refitted, residuals
from struck.models.codec import train as train_codec
from struck.models.codec.event_encoder import EventCodec
from struck.realtime.commands.cli import main

from .training_data import PITCHES, make_training_data, synthesise_note

SECOND = 1.0 / 60.0


class Melody:
    """Stands in for the music sampler: 9.5 s of notes without scores, sound fonts or speech."""

    def __init__(self, data, notes, seed):
        self._rng = np.random.default_rng(seed)

    def draw(self):
        clip = np.zeros(round(9.5 * ANALYSIS_RATE), np.float32)
        for onset in np.arange(0.3, 8.4, 0.7):
            note = synthesise_note(self._rng.choice(PITCHES), 1.0, ANALYSIS_RATE)
            start = round(onset * ANALYSIS_RATE)
            clip[start : start + len(note)] += note
        return clip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_training_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def tiny(monkeypatch):
    """Few notes, few proposals, a log line for every step."""

    fewer = replace(PROFILES["studio"], events_per_second=1.0, proposals=6)
    monkeypatch.setattr(datasets, "render_general_midi_notes", lambda seed: [])
    monkeypatch.setattr(datasets, "build_library", partial(datasets.build_library, textures=2))
    monkeypatch.setattr(network_trainer, "LOG_STEPS", 1)
    monkeypatch.setattr(residuals, "MusicSampler", Melody)
    monkeypatch.setattr(residuals, "PROFILES", {"studio": fewer})
    monkeypatch.setattr(residuals, "_SHORT", replace(fewer, n_fft=1024))
    monkeypatch.setattr(refitted, "SoundSampler", lambda data, seed: Melody(data, None, seed))
    monkeypatch.setattr(refitted, "PROFILES", {"studio": replace(fewer, refine_steps=1)})


@pytest.fixture
def started(tmp_path):
    """A folder with a checkpoint of the shipped weights: random ones find no events to learn from."""
    shipped = load_codec_weights(default_codec_weights_path())
    state = EventCodec(shipped.encoder, shipped.decoder).state_dict()
    trainer = train_codec.make_trainer(tmp_path / "run", "cpu", 0, print)
    trainer.network.load_state_dict(state)
    trainer.average.load_state_dict(state)
    trainer.save(force=True)
    return trainer.folder


def run(data, folder, minutes, **options):
    return train_codec.train(
        data, minutes, folder=folder, device="cpu", batch=4, workers=0, report=lambda line: None, **options
    )


def read_log(folder):
    return [json.loads(line) for line in (folder / "codec.jsonl").read_text().splitlines()]


def test_supervised_from_nothing_and_on(data, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(train_codec, "STAGE_ENDS", (1.0, 1.0, 1.0, 1.0))
    folder = tmp_path / "run"
    exported = run(data, folder, 0.5 * SECOND)
    first = read_log(folder)
    assert exported == folder / "codec.safetensors"
    assert {line["stage"] for line in first} == {"supervised"}
    assert all(np.isfinite([line["energy_db"], line["mel_db"]]).all() for line in first)

    seconds = torch.load(folder / "codec.pt", weights_only=True)["seconds"]
    run(data, folder, (seconds + 0.5) * SECOND, resume=True)
    lines = read_log(folder)
    assert len(lines) > len(first)
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert not list(folder.glob("*.part*"))

    encoder = StreamingEncoder(load_codec_weights(exported), PROFILES["live"])
    encoder.process(np.zeros(2048, np.float32))


@pytest.mark.parametrize(
    ("stage", "ends"), [("greedy", (0.0, 1.0, 1.0, 1.0)), ("adversarial", (0.0, 0.0, 1.0, 1.0))]
)
def test_later_stages(data, tiny, started, monkeypatch, stage, ends):
    monkeypatch.setattr(train_codec, "STAGE_ENDS", ends)
    before = load_codec_weights(started / "codec.safetensors")
    exported = run(data, started, 1.0 * SECOND, resume=True)
    lines = read_log(started)
    assert {line["stage"] for line in lines} == {stage}
    wanted = {"energy_db", "mel_db", "share", "removed", "sound_mel_db"}
    assert all(np.isfinite([line[name] for name in wanted]).all() for line in lines)
    if stage == "adversarial":
        assert np.isfinite([line["judge"] for line in lines if "judge" in line]).any()
    after = load_codec_weights(exported)
    assert not np.array_equal(before.encoder["in.w"], after.encoder["in.w"])
    assert not np.array_equal(before.decoder["timbre.w1"], after.decoder["timbre.w1"])


def test_refitted_events_teach_the_event_network_alone(data, tiny, tmp_path):
    folder = tmp_path / "run"
    start = default_codec_weights_path()
    options = {"stage": "refitted", "start": start, "hours": 0.003}  # one clip
    exported = run(data, folder, 0.5 * SECOND, **options)
    lines = read_log(folder)
    assert {line["stage"] for line in lines} == {"refitted"}
    wanted = {"energy_db", "mel_db", "refitted_energy_db", "refitted_mel_db", "apart"}
    assert all(np.isfinite([line[name] for name in wanted]).all() for line in lines)
    before, after = load_codec_weights(start), load_codec_weights(exported)
    # What was trained is for the shortest windows; it is half of their network, the other half is as it was.
    state = torch.load(folder / "codec.pt", weights_only=True)["average"]
    trained = {name.removeprefix("module.encoder."): value.numpy() for name, value in state.items()}
    assert np.array_equal(before.encoder["in.w"], after.encoder["in.w"])
    mean = 0.5 * (before.encoder["in.w"] + trained["in/w"])
    assert not np.array_equal(before.encoder["in.w"], trained["in/w"])
    assert np.allclose(after.short_encoder["in.w"], mean, atol=1e-7)
    assert after.decoder_hash == before.decoder_hash  # old takes play as before

    (clip,) = (folder / "refitted").iterdir()
    stored = refitted.RefittedClip.load(clip)
    assert len(stored.gain_db) > 0
    assert np.all(np.diff(stored.onset_samples) >= 0)
    made = clip.stat().st_mtime_ns
    seconds = torch.load(folder / "codec.pt", weights_only=True)["seconds"]
    run(data, folder, (seconds + 0.5) * SECOND, resume=True, **options)
    assert len(read_log(folder)) > len(lines)
    assert clip.stat().st_mtime_ns == made


def test_learning_rate_warms_up_and_falls():
    rates = [network_trainer.learning_rate(1.0, p) for p in (0.0, 0.01, 0.02, 0.5, 1.0, 1.5)]
    assert rates[0] == pytest.approx(0.05)
    assert rates[1] < rates[2]
    assert rates[2] > rates[3] > rates[4] > 0.0
    assert rates[5] == rates[4]


def test_faults_are_told_in_a_line(data, tmp_path, monkeypatch, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "codec.pt").write_bytes(b"an older run")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for options, words in (
        (["--data", str(tmp_path / "none")], "no folder"),
        (["--data", str(tmp_path), "--output", str(tmp_path / "run")], "no training notes"),
        (["--data", str(data), "--resume", "--output", str(tmp_path / "new")], "nothing to resume"),
        (["--data", str(data), "--device", "cuda", "--output", str(tmp_path / "run")], "no CUDA"),
    ):
        assert main(["train", "codec", "--minutes", "0.01", *options]) == 1
        out, err = capsys.readouterr()
        assert words in err
        assert err.count("\n") == 1
        assert out == ""
    assert (tmp_path / "run" / "codec.pt").read_bytes() == b"an older run"


def test_the_command_trains(data, tiny, tmp_path, monkeypatch, capsys):
    given = {}

    def train(data, minutes, **options):
        given.update(options, data=data, minutes=minutes)
        options["report"]("a line")
        return options["folder"] / "codec.safetensors"

    monkeypatch.setattr(train_codec, "train", train)
    command = ["train", "codec", "--data", str(data), "--minutes", "3", "--output", str(tmp_path), "--json"]
    command += ["--stage", "refitted", "--start", "codec.safetensors", "--hours", "2"]
    assert main([*command, "--device", "cpu", "--resume"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"weights": str(tmp_path / "codec.safetensors")}
    assert err == "a line\n"
    assert (given["stage"], given["start"], given["hours"]) == ("refitted", Path("codec.safetensors"), 2.0)
    assert (given["data"], given["minutes"], given["resume"], given["device"]) == (data, 3.0, True, "cpu")
