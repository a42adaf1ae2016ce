"""A real clock master on a JACK server is followed."""

import time

import numpy as np
import pytest

from struck.realtime.midi.ports import MidiPorts
from struck.realtime.tempo.follower import CLOCK, START, ClockFollower
from struck.realtime.tempo.leader import ClockState

from .clock_master import clock_master
from .jack_rig import jack_server, may_be_realtime

BLOCK = 128
TWO_BARS = 192


@pytest.mark.jack
@pytest.mark.parametrize("tempo", [60.0, 120.0, 174.0])
def test_jack_midi_clock_is_followed_from_its_start(tempo):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    follower = ClockFollower()
    messages, lines = [], []

    def receive(arrival_seconds, data):
        follower.receive("port", arrival_seconds, data)
        messages.append((arrival_seconds, data))
        lines.append(follower.line())

    def clocks():
        return [at for at, data in messages if data[0] == CLOCK]

    with jack_server(48_000, BLOCK, may_be_realtime()) as server:
        ports = MidiPorts(lambda line: None)
        try:
            ports.open_input("virtual:clock", receive)
            port = next(name for name in server.ports() if name.endswith(":clock"))
            with clock_master(server, tempo, port) as master:
                master.roll()
                end = time.monotonic() + 60.0
                while len(clocks()) < TWO_BARS + 100 and time.monotonic() < end:
                    time.sleep(0.05)
                state = follower.state(time.perf_counter())
        finally:
            ports.close()
    arrivals = np.array(clocks())
    assert len(arrivals) >= TWO_BARS + 100
    assert state is ClockState.LOCKED
    # The master counts samples, so its beats lie on one line; which, all arrivals say together. A server of
    # a busy machine may be slow by the wall's clock, and the master with it.
    numbers = np.arange(len(arrivals))
    interval, first = np.polyfit(numbers, arrivals, 1)
    pace = 60.0 / tempo / 24.0 / interval
    if abs(pace - 1.0) > 0.03:
        pytest.skip(f"JACK's server runs at {100.0 * pace:.1f} % of its rate on this machine now")
    starts = [n for n, (_, data) in enumerate(messages) if data[0] == START]
    assert len(starts) == 1
    after = [line for line, (_, data) in zip(lines, messages, strict=True) if data[0] == CLOCK][TWO_BARS:]
    off_ms = [
        1e3 * (line.seconds_at(beat) - (first + 24 * beat * interval))
        for line in after
        for beat in [np.ceil(line.beat)]
    ]
    off_tempo = [abs(line.tempo_bpm * interval * 24.0 / 60.0 - 1.0) for line in after]
    assert max(off_tempo) < 1e-3
    assert np.abs(off_ms).max() < 2.0
