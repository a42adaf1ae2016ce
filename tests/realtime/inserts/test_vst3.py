"""VST3 plug-ins and pedalboard's own effects, where the extra is installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.vst3.effects import EFFECTS
from struck.realtime.inserts.vst3.module import SLOW_START

from .plugin_bench import measured_latency, noise, open_named, run, vary

pedalboard = pytest.importorskip("pedalboard", reason="pedalboard (the extra vst3) is not installed")


def zam(name, channels=2, **options):
    if not Path(f"/usr/lib/vst3/{name}.vst3").exists():
        pytest.skip(f"{name}.vst3 is not installed (Debian: zam-plugins)")
    return open_named("vst3", name, channels, **options)


def test_the_private_name_that_is_cut_short_is_still_there():
    """Without it a plug-in would take up to minutes to load, and nobody would know why."""
    program = f"import pedalboard; assert hasattr(pedalboard.VST3Plugin, {SLOW_START!r})"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert hasattr(pedalboard.VST3Plugin, "_parameters")


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_of_pedalboard_runs_and_keeps_its_state(name):
    plugin = open_named("pedalboard", name)
    assert plugin.latency_samples == 0
    assert np.isfinite(run(plugin, noise())).all()
    vary(plugin)
    again = open_named("pedalboard", name, state=plugin.save_state())
    for number in range(len(plugin.parameters)):
        assert again.get(number) == plugin.get(number)
    sound = run(again, noise())
    third = open_named("pedalboard", name, state=plugin.save_state())
    np.testing.assert_array_equal(run(third, noise()), sound)


@pytest.mark.parametrize(("name", "latency"), [("ZaMaximX2", 480), ("ZamEQ2", 0)])
def test_the_reported_latency_is_that_of_the_sound(name, latency):
    plugin = zam(name)
    assert plugin.latency_samples == latency
    assert measured_latency(plugin) == latency


# Not ZamTube: its sound from the same settings differs from process to process.
@pytest.mark.parametrize("name", ["ZaMaximX2", "ZamEQ2"])
def test_a_state_brings_back_the_sound(name):
    plugin = zam(name)
    vary(plugin)
    state = plugin.save_state()
    sounds = [run(zam(name, state=state), noise()) for _ in range(2)]
    np.testing.assert_array_equal(*sounds)
    assert not np.array_equal(sounds[0], run(zam(name), noise()))


def test_a_mono_plugin_is_two_on_two_channels_and_a_stereo_one_gives_the_mean():
    sound = noise()
    both = run(zam("ZamEQ2"), sound)
    np.testing.assert_array_equal(run(zam("ZamEQ2", channels=1), sound[:1])[0], both[0])
    wide = run(zam("ZaMaximX2"), np.repeat(sound[:1], 2, axis=0))
    np.testing.assert_allclose(run(zam("ZaMaximX2", channels=1), sound[:1])[0], wide.mean(axis=0), atol=1e-6)


def test_what_cannot_be_had_is_told(tmp_path):
    with pytest.raises(StruckError, match="no VST3 plug-in is called Nothing"):
        open_named("vst3", "Nothing")
    with pytest.raises(StruckError, match=r"there is no VST3 plug-in nowhere\.vst3"):
        open_named("vst3", "nowhere.vst3")
    broken = tmp_path / "broken.vst3"
    broken.write_bytes(b"\x7fELF no library at all")
    with pytest.raises(StruckError, match=r"broken\.vst3 cannot be loaded"):
        open_named("vst3", str(broken))
    with pytest.raises(StruckError, match="PitchShift is not one that a patch may name"):
        open_named("pedalboard", "PitchShift")
    with pytest.raises(StruckError, match="that of pedalboard's Gain, not of Reverb"):
        open_named("pedalboard", "Reverb", state='{"pedalboard": "Gain", "values": {}}')
    with pytest.raises(StruckError, match="none of a VST3"):
        zam("ZamEQ2", state="{}")
