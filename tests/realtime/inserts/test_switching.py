"""Racks that change a hundred times under a tone: nothing is lost, nothing clicks, no process stays.

A hundred changes take minutes: here some; ``python -m tests.realtime.inserts.test_switching`` makes all of
them, with plug-ins of all hosts that are there, and prints figures.
"""

import sys
import threading
import time

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.rack.process import COMMAND

from .plugin_bench import open_named
from .rack_host import FAKE_COMMAND, RATE, RackHost, insert, tone
from .test_supervision import children

pytestmark = pytest.mark.wall_clock

FRAMES = 128
TONE = tone(20.0)
STEP_DBFS = -50.0
FAKES = (
    (insert("half"),),
    (insert("ring:1200"),),  # eleven periods of the tone
    (insert("delay:64"), insert("gain", parameters={"gain": 0.8})),
    (),
    (insert("gain", parameters={"gain": 0.5}), insert("half", name="second", wet=0.5)),
)


class Player(threading.Thread):
    """Calls back at the pace of a device, until it is told to end."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.out, self.ending = host, [], threading.Event()
        self.longest_seconds = 0.0

    def run(self):
        began = time.monotonic()
        while not self.ending.is_set():
            place = self.host.position % len(TONE)  # whole periods and blocks: it goes on where it begins
            before = time.thread_time()
            self.out.append(self.host.step(TONE[place : place + FRAMES]))
            self.longest_seconds = max(self.longest_seconds, time.thread_time() - before)
            time.sleep(max(0.0, began + self.host.position / RATE - time.monotonic()))


def step_dbfs(sound):
    """The highest peak of what lies above 5 kHz: a tone of 440 Hz has nothing there, a step has."""
    rest = sosfilt(butter(6, 5_000.0, "high", fs=RATE, output="sos"), sound.astype(float), axis=0)
    return 20.0 * np.log10(np.abs(rest[FRAMES * 8 :]).max())


def switch(racks, count, command, pause_seconds):
    """Change ``count`` times; the sound, the counters of all racks together, and the player."""
    lost = {"insert_frames": 0, "insert_late_frames": 0, "insert_failures": 0}
    with RackHost(FRAMES, patient=False, command=command) as host:
        player = Player(host)
        player.start()
        for number in range(count):
            if host.bay.rack is not None:
                for name, value in host.bay.rack.counters().items():
                    lost[name] = lost.get(name, 0) + value
            host.change(*racks[number % len(racks)])
            time.sleep(pause_seconds)
            host.bay.tidy()
        player.ending.set()
        player.join()
        told = list(host.told)
    return np.concatenate(player.out), lost, told, player


def test_the_tone_itself_has_no_step_and_a_step_is_seen():
    assert step_dbfs(TONE[: RATE // 2]) < -90.0
    broken = TONE[: RATE // 2].copy()
    broken[RATE // 4 :] += 0.02
    assert step_dbfs(broken) > STEP_DBFS


def test_some_changes():
    before = children()
    sound, lost, told, _ = switch(FAKES, 10, FAKE_COMMAND, 0.3)
    assert np.isfinite(sound).all()
    assert step_dbfs(sound) < STEP_DBFS  # be a rack late or not: the way to the dry sound has no bend either
    assert lost["insert_failures"] == 0
    assert told in ([], ["the inserts are too slow for this block size: the sound passes dry"])
    assert children() == before


def real_racks():
    found = []
    for host, plugin in (
        ("lv2", "http://drobilla.net/plugins/mda/Ambience"),
        ("lv2", "urn:zamaudio:ZamEQ2"),
        ("lv2", "urn:dragonfly:plate"),
        ("pyo", "Chorus"),
        ("pyo", "Freeverb"),
        ("pedalboard", "Reverb"),
    ):
        try:
            open_named(host, plugin).close()
        except StruckError as error:
            print(f"left out: {error}")
            continue
        found.append((insert(plugin, host=host), insert("urn:zamaudio:ZamEQ2", name="eq")))
    return [*found, ()]


def main(count):
    before = children()
    sound, lost, told, player = switch(real_racks(), count, COMMAND, 0.4)
    print(f"{count} changes in {len(sound) / RATE:.0f} s")
    print(f"highest step {step_dbfs(sound):.1f} dBFS (asked: below {STEP_DBFS:g})")
    share = 100.0 * lost["insert_late_frames"] / max(1, lost["insert_frames"])
    print(f"late frames {share:.3f} %, failures {lost['insert_failures']}, told: {told or 'nothing'}")
    print(f"longest callback {1e6 * player.longest_seconds:.0f} us of {1e6 * FRAMES / RATE:.0f} us")
    print(f"processes left: {len(children() - before)}")
    return 0 if step_dbfs(sound) < STEP_DBFS and children() == before else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
