"""A file through the engine: where it ends, how fast it goes, and that block sizes do not show."""

import numpy as np
import pytest
import soundfile

from struck.codec.events.events import Event
from struck.codec.files.audio_files import open_audio
from struck.realtime.engine.callback import make_callback_state
from struck.realtime.engine.state import DRY, make_engine_state
from struck.realtime.stage import file_driver
from struck.realtime.stage.file_driver import FileDriver
from struck.realtime.stage.stage import Stage

from ...codec.playing.decoder_events import RANDOM_WEIGHTS, event
from ..osc.osc_host import FakeClock

RATE = 48_000


@pytest.fixture
def sound_path(tmp_path):
    """A second of quiet noise."""
    path = tmp_path / "noise.wav"
    noise = 0.1 * np.random.default_rng(1).standard_normal(RATE)
    soundfile.write(path, noise.astype(np.float32), RATE, subtype="FLOAT")
    return path


class Host:
    def __init__(self, path, block_frames=64, events=(), dry=1.0, listener=None, paced=False):
        self.engine = make_engine_state(RATE, 1, 1, 64, ring_seconds=0.5, phrase_seconds=0.0)
        self.engine.targets[DRY] = self.engine.gains[DRY] = dry
        self.state = make_callback_state(self.engine, RATE, 1e15)
        stage = Stage(self.engine, RANDOM_WEIGHTS, FakeClock(), print)
        for given in events:
            stage.play(given, "heard")
        self.pieces = []
        self.driver = FileDriver(
            self.state,
            open_audio(path, RATE),
            block_frames,
            listener,
            lambda block: self.pieces.append(block.copy()),
            paced,
        )

    def run(self, *arguments, **options):
        self.driver.run(*(arguments or (lambda seconds: True,)), **options)
        return np.concatenate(self.pieces)[:, 0]


SHORT = {
    "pitch": 60.0,
    "attack": 0.002,
    "hold": 0.05,
    "release": 0.05,
    "decay": 0.1,
    "noise_decay": 0.05,
    "room_mix": 0.0,
}


def short(onset_seconds, **values):
    """A dry event that has faded after a third of a second."""
    return event(onset_seconds, -15.0, **{**SHORT, **values})


def test_the_dry_input_goes_through_to_its_last_sample(sound_path):
    host = Host(sound_path)
    out = host.run()
    assert host.driver.input_frame_count == RATE
    sound = soundfile.read(sound_path, dtype="float32")[0]
    delay = int(np.argmax(np.correlate(out[:4_000], sound[1_000:2_000]))) - 1_000  # the limiter looks ahead
    assert 0 <= delay < 500
    assert np.max(np.abs(out[delay : delay + RATE] - sound)) < 1e-4


def test_it_ends_when_the_last_tail_has_faded(sound_path):
    """Silence ends it after a quarter of a second; a voice that still sounds has longer to rise."""
    assert len(Host(sound_path).run()) == pytest.approx(1.25 * RATE, abs=0.02 * RATE)
    host = Host(sound_path, events=[short(2.0)], dry=0.0)
    out = host.run()
    loud = np.flatnonzero(np.abs(out) > 1e-3)
    assert loud[0] / RATE == pytest.approx(2.0, abs=0.02)
    assert loud[-1] / RATE < 3.0
    assert np.max(np.abs(out[-RATE // 5 :])) < 1e-4
    assert len(out) == host.driver.frame_count


def test_a_slow_attack_after_the_end_is_waited_for(sound_path):
    slow = short(1.1, attack=1.0, hold=1.0, decay=3.0)
    out = Host(sound_path, events=[slow], dry=0.0).run()
    peak = np.max(np.abs(out))
    assert peak > 1e-2
    assert np.flatnonzero(np.abs(out) > 0.9 * peak)[-1] / RATE > 1.7


def test_what_never_ends_is_ended(sound_path, monkeypatch):
    monkeypatch.setattr(file_driver, "_LONGEST_TAIL_SECONDS", 0.5)
    out = Host(sound_path, events=[event(0.5, 0.0, decay=40.0, hold=6.0)]).run()
    assert len(out) == pytest.approx(1.5 * RATE, abs=64)


@pytest.mark.parametrize("seconds", [0.0, 0.3333, 1.1])
def test_duration_is_kept_to_the_sample(sound_path, seconds):
    host = Host(sound_path, events=[short(0.2), short(1.05)])
    host.driver.run(lambda now: True, longest_seconds=seconds)
    assert host.driver.frame_count == round(seconds * RATE)
    assert sum(map(len, host.pieces)) == round(seconds * RATE)


def test_it_goes_on_as_long_as_it_is_told_to(sound_path):
    host = Host(sound_path)
    out = host.run(lambda seconds: seconds < 0.25)
    assert len(out) == pytest.approx(0.25 * RATE, abs=64)


def test_the_end_of_the_input_is_told_once_before_the_tail(sound_path):
    host = Host(sound_path)
    told = []
    host.run(at_end=lambda: told.append(host.driver.frame_count))
    assert told == [RATE]


@pytest.mark.parametrize("block_frames", [32, 100, 480, 2_048])
def test_block_sizes_do_not_show(sound_path, block_frames):
    events = [short(0.1), short(0.10003), short(0.5, room_mix=0.5), short(0.99), short(1.2)]
    expected = Host(sound_path, 64, events).run()
    out = Host(sound_path, block_frames, events).run()
    count = min(len(out), len(expected))
    assert abs(len(out) - len(expected)) <= 2 * 2_048  # each ends with a whole block
    # at the seam the input's last block is shorter, so later blocks lie elsewhere: rooms run on a fixed grid
    assert out[:count].tobytes() == expected[:count].tobytes()


def test_the_same_twice(sound_path):
    events = [short(0.1), short(0.7, room_mix=0.5)]
    assert Host(sound_path, events=events).run().tobytes() == Host(sound_path, events=events).run().tobytes()


def test_the_listener_hears_every_block_and_the_end(sound_path):
    class Ears:
        def __init__(self):
            self.calls = []

        def pump(self):
            self.calls.append("pump")

        def finish(self):
            self.calls.append("finish")

    ears = Ears()
    host = Host(sound_path, 480, listener=ears)
    host.run()
    assert ears.calls == ["pump"] * 100 + ["finish"]


def test_paced_it_keeps_the_clocks_time(sound_path, monkeypatch):
    now = 10.0
    waited = []

    def sleep(seconds):
        nonlocal now
        waited.append(seconds)
        now += seconds

    monkeypatch.setattr(file_driver.time, "perf_counter", lambda: now)
    monkeypatch.setattr(file_driver.time, "sleep", sleep)
    host = Host(sound_path, 480, paced=True)
    host.driver.run(lambda seconds: True, longest_seconds=0.5)
    assert len(waited) == 50
    assert now == pytest.approx(10.5)
    assert max(waited) == pytest.approx(0.01)


def test_unpaced_it_waits_for_nothing(sound_path, monkeypatch):
    monkeypatch.setattr(file_driver.time, "sleep", lambda seconds: pytest.fail("it waited"))
    Host(sound_path).run()


def test_an_empty_file_is_played_too(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), RATE)
    host = Host(tmp_path / "empty.wav", events=[Event(0.05, -20.0, short(0.0).vector)])
    assert np.max(np.abs(host.run())) > 1e-3
    assert host.driver.input_frame_count == 0
