"""Names that are no text, or text that the terminal cannot show, in every direction, in every locale."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.takes.takes import TakeHeader, TakeReader, TakeWriter
from struck.realtime.commands.cli import main
from struck.realtime.screen.plots import plot_take

#: As Latin-1 wrote it, which is no UTF-8; beyond every 8-bit encoding; what a picture's title would set.
NAMES = [os.fsdecode(b"caf\xe9"), "\N{MUSICAL KEYBOARD} \u00e9\u6f22", "$\\alpha$ 100%{x}"]
LOCALES = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
}
#: Runs command lines, read from standard input as bytes in JSON, one after another.
PROGRAM = """
import json, os, sys
from struck.realtime.commands.cli import main
for line in json.load(sys.stdin):
    arguments = [os.fsdecode(bytes(word)) for word in line]
    print("status", main(arguments), flush=True)
"""


def make_take(path: Path) -> Path:
    with TakeWriter(path, TakeHeader("live", "codec", "0" * 16, source=path.name)) as writer:
        writer.write(Event(0.5, -20.0, np.zeros(VECTOR_SIZE)))
        writer.write_patch(0.6, f"patch {path.name}")
    return path


def run_all(locale: str, lines: list[list[object]]) -> tuple[bytes, bytes]:
    words = [[list(os.fsencode(str(word))) for word in line] for line in lines]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(words).encode(),
        env={**os.environ, **LOCALES[locale]},
        capture_output=True,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("locale", LOCALES)
def test_commands_on_takes_pass_every_name_on_and_print_it(tmp_path, locale):
    lines: list[list[object]] = []
    for name in NAMES:
        take = make_take(tmp_path / f"{name}.mcap")
        for extension in ("jsonl", "csv", "mid", "copy.mcap"):
            lines.append(["convert", take, tmp_path / f"{name}.{extension}"])
        lines.append(["convert", tmp_path / f"{name}.jsonl", tmp_path / f"{name}.back.mcap"])
        lines.append(["edit", take, tmp_path / f"{name}.edited.mcap", "--transpose", 1])
        for json_too in ([], ["--json"]):
            lines.append(["info", tmp_path / f"{name}.back.mcap", *json_too])
            lines.append(["info", tmp_path / f"missing {name}.mcap", *json_too])
    # The weights of the table are not those of the take: a message with a name in it.
    out, err = run_all(locale, lines)
    statuses = [line for line in out.splitlines() if line.startswith(b"status")]
    assert statuses == [b"status 0", b"status 1", *[b"status 0"] * 4, *[b"status 0", b"status 1"] * 2] * 3
    assert b"Traceback" not in err
    assert b"caf\xe9.jsonl" in out  # as it was given
    assert b"missing caf\xe9.mcap" in err
    for name in NAMES:
        assert TakeReader(tmp_path / f"{name}.back.mcap").header.source == f"{name}.mcap"
    told = [json.loads(line) for line in out.splitlines() if line.startswith(b'{"duration')]
    assert [values["source"] for values in told] == [f"{name}.mcap" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_commands_on_sound_too(tmp_path, capsys, name):
    time = np.arange(11_025) / 22_050
    sound = (0.3 * np.exp(-6 * time) * np.sin(2 * np.pi * 330 * time)).astype(np.float32)
    source, take = tmp_path / f"{name}.wav", tmp_path / f"{name}.mcap"
    soundfile.write(tmp_path / "plain.wav", sound, 22_050)
    (tmp_path / "plain.wav").rename(source)
    for line in (
        ["encode", source, take, "--profile", "tight"],
        ["render", take, tmp_path / f"{name}.flac"],
        ["resynth", source, tmp_path / f"{name}.ogg", "--profile", "tight"],
        ["plot", take, tmp_path / f"{name}.png", "--sound", source],
    ):
        assert main([*map(str, line), "--json"]) == 0
        values = json.loads(capsys.readouterr().out)
        assert values["output"] == str(line[2])
        assert Path(values["output"]).stat().st_size > 100
    assert TakeReader(take).header.source == source.name


@pytest.mark.parametrize("extension", ["png", "svg", "pdf"])
def test_a_picture_has_any_name_as_its_title(tmp_path, recwarn, extension):
    for name in NAMES:
        plot_take(tmp_path / f"a.{extension}", [], np.zeros(100), 22_050, name=name, signal_name=name)
        assert (tmp_path / f"a.{extension}").stat().st_size > 1_000
    assert [str(warning.message) for warning in recwarn] == []
