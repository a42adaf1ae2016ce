"""The wheel, installed where there is no checkout, encodes and renders."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
FOLDERS = ("codec", "models", "patches", "realtime")

PROGRAM = """
import struck.codec
from struck.codec import Encoder, Take, read_audio, render, write_audio
events = Encoder("live").encode(*read_audio("tone.wav"))
take = Take.write("tone.mcap", events)
write_audio("heard.wav", render(take.events(), 48_000), 48_000)
print(list(struck.codec.__path__)[0])
"""


def run(*command, cwd):
    # -I and no variables of Python's: what the checkout's environment finds must not be found.
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that the checkout stays as it is."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools is older than 77: make setup installs a newer one")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, source, cwd=folder)
    (built,) = folder.glob("struck-*.whl")
    return built


def test_the_wheel_has_one_top_level_name_and_all_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    info = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    assert {name.split("/")[0] for name in names} == {"struck", info}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".typed", ".safetensors", ".npz", ".toml", ".flac"):
                assert f"struck/{path.relative_to(ROOT).as_posix()}" in names


def test_installed_outside_the_checkout_it_encodes_and_renders(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as files:  # a wheel of pure Python is installed by unpacking it
        files.extractall(packages)
    # What struck depends on is not installed again; the checkout itself is found by no path in there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    seconds = np.arange(22_050) / 22_050
    soundfile.write(
        tmp_path / "tone.wav", 0.3 * np.exp(-5 * seconds) * np.sin(2 * np.pi * 330 * seconds), 22_050
    )
    place = run(python, "-I", "-c", PROGRAM, cwd=tmp_path)
    assert Path(place.strip()) == packages / "struck" / "codec"
    sound, rate = soundfile.read(tmp_path / "heard.wav")
    assert rate == 48_000
    assert np.abs(sound).max() > 0.02
    command = [python, "-I", "-m", "struck.realtime.commands.cli"]
    assert '"events"' in run(*command, "info", "tone.mcap", "--json", cwd=tmp_path)
    run(*command, "resynth", "tone.wav", "again.wav", "--profile", "tight", cwd=tmp_path)
    assert (tmp_path / "again.wav").stat().st_size > 10_000
