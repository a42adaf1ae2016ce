"""The command line without the codec: usage, start-up, exit status, where output goes."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from struck.codec.events.errors import StruckError, StruckWarning
from struck.realtime.commands import take as commands_take
from struck.realtime.commands.cli import build_parser, main
from struck.realtime.commands.console import Console, format_values

COMMANDS = [
    *("live", "encode", "render", "resynth", "info", "convert", "plot", "edit"),
    *("devices", "evaluate", "bench", "train"),
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "struck.realtime.commands.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_starts_fast_because_nothing_heavy_is_imported():
    program = (
        "import sys; from struck.realtime.commands.cli import build_parser; build_parser().format_help();"
        "heavy = {'numpy', 'scipy', 'torch', 'numba', 'soundfile', 'rich', 'matplotlib'} & set(sys.modules);"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples_and_json(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert f"struck {command}" in text.split("examples:")[1]
    assert "--json" in text


def test_version():
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("struck 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["whistle"],
        ["encode", "in.wav"],
        ["encode", "in.wav", "out.mcap", "--profile", "loud"],
        ["encode", "in.wav", "out.mcap", "--refine", "-1"],
        ["encode", "in.wav", "out.mcap", "--refine", "many"],
        ["render", "in.mcap", "out.wav", "--rate", "7"],
        ["render", "in.mcap", "out.wav", "--rate", "44101"],
        ["render", "in.mcap", "out.wav", "--bits", "13"],
        ["edit", "in.mcap", "out.mcap", "--stretch", "0"],
        ["edit", "in.mcap", "out.mcap", "--transpose", "nan"],
        ["edit", "in.mcap", "out.mcap", "--thin", "-3"],
        ["bench", "coffee"],
        ["train", "codec"],
    ],
)
def test_wrong_usage_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: struck" in capsys.readouterr().err


def test_defaults_are_those_the_help_tells():
    options = build_parser().parse_args(["resynth", "in.wav", "out.wav"])
    assert (options.profile, options.refine, options.rate, options.bits) == ("studio", None, 48_000, None)
    assert options.weights is None
    edit = build_parser().parse_args(["edit", "in.mcap", "out.mcap"])
    assert (edit.transpose, edit.stretch, edit.thin, edit.room, edit.perturb) == (0.0, 1.0, None, None, 0.0)


@pytest.mark.parametrize(
    ("fault", "status", "line"),
    [
        (StruckError("the take\n is torn"), 1, "struck: the take is torn\n"),
        (OSError(28, "No space left on device", "out.wav"), 1, "struck: out.wav: No space left on device\n"),
        (OSError(5, "Input/output error"), 1, "struck: Input/output error\n"),
        (KeyboardInterrupt(), 130, "struck: interrupted\n"),
    ],
)
def test_faults_are_one_line_on_standard_error(fault, status, line, monkeypatch, capsys):
    def fail(options, console):
        raise fault

    monkeypatch.setattr(commands_take, "run_info", fail)
    assert main(["info", "take.mcap"]) == status
    assert capsys.readouterr() == ("", line)
    assert main(["info", "take.mcap", "--json"]) == status
    captured = capsys.readouterr()
    assert captured.err == line
    if status == 1:
        assert json.loads(captured.out) == {"error": line.removeprefix("struck: ").strip()}


def test_a_fault_of_our_own_is_not_hidden(monkeypatch):
    def fail(options, console):
        raise ZeroDivisionError

    monkeypatch.setattr(commands_take, "run_info", fail)
    with pytest.raises(ZeroDivisionError):
        main(["info", "take.mcap"])


def test_results_go_to_standard_output_and_notes_do_not(capsys):
    Console(as_json=True).finish({"events": 3}, "3 events")
    Console(as_json=False).finish({"events": 3}, "3 events")
    Console(as_json=True).report("half way")
    Console(as_json=False).note("clipped")
    assert capsys.readouterr() == ('{"events": 3}\n3 events\n', "half way\nstruck: note: clipped\n")


def test_progress_is_silent_without_a_terminal(capsys):
    with Console(as_json=False).progress("encoding", 10.0) as advance:
        advance(5.0)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_on_standard_error_only(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for total in (10.0, None, 0.0):
        with Console(as_json=True).progress("encoding", total) as advance:
            advance(5.0)
    assert capsys.readouterr().out == ""


def test_values_are_formatted_for_people():
    assert format_values({"event_count": 12_345, "length": 2.5, "name": "x"}).splitlines() == [
        "event count  12,345",
        "length       2.50",
        "name         x",
    ]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupt", "terminate"]
)
def test_a_signal_in_the_middle_of_a_write_leaves_nothing_half_written(tmp_path, number, status):
    program = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
from struck.codec.files.audio_files import AudioWriter
from struck.realtime.commands import cli, take as commands_take
def write(options, console):
    with AudioWriter({str(tmp_path / "out.wav")!r}, 48_000) as writer:
        while True:
            writer.write(np.zeros(1_000))
            time.sleep(0.01)
commands_take.run_info = write
sys.exit(cli.main(["info", "take.mcap"]))
"""
    (tmp_path / "out.wav").write_bytes(b"good")
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(os.listdir(tmp_path)) == 2, "the part file never appeared"
    process.send_signal(number)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == status
    assert messages in ("struck: interrupted\n", "struck: terminated\n")
    assert os.listdir(tmp_path) == ["out.wav"]
    assert (tmp_path / "out.wav").read_bytes() == b"good"


def test_output_into_a_closed_pipe_is_no_stack_trace():
    program = "import sys\nfrom struck.realtime.commands import cli, take as commands_take\n" + (
        "commands_take.run_info = lambda options, console: [print('x' * 10_000) for _ in range(1_000)]\n"
        "sys.exit(cli.main(['info', 'take.mcap']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=120) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_warning_of_ours_is_a_note_and_one_of_a_library_stays_as_it_is(monkeypatch, capsys):
    def run(options, console):
        warnings.warn("nothing can be kept", StruckWarning, stacklevel=1)
        warnings.warn("old call", UserWarning, stacklevel=1)
        console.finish({}, "done")

    monkeypatch.setattr(commands_take, "run_info", run)
    show = warnings.showwarning
    with pytest.warns(UserWarning, match="old call"):
        assert main(["info", "any.mcap"]) == 0
    assert capsys.readouterr().err == "struck: note: nothing can be kept\n"
    assert warnings.showwarning is show
