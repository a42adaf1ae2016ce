"""The take recorder: order, what never sounded, slow and full disks, the death of the process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.takes.takes import TakeHeader, TakeReader, TakeWriter, part_path
from struck.realtime.recording.take_recorder import TakeRecorder

HEADER = TakeHeader(profile="live", weights_name="test", weights_hash="0" * 16, exact=True)


@dataclass(frozen=True)
class Sounding:
    event: Event


def sounding(seconds: float, gain_db: float = -6.0) -> Sounding:
    return Sounding(Event(seconds, gain_db, np.zeros(VECTOR_SIZE)))


class Host:
    """What a recorder needs of the host: a clock that is set by hand, lines, counters."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[str] = []
        self.counts: Counter[str] = Counter()

    def count(self, name: str, number: int) -> None:
        self.counts[name] += number

    def recorder(self, path, **options) -> TakeRecorder:
        return TakeRecorder(path, HEADER, self.told.append, self.count, lambda: self.now, **options)


def wait_for(condition, timeout_seconds=30.0):
    end = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


@pytest.fixture
def host():
    return Host()


def test_events_and_messages_come_back_in_order(host, tmp_path):
    path = tmp_path / "a.mcap"
    recorder = host.recorder(path)
    onsets = [0.5, 0.2, 3.0, 1.0, 2.5, 2.4]
    for onset in onsets:
        recorder.event(sounding(onset))
    recorder.midi(0.3, b"\x90\x40\x7f")
    recorder.osc(0.1, b"/struck/ping\0\0\0\0,\0\0\0")
    recorder.patch(0.0, "marimba", program=12)
    recorder.mark(1.5, "dropout", blocks=3)
    host.now = 3.1
    assert recorder.close(3.1)
    reader = TakeReader(path)
    assert [event.onset_seconds for event in reader.events()] == sorted(onsets)
    assert [(m.seconds, m.value) for m in reader.midi()] == [(0.3, b"\x90\x40\x7f")]
    assert [m.seconds for m in reader.osc()] == [0.1]
    assert [m.value for m in reader.patches()] == [{"patch": "marimba", "program": 12}]
    assert [m.value for m in reader.marks()] == [{"kind": "dropout", "blocks": 3}]
    assert (reader.duration_seconds, reader.truncated) == (3.1, False)
    assert (recorder.event_count, recorder.failed, host.told, host.counts) == (6, False, [], {})
    assert recorder.file_bytes == path.stat().st_size


def test_an_event_of_the_future_waits_for_its_time(host, tmp_path):
    recorder = host.recorder(tmp_path / "a.mcap")
    recorder.event(sounding(100.0))
    recorder.event(sounding(1.0))
    host.now = 2.0
    wait_for(lambda: recorder.event_count == 1)
    recorder.event(sounding(50.0))
    host.now = 60.0
    wait_for(lambda: recorder.event_count == 2)
    host.now = 101.0
    wait_for(lambda: recorder.event_count == 3)
    assert recorder.close()
    assert [e.onset_seconds for e in TakeReader(recorder.path).stream()] == [1.0, 50.0, 100.0]


def test_what_never_sounded_is_not_in_the_take(host, tmp_path):
    recorder = host.recorder(tmp_path / "a.mcap")
    recorder.event(sounding(1.0))
    recorder.event(sounding(7.0))
    recorder.midi(2.2, b"\xf8")  # has come, though its time lies a little ahead
    host.now = 2.0
    assert recorder.close()
    reader = TakeReader(recorder.path)
    assert [e.onset_seconds for e in reader.events()] == [1.0]
    assert [m.seconds for m in reader.midi()] == [2.0]
    assert reader.duration_seconds == 2.0


def test_it_holds_what_the_engine_says_that_sounded(host, tmp_path):
    recorder = host.recorder(tmp_path / "a.mcap")
    for what, seconds in (("sounded", 1.0), ("dropped", 2.0), ("late", 3.0), ("stolen", None)):
        told = SimpleNamespace(what=what, sounding=None if seconds is None else sounding(seconds))
        recorder.outcome(told)
    host.now = 5.0
    assert recorder.close()
    assert [e.onset_seconds for e in TakeReader(recorder.path).events()] == [1.0, 3.0]


def test_it_asks_for_what_the_engine_knows_before_it_writes(host, tmp_path):
    """An outcome that nobody has passed on yet is in the take all the same, in its order."""
    waiting = [sounding(1.0)]

    def attend():
        if waiting:
            recorder.event(waiting.pop())

    recorder = host.recorder(tmp_path / "a.mcap", attend=attend)
    recorder.midi(1.5, b"\xf8")
    host.now = 2.0
    assert recorder.close()
    assert waiting == []
    assert [e.onset_seconds for e in TakeReader(recorder.path).events()] == [1.0]


def test_times_and_details_are_checked_at_the_door(host, tmp_path):
    recorder = host.recorder(tmp_path / "a.mcap")
    for seconds in (float("nan"), float("inf"), 1e9):
        with pytest.raises(ValueError, match="the time is"):
            recorder.midi(seconds, b"\xf8")
    with pytest.raises(TypeError):
        recorder.mark(0.0, "odd", what=object())
    with pytest.raises(ValueError, match="not JSON compliant"):
        recorder.patch(0.0, "odd", level=float("nan"))
    recorder.midi(-0.01, b"\xfa")  # just before the stream began
    details = {"list": [1]}
    recorder.mark(0.0, "kept", **details)
    details["list"].append(2)
    host.now = 1.0
    assert recorder.close()
    reader = TakeReader(recorder.path)
    assert [m.seconds for m in reader.midi()] == [0.0]
    assert [m.value for m in reader.marks()] == [{"kind": "kept", "list": [1]}]


def test_an_unfinished_take_is_refused_before_the_show(host, tmp_path):
    part_path(tmp_path / "a.mcap").write_bytes(b"precious")
    with pytest.raises(StruckError, match="unfinished recording"):
        host.recorder(tmp_path / "a.mcap")
    assert part_path(tmp_path / "a.mcap").read_bytes() == b"precious"
    with pytest.raises(StruckError, match="cannot write"):
        host.recorder(tmp_path / "nowhere" / "a.mcap")


def test_close_twice_and_use_after_it(host, tmp_path):
    recorder = host.recorder(tmp_path / "a.mcap")
    assert recorder.close(1.0)
    size = recorder.file_bytes
    recorder.event(sounding(0.5))
    recorder.midi(0.5, b"\xf8")
    assert recorder.close(2.0)
    assert recorder.file_bytes == size
    assert os.listdir(tmp_path) == ["a.mcap"]
    assert TakeReader(recorder.path).duration_seconds == 1.0


class SlowWriter(TakeWriter):
    """A disk that does not answer while ``gate`` is closed."""

    gate = threading.Event()

    def write(self, event):
        self.gate.wait()
        super().write(event)


@pytest.fixture
def gate():
    SlowWriter.gate.clear()
    yield SlowWriter.gate
    SlowWriter.gate.set()


def test_a_slow_disk_never_holds_up_and_leaves_a_mark(host, tmp_path, gate):
    recorder = host.recorder(tmp_path / "a.mcap", queue_limit=10, writer=SlowWriter)
    host.now = 1000.0
    recorder.event(sounding(1.0))
    wait_for(lambda: not recorder._queue and not recorder._heap)  # the worker hangs in the disk
    began = time.monotonic()
    for number in range(110):
        recorder.event(sounding(2.0 + number))
    assert time.monotonic() - began < 10.0
    assert host.counts == {"record_dropped": 100}
    assert len(host.told) == 1
    assert "too slow" in host.told[0]
    gate.set()
    wait_for(lambda: recorder.event_count == 11)
    recorder.event(sounding(500.0))
    assert recorder.close()
    reader = TakeReader(recorder.path)
    assert len(list(reader.events())) == 12
    (mark,) = reader.marks()
    assert (mark.seconds, mark.value) == (12.0, {"kind": "dropout", "what": "record", "count": 100})
    assert recorder.dropped_count == 100


def test_a_disk_that_never_answers_does_not_hold_up_the_end(host, tmp_path, gate):
    recorder = host.recorder(tmp_path / "a.mcap", writer=SlowWriter)
    recorder.event(sounding(0.0))
    host.now = 1.0
    wait_for(lambda: not recorder._queue and not recorder._heap)
    began = time.monotonic()
    assert not recorder.close(timeout_seconds=0.1)
    assert time.monotonic() - began < 10.0
    assert not recorder.close()
    assert host.counts == {"record_failed": 1}
    assert "did not answer" in host.told[0]
    gate.set()
    recorder._thread.join(5.0)
    assert recorder.close()  # it came too late to be waited for, but it came


def test_a_fault_of_the_writer_is_told_and_shown(host, tmp_path, monkeypatch):
    class BrokenWriter(TakeWriter):
        def write(self, event):
            raise RuntimeError("a bug")

    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: seen.append(arguments.exc_type))
    recorder = host.recorder(tmp_path / "a.mcap", writer=BrokenWriter)
    recorder.event(sounding(0.0))
    host.now = 1.0
    wait_for(lambda: seen)
    assert seen == [RuntimeError]
    assert "RuntimeError: a bug" in host.told[0]
    assert not recorder.close()
    assert TakeReader(recorder.part_path).truncated


FULL_DISK = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
from test_take_recorder import Host, sounding
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
host = Host()
recorder = host.recorder(sys.argv[1])
number = 0
while not recorder.failed:
    for _ in range(50):
        number += 1
        recorder.event(sounding(number / 10, -(number % 90)))
        recorder.midi(number / 10, number.to_bytes(4, "big") * 50)
    host.now = number / 10 + 0.1
    time.sleep(0.01)
recorder.event(sounding(number / 10))
print(recorder.close(), recorder.close(), dict(host.counts), len(host.told))
print(host.told[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_told_once_and_the_part_stays_readable(tmp_path):
    path = tmp_path / "a.mcap"
    command = [sys.executable, "-c", FULL_DISK, str(path), os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    state, told = done.stdout.splitlines()
    assert state == "False False {'record_failed': 1} 1"
    assert told.startswith("the take stopped: cannot write")
    assert told.endswith(".part")
    assert os.listdir(tmp_path) == ["a.mcap.part"]
    reader = TakeReader(part_path(path))
    onsets = [event.onset_seconds for event in reader.events()]
    assert reader.truncated
    assert len(onsets) > 100
    assert onsets == pytest.approx([(1 + n) / 10 for n in range(len(onsets))])
    assert reader.statistics().gaps <= 1  # its end


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
from test_take_recorder import Host, sounding
host = Host()
recorder = host.recorder(sys.argv[1])
began = time.monotonic()
number, longest = 0, 0.0
while True:
    before, host.now = host.now, time.monotonic() - began
    longest = max(longest, host.now - before)
    while number / 100 < host.now:
        recorder.event(sounding(number / 100))
        number += 1
    recorder.event(sounding(host.now + 60.0))
    if host.now > 2.5:
        print(number, longest, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.wall_clock
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_kill_9_loses_less_than_a_second_of_what_sounded(tmp_path):
    path = tmp_path / "a.mcap"
    command = [sys.executable, "-c", KILLED, str(path), os.path.dirname(__file__)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        given, held_up_seconds = map(float, process.stdout.readline().split())
        process.send_signal(signal.SIGKILL)
    onsets = [event.onset_seconds for event in TakeReader(part_path(path)).events()]
    # a second, and what a busy machine adds: to this thread, and to the one that writes
    assert len(onsets) > given - 130 - 200 * held_up_seconds
    assert len(onsets) > 50
    assert onsets == pytest.approx([n / 100 for n in range(len(onsets))])
    assert not path.exists()


def test_many_threads_lose_nothing(host, tmp_path):
    recorder = host.recorder(tmp_path / "a.mcap")
    threads = [
        threading.Thread(target=lambda: [recorder.midi(k / 100, b"\xf8") for k in range(500)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    host.now = 10.0
    assert recorder.close()
    seconds = [m.seconds for m in TakeReader(recorder.path).midi()]
    assert len(seconds) == 4000
    assert recorder.cpu_seconds >= 0.0
