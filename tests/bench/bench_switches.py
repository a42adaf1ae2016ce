"""Patch switches under a sounding performance on JACK: ``python -m tests.bench.bench_switches``.

A keyboard holds notes while it changes programs ten times a second. Of each run: the largest step in the
sound (its second difference: all tones are low and pure), whether each note ended with its note-off, blocks
of ours that took too long, and the callback's time. A run without switches beside it tells what is the
machine's. JACK has real-time scheduling where that can be had.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from struck.codec.events.amendments import End
from struck.codec.events.events import Event
from struck.codec.takes.takes import TakeReader

from ..realtime.rig.jack_rig import jack_server, may_be_realtime
from ..realtime.rig.live_host import LiveHost, keyboard

_PATCH = """format = 2
program = {program}
[controls]
events_db = {events_db}
room = {room}
transpose = {transpose}
decay = {decay}
output_db = {output_db}
[note]
gain_db = -32.0
velocity_brightness_db = 0.0
[note.sound]
attack = 0.08
hold = 6.0
release = {release}
decay = 20.0
tail_ratio = 1.0
tilt = -30.0
noisiness = 0.0
room_mix = {room_mix}
{more}
"""
_PATCHES = {
    "one": {"events_db": 0.0, "room": 0.0, "transpose": 0.0, "decay": 1.0, "room_mix": 0.0, "release": 0.3},
    "two": {"events_db": -9.0, "room": 3.0, "transpose": 5.0, "decay": 0.5, "room_mix": 0.8, "release": 0.2},
    "three": {
        "events_db": -3.0,
        "room": 1.0,
        "transpose": -7.0,
        "decay": 4.0,
        "room_mix": 0.3,
        "release": 0.5,
    },
    "four": {"events_db": 0.0, "room": 2.0, "transpose": 12.0, "decay": 1.0, "room_mix": 0.5, "release": 0.3},
}
_MORE = {
    "three": '[[transform]]\nkind = "scale"\nroot = "D"\n',
    "four": '[[transform]]\nkind = "swap"\npart = "room"\n',
}
_PAUSE_SECONDS = 0.1
_HELD = 6  # switches for which a note is held


def write_patches(folder: Path) -> None:
    """Four patches that differ in all that could click."""
    for program, (name, values) in enumerate(_PATCHES.items()):
        text = _PATCH.format(program=program, output_db=-1.0 * program, more=_MORE.get(name, ""), **values)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def play(sender: Any, switches: int, changes: bool) -> int:
    """Notes, and program changes between them; how many notes."""
    held: list[int] = []
    count = 0
    for number in range(switches):
        if changes:
            sender.send_message([0xC0, (number + 1) % len(_PATCHES)])
        if number % 2 == 0:
            key = 36 + 5 * count % 17
            sender.send_message([0x90, key, 90])
            held.append(key)
            count += 1
        time.sleep(_PAUSE_SECONDS)
        if len(held) * 2 > _HELD:
            sender.send_message([0x80, held.pop(0), 0])
    for key in held:
        sender.send_message([0x80, key, 0])
    return count


def run(folder: Path, switches: int, changes: bool = True, block: int = 256) -> dict[str, Any]:
    """One performance; its figures."""
    write_patches(folder)
    take, sound_path = folder / "take.mcap", folder / "sound.wav"
    arguments = ["--patches", folder, "--patch", "one", "--input", "none", "--output", "jack:system"]
    arguments += ["--midi-in", "virtual:keys", "--record", take, "--record-audio", sound_path]
    with jack_server(48_000, block, may_be_realtime()) as server, LiveHost(server, *arguments) as host:
        with keyboard(server) as sender:
            time.sleep(0.5)
            notes = play(sender, switches, changes)
            time.sleep(3.0)
        summary = host.stop()
    sound, rate = soundfile.read(sound_path, dtype="float32")
    sound = sound.reshape(len(sound), -1)[:, 0].astype(np.float64)
    step = np.abs(np.diff(sound, 2)).max()
    reader = TakeReader(take)
    items = list(reader.items())
    midi = [(message.seconds, message.value) for message in reader.midi()]
    begun = {data[1] for _, data in midi if data[0] & 0xF0 == 0x90}
    offs = [at for at, data in midi if data[0] & 0xF0 == 0x80 and data[1] in begun]
    ends = sorted(item.at_seconds for item in items if isinstance(item, End))
    recalled = sum(data[0] & 0xF0 == 0xC0 for _, data in midi)
    late = [1e3 * min(abs(end - off) for end in ends) for off in offs]
    counters = summary["counters"]
    return {
        "switches": recalled,
        "skipped": counters.get("programs_skipped", 0),
        "notes": notes,
        "events": sum(isinstance(item, Event) for item in items),
        "ends": len(ends),
        "end_after_note_off_ms": {"median": float(np.median(late)), "most": max(late)} if late else None,
        "peak_db": 20.0 * np.log10(np.abs(sound).max()),
        "step_db": 20.0 * np.log10(step + 1e-12),
        "left_after_last_release_db": 20.0 * np.log10(np.abs(sound[-rate // 4 :]).max() + 1e-12),
        "refused": counters.get("commands_refused", 0),
        "overruns": counters.get("overruns", 0),
        "lost_blocks": counters.get("lost_blocks", 0),
        "late_calls": counters.get("late_calls", 0),
        **{name: summary[f"callback_{name}_percent"] for name in ("median", "p99", "p999", "worst")},
    }


def main() -> None:
    """Print the figures of both runs as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--switches", type=int, default=100, help="program changes, ten a second")
    parser.add_argument("--frames", type=int, default=256, help="of JACK's period")
    options = parser.parse_args()
    found = {}
    for name, changes in (("without", False), ("with", True)):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = run(Path(folder), options.switches, changes, options.frames)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
