"""The public names: each is there, documented, and imported only when it is used; README's examples run."""

import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
FACES = {
    "struck.codec": {
        "Encoder",
        "Decoder",
        "Event",
        "Take",
        "StruckError",
        "open_audio",
        "convert",
        "describe",
    },
    "struck.models": {"Mars", "PhraseConditions"},
    "struck.realtime": {"Host", "LiveSettings"},
}


@pytest.mark.parametrize("name", FACES)
def test_every_public_name_is_there_and_documented(name):
    face = importlib.import_module(name)
    assert set(face.__all__) >= FACES[name]
    assert dir(face) == sorted(face.__all__)
    for public in face.__all__:
        value = getattr(face, public)
        assert (value.__name__, bool(inspect.getdoc(value))) == (public, True)
        assert value.__module__.startswith(name + ".")


@pytest.mark.parametrize("name", FACES)
def test_another_name_is_refused_and_those_there_are_are_listed(name):
    face = importlib.import_module(name)
    with pytest.raises(AttributeError, match=f"{name} has no public name nothing; there are {dir(face)[0]}"):
        face.nothing  # noqa: B018


def test_a_face_costs_nothing_and_the_codec_needs_no_torch():
    program = (
        f"import sys, {', '.join(FACES)}\n"
        "heavy = {'numpy', 'numba', 'torch', 'soundfile', 'sounddevice'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "[getattr(struck.codec, name) for name in struck.codec.__all__]\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse\n"


def test_help_is_a_page_to_learn_from():
    page = pydoc.plain(pydoc.render_doc(importlib.import_module("struck.codec")))
    for word in (
        "Hear a sound",
        ">>> events = Encoder",
        "class Take",
        "render(events",
        "Raises:",
        "write_audio(",
    ):
        assert word in page


def readme_examples():
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_readmes_examples_are_short_and_run(tmp_path, monkeypatch):
    codec, mars = readme_examples()
    lines = [line for line in codec.splitlines() if line.strip()]
    assert len(lines) <= 10
    assert sum("import" in line for line in lines) == 1
    monkeypatch.chdir(tmp_path)
    seconds = np.arange(44_100) / 44_100
    soundfile.write("song.wav", 0.3 * np.exp(-4 * seconds) * np.sin(2 * np.pi * 220 * seconds), 44_100)
    exec(codec, {})
    sound, rate = soundfile.read("heard.wav")
    assert rate == 48_000
    assert np.abs(sound).max() > 0.05
    found = {}
    exec(mars, found)
    assert np.abs(found["second"].samples).max() > 0.01
