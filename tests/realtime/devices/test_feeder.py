"""A file in place of a device's input: every sample once, in order, and its end."""

import time

import numpy as np
import pytest
import soundfile

from struck.codec.files.audio_files import open_audio
from struck.realtime.devices.feeder import Feeder
from struck.realtime.engine.engine import process_engine
from struck.realtime.engine.rings import LOST
from struck.realtime.engine.state import DRY, FEED_ENDED, FEEDING, STARVED, make_engine_state

from ..engine.engine_host import take

RATE = 22_050


def make_sound(path, frames, channels=1):
    sound = 0.1 * np.random.default_rng(1).standard_normal((frames, channels)).astype(np.float32)
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return sound.mean(axis=1)


class Host:
    def __init__(self, path, inputs=1, ring_seconds=0.5):
        self.engine = make_engine_state(
            RATE, inputs, 1, 1, pending_count=1, ring_seconds=ring_seconds, phrase_seconds=0.0
        )
        self.engine.gains[DRY] = self.engine.targets[DRY] = 1.0
        self.feeder = Feeder(self.engine, open_audio(path, RATE))

    def run(self, frames):
        """What the encoder would hear of so many frames."""
        source = np.full((64, self.engine.source.shape[1]), 9.0, np.float32)  # the device's: not to be heard
        for _ in range(frames // 64):
            process_engine(self.engine, source, np.zeros((64, 1), np.float32))
        return take(self.engine.capture)[:, 0]

    def wait(self, condition):
        deadline = time.monotonic() + 30.0
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.mark.parametrize("inputs", [1, 2])
def test_a_short_file_is_heard_whole_and_then_nothing(tmp_path, inputs):
    sound = make_sound(tmp_path / "a.wav", 5_000, channels=2)
    host = Host(tmp_path / "a.wav", inputs)
    host.feeder.start()
    host.wait(lambda: host.engine.numbers[FEED_ENDED])
    assert not host.feeder.drained
    heard = host.run(6_400)
    assert np.max(np.abs(heard - sound)) < 1e-6
    assert len(heard) == 5_000  # after the end there is nothing to be heard, not even silence
    assert host.feeder.drained
    assert host.engine.numbers[STARVED] == 0
    host.feeder.close()


def test_a_long_file_is_followed_and_none_of_it_is_lost(tmp_path):
    sound = make_sound(tmp_path / "a.wav", 4 * RATE)
    host = Host(tmp_path / "a.wav")
    host.feeder.start()
    heard = []
    while sum(map(len, heard)) < len(sound):
        before = host.engine.feed.index[0] - host.engine.feed.index[16]
        if before >= 640 or host.engine.numbers[FEED_ENDED]:
            heard.append(host.run(640))
        else:
            time.sleep(0.002)
    assert np.concatenate(heard).tobytes() == sound.astype(np.float32).tobytes()
    assert host.engine.numbers[STARVED] == 0
    assert host.engine.feed.index[LOST] == 0
    host.wait(lambda: host.feeder.drained)
    host.feeder.close()


def test_before_its_thread_starts_the_ring_is_full(tmp_path):
    make_sound(tmp_path / "a.wav", 4 * RATE)
    host = Host(tmp_path / "a.wav")
    assert host.engine.numbers[FEEDING] == 1
    assert len(host.run(4_096)) == 4_096
    assert host.engine.numbers[STARVED] == 0
    host.feeder.close()  # never started: harmless


def test_a_feeder_that_is_too_slow_is_counted_and_silence_is_heard(tmp_path):
    make_sound(tmp_path / "a.wav", 4 * RATE)
    host = Host(tmp_path / "a.wav")
    filled = int(host.engine.feed.index[0])
    host.run(filled)
    heard = host.run(6_400)
    assert host.engine.numbers[STARVED] == pytest.approx(6_400, abs=64)
    assert np.all(heard[64:] == 0.0)
    assert len(heard) == 6_400


def test_a_file_that_breaks_off_ends_and_says_why(tmp_path):
    make_sound(tmp_path / "a.wav", 4 * RATE)
    host = Host(tmp_path / "a.wav")

    def fail(count):
        raise OSError("the stick was pulled")

    host.feeder._reader.read = fail
    host.feeder.start()
    host.run(8_192)
    host.wait(lambda: host.engine.numbers[FEED_ENDED])
    assert isinstance(host.feeder.error, OSError)
    host.feeder.close()


def test_closing_ends_it_at_once(tmp_path):
    make_sound(tmp_path / "a.wav", 4 * RATE)
    host = Host(tmp_path / "a.wav")
    host.feeder.start()
    began = time.monotonic()
    host.feeder.close()
    assert time.monotonic() - began < 10.0
    assert host.feeder.error is None
