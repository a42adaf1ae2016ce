"""Racks from file to file: delays to the sample, chains, parameters, notes, what cannot be had."""

from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.engine.shared_memory import BEGIN_NOTE
from struck.realtime.inserts.rack.delay import rack_delay_frames
from struck.realtime.inserts.rack.process import COMMAND

from .rack_host import FAKE_COMMAND, RATE, RackHost, insert, tone
from .test_lv2 import opened

NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, (20_000, 2)).astype(np.float32)


def shifted(sound, frames):
    """``sound`` so many frames later, as long as before."""
    return np.concatenate([np.zeros((frames, sound.shape[1]), sound.dtype), sound])[: len(sound)]


@pytest.mark.parametrize("frames", [32, 64, 128, 256, 441, 480, 2048])
def test_the_stated_delay_is_exact(frames):
    with RackHost(frames) as host:
        host.change(insert("half"))
        out = host.play(NOISE)
        rack = host.bay.rack
        np.testing.assert_array_equal(out, shifted(0.5 * NOISE, rack.delay_frames))
        assert rack.counters()["insert_late_frames"] == 0


def test_the_formula_is_the_least_that_is_always_enough():
    for frames in (32, 64, 441, 480, 2048):
        for block in (32, 64, 128, 256):
            needed = 0
            for call in range(4 * block):
                start = call * frames
                whole = start // block * block  # done when this callback runs
                needed = max(needed, start + frames - whole)
            assert rack_delay_frames(frames, block) == needed


def test_latencies_add_up_and_the_dry_sound_is_as_late():
    with RackHost(64) as host:
        host.change(insert("delay:100"), insert("delay:37", name="second", wet=0.5))
        rack = host.bay.rack
        assert rack.latency_samples == [0, 0, 0, 137]
        np.testing.assert_allclose(
            host.play(NOISE), shifted(NOISE, rack.delay_frames + 137), rtol=0, atol=1e-7
        )


def test_a_bypassed_insert_is_as_late_as_itself():
    with RackHost(64) as host:
        host.change(insert("delay:100", bypass=True))
        out = host.play(NOISE)
        np.testing.assert_array_equal(out, shifted(NOISE, host.bay.rack.delay_frames + 100))


def test_lanes_are_apart_and_those_without_inserts_pass_at_once():
    with RackHost(64) as host:
        host.change(insert("half", place="events"))
        np.testing.assert_array_equal(host.play(NOISE, lane=3), NOISE)
    with RackHost(64, channels=1) as host:
        host.change(insert("half", place="events"))
        mono = NOISE[:, :1]
        np.testing.assert_array_equal(host.play(mono, lane=1), shifted(0.5 * mono, 64))


def test_the_same_bits_each_time():
    def play():
        with RackHost(128) as host:
            host.change(insert("delay:5"), insert("half"))
            return host.play(NOISE).tobytes()

    assert play() == play()


def test_parameters_are_checked_and_arrive():
    with RackHost(64) as host:
        host.change(insert("gain", parameters={"gain": 0.25}))
        rack = host.bay.rack
        out = host.play(NOISE[:6_400])
        np.testing.assert_array_equal(out[64:], 0.25 * NOISE[: 6_400 - 64])
        rack.controls.set_parameter(0, "gain", 2.0)
        assert rack.controls.parameters(0)[0]["value"] == 2.0
        out = host.play(NOISE[:6_400])
        settled = 64 + 64 + 1_920  # its way takes 40 ms
        np.testing.assert_array_equal(out[settled + 64 :], 2.0 * NOISE[settled : 6_400 - 64])
        with pytest.raises(ValueError, match="the range is 0 to 2"):
            rack.controls.set_parameter(0, "gain", 3.0)
        with pytest.raises(ValueError, match="no parameter size"):
            rack.controls.set_parameter(0, "size", 0.0)
        assert rack.save_state(0) == "gain 2.0"


def roughness_db(out, frequency_hz=440.0):
    """Power of what lies more than 2 kHz above a tone, re the tone's, in dB."""
    power = np.abs(np.fft.rfft(out[:, 0] * np.hanning(len(out)))) ** 2
    beside = np.fft.rfftfreq(len(out), 1.0 / RATE) > frequency_hz + 2_000.0
    return 10.0 * np.log10(power[beside].sum() / power[~beside].sum())


@pytest.mark.parametrize(
    ("host_name", "plugin", "symbol", "values"),
    [
        ("fake", "gain", "gain", (1.0, 0.1)),
        ("pyo", "Clip", "mul", (1.0, 0.1)),
        ("pedalboard", "Gain", "gain_db", (0.0, -20.0)),
        ("lv2", "urn:zamaudio:ZamEQ2", "master", (0.0, -12.0)),
    ],
)
def test_parameters_move_without_zipper_noise(host_name, plugin, symbol, values):
    if host_name in ("pyo", "pedalboard"):
        pytest.importorskip(host_name, reason=f"{host_name} is not installed")
    if host_name == "lv2":
        opened(plugin).close()
    command = FAKE_COMMAND if host_name == "fake" else COMMAND
    sound = tone(0.6)
    half = len(sound) // 2 // 64 * 64

    def play(ramped):
        with RackHost(64, command=command) as host:
            name = "lv2" if host_name == "fake" else host_name
            host.change(insert(plugin, host=name, parameters={symbol: values[0]}))
            before = host.play(sound[:half])
            host.bay.rack.controls.set_parameter(0, symbol, values[1], ramped)
            return np.concatenate([before, host.play(sound[half:])])[1_024:]

    glided, jumped = play(ramped=True), play(ramped=False)
    np.testing.assert_allclose(glided[-5_000:], jumped[-5_000:], atol=1e-3)
    assert roughness_db(glided) < -60.0
    # where the plug-in itself does not smooth, one hears what the glide is for
    assert roughness_db(jumped) > roughness_db(glided) - 3.0


def test_the_share_and_the_bypass_move_without_a_step():
    sound = np.full((12_800, 2), 0.5, np.float32)
    with RackHost(64) as host:
        host.change(insert("half"))
        host.play(sound)
        host.bay.rack.controls.set_wet(0, 0.5)
        out = host.play(sound)
        assert out[-1, 0] == pytest.approx(0.375)
        host.bay.rack.controls.set_bypass(0, True)
        out = np.concatenate([out, host.play(sound)])
        assert out[-1, 0] == pytest.approx(0.5)
        assert np.abs(np.diff(out, axis=0)).max() < 0.5 / 64


def test_notes_sound_at_their_sample():
    with RackHost(64) as host:
        host.change(insert("delay:30", place="events", name="first"), insert("click", place="events"))
        rack = host.bay.rack
        assert rack.takes_notes == [False, True]
        wanted = [100, 1_000, 1_001, 4_095]
        send = rack.note_sender(1)
        for id, at_sample in enumerate(wanted):
            assert send(BEGIN_NOTE, at_sample, id, -12.0, 0.0, 0.0, at_sample + 500)
        out = host.play(np.zeros((8_000, 2), np.float32), lane=1)
        late = rack.delay_frames + rack.latency_samples[1]
        np.testing.assert_array_equal(np.flatnonzero(out[:, 0]), [at + late for at in wanted])
        assert rack.counters()["insert_late_notes"] == 0
        send(BEGIN_NOTE, 0, 9, -12.0, 0.0, 0.0, 500)
        out = host.play(np.zeros((640, 2), np.float32), lane=1)
        assert np.count_nonzero(out[:, 0]) == 1
        assert rack.counters()["insert_late_notes"] == 1


def test_a_recall_of_other_values_needs_no_other_rack():
    with RackHost(64) as host:
        first = insert("gain", parameters={"gain": 0.5}, name="a")
        host.change(first)
        rack = host.bay.rack
        host.play(NOISE[:640])
        rack.controls.set_parameter(0, "gain", 2.0)
        rack.controls.set_wet(0, 0.3)
        rack.controls.recall((replace(first, parameters={}),))
        out = host.play(NOISE[:12_800])
        np.testing.assert_array_equal(out[6_464:], NOISE[6_400 : 12_800 - 64])
        assert rack.controls.parameters(0)[0]["value"] == 1.0
        assert (rack.controls.wet(0), rack.controls.bypass(0)) == (1.0, 0.0)


def test_a_missing_plugin_is_told_of_and_passed_by():
    with RackHost(64) as host:
        host.change(insert("missing"), insert("half"))
        np.testing.assert_array_equal(host.play(NOISE), shifted(0.5 * NOISE, 64))
        assert host.told == ["insert missing: there is no such plug-in; it is passed by"]


@pytest.mark.parametrize(
    ("plugin", "line"),
    [
        ("crash_at_load", "crashed (SIGSEGV) when it was loaded"),
        ("exit_at_load", "ended by itself (3) when it was loaded"),
        ("quit_at_load", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_ends_its_process_while_it_is_loaded_is_passed_by(plugin, line):
    with RackHost(64) as host:
        host.change(insert(plugin), insert("half"))
        np.testing.assert_array_equal(host.play(NOISE), shifted(0.5 * NOISE, 64))
        (told,) = host.told
        assert told.removeprefix(f"insert {plugin}").lstrip(": ") == f"{line}; it is passed by"


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("crash:20", r"insert crash:20 crashed \(SIGSEGV\)"),
        ("kill:20", r"insert kill:20 crashed \(SIGKILL\)"),
        ("raise:20", "insert raise:20: RuntimeError: out of order"),
    ],
)
def test_a_failure_from_file_to_file_is_the_end(plugin, message):
    with RackHost(64) as host:
        host.change(insert(plugin))
        with pytest.raises(StruckError, match=message):
            host.play(NOISE)


def test_damaged_blocks_are_dry_and_without_a_step():
    sound = tone(0.5)
    with RackHost(64) as host:
        host.change(insert("nan:100"))
        out = host.play(sound)
        assert np.isfinite(out).all()
        np.testing.assert_allclose(out, shifted(sound, 64), atol=1e-6)
        assert host.told == ["insert nan:100 gave sound that is no number; it passes dry meanwhile"]
    with RackHost(64) as host:
        host.change(insert("nans:100"))
        np.testing.assert_allclose(host.play(sound), shifted(sound, 64), atol=1e-6)
        assert host.told[-1] == "insert nans:100 gave sound that is no number; it is passed by"


def test_what_comes_in_damaged_goes_no_further():
    sound = NOISE.copy()
    sound[1_000:1_010] = np.nan
    sound[2_000] = np.inf
    with RackHost(64) as host:
        host.change(insert("delay:10"))
        assert np.isfinite(host.play(sound)).all()


def test_what_plugins_print_is_kept(tmp_path):
    with RackHost(64, log=tmp_path / "plugins.log") as host:
        host.change(insert("half"))
        host.play(NOISE[:640])
    assert "plug-ins chatter" in (tmp_path / "plugins.log").read_text()


def test_a_log_that_cannot_be_written_is_told_in_one_line(tmp_path):
    with RackHost(64, log=tmp_path / "no folder" / "log") as host:
        with pytest.raises(StruckError, match=r"what plug-ins print cannot be kept in .*log: No such file"):
            host.change(insert("half"))
        np.testing.assert_array_equal(host.play(NOISE), NOISE)


def test_a_latency_longer_than_the_history_is_refused():
    with RackHost(64) as host:
        with pytest.raises(StruckError, match="a latency of 70000 samples is more than"):
            host.change(insert("delay:70000"))
        np.testing.assert_array_equal(host.play(NOISE), NOISE)
