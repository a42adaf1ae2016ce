"""What a patch may ask for in error: one clear line each, and the sound passes."""

import numpy as np
import pytest

from struck.realtime.inserts.rack.process import COMMAND

from .plugin_bench import open_named
from .rack_host import RackHost, insert
from .test_lv2 import MDA, opened

NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, (2_048, 2)).astype(np.float32)


def told(*inserts):
    """What is told of them; their sound passes dry, as late as the rack."""
    with RackHost(64, command=COMMAND) as host:
        host.change(*inserts)
        np.testing.assert_array_equal(host.play(NOISE)[64:], NOISE[:-64])
        return host.told


def test_an_unknown_uri():
    opened(MDA + "Ambience").close()
    assert told(insert("urn:nothing", name="a")) == [
        "insert a: no LV2 plug-in is called urn:nothing; it is passed by"
    ]


def opened_state(uri):
    """The state of a plug-in that was just opened."""
    plugin = opened(uri)
    state = plugin.save_state()
    plugin.close()
    return state


def test_a_state_of_another_plugin():
    state = opened_state(MDA + "Ambience")
    (line,) = told(insert(MDA + "Overdrive", name="a", state=state))
    assert line.startswith(f"insert a: the state is that of {MDA}Ambience, not of {MDA}Overdrive")


def test_a_state_that_is_none():
    opened(MDA + "Ambience").close()
    (line,) = told(insert(MDA + "Ambience", name="a", state="no state at all"))
    assert line.startswith("insert a: the state")


@pytest.mark.parametrize("value", [99.0, -99.0])
def test_a_parameter_out_of_its_range_stays_as_it_is(value):
    default = opened(MDA + "Ambience").get(0)
    with RackHost(64, command=COMMAND) as host:
        host.change(insert(MDA + "Ambience", name="a", parameters={"size": value, "nothing": 1.0}))
        assert host.told == [
            f"insert a: size is {value:g}; the range is 0 to 1; it stays as it is",
            "insert a: there is no parameter nothing; it stays as it is",
        ]
        assert host.bay.rack.controls.parameters(0)[0]["value"] == pytest.approx(default)


def test_a_graph_with_a_syntax_error(tmp_path):
    pytest.importorskip("pyo", reason="pyo is not installed")
    path = tmp_path / "bad.py"
    path.write_text("import pyo\ndef build(input:\n")
    (line,) = told(insert("", host="pyo", file=str(path), name="a"))
    assert line.startswith(f"insert a: {path}, line 2: ")


def test_a_vst3_that_is_none(tmp_path):
    pytest.importorskip("pedalboard", reason="pedalboard is not installed")
    path = tmp_path / "broken.vst3"
    path.write_bytes(b"no library at all")
    (line,) = told(insert(str(path), host="vst3", name="a"))
    assert line.startswith(f"insert a: the VST3 plug-in {path} cannot be loaded")


def test_voices_of_what_takes_no_notes():
    opened(MDA + "Ambience").close()
    assert told(insert(MDA + "Ambience", name="a", voices=3)) == [
        "insert a: it takes no notes, so it has no voices; it is passed by"
    ]


def test_of_more_channels_than_two_the_first_two_are_used():
    opened("http://lsp-plug.in/plugins/lv2/sc_compressor_stereo").close()
    plugin = open_named("lv2", "http://lsp-plug.in/plugins/lv2/sc_compressor_stereo")
    assert plugin.info.audio_inputs == 4
    out = np.zeros((2, 64), np.float32)
    for _ in range(100):
        plugin.process(np.full((2, 64), 0.1, np.float32), out)
    assert np.isfinite(out).all()
    assert np.abs(out).max() > 0.01
    plugin.close()


def test_two_racks_that_feed_each_other_grow_to_the_bound_and_no_further():
    """Beyond 120 dB over full scale sound is damage: it passes no more, and what is heard stays finite."""
    with RackHost(64) as first, RackHost(64) as second:
        for host in (first, second):
            host.change(insert("gain", parameters={"gain": 2.0}))
        block = np.full((64, 2), 0.1, np.float32)
        for _ in range(200):
            for host in (first, second):
                block = host.step(block)
                host.bay.rack.settle()
            assert np.isfinite(block).all()
            assert np.abs(block).max() <= 2e6
        assert first.bay.rack.counters()["insert_failures"] == 0
