"""Stand-ins for MARS: phrases that can be told apart, and makers that are as slow as a test wants."""

import threading
from dataclasses import dataclass, field

import numpy as np

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.realtime.phrases.bank import KeptPhrase, PhraseKey
from struck.realtime.phrases.worker import PhraseStopped

CLIP = 90_112


def clip(key, rate=ANALYSIS_RATE, level=0.5):
    """A phrase's sound: a tone of the pitch with a beginning as steep as an edge, float32 at ``rate``."""
    asked = key.conditions
    seconds = CLIP / ANALYSIS_RATE if asked.style == "single" else asked.loop_seconds
    t = np.arange(round(seconds * rate)) / rate
    hz = 440.0 * 2.0 ** ((key.conditions.pitch - 69 + key.place) / 12.0)
    hz = round(hz * seconds) / seconds  # it goes round
    return (level * np.cos(2.0 * np.pi * hz * t)).astype(np.float32)


class FakeMaker:
    """Makes phrases at once, or when the test says :meth:`let`.

    Args:
        rate: of the sound.
        waits: each phrase waits for a :meth:`let`.
        error: what starting fails of.
    """

    def __init__(self, rate=ANALYSIS_RATE, waits=False, error=""):
        self.rate, self.waits, self.error = rate, waits, error
        self.made, self.started, self.closed = [], [], False
        self._gate = threading.Semaphore(0)

    def start(self):
        if self.error:
            raise StruckError(self.error)
        return "fake phrases"

    def let(self, count=1):
        for _ in range(count):
            self._gate.release()

    def make(self, key, stop):
        self.started.append(key)
        while self.waits and not self._gate.acquire(timeout=0.002):
            if stop() or self.closed:
                raise PhraseStopped
        self.made.append(key)
        return KeptPhrase(clip(key, self.rate))

    def close(self):
        self.closed = True


@dataclass
class FakeWorker:
    """Only writes down what is asked for."""

    requested: list[PhraseKey] = field(default_factory=list)
    withdrawn: list[PhraseKey] = field(default_factory=list)

    def request(self, key):
        self.requested.append(key)

    def withdraw(self, key):
        self.withdrawn.append(key)

    def forget(self):
        self.requested.clear()


@dataclass(frozen=True)
class FakePhrase:
    """Of :class:`struck.models.mars.mars.Phrase` what is used."""

    conditions: object
    seed: int
    samples: np.ndarray
    seconds: dict[str, float]


class FakeMars:
    """Stands in for :class:`struck.models.mars.mars.Mars`, without torch.

    ``delay_seconds`` is what a phrase takes.
    """

    name, device, hash = "fake", "cpu", "0" * 16
    delay_seconds = 0.02

    @classmethod
    def load(cls, path=None, device="auto", report=None):
        if path is not None and not path.is_file():
            raise StruckError(f"MARS weights not found: {path}")
        if device == "cuda":
            raise StruckError("there is no CUDA device")
        return cls()

    def warm_up(self):
        return 0.5

    def generate(
        self, conditions, *, seed=0, previous=None, like=None, sampling=None, phase="heap", stop=None
    ):
        done = threading.Event()
        for _ in range(10):
            if stop is not None and stop():
                raise RuntimeError("stopped")
            done.wait(self.delay_seconds / 10)
        place = 0 if previous is None else 1
        samples = clip(PhraseKey(conditions, place=place))
        seconds = {"tokens": 0.01, "spectrogram": 0.02, "phase": 0.03}
        return FakePhrase(conditions, seed, samples, seconds)
