"""Racks that change a hundred times under a tone: nothing is lost, nothing clicks, no process stays.

A hundred changes take minutes: here some; ``python -m tests.realtime.inserts.test_switching`` makes all of
them, with plug-ins of all hosts that are there, and prints figures.
"""

import sys
import time

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from struck.codec.events.errors import StruckError
from struck.realtime.engine.exchange import FRAMES as FRAMES_HEARD
from struck.realtime.engine.exchange import LATE_FRAMES
from struck.realtime.inserts.rack.process import COMMAND

from ..rig.jack_rig import may_be_realtime
from .plugin_bench import open_named
from .rack_host import FAKE_COMMAND, RATE, Device, RackHost, insert, tone
from .test_supervision import children

pytestmark = pytest.mark.wall_clock

FRAMES = 128
TONE = tone(20.0)  # whole periods and blocks: it goes on where it begins
#: For a rack to be loaded, at most in the mean.
LOAD_SECONDS = 5.0
STEP_DBFS = -50.0
#: Of the bay's.
WARM_SECONDS = 0.1
FAKES = (
    (insert("half"),),
    (insert("ring:1200"),),  # eleven periods of the tone
    (insert("delay:64"), insert("gain", parameters={"gain": 0.8})),
    (),
    (insert("gain", parameters={"gain": 0.5}), insert("half", name="second", wet=0.5)),
)


def step_dbfs(sound):
    """The highest peak of what lies above 5 kHz: a tone of 440 Hz has nothing there, a step has."""
    rest = sosfilt(butter(6, 5_000.0, "high", fs=RATE, output="sos"), sound.astype(float), axis=0)
    return 20.0 * np.log10(np.abs(rest[FRAMES * 8 :]).max())


def switch(racks, count, command, pause_seconds, realtime=False):
    """Change ``count`` times; the sound, counters of all racks together, what was told, and the device."""
    lost = {"insert_frames": 0, "insert_late_frames": 0, "insert_failures": 0}
    with RackHost(FRAMES, patient=False, command=command) as host:
        device = Device(host, TONE, count * (pause_seconds + LOAD_SECONDS), realtime)
        device.start()
        for number in range(count):
            if host.bay.rack is not None:
                for name, value in host.bay.rack.counters().items():
                    lost[name] = lost.get(name, 0) + value
            host.change(*racks[number % len(racks)])
            time.sleep(pause_seconds)
            host.bay.tidy()
        sound = device.end()
        told = list(host.told)
    return sound, lost, told, device


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


def test_each_rack_keeps_up_before_it_is_heard():
    """Those too that follow another in its slot, whose own time has been good."""
    with RackHost(FRAMES, patient=False, command=FAKE_COMMAND) as host:
        device = Device(host, TONE, 60.0)
        device.start()
        in_time = []
        for _ in range(4):
            host.change(insert("half"))
            in_time.append(host.bay.rack.slot.in_time_seconds)
        device.end()
    assert min(in_time) >= WARM_SECONDS


def test_what_is_said_of_a_rack_is_not_that_of_the_one_before():
    with RackHost(FRAMES, patient=False, command=FAKE_COMMAND) as host:
        host.change(insert("half"))
        numbers = host.bay.state.slots[0].numbers
        numbers[[FRAMES_HEARD, LATE_FRAMES]] = 480_000, 4_800
        host.change(insert("gain"))
        host.change(insert("half"))
        assert host.bay.rack.slot.frames() == (0, 0)


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
    realtime = may_be_realtime()
    sound, lost, told, device = switch(real_racks(), count, COMMAND, 0.4, realtime)
    print(f"{count} changes in {len(sound) / RATE:.0f} s, real-time rights: {realtime}")
    print(f"highest step {step_dbfs(sound):.1f} dBFS (asked: below {STEP_DBFS:g})")
    share = 100.0 * lost["insert_late_frames"] / max(1, lost["insert_frames"])
    print(f"late frames {share:.3f} %, failures {lost['insert_failures']}, told: {told or 'nothing'}")
    print(
        f"longest callback {1e6 * device.longest_seconds:.0f} us of {1e6 * FRAMES / RATE:.0f} us; blocks for "
        f"which it was not called in time {device.lost_blocks}"
    )
    print(f"processes left: {len(children() - before)}")
    return 0 if step_dbfs(sound) < STEP_DBFS and children() == before else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
