"""MIDI that goes out and comes in again, over a JACK server: found, told, and broken."""

import time

import pytest

from struck.realtime.midi.connections import close_client
from struck.realtime.midi.ports import import_rtmidi

from ..rig.jack_rig import jack_server, may_be_realtime
from ..rig.live_host import LiveHost, keyboard

pytestmark = pytest.mark.jack

ARGUMENTS = ("--input", "none", "--output", "jack:system", "--midi-in", "virtual:keys", "--phrases", "off")
CLOCK, START, STOP = 0xF8, 0xFA, 0xFC


def port_of(server, ending):
    (port,) = [name for name in server.ports() if name.endswith(ending)]
    return port


def wait_for_line(host, words):
    end = time.monotonic() + 20.0
    while time.monotonic() < end:
        if any(words in line for line in host.lines):
            return
        time.sleep(0.05)
    raise AssertionError(f"{words!r} was not told: {host.lines}")


@pytest.fixture
def server():
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    with jack_server(block=256, realtime=may_be_realtime()) as running:
        yield running


def test_a_note_that_goes_round_is_stopped_and_others_are_played(server):
    with LiveHost(server, *ARGUMENTS, "--midi-out", "virtual:synth") as host:
        server.connect(port_of(server, ":synth"), port_of(server, ":keys"))
        with keyboard(server) as sender:
            sender.send_message([0x90, 60, 100])
            wait_for_line(host, "MIDI in virtual:keys sends back what goes out: a MIDI loop")
            sender.send_message([0x80, 60, 0])
            time.sleep(0.5)
            for note in (62, 64, 65):
                sender.send_message([0x90, note, 90])
                time.sleep(0.1)
                sender.send_message([0x80, note, 0])
            time.sleep(0.5)
        counters = host.stop()["counters"]
    assert counters["midi_echoes"] >= 1
    assert 4 <= counters["events_midi"] <= 40
    assert counters.get("midi_dropped", 0) == 0


def test_a_clock_that_comes_back_is_not_followed_and_goes_on(server):
    rtmidi = import_rtmidi()
    heard = []
    listener = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="listener")
    listener.ignore_types(timing=False)
    listener.set_callback(lambda event, data: heard.append((time.monotonic(), event[0][0])))
    try:
        listener.open_virtual_port("in")
        with LiveHost(server, *ARGUMENTS, "--clock-out", "virtual:clock", "--tempo", "120") as host:
            server.connect(port_of(server, ":clock"), port_of(server, "listener:in"))
            time.sleep(1.0)
            server.connect(port_of(server, ":clock"), port_of(server, ":keys"))  # in its middle
            wait_for_line(host, "MIDI in virtual:keys sends back the clock that goes out")
            time.sleep(5.0)
            now = time.monotonic()
            summary = host.stop()
    finally:
        close_client(listener)
    recent = [status for at, status in heard if now - 2.0 <= at <= now]
    assert recent.count(CLOCK) == pytest.approx(96, abs=6)
    assert not {START, STOP} & set(recent)
    assert sum("sends back the clock" in line for line in host.lines) == 1
    assert summary["counters"]["clock_ignored"] > 96
