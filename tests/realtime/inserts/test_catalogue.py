"""The catalogue: what is kept and when it is looked at again; names; the commands ``struck plugins``."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.realtime.commands.cli import main
from struck.realtime.inserts.hosts import catalogue as module
from struck.realtime.inserts.hosts.catalogue import Catalogue
from struck.realtime.inserts.hosts.probe import probe_plugin
from struck.realtime.inserts.plugins.plugin import PluginInfo

MDA_AMBIENCE = "http://drobilla.net/plugins/mda/Ambience"


@pytest.fixture
def no_vst3(monkeypatch):
    """Loading VST3 plug-ins takes long, and is tested where they are."""
    found = module.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "pedalboard" else found(name))


def needs_mda():
    if not Path("/usr/lib/lv2/mda.lv2").exists():
        pytest.skip("no mda.lv2 is installed (Debian: liblilv-0-0 mda-lv2)")


def test_a_kept_entry_is_used_until_its_file_changes(tmp_path):
    catalogue = Catalogue(tmp_path / "kept.json", print)
    looked = []

    def describe():
        looked.append(1)
        return PluginInfo("lv2", "urn:a", f"A{len(looked)}")

    assert catalogue._remember("a", [1, 2], describe).name == "A1"
    catalogue._keep()
    again = Catalogue(tmp_path / "kept.json", print)
    assert again._remember("a", [1, 2], describe).name == "A1"
    assert again._remember("a", [1, 3], describe).name == "A2"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 9, "entries": {}}', '{"version": 1, "entries": 3}']
)
def test_a_broken_file_of_kept_entries_is_as_none(tmp_path, text):
    (tmp_path / "kept.json").write_text(text)
    assert Catalogue(tmp_path / "kept.json", print)._kept == {}


def test_all_hosts_are_listed_and_names_are_found(no_vst3, tmp_path):
    needs_mda()
    told = []
    catalogue = Catalogue(tmp_path / "kept.json", told.append)
    found = {info.identifier: info for info in catalogue.all()}
    assert found[MDA_AMBIENCE].audio_inputs == 2
    assert found["http://drobilla.net/plugins/mda/Piano"].is_instrument
    assert any("pedalboard" in line for line in told)
    assert catalogue.find("MDA Ambience").identifier == MDA_AMBIENCE
    assert catalogue.find("mda ambience").identifier == MDA_AMBIENCE
    assert {i.name for i in catalogue.search("mda piano")} == {"MDA Piano", "MDA ePiano"}
    with pytest.raises(StruckError, match="no plug-in is called nothing of the kind"):
        catalogue.find("nothing of the kind")
    with pytest.raises(StruckError, match=r"plug-ins are called piano: .*; take an identifier"):
        catalogue.find("piano")
    kept = json.loads((tmp_path / "kept.json").read_text())["entries"]
    assert f"lv2 {MDA_AMBIENCE}" in kept


def test_a_probe_tells_parameters_and_how_a_plugin_did():
    needs_mda()
    found = probe_plugin("lv2", MDA_AMBIENCE)
    assert [p["symbol"] for p in found["parameters"]][:2] == ["size", "hf_damp"]
    assert found["is_finite"]
    assert found["keeps_state"]
    with pytest.raises(StruckError, match="no LV2 plug-in is called urn:nothing"):
        probe_plugin("lv2", "urn:nothing")


def test_trying_a_plugin_keeps_time_and_level(no_vst3, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyo", reason="pyo is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (30_000, 2))
    soundfile.write(tmp_path / "in.wav", sound, 44_100, subtype="FLOAT")
    arguments = [str(tmp_path / "in.wav"), str(tmp_path / "out.wav"), "--bits", "float"]
    capsys.readouterr()  # pyo greets where it is imported
    assert main(["plugins", "try", "Clip", *arguments, "--set", "mul=0.5", "--json"]) == 0
    out, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == 44_100
    assert len(out) >= len(sound)
    # pyo fades its server in over the first 5 ms, in the warm-up; its mul is set before the first block
    np.testing.assert_allclose(out[2_048:30_000], 0.5 * sound[2_048:], atol=1e-6)
    assert json.loads(capsys.readouterr().out)["plugin"] == "Clip"


def test_what_cannot_be_tried_leaves_no_file(no_vst3, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyo", reason="pyo is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    soundfile.write(tmp_path / "in.wav", np.zeros((1_000, 3)), 48_000)
    arguments = [str(tmp_path / "in.wav"), str(tmp_path / "out.wav")]
    assert main(["plugins", "try", "Clip", *arguments]) == 1
    assert "has 3 channels; two are the most" in capsys.readouterr().err
    soundfile.write(tmp_path / "in.wav", np.zeros((1_000, 2)), 48_000)
    assert main(["plugins", "try", "Clip", *arguments, "--set", "nothing=1"]) == 1
    assert "there is no parameter nothing" in capsys.readouterr().err
    assert main(["plugins", "try", "Clip", *arguments, "--set", "mul=9"]) == 1
    assert "mul is 9; the range is 0 to 2" in capsys.readouterr().err
    assert not (tmp_path / "out.wav").exists()
