"""The demo performance is what its credits say, and the demo writes all that it announces."""

import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import soundfile

from struck.codec.files.audio_files import open_audio

DEMO = Path(__file__).parents[3] / "realtime" / "demo"


def test_the_performance_is_short_small_and_ends_in_a_decay():
    sound = DEMO / "performance.flac"
    assert sound.stat().st_size < 1_000_000
    with open_audio(sound, 22_050) as reader:
        samples = np.concatenate(list(reader.blocks(1 << 16)))
    assert 10.0 < reader.duration_seconds < 20.0
    assert 0.5 < np.abs(samples).max() <= 1.0
    assert np.abs(samples[-500:]).max() < 1e-3
    score = mido.MidiFile(DEMO / "performance.mid")
    assert abs(score.length - reader.duration_seconds) < 3.0
    assert {m.program for m in score if m.type == "program_change"} == {46, 11, 32, 0}


def run_demo(source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "struck.realtime.demo", str(source), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_writes_what_it_announces(tmp_path):
    time = np.arange(22_050) / 22_050
    soundfile.write(tmp_path / "in.wav", 0.3 * np.exp(-5 * time) * np.sin(2 * np.pi * 330 * time), 22_050)
    done = run_demo(tmp_path / "in.wav", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == [
        "events.jsonl",
        "notes.mid",
        "overview.png",
        "picture.png",
        "resynthesis.wav",
        "take.mcap",
    ]
    assert all(str(path) in done.stdout for path in written)
    assert np.abs(soundfile.read(tmp_path / "out" / "resynthesis.wav")[0]).max() > 0.01


def test_a_missing_input_is_one_line(tmp_path):
    done = run_demo(tmp_path / "missing.wav", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == f"demo: sound file not found: {tmp_path / 'missing.wav'}\n"
