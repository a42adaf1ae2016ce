"""Training MARS: clips made and read, all stages run, saved, resumed, and what is missing is told."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from struck.codec.events.errors import StruckError
from struck.models import network_trainer
from struck.models.codec.sound_fonts import find_sound_fonts
from struck.models.mars import train as train_mars
from struck.models.mars.condition_inputs import CLIP_SAMPLES
from struck.models.mars.listener import Listener
from struck.models.mars.mars import Mars, Networks
from struck.models.mars.phrase_data import PhraseData, build_phrase_data
from struck.models.mars.players.sound_font_players import HELD_OUT_PROGRAMS
from struck.models.mars.quantizer import LAYOUTS
from struck.models.mars.sound.spectrum import MARS_FRAMES
from struck.models.mars.tokenizer import Tokenizer
from struck.models.mars.train import (
    NOTE_KIND,
    PHRASE_KIND,
    TrainingRun,
    tokenize,
    train_listener,
    train_networks,
    train_tokenizer,
    train_transformer,
)
from struck.models.network_trainer import NetworkTrainer, Stage
from struck.realtime.commands.cli import main

from .mars_fixtures import TINY_TOKENIZER, TINY_TRANSFORMER, tiny_mars

RATE = MARS_FRAMES.rate_hz


def recorded_notes(folder: Path) -> None:
    """Two notes of two instruments with a manifest, one of them held out."""
    (folder / "notes").mkdir()
    rows = ["file,instrument,family,midi_pitch,velocity,f0_hz"]
    for pitch, instrument in ((57, "iowa-violin"), (60, "iowa-french-horn")):
        f0 = 440.0 * 2.0 ** ((pitch - 69) / 12.0)
        t = np.arange(RATE) / RATE
        sound = 0.3 * np.sin(2.0 * np.pi * f0 * t) * np.exp(-3.0 * t)
        soundfile.write(folder / "notes" / f"{pitch}.flac", sound, RATE)
        rows.append(f"{pitch}.flac,{instrument},{'string' if pitch == 57 else 'brass'},{pitch},90,{f0}")
    (folder / "notes" / "manifest.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def tiny(monkeypatch):
    """Networks are tiny."""
    monkeypatch.setattr(
        train_mars,
        "TokenizerSizes",
        lambda layout, truncated: replace(TINY_TOKENIZER, layout=layout, truncated=truncated),
    )
    monkeypatch.setattr(train_mars, "NextScaleSizes", lambda layout: replace(TINY_TRANSFORMER, layout=layout))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A dozen clips, played for real."""
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed")
    try:
        find_sound_fonts()
    except StruckError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("clips")
    recorded_notes(folder)
    return build_phrase_data(
        folder, folder / "data", singles=8, phrases=10, held_out=4, seed=4, report=lambda _: None
    )


def test_clips_are_what_their_list_says(clips):
    assert clips.audio.shape == (sum(clip.conditions.sample_count for clip in clips.clips),)
    assert clips.held_out.sum() >= 3
    recorded = [clip for clip in clips.clips if clip.recorded]
    assert [(clip.conditions.pitch, clip.held_out) for clip in recorded] == [(57, False), (60, True)]
    for i, clip in enumerate(clips.clips):
        samples = clips.samples(i)
        assert len(samples) == clip.conditions.sample_count
        # The velocity sets the peak.
        assert np.abs(samples).max() == pytest.approx(0.9 * clip.conditions.velocity / 127.0, abs=1e-3)
        if not clip.recorded:
            program = int(clip.source.rpartition(":")[2].rstrip("d"))
            assert clip.held_out == (program == HELD_OUT_PROGRAMS[clip.conditions.instrument])
        if clip.previous >= 0:
            before = clips.clips[clip.previous]
            assert (before.source, before.conditions.tempo_bpm) == (clip.source, clip.conditions.tempo_bpm)
    assert (clips.previous >= 0).any()


def test_a_single_note_sounds_at_its_pitch_while_it_is_held(clips):
    i = next(i for i, c in enumerate(clips.clips) if c.recorded)
    level = MARS_FRAMES.log_magnitude(clips.samples(i))[:, 10]
    assert abs(int(level.argmax()) - 220.0 * 2048 / RATE) <= 1.0


def test_a_phrase_that_follows_none_is_a_loop(clips):
    """Its end goes on into its beginning: the seam is no larger a step than others."""
    loops = [i for i, clip in enumerate(clips.clips) if clip.previous < 0 and clip.conditions.style == "pad"]
    assert loops
    for i in loops:
        samples = clips.samples(i)
        around = np.concatenate([samples[-400:], samples[:400]])
        steps = np.abs(np.diff(around))
        assert steps[399] <= 2.0 * np.delete(steps, 399).max()


def test_the_same_seed_plays_the_same(clips, tmp_path):
    recorded_notes(tmp_path)
    arguments = {"singles": 2, "phrases": 2, "held_out": 2, "seed": 8, "report": lambda _: None}
    first = build_phrase_data(tmp_path, tmp_path / "first", **arguments)
    second = build_phrase_data(tmp_path, tmp_path / "second", **arguments)
    assert first.clips == second.clips
    assert np.array_equal(first.audio, second.audio)


def test_clips_are_made_with_presets_and_drum_kits(tmp_path, monkeypatch):
    given = []

    def build(*arguments, others, **options):
        given.extend(others)
        raise StruckError("enough")

    monkeypatch.setattr(train_mars, "build_phrase_data", build)
    monkeypatch.setattr(train_mars, "choose_presets", lambda presets, seed, report: presets)
    monkeypatch.setattr(train_mars, "find_drum_kits", lambda: ["kit"])
    with pytest.raises(StruckError, match="enough"):
        train_mars.train(
            tmp_path,
            1.0,
            folder=tmp_path / "run",
            device="cpu",
            find_presets=lambda report: ["preset"],
            report=lambda _: None,
        )
    assert given == ["preset", "kit"]


def test_what_is_no_data_is_told(tmp_path):
    with pytest.raises(StruckError, match="no training clips"):
        PhraseData(tmp_path)
    np.save(tmp_path / "audio.npy", np.zeros(2 * CLIP_SAMPLES, np.int16))
    (tmp_path / "clips.csv").write_text("pitch\n")
    with pytest.raises(StruckError, match="do not fit"):
        PhraseData(tmp_path)


def test_all_networks_are_trained_saved_and_resumed(clips, tiny, tmp_path):
    told: list[str] = []
    run = TrainingRun(tmp_path, "cpu", told.append)
    rows, notes = PHRASE_KIND.rows(clips), NOTE_KIND.rows(clips)
    assert sorted([*rows, *notes]) == np.flatnonzero(~clips.held_out).tolist()
    assert all(clips.conditions[row].style == "single" for row in notes)
    listener = train_listener(clips, 0.01, run)
    assert not any(parameter.requires_grad for parameter in listener.parameters())
    tokenizer = train_tokenizer(PHRASE_KIND, clips, listener, 0.02, run)
    data = tokenize(clips, rows, tokenizer, run)
    assert data.tokens.shape == (len(rows), LAYOUTS["beats"].token_count)
    place = {int(row): i for i, row in enumerate(rows)}
    wanted = [place.get(int(clips.previous[row]), -1) for row in rows]
    assert data.previous.tolist() == wanted
    transformer = train_transformer(PHRASE_KIND, clips, tokenizer, 0.02, run)
    assert torch.equal(transformer.codes, tokenizer.quantizer.codes)
    of_notes = train_networks(NOTE_KIND, clips, listener, 0.02, run)
    assert {path.stem for path in tmp_path.glob("note_*.pt")} == {"note_tokenizer", "note_transformer"}
    mars = Mars(Networks(tokenizer, transformer), of_notes)
    mars.save(tmp_path / "mars.safetensors")
    phrase = Mars.load(tmp_path / "mars.safetensors", "cpu").generate(clips.clips[0].conditions)
    assert np.isfinite(phrase.samples).all()
    # Resumed after its time is over, it does nothing, and is what it was.
    again = train_transformer(PHRASE_KIND, clips, tokenizer, 0.01, replace(run, resume=True))
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), transformer.parameters(), strict=True))


def test_a_run_begins_with_the_weights_given_where_they_fit(tmp_path):
    told: list[str] = []
    mars = tiny_mars()
    run = TrainingRun(tmp_path, "cpu", told.append, start=mars)
    fresh = Tokenizer(replace(TINY_TOKENIZER, truncated=True))
    places = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    trainer = run.trainer("tokenizer", fresh, mars.phrases.tokenizer)
    begun, shipped = trainer.network.state_dict(), mars.phrases.tokenizer.state_dict()
    assert torch.equal(trainer.average.from_latent.weight, mars.phrases.tokenizer.from_latent.weight)
    adopted = [name for name in begun if name in shipped and begun[name].shape == shipped[name].shape]
    assert all(torch.equal(begun[name], shipped[name]) for name in adopted)
    others = sorted(set(begun) - set(adopted))
    assert others == ["enter.weight", "leave.bias", "leave.weight", "resize_columns", "resize_rows"]
    assert all(torch.equal(begun[name], places[name]) for name in others)
    assert told == [f"tokenizer: begins with {len(adopted)} of {len(begun)} tensors of the weights given"]
    # Where there is a checkpoint, a resumed run goes on from that.
    with torch.no_grad():
        trainer.network.enter.weight.add_(1.0)
    trainer.save(force=True)
    again = replace(run, resume=True).trainer("tokenizer", Tokenizer(fresh.sizes), mars.phrases.tokenizer)
    assert torch.equal(again.network.enter.weight, trainer.network.enter.weight)


def test_the_command_trains_on_clips_made_before(clips, tiny, tmp_path, capsys):
    """With truncation, from weights given, in next to no time."""
    tiny_mars().save(tmp_path / "start.safetensors")
    command = [
        "train",
        "mars",
        "--data",
        str(Path(clips.audio.filename).parent),
        "--output",
        str(tmp_path / "run"),
        "--minutes",
        "0.02",
    ]
    command += ["--device", "cpu", "--truncated", "--start", str(tmp_path / "start.safetensors"), "--json"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "tensors of the weights given" in err
    weights = Mars.load(json.loads(out)["weights"], "cpu")
    assert weights.phrases.tokenizer.sizes.truncated
    assert weights.notes.tokenizer.sizes.truncated
    assert not (tmp_path / "run" / "data").exists()


@pytest.mark.parametrize("stage", ["tokenizer", "transformer", "note_tokenizer", "note_transformer"])
def test_the_command_trains_a_stage_alone(clips, tiny, tmp_path, capsys, monkeypatch, stage):
    monkeypatch.setattr(train_mars, "BATCH", 1)
    monkeypatch.setattr(train_mars, "CHECK_STEPS", 2)
    monkeypatch.setattr(network_trainer, "LOG_STEPS", 2)
    given = tiny_mars()
    given.save(tmp_path / "start.safetensors")
    command = ["train", "mars", "--data", str(Path(clips.audio.filename).parent), "--minutes", "0.03"]
    command += ["--output", str(tmp_path / "run"), "--device", "cpu", "--stage", stage, "--json"]
    assert main(command) == 1
    assert "--start" in capsys.readouterr().err
    command += ["--bfloat16", "--start", str(tmp_path / "start.safetensors")]
    assert main(command) == 0
    trained = Mars.load(json.loads(capsys.readouterr().out)["weights"], "cpu")
    made = {"listener.pt", f"{stage}.pt"} if "tokenizer" in stage else {f"{stage}.pt"}
    assert {path.name for path in (tmp_path / "run").glob("*.pt")} == made
    log = [json.loads(line) for line in (tmp_path / "run" / f"{stage}.jsonl").read_text().splitlines()]
    assert np.isfinite([line["loss"] for line in log]).all()
    if "transformer" in stage:
        assert np.isfinite([line["held_out"] for line in log]).all()
    shipped = Mars.load(tmp_path / "start.safetensors", "cpu")
    for kind, now, before in (
        ("", trained.phrases, shipped.phrases),
        ("note_", trained.notes, shipped.notes),
    ):
        assert _same(now.tokenizer, before.tokenizer) == (stage != f"{kind}tokenizer")
        assert _same(now.transformer, before.transformer) == (stage != f"{kind}transformer")
    mine = trained.notes if stage.startswith("note_") else trained.phrases
    # What writes tokens reads them by the tokenizer's codes.
    assert torch.equal(mine.transformer.codes, mine.tokenizer.quantizer.codes)


def _same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_the_command_cannot_do_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", "codec", "--data", str(tmp_path), "--truncated"])
    assert "--truncated is for mars" in capsys.readouterr().err
    for what, stage in (("mars", "greedy"), ("codec", "transformer"), ("judges", "greedy")):
        with pytest.raises(SystemExit):
            main(["train", what, "--data", str(tmp_path), "--stage", stage])
        assert f"{what} has no stage {stage}" in capsys.readouterr().err
    command = ["train", "mars", "--data", str(tmp_path), "--start", str(tmp_path / "none"), "--device", "cpu"]
    assert main(command) == 1
    assert "MARS weights not found" in capsys.readouterr().err


def test_a_stage_learns_keeps_its_average_and_goes_on(tmp_path, monkeypatch):
    torch.manual_seed(0)
    # A clock that goes on by being looked at, however busy the machine is.
    clock = itertools.count(0.0, 0.001)
    monkeypatch.setattr(network_trainer, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    goal = torch.randn(4)

    def losses(network):
        while True:
            yield (network.weight[0] - goal).square().sum(), {"bias": network.bias[0]}

    def trainer_of(network):
        return NetworkTrainer("fit", network, tmp_path, lambda _: None, decay=0.99, clip=1.0)

    network = torch.nn.Linear(4, 1)
    trainer = trainer_of(network)
    before = float(next(losses(network))[0].detach())
    trainer.run(Stage("approach", 0.05, 0.0, 0.6), losses(network))
    assert float(next(losses(network))[0].detach()) < 0.5 * before
    log = [json.loads(line) for line in (tmp_path / "fit.jsonl").read_text().splitlines()]
    assert (log[0]["step"], log[0]["stage"]) == (50, "approach")
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[0]["bias"] == pytest.approx(float(network.bias.detach()), abs=1e-4)
    other = torch.nn.Linear(4, 1)
    resumed = trainer_of(other)
    assert resumed.resume()
    assert torch.equal(other.weight, network.weight)
    assert torch.equal(resumed.average.weight, trainer.average.weight)
    assert not torch.equal(resumed.average.weight, other.weight)
    assert resumed.step == trainer.step
    assert resumed.seconds == pytest.approx(trainer.seconds)


def test_a_listener_hears_what_differs():
    torch.manual_seed(0)
    listener = Listener(3).eval()
    clip = torch.zeros(2, 1024, 352)
    clip[:, 30:40, 20:200] = 0.8
    assert float(listener.distance(clip, clip).detach()) == 0.0
    near, far = clip.clone(), clip.clone()
    near[:, 30:40, 20:200] -= 0.02
    far[:, 300:340, 20:200] = 0.8
    distances = [float(listener.distance(made, clip).detach()) for made in (near, far)]
    assert 0.0 < distances[0] < distances[1]
    near.requires_grad_()
    listener.distance(near, clip).backward()
    assert float(near.grad.abs().sum()) > 0.0
