"""Notes become phrases on a JACK server: each, or its stand-in, begins on its beat."""

import pytest
from numba import config

from .jack_rig import jack_server
from .phrase_trial import play_phrases

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")

COUNT = 8


@pytest.mark.jack
def test_every_phrase_or_its_stand_in_begins_on_its_beat(tmp_path):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    with jack_server(48_000, 256) as server:
        found = play_phrases(server, tmp_path, COUNT)
    counters, lines = found["counters"], found["lines"]
    assert len(found["notes"]) == COUNT
    # Each note began as a phrase or as a note.
    assert counters["phrases"] + counters.get("phrase_misses", 0) - counters.get("phrase_late", 0) == COUNT
    # A lost block is told. It leaves no gap in the recording, where the beats stay where they are.
    if counters["lost_blocks"] or counters.get("late_calls", 0):
        assert any("sound may have been lost" in line for line in lines)
    assert counters["phrases_refused"] == 0
    assert counters["unheard_samples"] == 0  # there is no input, so nothing went unheard
    # A note rises from nothing, so it is heard a few samples after it began; a phrase begins with an edge.
    # Where the machine held a thread up for longer than it is given, a start is off, and counted.
    held_up = counters.get("phrases_delayed", 0) + counters["late"]
    off = [samples for samples in found["off_beat"] if not 0 <= samples <= 4]
    assert len(off) <= held_up, (found["off_beat"], lines)
    assert len([at for at in found["stand_ins"] if at != 0]) <= held_up
    assert len(found["stand_ins"]) == counters.get("phrase_misses", 0)
    exact = sum(samples == 0 for samples in found["off_beat"])
    assert exact >= COUNT - len(found["stand_ins"]) - held_up, found["off_beat"]
    assert not any("failed" in line for line in lines)


@pytest.mark.jack
def test_without_weights_the_show_goes_on_with_notes(tmp_path):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    from .live_host import LiveHost

    patch = tmp_path / "p.toml"
    patch.write_text("[phrases]\nchannel = 2\n", encoding="utf-8")
    arguments = ("--input", "none", "--output", "jack:system", "--patch", patch)
    with (
        jack_server(48_000, 256) as server,
        LiveHost(server, *arguments, "--phrase-weights", tmp_path / "none.safetensors") as host,
    ):
        host._live.wait_for("phrases cannot be made", 240.0)
        summary = host.stop()
        lines = [line for line in host.lines if "phrases cannot" in line]
    assert len(lines) == 1
    assert "MARS weights not found" in lines[0]
    assert "notes are played in their place" in lines[0]
    assert summary["counters"]["phrases_failed"] == 1
    assert summary["faults"] == []
