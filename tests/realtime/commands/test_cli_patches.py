"""``struck patches check``, and commands that take a patch: what is wrong in one is told with its line."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.patches.patch import shipped_patches
from struck.realtime.commands.cli import main

from ..inserts.test_bad_inserts import opened_state
from ..inserts.test_lv2 import MDA, opened

AMBIENCE = f"""[[insert]]
place = "master"
host = "lv2"
plugin = "{MDA}Ambience"
"""
CLIP = """[[insert]]
place = "events"
host = "pyo"
plugin = "Clip"
"""
PROGRAM = """import pyo
parameters = {"rate": (0.1, 5.0, 1.0, "Hz")}
def build(input, rate):
    raise SystemExit("nobody asked for this to be run")
"""


def needs_pyo():
    pytest.importorskip("pyo", reason="pyo is not installed")


@pytest.fixture
def check(tmp_path, capsys, monkeypatch):
    """Checks a patch ``p.toml`` of this text: its faults, and what is only noted."""
    monkeypatch.chdir(tmp_path)

    def check(text):
        Path("p.toml").write_text("format = 2\n" + text)
        status = 0
        capsys.readouterr()  # pyo greets where it is imported
        try:
            main(["patches", "check", "p.toml", "--json"])
        except SystemExit as left:
            status = left.code
        (found,) = json.loads(capsys.readouterr().out)["files"]
        assert status == (1 if found["faults"] else 0)
        return found["faults"], found["notes"]

    return check


@pytest.mark.parametrize("name", shipped_patches())
def test_shipped_patches_have_no_fault(name, capsys):
    assert main(["patches", "check", str(files("struck.patches").joinpath(f"{name}.toml"))]) == 0
    assert capsys.readouterr().out.endswith("good\n")


def test_a_plugins_parameters_out_of_range_or_unknown_are_faults_with_their_lines(check):
    opened(MDA + "Ambience").close()
    faults, notes = check(AMBIENCE + "[insert.parameters]\nsize = 0.5\nhf_damp = 99.0\nshine = 1.0\n")
    assert faults == [
        "patch p [[insert]] 1: hf_damp is 99; the range is 0 to 1 (line 8)",
        "patch p [[insert]] 1: there is no parameter shine (line 9)",
    ]
    assert notes == []


def test_all_inserts_are_asked_and_good_ones_are_good(check):
    needs_pyo()
    second = CLIP + 'name = "b"\nparameters = {mul = 9}\n'
    faults, notes = check(CLIP + "parameters = {mul = 0.5}\n" + second)
    assert faults == ["patch p [[insert]] 2: mul is 9; the range is 0 to 2 (line 12)"]
    assert notes == []


def test_of_a_plugin_that_is_not_here_parameters_cannot_be_checked(check):
    opened(MDA + "Ambience").close()
    faults, notes = check(AMBIENCE.replace("Ambience", "Nothing") + "[insert.parameters]\nsize = 99.0\n")
    assert faults == []
    assert notes == [
        f"patch p [[insert]] 1: no LV2 plug-in is called {MDA}Nothing; the sound passes it dry; "
        "its parameters could not be checked (line 5)"
    ]


def test_what_only_looks_like_a_plugins_name_is_none(check):
    """struck live takes whole names; so does the check."""
    opened(MDA + "Ambience").close()
    _, notes = check(AMBIENCE.replace(f"{MDA}Ambience", "ambien"))
    assert notes == [
        "patch p [[insert]] 1: no LV2 plug-in is called ambien; the sound passes it dry (line 5)"
    ]


def test_states_presets_and_voices_that_do_not_fit(check):
    state = json.dumps(opened_state(MDA + "Overdrive"))
    faults, _ = check(AMBIENCE + 'preset = "Moon"\nvoices = 3\n' + f"state = {state}\n")
    assert faults[0] == "patch p [[insert]] 1: it takes no notes, so it has no voices (line 7)"
    assert faults[1].startswith(f"patch p [[insert]] 1: the LV2 plug-in {MDA}Ambience has no preset Moon")
    assert faults[2].startswith(f"patch p [[insert]] 1: the state is that of {MDA}Overdrive, not of")
    assert [line[-9:] for line in faults[1:]] == [" (line 6)", " (line 8)"]


def test_a_program_is_read_and_not_run(check, tmp_path):
    own = CLIP.replace('plugin = "Clip"', 'file = "own.py"\nparameters = {rate = 9.0, depth = 1.0}')
    (tmp_path / "own.py").write_text(PROGRAM)
    faults, notes = check(own)
    assert faults == [
        "patch p [[insert]] 1: rate is 9; the range is 0.1 to 5 (line 6)",
        "patch p [[insert]] 1: there is no parameter depth (line 6)",
    ]
    assert notes == []
    (tmp_path / "own.py").write_text(PROGRAM.replace("input, rate)", "input, rate"))
    assert check(own)[0] == ["patch p [[insert]] 1: own.py, line 3: '(' was never closed (line 5)"]
    (tmp_path / "own.py").write_text(PROGRAM + "parameters.update(depth=(0.0, 2.0, 1.0))\n")
    assert check(own) == (
        [],
        [
            "patch p [[insert]] 1: what parameters its file makes shows when it runs; "
            "its parameters could not be checked (line 6)"
        ],
    )
    (tmp_path / "own.py").unlink()
    assert check(own)[0] == ["patch p [[insert]] 1: cannot read own.py: No such file or directory (line 5)"]


@pytest.mark.parametrize(
    ("target", "more", "words"),
    [
        ("insert/clip/mul", "high = 9.0", "insert/clip/mul goes from 0 to 2, not to 9"),
        ("insert/clip/shine", "", "no insert clip has a parameter shine"),
        ("insert/delay/mul", "", "no insert delay has a parameter mul"),
        ("insert/clip/mul", 'curve = "log"', "the curve log needs ends above 0"),
        ("transform/thin/db", "", "transform thin has no db to turn"),
        ("transform/thin2/keep", "", "no transform is called thin2"),
        ("loudness", "", "nothing is called loudness"),
        ("transpose", "high = 99.0", "transpose goes from -48 to 48 semitones, not to 99"),
    ],
)
def test_maps_that_turn_nothing_or_do_not_fit(check, target, more, words):
    needs_pyo()
    insert = CLIP + 'name = "clip"\n[[transform]]\nkind = "thin"\n'
    faults, _ = check(f'{insert}[[map]]\nsource = "cc 7"\ntarget = "{target}"\n{more}\n')
    (line,) = faults
    assert line.startswith("patch p [[map]] 1: ")
    assert words in line
    assert line.endswith("(line 11)")


def test_maps_that_fit_are_good(check):
    needs_pyo()
    insert = CLIP + 'name = "my clip"\n'
    for target in ("insert/my clip/mul", "insert/my_clip/wet", "transpose", "panic", "morph_beats"):
        assert check(f'{insert}[[map]]\nsource = "cc 7"\ntarget = "{target}"\n') == ([], [])


def test_the_list_shows_what_would_be_refused(tmp_path, capsys):
    (tmp_path / "loud.toml").write_text("format = 2\nprogram = 90\n[controls]\nloudness = 3.0\n")
    (tmp_path / "good.toml").write_text("format = 2\nprogram = 91\n[controls]\ndecay = 3.0\n")
    assert main(["patches", "list", "--patches", str(tmp_path), "--json"]) == 0
    patches = {patch["name"]: patch for patch in json.loads(capsys.readouterr().out)["patches"]}
    assert patches["loud"]["fault"].startswith("patch loud: no control is called loudness")
    assert patches["good"]["fault"] == ""
    assert patches["bells"]["fault"] == ""


@pytest.mark.parametrize("command", ["live", "render", "resynth"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[controls]\nloudness = 3.0\n", "patch p: no control is called loudness; they are "),
        ("[controls]\ndecay = 99.0\n", "patch p [controls]: decay is 99; the range is 0.1 to 10 (line 3)"),
        ('safe = ["loudness"]\n', "patch p: safe names 'loudness'; it may name "),
        ('[phrases]\nstyle = "jazz"\n', "patch p [phrases]: unknown style 'jazz'"),
    ],
)
def test_every_command_that_takes_a_patch_refuses_a_wrong_one(
    command, text, line, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text("format = 2\n" + text)
    soundfile.write("in.wav", np.zeros(4_800), 48_000)
    arguments = {
        "live": ["--input", "in.wav", "--output", "out.wav", "--phrases", "off"],
        "render": ["in.mcap", "out.wav"],
        "resynth": ["in.wav", "out.wav", "--profile", "tight"],
    }[command]
    assert main([command, *arguments, "--patch", "p.toml"]) == 1
    told = [text for text in capsys.readouterr().err.splitlines() if "note:" not in text]
    assert len(told) == 1
    assert told[0].startswith(f"struck: {line}")
    assert not Path("out.wav").exists()
