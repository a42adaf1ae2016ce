"""Racks on a stage: what fails is dry at once and comes back; racks change while they sound; none stays."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from .rack_host import RATE, RackHost, insert, largest_step, tone

pytestmark = pytest.mark.wall_clock

FRAMES = 128
TONE = tone(30.0)
#: The tone's own, and a hair: where another tone takes over in 21 ms, the way there has a slope, too.
OWN_STEP = largest_step(TONE) * 1.03


class Stage:
    """Calls back about as often as a device would; nothing here depends on how exactly."""

    def __init__(self, host):
        self.host = host
        self.out = []
        self.began = time.monotonic()

    def play_until(self, done, seconds=20.0):
        """Until ``done()`` is true, or it never will be."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, (self.host.told, self.host.bay.rack.counters())
            self.step()

    def play(self, blocks):
        for _ in range(blocks):
            self.step()

    def step(self):
        start = self.host.position
        self.out.append(self.host.step(TONE[start : start + FRAMES]))
        ahead = self.began + self.host.position / RATE - time.monotonic()
        time.sleep(max(0.0, ahead))

    @property
    def sound(self):
        return np.concatenate(self.out)


@pytest.fixture
def host():
    with RackHost(FRAMES, patient=False) as host:
        yield host


def children():
    """Processes that this one has started and not yet reaped."""
    tasks = Path("/proc/self/task")
    return {pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


def pid_of(rack):
    return rack._process.pid


def late(host):
    return host.bay.rack.counters()["insert_late_frames"]


@pytest.mark.parametrize("kind", ["crash", "kill", "hang"])
def test_a_failure_is_dry_at_once_and_comes_back(host, kind, tmp_path):
    host.change(insert(f"{kind}:100", state=str(tmp_path / "once")))
    stage = Stage(host)
    stage.play_until(lambda: len(host.told) == 1)
    assert late(host) > 0
    stage.play_until(lambda: host.bay.rack._process is not None)
    stage.play(40)
    how = {"crash": "crashed (SIGSEGV)", "kill": "crashed (SIGKILL)", "hang": "hangs"}[kind]
    assert host.told == [f"insert {kind}:100 {how}; it is started again"]
    sound = stage.sound
    assert np.isfinite(sound).all()
    assert largest_step(sound[4 * FRAMES :]) <= OWN_STEP
    # dry and wet are the same sound here: what is heard is the tone, whoever it came from
    expected = TONE[2_048 - FRAMES : len(sound) - FRAMES]
    np.testing.assert_allclose(sound[2_048:], expected, atol=1e-5)


def test_one_that_fails_again_is_passed_by(host):
    host.change(insert("crash:30"), insert("half"))
    stage = Stage(host)
    stage.play_until(lambda: len(host.told) == 2)
    assert host.told == [
        "insert crash:30 crashed (SIGSEGV); it is started again",
        "insert crash:30 crashed (SIGSEGV) again; it is passed by",
    ]
    stage.play_until(lambda: abs(stage.out[-1]).max() <= 0.2501 and len(stage.out) > 400)
    assert host.bay.rack.counters()["insert_failures"] == 2


def test_a_process_killed_from_outside_is_replaced(host):
    host.change(insert("half"))
    stage = Stage(host)
    stage.play(60)
    first = pid_of(host.bay.rack)
    os.kill(first, 9)
    stage.play_until(lambda: host.told and host.bay.rack._process is not None)
    assert "crashed (SIGKILL); it is started again" in host.told[0]
    stage.play_until(lambda: abs(stage.out[-1]).max() <= 0.2501)
    assert str(first) not in children()
    assert largest_step(stage.sound[4 * FRAMES :]) <= OWN_STEP


def test_one_that_is_too_slow_is_dry_and_told_of(host):
    host.change(insert("slow:30"))
    stage = Stage(host)
    stage.play_until(lambda: bool(host.told))
    assert host.told == ["the inserts are too slow for this block size: the sound passes dry"]
    assert largest_step(stage.sound[4 * FRAMES :]) <= OWN_STEP


def test_racks_change_while_they_sound(host):
    stage = Stage(host)
    stage.play(20)
    for change in range(6):
        host.change(insert("gain", parameters={"gain": 1.0}) if change % 3 else insert("delay:64"))
        stage.began = time.monotonic() - host.position / RATE
        stage.play(60)
    host.change()
    stage.play(60)
    # but for the -120 dB that the rack is sent while it rings on
    np.testing.assert_allclose(stage.out[-1], TONE[host.position - FRAMES : host.position], atol=2e-6)
    host.bay.tidy()
    # the crossfade of the tone with itself, some samples later, dips but does not step
    assert largest_step(stage.sound) <= OWN_STEP + 0.002


def test_an_old_rack_rings_on(host):
    host.change(insert("delay:4096"))
    Stage(host).play(100)
    host.change(insert("half"))
    stage = Stage(host)
    stage.began -= host.position / RATE
    silence = np.zeros((FRAMES, 2), np.float32)
    out = []
    for _ in range(60):
        out.append(host.step(silence))
        time.sleep(FRAMES / RATE)
    sound = np.concatenate(out)
    # for 4,096 samples after it left, what had gone in before still comes out
    assert np.abs(sound[:3_000]).max() > 0.4
    assert np.abs(sound[4_096 + 4 * FRAMES :]).max() == 0.0


def test_no_process_stays():
    before = children()
    host = RackHost(FRAMES, patient=False)
    host.change(insert("half"))
    stage = Stage(host)
    stage.play(800)  # until there is a spare, too
    host.change(insert("delay:7"))
    stage.play(20)
    assert len(children() - before) >= 2
    host.bay.close()
    assert children() == before


def test_a_process_whose_host_was_killed_ends():
    import subprocess
    import sys

    program = (
        "import sys, time\n"
        "from tests.realtime.inserts.rack_host import RackHost, insert\n"
        "host = RackHost(64)\n"
        "host.change(insert('half'))\n"
        "print(host.bay.rack._process.pid, flush=True)\n"
        "time.sleep(1e6)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as host:
        pid = int(host.stdout.readline())
        os.kill(host.pid, 9)
    end = time.monotonic() + 10.0
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.01)
