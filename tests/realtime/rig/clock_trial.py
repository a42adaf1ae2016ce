"""A band by a clock that drifts and is lost for a while, with a chord in each bar: where do chords begin?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from struck.codec.takes.takes import TakeReader
from struck.realtime.engine.slots import FADE
from struck.realtime.midi.ports import import_rtmidi

from .jack_rig import JackServer
from .live_host import LiveHost
from .phrase_trial import FAKE, is_connected

RATE = 48_000
CLOCK, START = 0xF8, 0xFA
#: Roots that are far apart, as triads that are held: C, F, G, A minor.
CHORDS = ((48, 52, 55), (53, 57, 60), (55, 59, 62), (57, 60, 64))
_PATCH = """
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
#: Of the tone of a root is listened to at once.
_LISTEN_SECONDS = 0.008


@dataclass
class DriftingClock:
    """Beats of a tempo that goes evenly from one to another: beat 0 at second 0.

    Args:
        first_bpm, last_bpm: at the beginning, and after ``seconds``, from where on it stays.
        lost: seconds from and to which nothing is sent.
    """

    first_bpm: float = 120.0
    last_bpm: float = 122.0
    seconds: float = 20.0
    lost: tuple[float, float] = (0.0, 0.0)
    _beats: np.ndarray = field(init=False)
    _times: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._times = np.arange(0.0, 4.0 * self.seconds, 0.001)
        tempo = np.interp(self._times, (0.0, self.seconds), (self.first_bpm, self.last_bpm))
        self._beats = np.concatenate([[0.0], np.cumsum(tempo[:-1] + tempo[1:]) * 0.001 / 120.0])

    def seconds_at(self, beat: float) -> float:
        """When a beat is."""
        return float(np.interp(beat, self._beats, self._times))


def play_chords(server: JackServer, folder: Path, clock: DriftingClock, bars: int) -> dict[str, Any]:
    """Send the clock and a chord before each bar; what was heard.

    Returns:
        ``changes``, of each chord that was heard the root, and when it began in beats of the clock as it was
        sent; ``off_ms``, how far each is off the nearest half bar; struck's ``summary`` and ``lines``.
    """
    rtmidi = import_rtmidi()
    patch, take, sound = folder / "clock.toml", folder / "clock.mcap", folder / "clock.wav"
    patch.write_text(_PATCH, encoding="utf-8")
    arguments = [
        "--input", "none", "--output", "jack:system", "--midi-in", "virtual:keys", "--patch", patch,
        "--record", take, "--record-audio", sound,
    ]  # fmt: skip
    with LiveHost(server, *arguments, duration_seconds=120.0, program=FAKE) as host:
        sender = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
        try:
            names = sender.get_ports()
            sender.open_port(next(i for i, name in enumerate(names) if "keys" in name), name="out")
            end = time.monotonic() + 60.0
            while not any("phrases are ready" in line for line in host.lines) and time.monotonic() < end:
                time.sleep(0.05)
            assert is_connected(server), "the keyboard could not be connected"
            lock = threading.Lock()

            def send(*message: int) -> None:
                with lock:
                    sender.send_message(message)

            began = time.perf_counter() + 2.0
            clocks = threading.Thread(target=_send_clocks, args=(clock, bars, began, send))
            clocks.start()
            held: tuple[int, ...] = ()
            for bar in range(bars):
                _sleep_until(began + clock.seconds_at(4.0 * bar) - _BEFORE_SECONDS)
                for key in held:
                    send(0x81, key, 0)
                held = CHORDS[bar % len(CHORDS)]
                for key in held:
                    send(0x91, key, 127)
            clocks.join()
        finally:
            sender.close_port()
            sender.delete()
        summary = host.stop()
        lines = host.lines
    return {**look(take, sound, clock), "summary": summary, "lines": lines}


def _send_clocks(clock: DriftingClock, bars: int, began: float, send: Any) -> None:
    for number in range(96 * bars):
        at = clock.seconds_at(number / 24.0)
        if number == 0:
            _sleep_until(began - 0.001)
            send(START)
        _sleep_until(began + at)
        if not clock.lost[0] <= at < clock.lost[1]:
            send(CLOCK)


def _sleep_until(seconds: float) -> None:
    time.sleep(max(0.0, seconds - time.perf_counter()))


def look(take: Path, sound: Path, clock: DriftingClock) -> dict[str, Any]:
    """Where chords began, by the clocks that the take holds."""
    messages = [(message.seconds, message.value) for message in TakeReader(take).midi()]
    start = next(at for at, value in messages if value[0] == START)
    arrivals = np.array([at for at, value in messages if value[0] == CLOCK and at >= start])
    sent = np.array([clock.seconds_at(n / 24.0) for n in range(len(arrivals) + 96 * 8)])
    sent = sent[~((sent >= clock.lost[0]) & (sent < clock.lost[1]))][: len(arrivals)]
    # A thread of Python's is late by chance; half of the clocks say where all were meant to be. The take has
    # them where they take effect, a block later, and so do the beats.
    zero = float(np.median(arrivals - sent))
    samples, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    assert rate == RATE
    changes = heard_changes(samples[:, 0], [chord[0] for chord in CHORDS])
    beats = [(root, float(np.interp(at - zero, clock._times, clock._beats))) for root, at in changes]
    off_ms = [
        1e3 * (at - zero - clock.seconds_at(2.0 * round(beat / 2.0)))
        for (_, at), (_, beat) in zip(changes, beats, strict=True)
    ]
    return {"changes": beats, "off_ms": off_ms, "jitter_ms": 1e3 * float(np.std(arrivals - sent - zero))}


def heard_changes(sound: np.ndarray, roots: list[int]) -> list[tuple[int, float]]:
    """Each root that comes to sound, and when its fade began, seconds: tones of one root after the other."""
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
    lasting = [
        b
        for b, after in zip(found, [*found[1:], (0, len(sound) / RATE)], strict=True)
        if after[1] - b[1] > 0.1
    ]
    return [change for i, change in enumerate(lasting) if not i or lasting[i - 1][0] != change[0]]
