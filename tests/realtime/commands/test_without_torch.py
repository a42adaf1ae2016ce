"""Without PyTorch everything works but phrases and training, and these say in one line how to get it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from struck.codec.sounds import write_audio
from struck.realtime.commands.console import COMPILING

#: Runs command lines in a Python that cannot import torch, nor what comes with it alone; tells the statuses.
PROGRAM = """
import json, sys
for name in ("torch", "safetensors.torch", "networkx", "sympy", "mpmath"):
    sys.modules[name] = None
from struck.realtime.commands.cli import main
statuses = []
for line in json.loads(sys.argv[1]):
    print(f"== {line[0]}", file=sys.stderr, flush=True)
    statuses.append(main(line))
with open(sys.argv[2], "w") as file:
    json.dump(statuses, file)
"""


def run_lines(folder, lines):
    """Exit status of each command line and what it told on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(lines), "statuses"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [part.split("\n", 1)[1] for part in done.stderr.split("== ")[1:]]
    return list(zip(json.loads((folder / "statuses").read_text()), told, strict=True))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    seconds = np.arange(22_050) / 22_050
    tone = 0.3 * np.sin(2 * np.pi * 330 * seconds) * np.exp(-4.0 * seconds)
    (tmp_path / "sounds").mkdir()
    sound = (tone + 1e-4 * rng.standard_normal(len(tone))).astype(np.float32)
    write_audio(tmp_path / "sounds" / "in.wav", sound, 22_050)
    return tmp_path


def test_hearing_and_playing_do_without(folder):
    sound = "sounds/in.wav"
    lines = [
        ["encode", sound, "a.mcap"],
        ["info", "a.mcap"],
        ["render", "a.mcap", "a.wav"],
        ["resynth", sound, "b.wav", "--profile", "tight"],
        ["edit", "a.mcap", "c.mcap", "--transpose", "2"],
        ["convert", "c.mcap", "c.mid"],
        ["convert", "c.mcap", "c.jsonl"],
        ["plot", "a.mcap", "a.png"],
        ["live", "--input", sound, "--output", "d.wav", "--record", "d.mcap"],
        ["live", "--input", sound, "--output", "e.wav", "--patch", "phrases", "--phrases", "off"],
        ["evaluate", "codec", "sounds"],
        ["devices"],
        ["plugins", "list"],
    ]
    for line, (status, told) in zip(lines, run_lines(folder, lines), strict=True):
        assert status == 0, (line, told)
        assert "torch" not in told.lower()
    for name in ("a.mcap", "a.wav", "b.wav", "c.mid", "c.jsonl", "a.png", "d.wav", "d.mcap", "e.wav"):
        assert (folder / name).stat().st_size > 40


def test_phrases_and_training_say_how_to_get_it(folder):
    lines = [
        ["phrase", "out.wav"],
        ["train", "codec", "--data", "sounds"],
        ["train", "mars", "--data", "sounds"],
        ["evaluate", "mars"],
        ["bench", "phrase"],
        ["live", "--input", "sounds/in.wav", "--output", "out.wav", "--patch", "phrases"],
    ]
    for line, (status, told) in zip(lines, run_lines(folder, lines), strict=True):
        assert status == 1, line
        told = told.removeprefix(f"struck: note: {COMPILING}\n")
        assert told.startswith("struck: ")
        assert told.endswith("needs PyTorch, which is not installed: pip install 'struck[mars]'\n")
        assert told.count("\n") == 1
    assert {path.name for path in folder.iterdir()} == {"sounds", "statuses"}
