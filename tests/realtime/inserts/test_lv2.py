"""LV2 plug-ins from Debian's packages: parameters, sound, latency, state, presets, notes."""

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.lv2.features import UridMap
from struck.realtime.inserts.lv2.sequences import AtomBuffer

from .plugin_bench import BLOCK, measured_latency, noise, open_named, run, vary

MDA = "http://drobilla.net/plugins/mda/"
LIMITER = "http://lsp-plug.in/plugins/lv2/limiter_stereo"


def opened(name, channels=2, **options):
    """The plug-in, or the test is skipped: it is Debian's to bring."""
    try:
        return open_named("lv2", name, channels, **options)
    except StruckError as error:
        if "not installed" in str(error) or "no LV2 plug-in is called" in str(error):
            pytest.skip(f"{error} (Debian: liblilv-0-0 mda-lv2 zam-plugins lsp-plugins-lv2)")
        raise


def test_parameters_have_ranges_units_and_scales():
    plugin = opened("urn:zamaudio:ZamEQ2")
    by_symbol = {p.symbol: p for p in plugin.parameters}
    boost = by_symbol["boost1"]
    assert (boost.low, boost.high, boost.default, boost.unit, boost.scale) == (-50, 20, 0, "dB", "linear")
    assert by_symbol["f1"].unit == "Hz"
    assert by_symbol["f1"].scale == "log"
    assert plugin.info.name == "ZamEQ2"
    plugin.close()


def test_a_mono_plugin_is_two_on_two_channels():
    plugin = opened("urn:zamaudio:ZamEQ2")
    sound = noise()
    both = run(plugin, sound)
    plugin.close()
    one = opened("urn:zamaudio:ZamEQ2", channels=1)
    for channel in range(2):
        np.testing.assert_array_equal(run(one, sound[channel : channel + 1])[0], both[channel])
        one.close()
        one = opened("urn:zamaudio:ZamEQ2", channels=1)
    one.close()


def test_a_stereo_plugin_on_one_channel_gives_the_mean():
    stereo, mono = opened(MDA + "Ambience"), opened(MDA + "Ambience", channels=1)
    sound = noise(channels=1)
    wide = run(stereo, np.repeat(sound, 2, axis=0))
    np.testing.assert_allclose(run(mono, sound)[0], wide.mean(axis=0), atol=1e-6)
    stereo.close(), mono.close()


def test_the_reported_latency_is_that_of_the_sound():
    plugin = opened(LIMITER)
    run(plugin, noise(4))
    assert plugin.latency_samples == 240
    assert measured_latency(plugin) == 240
    plugin.close()


@pytest.mark.parametrize("name", [MDA + "Ambience", "urn:zamaudio:ZamEQ2", "urn:dragonfly:plate"])
def test_a_state_brings_back_the_sound(name):
    plugin = opened(name)
    vary(plugin)
    state = plugin.save_state()
    values = [plugin.get(number) for number in range(len(plugin.parameters))]
    again = opened(name, state=state)
    assert [again.get(number) for number in range(len(again.parameters))] == values
    plugin.close()
    plugin = opened(name, state=state)
    np.testing.assert_array_equal(run(again, noise()), run(plugin, noise()))
    plugin.close(), again.close()


def test_a_state_of_another_plugin_is_refused():
    plugin = opened(MDA + "Ambience")
    state = plugin.save_state()
    plugin.close()
    with pytest.raises(StruckError, match=r"the state is that of .*Ambience, not of .*Delay"):
        opened(MDA + "Delay", state=state)
    with pytest.raises(StruckError, match="cannot be read"):
        opened(MDA + "Delay", state="no Turtle at all")


def test_presets_are_found_by_name_and_others_refused():
    plugin = opened("urn:zamaudio:ZamEQ2")
    before = [plugin.get(number) for number in range(len(plugin.parameters))]
    plugin.close()
    plugin = opened("urn:zamaudio:ZamEQ2", preset="CarvedBass")
    assert [plugin.get(number) for number in range(len(plugin.parameters))] != before
    plugin.close()
    with pytest.raises(StruckError, match="has no preset Nowhere; there are: CarvedBass, "):
        opened("urn:zamaudio:ZamEQ2", preset="Nowhere")


def test_an_instrument_plays_at_the_frame():
    plugin = opened(MDA + "Piano")
    assert plugin.info.is_instrument
    at = 10 * BLOCK + 13
    out = run(plugin, np.zeros((2, 100 * BLOCK), np.float32), [(at, bytes((0x90, 60, 100)))])
    assert np.flatnonzero(out[0])[0] - at in (0, 1)
    plugin.close()


def test_unknown_names_are_refused():
    opened(MDA + "Ambience").close()
    for name in ("http://nowhere.example/plugin", "Nothing Of The Kind"):
        with pytest.raises(StruckError, match="no LV2 plug-in is called"):
            open_named("lv2", name)


def test_urids_count_from_one_and_are_told_back():
    urids = UridMap()
    assert [urids.number(uri) for uri in ("a", "b", "a")] == [1, 2, 1]
    assert urids.unmap.unmap(None, 3) is None
    assert urids.map.map(None, b"b") == 2


def test_sequences_hold_what_they_are_given_and_no_more():
    buffer = AtomBuffer(UridMap(), is_input=True)
    count = 0
    while buffer.add(count, bytes((0x90, 60, 100))):
        count += 1
    assert count == (65_536 - 16) // 24
    buffer.clear()
    assert buffer.add(0, bytes(3))
