"""pyo in the path: its classes by name, programs of the user's own, what is broken."""

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.pyo.classes import CLASSES, list_classes

from .plugin_bench import BLOCK, measured_latency, noise, open_named, run, vary

pytest.importorskip("pyo", reason="pyo is not installed")

NAMES = [name for names in CLASSES.values() for name in names]

PROGRAM = """
import pyo
parameters = {"cutoff": (100.0, 8000.0, 500.0, "Hz")}
def build(input, cutoff):
    return pyo.Tone(input, cutoff)
"""
INSTRUMENT = """
import pyo
takes_notes = True
def build(input):
    notes = pyo.Notein(poly=4)
    build.kept = notes
    return pyo.Sine(freq=pyo.MToF(notes["pitch"]), mul=pyo.Port(notes["velocity"], 0.001, 0.1))
"""


@pytest.mark.parametrize("name", NAMES)
def test_every_class_runs_tells_its_parameters_and_keeps_its_state(name):
    plugin = open_named("pyo", name)
    assert np.isfinite(run(plugin, noise())).all()
    vary(plugin)
    assert np.isfinite(run(plugin, noise())).all()
    again = open_named("pyo", name, state=plugin.save_state())
    assert [p.symbol for p in again.parameters] == [p.symbol for p in plugin.parameters]
    for number in range(len(plugin.parameters)):
        assert again.get(number) == plugin.get(number)
    plugin.close(), again.close()


def test_two_servers_run_beside_one_another():
    first, second = open_named("pyo", "Clip"), open_named("pyo", "Clip")
    second.set([p.symbol for p in second.parameters].index("mul"), 0.5)
    sound = noise()
    one, two = run(first, sound), run(second, sound)
    np.testing.assert_allclose(two[:, 3_200:], 0.5 * one[:, 3_200:], atol=1e-6)
    first.close(), second.close()


def test_the_stated_latency_is_that_of_the_sound():
    for name, latency in (("Clip", 0), ("Compress", 48), ("Gate", 48), ("Expand", 48)):
        plugin = open_named("pyo", name)
        assert plugin.latency_samples == latency
        assert measured_latency(plugin) == latency
        plugin.close()


def test_a_program_has_parameters_of_its_own(tmp_path):
    (tmp_path / "dark.py").write_text(PROGRAM)
    plugin = open_named("pyo", file=str(tmp_path / "dark.py"))
    assert plugin.parameters[0].unit == "Hz"
    dark = run(plugin, noise())
    plugin.set(0, 8_000.0)
    light = run(plugin, noise())
    assert np.std(light[0]) > 2.0 * np.std(dark[0])
    plugin.close()


def test_a_program_may_be_an_instrument(tmp_path):
    (tmp_path / "sine.py").write_text(INSTRUMENT)
    plugin = open_named("pyo", file=str(tmp_path / "sine.py"))
    assert plugin.info.takes_notes
    silence = np.zeros((2, 100 * BLOCK), np.float32)
    assert np.abs(run(plugin, silence)).max() < 1e-6
    assert np.abs(run(plugin, silence, [(0, bytes((0x90, 69, 100)))])).max() > 0.1
    plugin.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def build(input)\n", r"p\.py, line 1: "),
        ("x = 1\n", r"has no function build\(input\)"),
        ("def build(input):\n    return 1\n", "returns 1, not one of pyo's objects"),
        ("def build(input):\n    return 1 / 0\n", r"p\.py, line 2: ZeroDivisionError"),
        ("parameters = {'a': 1}\ndef build(input, a):\n    return input\n", "must be {name: "),
        ("parameters = {'a': (0, 1, 2)}\ndef build(input, a):\n    return input\n", "outside its range"),
        ("import nothing_of_the_kind\n", "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", r"p\.py, line 1: SystemExit: 3"),
        ("def build(input):\n    return 1\n\0", r"p\.py: source code .*null bytes"),
        ("import tkinter\nwindow = tkinter.Tk()\n", "TclError: no display|ModuleNotFoundError|ImportError"),
    ],
)
def test_a_broken_program_is_told_of_in_one_line(tmp_path, text, message, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    (tmp_path / "p.py").write_text(text)
    with pytest.raises(StruckError, match=message) as told:
        open_named("pyo", file=str(tmp_path / "p.py"))
    assert "\n" not in str(told.value)


def test_what_is_no_effect_is_refused():
    with pytest.raises(StruckError, match="Record is not one that a patch may name"):
        open_named("pyo", "Record")
    with pytest.raises(StruckError, match=r"cannot read .*nowhere\.py"):
        open_named("pyo", file="nowhere.py")
    with pytest.raises(StruckError, match="has no presets by name"):
        open_named("pyo", "Freeverb", preset="Hall")
    with pytest.raises(StruckError, match="that of pyo's Chorus, not of Freeverb"):
        open_named("pyo", "Freeverb", state='{"pyo": "Chorus", "values": {}}')
    for state in (
        "<xml>",
        '{"pyo": "Freeverb", "values": {"bal": "wet"}}',
        '{"pyo": "Freeverb", "values": 3}',
    ):
        with pytest.raises(StruckError, match="none of pyo's"):
            open_named("pyo", "Freeverb", state=state)
    with pytest.raises(StruckError, match="the state of pyo's Freeverb: bal is 7; the range is 0 to 1"):
        open_named("pyo", "Freeverb", state='{"pyo": "Freeverb", "values": {"bal": 7}}')


def test_the_list_needs_no_pyo():
    assert {info.identifier for info in list_classes()} == set(NAMES)
