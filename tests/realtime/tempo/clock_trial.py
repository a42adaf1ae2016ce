"""A band by a MIDI clock over JACK: when do its chords begin, one a bar, and notes moved to their beats?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from struck.codec.takes.takes import TakeReader
from struck.realtime.engine.slots import FADE

from ..rig.clock_master import clock_master
from ..rig.jack_rig import JackServer
from ..rig.live_host import LiveHost
from ..rig.phrase_trial import FAKE, open_keyboard

RATE = 48_000
CLOCK, START = 0xF8, 0xFA
#: Roots that are far apart, as triads that are held: C, F, G, A minor.
CHORDS = ((48, 52, 55), (53, 57, 60), (55, 59, 62), (57, 60, 64))
_PATCH = """
format = 2
[note]
channels = [1]
gain_db = -50.0
[note.sound]
decay = 0.1
noisiness = 0.0
[[transform]]
kind = "quantise"
grid = 1.0
[phrases]
channel = 2
style = "comping"
chord = "held"
start = "bar"
latched = true
gain_db = 0.0
"""
#: A chord is played so long before its bar.
_BEFORE_SECONDS = 0.8
#: And a note so long before its beat; it is soft, and above the chords.
_EARLY_SECONDS = 0.1
_NOTE = 96
#: Half a bar of clocks, by which a chord's place is judged.
_CLOCKS_AROUND = 48
#: Without a clock for so long, some were lost.
_LEAST_LOSS_SECONDS = 0.5
#: So much of a root's tone is listened to at once.
_LISTEN_SECONDS = 0.008


@dataclass
class Song:
    """The tempos of a song, whose beat 0 is at second 0.

    Args:
        tempos: seconds, and beats per minute there; between two the tempo goes evenly, after the last it
            stays.
        bars: of four beats.
    """

    tempos: tuple[tuple[float, float], ...]
    bars: int
    _beats: np.ndarray = field(init=False)
    _times: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        seconds, tempos_bpm = zip(*self.tempos, strict=True)
        self._times = np.arange(0.0, 240.0 * (self.bars + 2) / min(tempos_bpm), 0.001)
        tempo = np.interp(self._times, seconds, tempos_bpm)
        self._beats = np.concatenate([[0.0], np.cumsum(tempo[:-1] + tempo[1:]) * 0.001 / 120.0])

    def seconds_at(self, beat: float) -> float:
        """When a beat is."""
        return float(np.interp(beat, self._beats, self._times))

    def beat_at(self, seconds: float) -> float:
        """Which beat it is then."""
        return float(np.interp(seconds, self._times, self._beats))


#: From 120 to 122 beats per minute within 20 s.
DRIFTING = Song(((0.0, 120.0), (20.0, 122.0)), 16)
#: A step of tempo at the beginning of bar 6; and later 2 s without a clock, within which bar 10 begins.
CHANGED_SECONDS, LOST_SECONDS = 12.0, (19.0, 21.0)
STEPPING = Song(((0.0, 120.0), (CHANGED_SECONDS, 120.0), (CHANGED_SECONDS + 0.001, 126.0)), 16)

#: Sends a song's clocks into a port of the host's, from the second of ``time.perf_counter()`` at which the
#: song begins to its end; its last argument sends a message as the keyboard does.
Clock = Callable[[JackServer, str, Song, float, Callable[..., None]], None]


def send_clocks(server: JackServer, port: str, song: Song, began: float, send: Callable[..., None]) -> None:
    """A :data:`Clock` of a thread's, whose messages come some ms late by chance."""
    for number in range(96 * song.bars):
        if number == 0:
            _sleep_until(began - 0.001)
            send(START)
        _sleep_until(began + song.seconds_at(number / 24.0))
        send(CLOCK)


def lead(server: JackServer, port: str, song: Song, began: float, send: Callable[..., None]) -> None:
    """A :data:`Clock` of ``jack_midi_clock``'s that steps as :data:`STEPPING`, and is lost for a while."""
    (_, first_bpm), *_, (_, last_bpm) = song.tempos
    with clock_master(server, first_bpm, port) as master:
        _sleep_until(began)
        master.roll()
        _sleep_until(began + CHANGED_SECONDS)
        master.change(last_bpm)
        begin, end = (began + at for at in LOST_SECONDS)
        _sleep_until(begin)
        with master.unplugged():
            _sleep_until(end)
        _sleep_until(began + song.seconds_at(4.0 * song.bars))
        master.stop()


def play_chords(server: JackServer, folder: Path, song: Song, clock: Clock) -> dict[str, Any]:
    """Send the clock, and a chord before each bar but the first, before which no clock leads; from there on
    a note before each beat.

    Returns:
        ``changes``, of each chord that was heard the root and the beat of the clock, as it was sent, on which
        it began; ``off_ms``, how far each is off the nearest half bar; ``notes_off_ms``, how far each note's
        event is off the nearest beat; ``jitter_ms`` of the clocks as they came; struck's ``summary`` and
        ``lines``.
    """
    patch, take, sound = folder / "clock.toml", folder / "clock.mcap", folder / "clock.wav"
    patch.write_text(_PATCH, encoding="utf-8")
    arguments = [
        "--input", "none", "--output", "jack:system", "--midi-in", "virtual:keys", "--patch", patch,
        "--record", take, "--record-audio", sound,
    ]  # fmt: skip
    seconds = 120.0 + song.seconds_at(4.0 * song.bars)
    with LiveHost(server, *arguments, duration_seconds=seconds, program=FAKE) as host:
        with open_keyboard(server, host, 60.0) as sender:
            lock = threading.Lock()

            def send(*message: int) -> None:
                with lock:
                    sender.send_message(message)

            port = next(name for name in server.ports() if name.endswith(":keys"))
            began = time.perf_counter() + 2.0
            with ThreadPoolExecutor(1) as pool:
                clocks = pool.submit(clock, server, port, song, began, send)
                for at, messages in schedule(song):
                    _sleep_until(began + at)
                    for message in messages:
                        send(*message)
                clocks.result()
        summary = host.stop()
        lines = host.lines
    found = look(take, sound, song, summary["block_frames"] / RATE, lines)
    return {**found, "summary": summary, "lines": lines}


def schedule(song: Song) -> list[tuple[float, list[tuple[int, int, int]]]]:
    """What the keyboard plays, and at which second of the song."""
    played = []
    for bar in range(1, song.bars):
        ends = [(0x81, key, 0) for key in CHORDS[(bar - 1) % len(CHORDS)]] if bar > 1 else []
        begins = [(0x91, key, 127) for key in CHORDS[bar % len(CHORDS)]]
        played.append((song.seconds_at(4.0 * bar) - _BEFORE_SECONDS, ends + begins))
    for beat in range(8, 4 * song.bars):
        played.append((song.seconds_at(beat) - _EARLY_SECONDS, [(0x90, _NOTE, 100), (0x80, _NOTE, 0)]))
    return sorted(played)


def _sleep_until(seconds: float) -> None:
    time.sleep(max(0.0, seconds - time.perf_counter()))


def look(take: Path, sound: Path, song: Song, block_seconds: float, lines: list[str]) -> dict[str, Any]:
    """When chords began, by the clocks that the take holds."""
    # The take has messages where they take effect, a block after they came.
    messages = [(message.seconds - block_seconds, message.value) for message in TakeReader(take).midi()]
    starts = [at for at, value in messages if value[0] == START]
    assert starts, f"of {len(messages)} messages none is a start; struck said: {lines}"
    start = starts[0]
    arrivals = np.array([at for at, value in messages if value[0] == CLOCK and at >= start])
    numbers = np.arange(len(arrivals))
    for after in np.flatnonzero(np.diff(arrivals) > _LEAST_LOSS_SECONDS) + 1:
        beats = song.beat_at(arrivals[after] - arrivals[0]) - song.beat_at(arrivals[after - 1] - arrivals[0])
        numbers[after:] += round(24.0 * beats) - 1
    sent = np.array([song.seconds_at(number / 24.0) for number in numbers])
    # A thread of Python's is late by chance: the median of the clocks around says when they were meant to be.
    # A stream that loses blocks lags behind from there on, so those far away say nothing.
    off = arrivals - sent

    def zero_at(at: float) -> float:
        return float(np.median(off[np.argsort(np.abs(arrivals - at))[:_CLOCKS_AROUND]]))

    zero = np.array([zero_at(at) for at in arrivals])
    samples, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    assert rate == RATE
    changes = heard_changes(samples[:, 0], [chord[0] for chord in CHORDS])
    beats = [(root, song.beat_at(at - zero_at(at))) for root, at in changes]
    off_ms = [
        1e3 * (at - zero_at(at) - song.seconds_at(2.0 * round(beat / 2.0)))
        for (_, at), (_, beat) in zip(changes, beats, strict=True)
    ]
    notes_off_ms = []
    for event in TakeReader(take).events():
        at = event.onset_seconds - zero_at(event.onset_seconds)
        notes_off_ms.append(1e3 * (at - song.seconds_at(round(song.beat_at(at)))))
    return {
        "changes": beats,
        "off_ms": off_ms,
        "notes_off_ms": notes_off_ms,
        "jitter_ms": 1e3 * float(np.std(off - zero)),
    }


def heard_changes(sound: np.ndarray, roots: list[int]) -> list[tuple[int, float]]:
    """Each root that comes to sound, and the second at which its fade began: of tones one after the other."""
    count = round(_LISTEN_SECONDS * RATE)
    window = np.hanning(count) / np.hanning(count).sum()
    t = np.arange(len(sound)) / RATE
    levels = []
    for root in roots:
        hz = 440.0 * 2.0 ** ((root - 69) / 12.0)
        levels.append(np.abs(np.convolve(sound * np.exp(-2j * np.pi * hz * t), window, "same")))
    loudest = np.argmax(levels, axis=0)
    silent = np.max(levels, axis=0) < 0.02
    found: list[tuple[int, float]] = []
    for at in np.flatnonzero(np.diff(np.where(silent, -1, loudest))) + 1:
        if not silent[at]:
            # Where both are as loud the fade is half over; the first rises from silence, half in its window.
            fade = 0.5 * FADE / RATE if found and not silent[at - 1] else 0.0
            found.append((roots[loudest[at]], at / RATE - fade))
    ends = [at for _, at in found[1:]] + [len(sound) / RATE]
    lasting = [one for one, end in zip(found, ends, strict=True) if end - one[1] > 0.1]
    return [one for i, one in enumerate(lasting) if not i or lasting[i - 1][0] != one[0]]
