"""A sender of MIDI clock whose true beats are known, over an interface that is some milliseconds off."""

import numpy as np

from struck.realtime.tempo.follower import CLOCK, ClockFollower

BLOCK = 256 / 48_000


def gauss(rng):
    """Off by chance, 1 ms of standard deviation: a busy USB interface."""
    return lambda seconds: seconds + rng.normal(0.0, 0.001)


def even(rng):
    """Off by up to 1.5 ms to both sides."""
    return lambda seconds: seconds + rng.uniform(-0.0015, 0.0015)


def in_periods(period):
    """Handed over at the period after it, as sound cards do; their usual delay taken away."""

    def jitter(rng):
        shift = rng.uniform(0.0, 1.0)
        return lambda seconds: np.ceil((seconds + shift) / period) * period - shift - period / 2

    return jitter


blocks = in_periods(BLOCK)
JITTERS = [gauss, even, blocks]


class Master:
    """Sends clocks to a follower; times are handed in, so nothing waits.

    Args:
        tempo_bpm: of the clocks; may be changed.
        jitter: of :data:`JITTERS`; None is exact.
        sender: whose clock it is.
        follower: None makes one.
    """

    def __init__(self, tempo_bpm=120.0, jitter=None, sender="port", follower=None, seed=1):
        self.follower = ClockFollower(count=self.count) if follower is None else follower
        self.tempo_bpm, self.sender = tempo_bpm, sender
        self._jitter = (lambda seconds: seconds) if jitter is None else jitter(np.random.default_rng(seed))
        self.now = 100.3  # when the next clock is due
        self.last = -1.0  # arrival of the latest message
        self.counts = {}

    def count(self, name, number):
        self.counts[name] = self.counts.get(name, 0) + number

    @property
    def interval(self):
        return 60.0 / self.tempo_bpm / 24.0

    def say(self, *message):
        """A message just before the next clock, 1 ms as is usual."""
        self.last = max(self.last, self.now - 0.001)
        self.follower.receive(self.sender, self.last, bytes(message))

    def clock(self, count=1, lost=False):
        """Let clocks pass."""
        for _ in range(count):
            if not lost:
                self.last = max(self.last, self._jitter(self.now))
                self.follower.receive(self.sender, self.last, bytes((CLOCK,)))
            self.now += self.interval

    def off_seconds(self, beat_of_next):
        """How much too late the follower takes the beat at or after that of the next clock to be."""
        line = self.follower.line()
        ahead = np.ceil(beat_of_next) - beat_of_next
        return line.seconds_at(np.ceil(beat_of_next)) - (self.now + ahead * 24.0 * self.interval)
