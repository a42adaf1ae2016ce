"""A stage and a clock that remember what OSC did to them, and the events and packets of the OSC tests."""

import socket
import threading
from collections import Counter

import numpy as np

from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.weights.codec_weights import CodecWeights

WEIGHTS = CodecWeights("test", make_initial_timbre_weights(7), {})


class FakeClock:
    """Stream time is ``now`` less 100 s; both by hand."""

    rate = 48_000
    block_frames = 64
    output_latency_seconds = 0.01

    def __init__(self):
        self.now = 200.0

    def monotonic(self):
        return self.now

    def wall(self):
        return self.now + 1.7e9

    def position_samples(self):
        return self.sample_at(self.now)

    def sample_at(self, monotonic_seconds):
        return round((monotonic_seconds - 100.0) * self.rate)

    def monotonic_at(self, at_sample):
        return at_sample / self.rate + 100.0


class Sounding:
    def __init__(self, number, event, origin, rate=48_000):
        self.id = number
        self.event = event
        self.origin = origin
        self.at_sample = event.onset_sample(rate)


class NoTransforms:
    def links(self):
        return []


class FakeStage:
    weights = WEIGHTS
    transforms = NoTransforms()

    def __init__(self, clock=None):
        self.clock = clock or FakeClock()
        self.counters = Counter()
        self.lines = []
        self.played = []
        self.set = []
        self.patches = []
        self.phrases = []
        self.amended = []
        self.ended = []
        self.panics = 0
        self.full = False
        self.broken = False
        self._lock = threading.Lock()

    def play(self, event, origin, key=0):
        if self.full:
            return None
        self.played.append(event)
        return Sounding(len(self.played), event, origin)

    def amend(self, id, at_seconds, changes):
        if "hold" in changes and changes["hold"] == 666.0:
            raise ValueError("that cannot be held")
        self.amended.append((id, at_seconds, changes))

    def end(self, id, at_seconds):
        self.ended.append((id, at_seconds))

    def set_control(self, name, value):
        if self.broken:
            raise RuntimeError("a fault of ours")
        if name not in ("room_mix", "transpose"):
            raise ValueError(f"no control is called {name}")
        self.set.append((name, value))

    def controls(self):
        return {"room_mix": 0.0, "transpose": 0.0} | dict(self.set)

    def patch(self):
        return self.patches[-1] if self.patches else "default"

    def save_patch(self, name):
        self.saved = name

    def load_patch(self, name):
        if name == "missing":
            raise StruckError("no patch is called missing")
        self.patches.append(name)

    ask_patch = load_patch

    def play_phrase(self, pitch, velocity, style):
        if style == "unknown":
            raise ValueError("no style is called unknown")
        self.phrases.append((pitch, velocity, style))

    def panic(self):
        self.panics += 1

    def stats(self):
        return {**self.counters, "load_unit": 0.25, "huge": 2**40}

    def count(self, counter, number=1):
        with self._lock:
            self.counters[counter] += number

    def tell(self, line):
        self.lines.append(line)

    @property
    def messages(self):
        """All messages, whatever became of them."""
        return sum(self.counters[f"osc_{end}"] for end in ("accepted", "rejected", "dropped"))


def make_event(seed=1, onset_seconds=2.0):
    rng = np.random.default_rng(seed)
    vector = rng.uniform(-1.0, 1.0, VECTOR_SIZE).astype(np.float32)
    return Event(onset_seconds, round(float(rng.uniform(-60.0, 0.0)), 3), vector)


def udp_socket(timeout_seconds=5.0):
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    found.settimeout(timeout_seconds)
    return found
