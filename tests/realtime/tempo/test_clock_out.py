"""The own tempo goes out as a MIDI clock; time stands still until a test moves it."""

import pytest

from struck.realtime.phrases.beats import Beats
from struck.realtime.tempo.clock_out import ClockSender
from struck.realtime.tempo.follower import ClockFollower

RATE = 48_000
CLOCK, START, STOP = b"\xf8", b"\xfa", b"\xfc"


class Rig:
    """A sender whose thread does not run: :meth:`run` does its work when it is due."""

    def __init__(self, beats):
        self.beats, self.now, self.sent, self.connections = beats, 0.0, [], 1
        self.rate = RATE
        self.sender = ClockSender(self, self, lambda: self.beats, now=lambda: self.now)

    def send(self, data):
        self.sent.append((self.now, data))
        return True

    def position_samples(self):
        return int(self.now * RATE)

    def monotonic_at(self, at_sample):
        return at_sample / RATE

    def run(self, until):
        while self.now < until:
            self.now = min(until, self.now + max(1e-6, self.sender.send_due()))

    def times(self, message):
        return [now for now, data in self.sent if data == message]


@pytest.mark.parametrize("tempo", [60.0, 97.3, 174.0, 240.0])
def test_clocks_are_followed_to_the_same_beats(tempo):
    beats = Beats.of_tempo(RATE, tempo, 4, 1_234)
    rig = Rig(beats)
    rig.run(10.0)
    follower = ClockFollower()
    for now, data in rig.sent:
        follower.receive("port", now, data)
    line = follower.line()
    assert line.tempo_bpm == pytest.approx(tempo, rel=1e-4)
    first = rig.times(CLOCK)[0]
    assert line.seconds_at(0.0) == pytest.approx(first, abs=1e-4)
    assert first == pytest.approx(beats.next_bar(1) / RATE, abs=1e-4)
    assert len(rig.times(START)) == 1
    assert first - 0.0025 < rig.times(START)[0] < first


def test_other_beats_begin_with_a_start_on_their_bar():
    rig = Rig(Beats.of_tempo(RATE, 120.0))
    rig.run(5.3)
    rig.beats = Beats.of_tempo(RATE, 90.0, 3, 6 * RATE)
    rig.run(11.0)
    _, second = rig.times(START)
    assert second == pytest.approx(6.0, abs=0.0025)
    after = [now for now in rig.times(CLOCK) if now > second]
    assert after[0] == pytest.approx(6.0, abs=1e-4)
    assert after[24] - after[0] == pytest.approx(60.0 / 90.0, abs=1e-4)


def test_while_another_clock_leads_none_is_sent():
    rig = Rig(Beats.of_tempo(RATE, 120.0))
    rig.run(3.0)
    rig.beats = None
    rig.run(5.0)
    assert len(rig.times(STOP)) == 1
    assert rig.times(CLOCK)[-1] <= 3.0
    rig.beats = Beats.of_tempo(RATE, 120.0)
    rig.run(7.0)
    assert len(rig.times(START)) == 2


def test_a_port_that_comes_back_hears_a_start_on_the_next_bar():
    rig = Rig(Beats.of_tempo(RATE, 120.0))
    rig.run(3.0)
    rig.connections = 2
    rig.run(4.5)
    assert rig.times(START)[-1] == pytest.approx(4.0, abs=0.0025)


def test_clocks_that_are_much_too_late_are_left_out():
    rig = Rig(Beats.of_tempo(RATE, 120.0))
    rig.run(3.0)
    before = len(rig.sent)
    rig.now = 8.0
    rig.sender.send_due()
    assert 4 <= len(rig.sent) - before <= 6


def test_closing_says_stop():
    rig = Rig(Beats.of_tempo(RATE, 120.0))
    rig.sender.start()
    rig.sender.close()
    assert rig.times(STOP) == [] or rig.times(STOP) == [0.0]
    rig = Rig(Beats.of_tempo(RATE, 120.0))
    rig.run(3.0)
    rig.sender.close()
    assert len(rig.times(STOP)) == 1
