"""The sound recorder: whole files, and what remains of a show when the disk or the process gives up."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.files import audio_writer
from struck.codec.files.audio_files import AudioWriter, open_audio
from struck.codec.files.part_files import part_path
from struck.realtime.recording.sound_recorder import SoundRecorder

RATE = 48_000


class Ring:
    """The engine's side: pieces put in, pieces taken out."""

    def __init__(self):
        self.pieces = []
        self.told = []
        self.counts = Counter()

    def read(self):
        return self.pieces.pop(0) if self.pieces else None

    def count(self, name, number):
        self.counts[name] += number

    def recorder(self, path, channels=2, **options):
        return SoundRecorder(path, RATE, channels, self.read, self.told.append, self.count, **options)


@pytest.fixture
def ring():
    return Ring()


def noise(frames, channels=2, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (frames, channels)).astype(np.float32)


def wait_for(condition, timeout_seconds=30.0):
    end = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def test_every_sample_is_recorded_whatever_the_pieces(ring, tmp_path):
    sound = noise(50_000)
    edges = [0, 1, 64, 64, 4000, 4001, 30_000]
    recorder = ring.recorder(tmp_path / "a.wav")
    for start, end in pairwise(edges):
        ring.pieces.append(sound[start:end] if end > start else None)
        time.sleep(0.001)
    wait_for(lambda: recorder.frame_count == 30_000)
    ring.pieces.append(sound[30_000:])  # still in the ring at the end
    assert recorder.close()
    assert recorder.close()
    found, rate = soundfile.read(recorder.path, dtype="float32")
    assert rate == RATE
    assert np.abs(found - sound).max() <= 1.5 / 2**23
    assert soundfile.info(recorder.path).subtype == "PCM_24"
    assert os.listdir(tmp_path) == ["a.wav"]
    assert (recorder.seconds, ring.told, ring.counts) == (50_000 / RATE, [], {})
    assert recorder.file_bytes == recorder.path.stat().st_size


def test_float_keeps_what_is_beyond_full_scale(ring, tmp_path):
    recorder = ring.recorder(tmp_path / "a.wav", 1, subtype="FLOAT")
    ring.pieces.append(np.array([[2.5], [-3.0]], np.float32))
    assert recorder.close()
    assert soundfile.read(recorder.path)[0].tolist() == [2.5, -3.0]


def test_samples_that_are_not_finite_become_silence(ring, tmp_path):
    recorder = ring.recorder(tmp_path / "a.wav", 1)
    ring.pieces.append(np.array([[0.5], [np.nan], [np.inf], [-0.5]], np.float32))
    assert recorder.close()
    assert soundfile.read(recorder.path)[0].tolist() == [0.5, 0.0, 0.0, -0.5]
    assert recorder.replaced_count == 2


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_only_wav_survives_a_crash_so_only_wav_is_recorded(ring, tmp_path, name):
    with pytest.raises(StruckError, match=r"\.wav"):
        ring.recorder(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_an_unfinished_recording_is_refused(ring, tmp_path):
    part_path(tmp_path / "a.wav").write_bytes(b"precious")
    with pytest.raises(StruckError, match="unfinished recording"):
        ring.recorder(tmp_path / "a.wav")
    assert part_path(tmp_path / "a.wav").read_bytes() == b"precious"
    with pytest.raises(StruckError, match="no folder"):
        ring.recorder(tmp_path / "nowhere" / "a.wav")


def test_the_part_can_be_read_while_it_grows_and_an_older_file_stays(ring, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"older")
    recorder = ring.recorder(path)
    assert soundfile.info(recorder.part_path).frames == 0
    sound = noise(RATE * 3 + 100)
    for start in range(0, len(sound), 4800):
        ring.pieces.append(sound[start : start + 4800])
    wait_for(lambda: recorder.frame_count == len(sound))
    assert path.read_bytes() == b"older"
    with open_audio(recorder.part_path) as reader:
        assert reader.duration_seconds >= 3.0 - 0.1
        assert reader.source_channels == 2
    assert recorder.close()
    assert soundfile.info(path).frames == len(sound)


def test_a_writer_that_fails_leaves_a_readable_part(tmp_path):
    with (
        pytest.raises(RuntimeError, match="device"),
        AudioWriter(tmp_path / "a.wav", RATE, live=True) as writer,
    ):
        writer.write(noise(1000, 1))
        raise RuntimeError("device")
    assert os.listdir(tmp_path) == ["a.wav.part"]
    assert soundfile.info(tmp_path / "a.wav.part").frames == 1000


def test_beyond_4_gb_it_becomes_rf64(tmp_path, monkeypatch):
    plain_write = audio_writer._Sink.write

    def write_head_and_tail(sink, data):
        if not 4096 < sink.tell() < 5_100_000_000:
            return plain_write(sink, data)
        sink.seek(len(data), 1)  # a hole costs no disk
        return len(data)

    monkeypatch.setattr(audio_writer._Sink, "write", write_head_and_tail)
    path = tmp_path / "a.wav"
    with AudioWriter(path, RATE, 2, "DOUBLE", live=True) as writer:
        writer.write(noise(RATE))
        assert part_path(path).read_bytes()[:4] == b"RIFF"
        block = np.zeros((1 << 18, 2))
        for _ in range(1220):
            writer._file.write(block)  # doubles as they are: a second of the test, not ten
        frames = RATE + 1220 * len(block)
        writer.write(noise(RATE, seed=1))
        with part_path(path).open("rb") as file:
            assert file.read(4) == b"RF64"
        assert soundfile.info(part_path(path)).frames == frames + RATE
    assert soundfile.info(path).frames == frames + RATE
    with soundfile.SoundFile(path) as file:
        file.seek(frames)
        assert np.array_equal(file.read(dtype="float32"), noise(RATE, seed=1))


FULL_DISK = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
from test_sound_recorder import Ring, noise
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_001, 2_000_001))
ring = Ring()
recorder = ring.recorder(sys.argv[1])
sound = noise(480_000)
for start in range(0, len(sound), 4800):
    ring.pieces.append(sound[start : start + 4800])
while ring.pieces:
    time.sleep(0.005)
print(recorder.failed, recorder.close(), recorder.close(), ring.counts["sound_record_failed"], len(ring.told))
print(recorder.frame_count, ring.counts["sound_record_lost_frames"])
print(ring.told[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_told_once_and_the_part_stays_readable(tmp_path):
    path = tmp_path / "a.wav"
    command = [sys.executable, "-c", FULL_DISK, str(path), os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    state, frames, told = done.stdout.splitlines()
    assert state == "True False False 1 1"
    recorded, lost = map(int, frames.split())
    assert recorded + 4800 + lost == 480_000  # the piece on which it failed
    assert told.startswith("the sound recording stopped: cannot write")
    assert os.listdir(tmp_path) == ["a.wav.part"]
    found = soundfile.read(part_path(path), dtype="float32")[0]
    assert recorded - len(found) <= RATE
    assert np.abs(found - noise(480_000)[: len(found)]).max() <= 1.5 / 2**23


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
from test_sound_recorder import RATE, Ring, noise
ring = Ring()
recorder = ring.recorder(sys.argv[1])
sound = noise(RATE * 30)
for start in range(0, len(sound), 1000):
    ring.pieces.append(sound[start : start + 1000])
    time.sleep(0.0005)
    if start > 5 * RATE:
        print(recorder.frame_count, flush=True)
"""


@pytest.mark.wall_clock
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_kill_9_loses_at_most_a_second(tmp_path):
    path = tmp_path / "a.wav"
    command = [sys.executable, "-c", KILLED, str(path), os.path.dirname(__file__)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        recorded = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    found = soundfile.read(part_path(path), dtype="float32")[0]
    assert len(found) > recorded - RATE - 1000
    assert np.abs(found - noise(RATE * 30)[: len(found)]).max() <= 1.5 / 2**23
    assert not path.exists()


def test_a_disk_that_never_answers_does_not_hold_up_the_end(ring, tmp_path, monkeypatch):
    gate = threading.Event()
    plain_write = AudioWriter.write
    monkeypatch.setattr(AudioWriter, "write", lambda *a: (gate.wait(), plain_write(*a))[1])
    recorder = ring.recorder(tmp_path / "a.wav")
    ring.pieces.append(noise(10))
    began = time.monotonic()
    assert not recorder.close(timeout_seconds=0.1)
    assert time.monotonic() - began < 10.0
    assert "did not answer" in ring.told[0]
    gate.set()
    recorder._thread.join(5.0)
    assert recorder.close()  # it came too late to be waited for, but it came


def test_a_fault_of_the_ring_is_told_and_shown(ring, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: seen.append(arguments.exc_type))
    recorder = ring.recorder(tmp_path / "a.wav")
    ring.pieces.append(noise(10, channels=3))
    wait_for(lambda: seen)
    assert seen == [ValueError]
    assert not recorder.close()
    assert ring.counts == {"sound_record_failed": 1}
    assert soundfile.info(recorder.part_path).frames == 0
