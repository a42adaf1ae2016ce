"""A real clock master on a JACK server is followed."""

import time
from contextlib import contextmanager

import numpy as np
import pytest

from struck.realtime.midi.ports import MidiPorts
from struck.realtime.tempo.follower import CLOCK, START, ClockFollower
from struck.realtime.tempo.leader import ClockState

from .clock_master import clock_master
from .jack_rig import jack_server, may_be_realtime

#: Periods of JACK in frames; one of 1,024 is longer than a clock.
BLOCKS = [128, 1_024]
TWO_BARS = 192
#: A server of a busy machine may be slow by the wall's clock, and the master with it.
PACE_OFF = 0.03


class Listener:
    """Follows a master; keeps each clock's arrival and the line that it left."""

    def __init__(self):
        self.follower = ClockFollower()
        self.arrivals, self.lines, self.starts = [], [], 0

    def receive(self, arrival_seconds, data):
        self.follower.receive("port", arrival_seconds, data)
        self.starts += data[0] == START
        if data[0] == CLOCK:
            self.lines.append(self.follower.line())
            self.arrivals.append(arrival_seconds)

    def wait_for(self, count):
        end = time.monotonic() + 60.0
        while len(self.arrivals) < count and time.monotonic() < end:
            time.sleep(0.05)
        assert len(self.arrivals) >= count

    def state(self):
        return self.follower.state(time.perf_counter())


@contextmanager
def listening(tempo, block=BLOCKS[0]):
    """A listener, and the master of that tempo which it follows."""
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    listener = Listener()
    with jack_server(48_000, block, may_be_realtime()) as server:
        ports = MidiPorts(lambda line: None)
        try:
            opened = ports.open_input("virtual:clock", listener.receive)
            listener.follower.expect("port", opened.step_seconds)
            port = next(name for name in server.ports() if name.endswith(":clock"))
            with clock_master(server, tempo, port) as master:
                yield listener, master
        finally:
            ports.close()


def fit(numbers, arrivals, tempo):
    """Interval and second of clock 0 by all clocks of one tempo: the master counts samples."""
    interval, first = np.polyfit(numbers, arrivals, 1)
    pace = 60.0 / tempo / 24.0 / interval
    if abs(pace - 1.0) > PACE_OFF:
        pytest.skip(f"JACK's server runs at {100.0 * pace:.1f} % of its rate on this machine now")
    return interval, first


def off_ms(line, interval, first):
    """How late the next beat is taken to be."""
    beat = np.ceil(line.beat)
    return 1e3 * (line.seconds_at(beat) - (first + 24 * beat * interval))


def off_tempo(line, interval):
    return line.tempo_bpm * interval * 24.0 / 60.0 - 1.0


@pytest.mark.jack
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("tempo", [60.0, 120.0, 174.0])
def test_jack_midi_clock_is_followed_from_its_start(tempo, block):
    with listening(tempo, block) as (listener, master):
        master.roll()
        listener.wait_for(TWO_BARS + 100)
        assert listener.state() is ClockState.LOCKED
    interval, first = fit(np.arange(len(listener.arrivals)), np.array(listener.arrivals), tempo)
    assert listener.starts == 1
    after = listener.lines[TWO_BARS:]
    assert max(abs(off_tempo(line, interval)) for line in after) < 1e-3
    assert max(abs(off_ms(line, interval, first)) for line in after) < 2.0


@pytest.mark.jack
@pytest.mark.parametrize("block", BLOCKS)
def test_its_change_of_tempo_is_followed_within_0_8_seconds(block):
    with listening(120.0, block) as (listener, master):
        master.roll()
        listener.wait_for(TWO_BARS)
        ordered = time.perf_counter()
        master.change(126.0)
        listener.wait_for(len(listener.arrivals) + TWO_BARS)
    arrivals = np.array(listener.arrivals)
    numbers = np.arange(len(arrivals))
    followed = numbers[arrivals >= ordered + 0.8]
    assert len(followed) > TWO_BARS - 70
    interval, first = fit(followed, arrivals[followed], 126.0)
    assert max(abs(off_tempo(listener.lines[n], interval)) for n in followed) < 0.01
    assert max(abs(off_ms(listener.lines[n], interval, first)) for n in followed) < 5.0


@pytest.mark.jack
def test_without_it_for_2_seconds_the_beat_stays():
    with listening(120.0) as (listener, master):
        master.roll()
        listener.wait_for(TWO_BARS)
        with master.unplugged():
            time.sleep(2.0)
            assert listener.state() is ClockState.DROPOUT
            left = len(listener.arrivals)
            at_last = listener.follower.line()
        listener.wait_for(left + TWO_BARS)
        assert listener.state() is ClockState.LOCKED
    arrivals = np.array(listener.arrivals)
    numbers = np.arange(len(arrivals))
    lost = round(24.0 * 2.0 * (arrivals[left] - arrivals[left - 1])) - 1
    assert 90 <= lost <= 130
    numbers[left:] += lost
    interval, first = fit(numbers, arrivals, 120.0)
    # by the line that was left, the beat at which clocks come again; and each after that
    returned = np.ceil(numbers[left] / 24.0)
    assert abs(1e3 * (at_last.seconds_at(returned) - (first + 24.0 * returned * interval))) < 5.0
    assert max(abs(off_ms(line, interval, first)) for line in listener.lines[left:]) < 5.0
