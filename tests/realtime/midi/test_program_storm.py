"""A thousand program changes in a second, over a JACK server, while a note sounds."""

import time

import pytest

from ..rig.jack_rig import jack_server, may_be_realtime
from ..rig.live_host import LiveHost, keyboard

#: Of the shipped patches: bells, default, marimba, pad.
PROGRAMS = (0, 1, 2, 3)
MESSAGES = 1_000


@pytest.mark.jack
def test_the_last_of_a_thousand_wins_and_the_sound_goes_on(tmp_path):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    arguments = ("--input", "none", "--output", "jack:system", "--midi-in", "virtual:keys")
    with jack_server(block=256, realtime=may_be_realtime()) as server, LiveHost(server, *arguments) as host:
        with keyboard(server) as sender:
            sender.send_message([0x90, 60, 100])
            time.sleep(0.2)
            began = time.monotonic()
            for number in range(MESSAGES):
                sender.send_message([0xC0, PROGRAMS[number % len(PROGRAMS)]])
                time.sleep(max(0.0, began + number / MESSAGES - time.monotonic()))
            sender.send_message([0xC0, 2])
            time.sleep(2.0)
            sender.send_message([0x80, 60, 0])
            time.sleep(0.3)
        summary = host.stop()
    counters = summary["counters"]
    assert summary["patch"] == "marimba"
    # JACK's server may drop what a busy machine sends at once
    assert counters["midi_messages"] > 0.9 * MESSAGES
    assert counters["programs_skipped"] > 0
    assert counters.get("overruns", 0) == 0
    assert counters.get("commands_refused", 0) == 0
    assert counters["events_midi"] == 1
    profile_lines = [line for line in host.lines if "is for the profile" in line]
    assert len(host.lines) - len(profile_lines) < 20
