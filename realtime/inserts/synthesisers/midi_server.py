"""Plays MIDI files on instruments: ``python -m struck.realtime.inserts.synthesisers.midi_server``.

It reads one job a line from standard input, as JSON: plug-in and preset, a MIDI file, and where its sound
shall go; it answers each with the exit code of who did it. That is a fork of this process, which has opened
no plug-in itself: so every job begins from the same state, and a crash is its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import deque
from pathlib import Path
from typing import Any, Final, NoReturn

import mido
import numpy as np

from ....codec.events.errors import StruckError
from ....patches.insert_patch import InsertPatch
from ..hosts.open_plugin import open_plugin
from ..lv2.library import lilv
from ..lv2.scan import find_plugin
from ..lv2.states import list_presets

#: Of the sound: instruments are made for such a rate, and some fail at half of it.
RATE: Final = 44_100
_BLOCK_FRAMES: Final = 256
#: Beyond the length of the sound.
_PATIENCE_SECONDS: Final = 60.0


def play_midi(insert: InsertPatch, midi: mido.MidiFile) -> np.ndarray:
    """float32 [T] at ``RATE``: the sound of a MIDI file on an instrument, in mono, from its first tick on.

    Raises:
        StruckError: the plug-in cannot be opened.
    """
    plugin = open_plugin(insert, RATE, 1, _BLOCK_FRAMES)
    due: deque[tuple[int, bytes]] = deque()
    seconds = 0.0
    for message in midi:
        seconds += message.time
        if not message.is_meta:
            due.append((round(seconds * RATE), bytes(message.bytes())))
    silence = np.zeros((1, _BLOCK_FRAMES), np.float32)
    out = np.zeros_like(silence)
    blocks = []
    begin = 0
    while begin < round(seconds * RATE) + plugin.latency_samples:
        while due and due[0][0] < begin + _BLOCK_FRAMES:
            at_sample, bytes_ = due.popleft()
            plugin.note(at_sample - begin, bytes_)
        plugin.process(silence, out)
        blocks.append(out[0].copy())
        begin += _BLOCK_FRAMES
    plugin.close()
    return np.concatenate(blocks)[plugin.latency_samples :]


def _do(job: dict[str, Any]) -> NoReturn:
    """In the fork; its exit code is 0 where the sound is there, 1 where a text in its place says why not."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what plug-ins print is no answer
        os.dup2(nowhere, descriptor)
    midi = mido.MidiFile(job["midi"])
    signal.alarm(round(_PATIENCE_SECONDS + midi.length))  # what hangs is ended by it, wherever it is
    try:
        np.save(job["sound"], play_midi(InsertPatch("events", "lv2", **job["insert"]), midi))
    except StruckError as error:
        Path(job["sound"]).write_text(str(error), encoding="utf-8")
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Do one job after the other, until standard input ends."""
    lib = lilv()
    for line in sys.stdin:
        job = json.loads(line)
        # What is read here, no fork needs to read again.
        list_presets(lib, find_plugin(lib, job["insert"]["plugin"]))
        pid = os.fork()
        if pid == 0:
            _do(job)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
