"""Set-up: what one machine lacks keeps nothing else away, and tests are run with one sound font."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Stands in for the environment's Python: notes what pip is asked for, and cannot install pyo.
PYTHON = """#!/bin/sh
for last; do :; done
echo "$last" >>"$(dirname "$0")/asked"
[ "$last" != pyo ]
"""


def run_make(folder, target, done=("made", "mars", "installed", "dev")):
    """``make TARGET`` in a folder where ``done`` is done; what pip, or Python, was asked for last."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    stand_ins = {".venv/bin/python": PYTHON, ".ci/system-packages": "#!/bin/sh\n", "bin/npm": "#!/bin/sh\n"}
    for path, text in stand_ins.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
        (folder / path).chmod(0o755)
    for name in done:
        (folder / ".venv" / name).touch()
    env = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    made = subprocess.run(["make", target], cwd=folder, env=env, capture_output=True, text=True, check=False)
    return made, (folder / ".venv" / "bin" / "asked").read_text().split()


@pytest.mark.parametrize("target", ["live", ".venv/rig"])
def test_one_package_that_cannot_be_had_keeps_no_other_away(tmp_path, target):
    done, asked = run_make(tmp_path, target)
    assert done.returncode == 0, done.stderr
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rig = re.search(r"^RIG := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert set(optional["vst3"]) <= set(rig)
    more = ["struck.realtime.commands.kernels"] if target == "live" else rig
    assert asked == optional["live"] + more
    assert done.stderr.startswith("going on without pyo")
    assert done.stderr.count("going on") == 1


def test_the_demo_does_without_torch_and_tests_take_it_first(tmp_path):
    (torch,) = (line for line in (ROOT / "constraints.txt").read_text().split() if line.startswith("torch=="))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "torch" not in project["dependencies"]
    assert project["optional-dependencies"]["mars"] == ["torch"]
    for target, wanted in (("setup", ["."]), (".venv/dev", [".", ".[dev]"]), (".venv/mars", [torch])):
        folder = tmp_path / target
        folder.mkdir(parents=True)
        done, asked = run_make(folder, target, done=["made"])
        assert (done.returncode, asked) == (0, wanted), done.stderr


def test_the_suite_can_be_run_with_one_sound_font(tmp_path):
    font = Path(os.environ["STRUCK_SOUND_FONTS"])
    if not font.is_file():
        pytest.skip("no sound font is installed")
    seen = 'find "$(dirname "$(dirname "$STRUCK_SOUND_FONTS")")" -iname "*.sf[23]"'
    done = subprocess.run(
        [ROOT / ".ci" / "only-sound-font", font, "sh", "-c", seen],
        capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    if done.stderr:
        pytest.skip(done.stderr.strip())
    told, found = done.stdout.split(f"left:   {font}\n")
    assert found == f"{font}\n"
    assert all(line.startswith("hidden: /") for line in told.splitlines())
