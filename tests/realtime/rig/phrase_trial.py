"""Plays notes as phrases into ``struck live`` over JACK, and looks where on the beat they began."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from struck.codec.takes.takes import TakeReader
from struck.realtime.phrases.beats import Beats

from .jack_rig import JackServer
from .live_host import LiveHost, keyboard
from .live_rig import PROGRAM

RATE = 48_000
TEMPO = 120.0
FAKE = ("-m", "tests.realtime.rig.live_with_fake_mars")
_PATCH = """
[note]
channels = [1]
gain_db = -12.0
[note.sound]
attack = 0.001
release = 0.02
decay = 0.4
noisiness = 0.0
room_mix = 0.0
[phrases]
channel = 2
tempo_bpm = 120.0
gain_db = 0.0
"""
#: Silence that stands between two notes, at least.
_SILENCE_SECONDS = 0.08


def play_phrases(
    server: JackServer,
    folder: Path,
    count: int,
    spacing_seconds: float = 1.0,
    new_every: int = 3,
    fake: bool = True,
) -> dict[str, Any]:
    """Send ``count`` note-ons, one every ``spacing_seconds``, each held until it has sounded for a while.

    Args:
        new_every: every so many notes one whose phrase nobody has prepared; the others repeat.
        fake: phrases are made by a fake MARS.

    Returns:
        What struck's summary says (``counters``, ``phrases``), and of the sound recording: ``starts``, the
        samples at which a phrase or its stand-in began, and ``off_beat``, how many samples each is off.
    """
    patch, take, sound = folder / "trial.toml", folder / "trial.mcap", folder / "trial.wav"
    patch.write_text(_PATCH, encoding="utf-8")
    for path in (take, sound):
        path.unlink(missing_ok=True)
    arguments = [
        "--input", "none", "--output", "jack:system", "--midi-in", "virtual:keys", "--patch", patch,
        "--record", take, "--record-audio", sound,
    ]  # fmt: skip
    seconds = 60.0 + count * spacing_seconds
    program = FAKE if fake else PROGRAM
    with LiveHost(server, *arguments, duration_seconds=seconds, program=program) as host:
        with open_keyboard(server, host, 30.0) as sender:
            begin = time.monotonic() + 0.2
            for number in range(count):
                pitch = 48 + number // new_every % 40 if number % new_every == 0 else 47
                time.sleep(max(0.0, begin + number * spacing_seconds - time.monotonic()))
                sender.send_message([0x91, pitch, 127])
                # until the beat, at most half a second, and long enough to be heard
                time.sleep(0.75 * spacing_seconds)
                sender.send_message([0x81, pitch, 0])
            time.sleep(0.5)
        summary = host.stop()
        lines = host.lines
    return {**look(take, sound), "summary": summary, "lines": lines, "counters": summary["counters"]}


@contextmanager
def open_keyboard(server: JackServer, host: LiveHost, wait_seconds: float) -> Iterator[Any]:
    """A keyboard of ``host``, once its phrases are ready or ``wait_seconds`` have passed."""
    with keyboard(server) as sender:
        end = time.monotonic() + wait_seconds
        while not any("phrases are ready" in line for line in host.lines) and time.monotonic() < end:
            time.sleep(0.05)
        yield sender


def look(take: Path, sound: Path) -> dict[str, Any]:
    """Where notes came and what began."""
    beats = Beats.of_tempo(RATE, TEMPO)
    reader = TakeReader(take)
    notes = [message for message in reader.midi() if message.value[0] == 0x91]
    events = [round(event.onset_seconds * RATE) for event in reader.events()]
    samples, rate = soundfile.read(sound, dtype="float32")
    assert rate == RATE
    loud = np.flatnonzero(np.abs(samples.reshape(len(samples), -1)[:, 0]) > 2e-6)
    gaps = np.diff(loud, prepend=-RATE)
    starts = [int(frame) for frame in loud[gaps > _SILENCE_SECONDS * RATE]]
    off_beat = []
    for start in starts:
        beat = beats.next_beat(start - beats.loop_samples // beats.loop_beats // 2)
        off_beat.append(start - beat)
    return {
        "notes": [message.seconds for message in notes],
        "stand_ins": [at - beats.next_beat(at - 100) for at in events],
        "starts": starts,
        "off_beat": off_beat,
    }
