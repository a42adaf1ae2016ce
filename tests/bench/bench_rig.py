"""Measure ``struck live`` over a JACK server of its own, without a sound card.

    python -m tests.bench.bench_rig                          latency, midi, gil: some minutes
    python -m tests.bench.bench_rig latency --count 50
    python -m tests.bench.bench_rig endurance --minutes 60
    python -m tests.bench.bench_rig --json > rig.json

Run it from the root of the repository, on a machine that does nothing else: a period that JACK loses shifts
the tapes and the host against each other, and what follows cannot be compared. It asserts nothing, and
measures

- ``latency``: plucked strings, played by a JACK client, come back through struck to another one, which
  records what went in and what came out in the same periods. Per event: where its sound is on the tape, found
  by comparing with what the take renders, less where the encoder hears its onset in the tape of the input;
  that difference should be the ledger's engine part, to the sample. Events that were known too late begin
  later and are told apart. Per string: the same from the sound itself, so with the encoder's error in it.
  The input is also sent through directly (``--dry 0``): that way should take no time.
- ``midi``: a note is sent over JACK; when its sound is on the tape, less when it was sent. The message waits
  up to a period to be taken along and the note sounds one block after it came; the recorder stands where the
  device would, so that the device's own part is not in it.
- ``gil``: how many blocks come in time while two Python threads compute in the same process, with the
  callback compiled and with one in Python.
- ``endurance``: FluidSynth plays chance music into struck; memory, losses and their causes.
- ``phrases``: 60 notes in a minute become phrases (of the shipped MARS; ``--fake``: of one that takes 0.4 s);
  where on its beat each of them, or its stand-in, began.
- ``clock``: a chord for each bar by a MIDI clock whose tempo rises by 2 beats per minute; how far the chords
  begin off the clock's half bars, and how many begin on bars. Phrases come from a fake MARS that takes 0.4 s
  for each.
- ``master``: the same by ``jack_midi_clock``, whose tempo steps by 6 beats per minute, and which is unplugged
  for 2 s.
- ``silence``: how many periods of a minute a client loses that does nothing, alone and beside one process
  that computes as ``phrases``' does: what the machine loses of itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import mido
import numpy as np
import pytest
import soundfile
from numba import carray

from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.following.follower import Follower
from struck.codec.hearing.resampler import StreamingResampler
from struck.codec.pipeline import render_samples
from struck.codec.takes.takes import TakeReader
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.models.codec.sound_fonts import find_sound_font
from struck.realtime.bench.gil_trial import measure_gil
from struck.realtime.bench.jobs import describe_load
from struck.realtime.devices.jack import load_jack
from struck.realtime.devices.jack_stream import UNCONNECTED, JackStream
from struck.realtime.engine.c_pointers import CONTINUE, STREAM_CALLBACK, c_callback
from struck.realtime.phrases.process_server import NICENESS

from ..realtime.rig.jack_probe import jack_probe
from ..realtime.rig.jack_rig import JackServer, jack_server
from ..realtime.rig.live_host import DRY_PATCH, START_SECONDS, LiveHost, clients, keyboard
from ..realtime.rig.phrase_trial import play_phrases
from ..realtime.tempo.clock_trial import (
    CHANGED_SECONDS,
    DRIFTING,
    LOST_SECONDS,
    STEPPING,
    Clock,
    Song,
    lead,
    play_chords,
    send_clocks,
)

RATE: Final = 48_000
_SPACING_SECONDS: Final = 1.0
#: Beginning of an event's sound that is looked for on the tape.
_WINDOW_FRAMES: Final = RATE // 8
_SLIP_FRAMES: Final = 4_096
#: An event that is not the very one that is heard from file to file may begin so near to it, and so late.
_NEAR_FRAMES: Final = RATE // 1_000
_LATEST_FRAMES: Final = RATE // 20
#: The tape runs while struck starts, which compiles where nothing has yet.
_TAPE_SECONDS: Final = START_SECONDS + 30.0
_SAMPLE_SECONDS: Final = 10.0
#: Memory is judged from here on, at the latest from the middle.
_WARM_UP_SECONDS: Final = 180.0
_SILENCE_SECONDS: Final = 60.0

Values = dict[str, Any]
Report = Callable[[str], None]


def spread(values: list[float] | np.ndarray) -> Values:
    """Median, least and most; None of nothing."""
    if len(values) == 0:
        return {"count": 0, "median": None, "least": None, "most": None}
    found = {"median": np.median(values), "least": np.min(values), "most": np.max(values)}
    return {"count": len(values)} | {name: round(float(value), 3) for name, value in found.items()}


def describe(found: Values) -> str:
    return f"median {found['median']}, {found['least']} to {found['most']} ({found['count']})"


# ---- audio latency -------------------------------------------------------------------------------------


def strings(count: int, seed: int) -> np.ndarray:
    """``count`` plucked strings, one after the other with silence between."""
    rng = np.random.default_rng(seed)
    begins = np.round((0.3 + _SPACING_SECONDS * (np.arange(count) + rng.uniform(0.0, 0.05, count))) * RATE)
    sound = np.zeros(round((1.5 + _SPACING_SECONDS * count) * RATE), np.float32)
    t = np.arange(round(0.8 * RATE)) / RATE
    for begin in begins.astype(int):
        hz = 110.0 * 2.0 ** rng.uniform(0.0, 2.0)
        tone = sum(np.cos(2.0 * np.pi * k * hz * t) * np.exp(-(6.0 + k) * t) / k for k in range(1, 9))
        sound[begin : begin + len(t)] += (0.05 * tone * np.minimum(1.0, (0.8 - t) / 0.05)).astype(np.float32)
    return sound


def find_begins(sound: np.ndarray) -> list[int]:
    """Frames at which silence of more than 0.1 s ends."""
    sounding = np.flatnonzero(sound)
    gaps = np.diff(sounding, prepend=-RATE)
    return [int(frame) for frame in sounding[gaps > RATE // 10]]


def match(tape: np.ndarray, piece: np.ndarray, expected: int) -> int:
    """Where on ``tape``, within some frames of ``expected``, ``piece`` lies."""
    low = max(0, expected - _SLIP_FRAMES)
    around = tape[low : expected + _SLIP_FRAMES + len(piece)]
    size = 1 << (len(around) + len(piece)).bit_length()
    product = np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size))
    lags = np.fft.irfft(product, size)[: max(1, len(around) - len(piece) + 1)]
    return low + int(np.argmax(lags))


def find_heard(event: Event, known: list[Event], onset: int) -> tuple[int | None, bool]:
    """Where what began at frame ``onset`` of the input is heard to begin from file to file, and whether the
    very same event is. Short of time, hearing fits in fewer steps; onsets are where the sound rises, whatever
    is fitted."""
    for one in known:
        if np.array_equal(one.vector, event.vector):
            return one.onset_sample(RATE), True
    before = [one.onset_sample(RATE) for one in known]
    before = [frame for frame in before if -_NEAR_FRAMES <= onset - frame <= _LATEST_FRAMES]
    return min(before, key=lambda frame: abs(onset - frame), default=None), False


def measure_latency(profile: str, frames: int, count: int, realtime: bool, folder: Path) -> Values:
    """Play ``count`` strings through struck."""
    take_path, sound_path = folder / f"{profile}-{frames}.mcap", folder / f"{profile}-{frames}.wav"
    sound = strings(count, frames)
    with (
        jack_server(RATE, frames, realtime) as server,
        jack_probe(server, len(sound) / RATE + _TAPE_SECONDS) as probe,
    ):
        arguments = ["--input", f"jack:{probe.name}", "--output", "jack:system", "--profile", profile]
        arguments += ["--dry", "0", "--exact", "--record", str(take_path), "--record-audio", str(sound_path)]
        with LiveHost(server, *arguments, duration_seconds=3_600) as host:
            server.connect(f"{host.client}:out_1", probe.tape[0])
            server.connect(probe.out, probe.tape[1])
            time.sleep(1.0)
            lost_before = probe.lost
            probe.play(sound)
            while not probe.finished:
                time.sleep(0.1)
            time.sleep(1.0)
            summary = host.stop()
        lost = probe.lost - lost_before
        tape, source = probe.recorded().T
    engine = round(summary["latency"]["engine_seconds"] * RATE)
    begins = find_begins(source)
    # The strings themselves, or the direct way's copies of them, in their first 40 ms: no event is there yet.
    dry = [match(tape, source[begin : begin + RATE // 25], begin) - begin for begin in begins]
    items = list(TakeReader(take_path).items())
    events = [item for item in items if isinstance(item, Event)]
    weights = load_codec_weights(default_codec_weights_path())
    rendered = render_samples(weights, items, RATE)
    played = tape - source
    # Stream sample 0 on the tape: struck's own recording begins there, and is looked for everywhere.
    own = soundfile.read(sound_path, dtype="float32", always_2d=True)[0][:, 0]
    loudest = int(np.argmax(np.abs(own)))
    size = 1 << (len(tape) + RATE).bit_length()
    piece = own[loudest : loudest + RATE]
    everywhere = np.fft.irfft(np.fft.rfft(tape, size) * np.conj(np.fft.rfft(piece, size)), size)
    start = int(np.argmax(everywhere[: len(tape)])) - loudest
    # what the encoder hears in the tape of the input from there on
    follower, resampler = Follower(weights, PROFILES[profile]), StreamingResampler(RATE)
    heard = follower.process(resampler.process(np.ascontiguousarray(source[max(0, start) :])))
    heard += follower.flush()
    known = [item for item in heard if isinstance(item, Event)]
    differences, late_ms, unmatched, elsewhere = [], [], 0, 0
    for event in events:
        onset = event.onset_sample(RATE)
        heard_onset, alike = find_heard(event, known, onset - engine)
        if heard_onset is None:
            unmatched += 1
            continue
        if onset - heard_onset > engine + (0 if alike else _NEAR_FRAMES):
            # known too late, so it began later, where the take has it
            late_ms.append((onset - heard_onset - engine) / RATE * 1e3)
            continue
        piece = rendered[onset : onset + _WINDOW_FRAMES]
        sounds = onset + start
        # A string sounds much the same one period later, so where it is as announced nothing else is tried.
        if np.abs(played[sounds : sounds + len(piece)] - piece).max() > 0.01 * np.abs(piece).max():
            elsewhere += 1
            sounds = match(played, piece, sounds)
        differences.append(sounds - start - heard_onset - engine)
    errors = []
    for begin in np.array(begins) - start:
        near = [e for e in events if abs(e.onset_sample(RATE) - engine - begin) < 0.1 * RATE]
        if near:
            strongest = max(near, key=lambda event: event.gain_db)
            errors.append((strongest.onset_sample(RATE) - engine - begin) / RATE * 1e3)
    return {
        "profile": profile,
        "frames": frames,
        "ledger": summary["latency"],
        "engine_samples": engine,
        "direct_samples": spread(dry),
        "difference_samples": spread(differences),
        "late_milliseconds": spread(late_ms),
        "unmatched_events": unmatched,
        "events_elsewhere": elsewhere,
        "encoder_error_milliseconds": spread(errors),
        "strings": count,
        "strings_on_tape": len(begins),
        "least_margin_milliseconds": 1e3 * summary["latency"].get("least_margin_seconds", 0.0),
        "xruns_of_the_recorder": lost,
        "counters": summary["counters"],
    }


def run_latency(options: argparse.Namespace, report: Report, folder: Path) -> list[Values]:
    found = []
    for profile in ("live", "tight", "instant"):
        for frames in options.frames:
            values = measure_latency(profile, frames, options.count, options.realtime, folder)
            found.append(values)
            report(
                f"latency, {profile}, {frames} frames: the ledger says {values['engine_samples']} samples "
                f"({1e3 * values['engine_samples'] / RATE:.1f} ms); measured less that, samples: "
                f"{describe(values['difference_samples'])}; directly: {describe(values['direct_samples'])}; "
                f"the encoder's own error, ms: {describe(values['encoder_error_milliseconds'])}; "
                f"{values['unmatched_events']} of {values['counters'].get('events_heard', 0)} heard nowhere "
                f"from file to file; events that were late, counted by struck: "
                f"{values['counters']['late']}, found, ms: {describe(values['late_milliseconds'])}; "
                f"{values['xruns_of_the_recorder']} xruns"
            )
    return found


# ---- MIDI ----------------------------------------------------------------------------------------------


def measure_midi(frames: int, count: int, realtime: bool, folder: Path) -> Values:
    """Send ``count`` notes to struck."""
    patch = folder / "dry.toml"
    patch.write_text(DRY_PATCH, encoding="utf-8")
    rng = np.random.default_rng(frames)
    with (
        jack_server(RATE, frames, realtime) as server,
        jack_probe(server, 0.8 * count + _TAPE_SECONDS) as probe,
    ):
        arguments = [
            "--input",
            "none",
            "--output",
            "jack:system",
            "--midi-in",
            "virtual:keys",
            "--patch",
            patch,
        ]
        with LiveHost(server, *arguments, duration_seconds=3_600) as host:
            server.connect(f"{host.client}:out_1", probe.tape[0])
            with keyboard(server) as sender:
                time.sleep(1.0)
                sent = []
                for _ in range(count):
                    note = int(rng.integers(48, 84))
                    sent.append(probe.frame_at(time.monotonic()))
                    sender.send_message([0x90, note, 100])
                    time.sleep(0.1)
                    sender.send_message([0x80, note, 0])
                    time.sleep(0.5 + rng.uniform(0.0, 0.02))
                tape = probe.recorded()[:, 0]
            summary = host.stop()
    delays = []
    for frame in sent:
        sound = np.abs(tape[int(frame) : int(frame) + RATE // 5])
        before = np.abs(tape[int(frame) - RATE // 50 : int(frame)]).max()
        if sound.max() > 10.0 * before + 1e-4:
            delays.append((int(np.argmax(sound > 10.0 * before + 1e-4)) - frame % 1.0) / RATE * 1e3)
    return {
        "frames": frames,
        "block_milliseconds": 1e3 * summary["block_frames"] / RATE,
        "delay_milliseconds": spread(delays),
        "late_notes": summary["counters"]["late"],
        "notes": count,
        "counters": summary["counters"],
    }


def run_midi(options: argparse.Namespace, report: Report, folder: Path) -> list[Values]:
    found = []
    for frames in options.frames:
        values = measure_midi(frames, options.count, options.realtime, folder)
        found.append(values)
        report(
            f"MIDI, {frames} frames: from sending to sound, ms: {describe(values['delay_milliseconds'])}; "
            f"one period to be taken along and one block are {2.0 * values['block_milliseconds']:.2f} ms"
        )
    return found


# ---- Python's lock -------------------------------------------------------------------------------------


def run_gil(options: argparse.Namespace, report: Report, folder: Path) -> Values:
    library = load_jack()
    assert library is not None
    with jack_server(RATE, 128):
        trial = measure_gil(library, RATE, 128, options.seconds)
    report(
        f"blocks in time while two Python threads compute: {trial.compiled_share:.3f} with the compiled "
        f"callback, {trial.python_share:.3f} with one in Python; {trial.idle_share:.3f} compiled, undisturbed"
    )
    return {
        "compiled_share": trial.compiled_share,
        "python_share": trial.python_share,
        "idle_share": trial.idle_share,
        "seconds": options.seconds,
    }


# ---- endurance -----------------------------------------------------------------------------------------


def write_chance_music(path: Path, seconds: float) -> None:
    """Notes of piano, bass, marimba and drums, some four each second, for so long."""
    rng = np.random.default_rng(5)
    midi = mido.MidiFile(ticks_per_beat=480)  # 960 ticks a second
    track = mido.MidiTrack()
    midi.tracks.append(track)
    for channel, program in enumerate((0, 32, 12)):
        track.append(mido.Message("program_change", channel=channel, program=program))
    changes: list[tuple[float, str, int, int, int]] = []
    now = 1.0
    while now < seconds:
        channel = int(rng.choice((0, 0, 1, 2, 9)))
        note = int(rng.integers(35, 50)) if channel in (1, 9) else int(rng.integers(55, 84))
        changes.append((now, "note_on", channel, note, int(rng.integers(50, 110))))
        changes.append((now + rng.uniform(0.1, 0.6), "note_off", channel, note, 0))
        now += rng.exponential(0.25)
    last = 0.0
    for at, kind, channel, note, velocity in sorted(changes):
        ticks = round(960 * at) - round(960 * last)
        track.append(mido.Message(kind, channel=channel, note=note, velocity=velocity, time=ticks))
        last = at
    midi.save(path)


@contextmanager
def fluidsynth(server: JackServer, score: Path) -> Iterator[str]:
    """FluidSynth plays ``score``; its JACK client."""
    command = ["fluidsynth", "-a", "jack", "-m", "jack", "-o", "midi.jack.id=music", "-g", "0.6"]
    process = subprocess.Popen(
        [*command, "-r", str(RATE), str(find_sound_font()), str(score)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        while "music" not in clients(server):
            if process.poll() is not None:
                raise RuntimeError(f"fluidsynth ended with {process.returncode}")
            time.sleep(0.1)
        yield "music"
    finally:
        process.communicate("quit\n", timeout=10.0)  # killed, it would take the server's end with it


def processor_seconds(pid: int) -> float:
    """Of all threads of a process; 0 where the system does not say."""
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return 0.0
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stolen_seconds() -> float:
    """Processor time that a virtual machine wanted and did not get, of all its processors; 0 elsewhere."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    return int(path.read_text().split("\n")[0].split()[8]) / os.sysconf("SC_CLK_TCK")


def run_endurance(options: argparse.Namespace, report: Report, folder: Path) -> Values:
    score, take_path = folder / "music.mid", folder / "endurance.mcap"
    seconds, frames = 60.0 * options.minutes, options.frames[-1]
    write_chance_music(score, seconds + 60.0)
    samples: list[tuple[float, int]] = []
    with jack_server(RATE, frames, options.realtime) as server, fluidsynth(server, score) as music:
        arguments = ["--input", f"jack:{music}", "--output", "jack:system", "--profile", options.profile]
        arguments += ["--record", str(take_path), "--record-audio", str(folder / "endurance.wav")]
        with LiveHost(server, *arguments, duration_seconds=seconds + 600.0) as host:
            began, busy, stolen = time.monotonic(), processor_seconds(host.pid), stolen_seconds()
            while (now := time.monotonic() - began) < seconds and host.running:
                samples.append((now, host.rss_bytes))
                if len(samples) % 30 == 0:
                    report(f"{now / 60:.0f} min, {samples[-1][1] / 2**20:.1f} MiB")
                time.sleep(min(_SAMPLE_SECONDS, max(0.0, seconds - now)))
            stolen = stolen_seconds() - stolen
            share = (processor_seconds(host.pid) - busy) / max(1e-9, time.monotonic() - began)
            summary = host.stop()
    times, sizes = np.array(samples).T
    late = times >= min(_WARM_UP_SECONDS, seconds / 2.0)
    slope = float(np.polyfit(times[late] / 3600.0, sizes[late] / 2**20, 1)[0]) if late.sum() > 2 else None
    causes: Counter[str] = Counter()
    for mark in TakeReader(take_path).marks():
        if mark.value["kind"] == "dropout":
            why = str(mark.value.get("why", mark.value.get("what", "unknown")))
            causes[re.sub(r"\d+(\.\d+)?", "N", why)] += int(mark.value.get("count", 1))
    values: Values = {
        "minutes": options.minutes,
        "frames": frames,
        "profile": options.profile,
        "memory_mebibytes": {
            "first": sizes[0] / 2**20, "after_warm_up": sizes[late][0] / 2**20, "last": sizes[-1] / 2**20,
            "slope_per_hour": slope,
        },
        "memory_samples": [[round(at, 1), int(size)] for at, size in samples],
        "processor_share": share,
        "stolen_seconds": stolen,
        "causes": dict(causes),
        **summary,
    }  # fmt: skip
    memory, counts = values["memory_mebibytes"], summary["counters"]
    trend = "unknown" if slope is None else f"{slope:+.2f} MiB an hour"
    report(
        f"endurance, {options.minutes:g} min, {options.profile}, {frames} frames: "
        f"{counts.get('events_heard', 0)} events, {counts['late']} late, {counts['lost_blocks']} lost blocks"
        f", {counts.get('device_xruns', 0)} xruns, {counts['stolen']} voices stolen"
    )
    report(
        f"  memory {memory['first']:.1f}, {memory['after_warm_up']:.1f}, {memory['last']:.1f} MiB at the "
        f"start, warm, at the end; {trend}; {100.0 * share:.0f} % of a core, "
        f"encoder {summary['encoder_percent']:.1f} %"
    )
    names = ("median", "p99", "p999", "worst")
    report(
        "  callback in percent of a block: "
        + ", ".join(f"{name} {summary[f'callback_{name}_percent']:.1f}" for name in names)
    )
    for why, count in causes.most_common():
        report(f"  {count} times: {why}")
    if not causes:
        report("  nothing was reported lost")
    if stolen:
        report(f"  meanwhile the host of this virtual machine withheld {stolen:.0f} s of processor time")
    return values


# ---- phrases -------------------------------------------------------------------------------------------


def run_phrases(options: argparse.Namespace, report: Report, folder: Path) -> Values:
    """Play 60 notes in a minute as phrases; where on their beats they, or their stand-ins, began."""
    with jack_server(RATE, options.frames[-1], options.realtime) as server:
        stolen = stolen_seconds()
        found = play_phrases(server, folder, 60, fake=options.fake)
        stolen = stolen_seconds() - stolen
    counters = found["counters"]
    exact = sum(off == 0 for off in found["off_beat"])
    report(
        f"phrases: {len(found['notes'])} note-ons, {len(found['starts'])} starts: "
        f"{exact} on the sample of their beat, the others (notes, which rise from nothing) up to "
        f"{max(found['off_beat'], default=0)} samples after it"
    )
    names = ("phrases", "phrase_misses", "phrase_late", "phrases_delayed", "lost_blocks", "late_calls")
    report("  " + ", ".join(f"{counters.get(name, 0)} {name}" for name in names))
    told = [line for line in found["lines"] if "lost" in line]
    for line in told:
        report(f"  {line}")
    if stolen:
        report(f"  meanwhile the host of this virtual machine withheld {stolen:.1f} s of processor time")
    kept = {name: found[name] for name in ("starts", "off_beat", "stand_ins", "counters")}
    return kept | {"phrases": found["summary"]["phrases"], "told": told, "stolen_seconds": stolen}


# ---- clock ---------------------------------------------------------------------------------------------


def play_song(options: argparse.Namespace, report: Report, folder: Path, song: Song, clock: Clock) -> Values:
    with jack_server(RATE, options.frames[-1], options.realtime) as server:
        stolen = stolen_seconds()
        found = play_chords(server, folder, song, clock)
        stolen = stolen_seconds() - stolen
    off_ms = np.abs(found["off_ms"])
    on_bars = sum(round(beat / 2.0) % 2 == 0 for _, beat in found["changes"])
    counters = found["summary"]["counters"]
    report(
        f"{len(off_ms)} chords of {song.bars - 1}, {on_bars} on their bar, "
        f"{np.median(off_ms):.1f} ms off the clock's half bars in the median, "
        f"{np.max(off_ms):.1f} ms at most; clocks came within "
        f"{found['jitter_ms']:.1f} ms of theirs (standard deviation)"
    )
    beats = [beat for _, beat in found["changes"]]
    each = [f"{beat:.1f} {off:+.1f}" for beat, off in zip(beats, found["off_ms"], strict=True)]
    report(f"  the beat and ms off of each: {', '.join(each)}")
    notes_off_ms = np.abs(found["notes_off_ms"])
    report(
        f"  {len(notes_off_ms)} notes of {4 * (song.bars - 2)}, played 0.1 s early and moved to their beats: "
        f"{np.median(notes_off_ms):.1f} ms off them in the median, {np.max(notes_off_ms):.1f} ms at most"
    )
    names = ("phrases", "phrase_misses", "phrase_late", "chord_changes", "phrases_repeated", "lost_blocks")
    names += ("clock_dropouts", "clock_jumps")
    report("  " + ", ".join(f"{counters.get(name, 0)} {name}" for name in names))
    if stolen:
        report(f"  meanwhile the host of this virtual machine withheld {stolen:.1f} s of processor time")
    kept = {name: found[name] for name in ("changes", "off_ms", "notes_off_ms", "jitter_ms")}
    return kept | {"counters": counters, "stolen_seconds": stolen}


def run_clock(options: argparse.Namespace, report: Report, folder: Path) -> Values:
    """Let chords follow a clock that drifts, a chord a bar from the second on, 16 bars."""
    report("clock, 120 to 122 bpm in 20 s:")
    return play_song(options, report, folder, DRIFTING, send_clocks)


def run_master(options: argparse.Namespace, report: Report, folder: Path) -> Values:
    """The same by ``jack_midi_clock``, which steps to another tempo and is lost for a while."""
    begin, end = LOST_SECONDS
    report(
        f"jack_midi_clock, 120 to 126 bpm at beat {STEPPING.beat_at(CHANGED_SECONDS):g}, lost from beat "
        f"{STEPPING.beat_at(begin):.1f} to {STEPPING.beat_at(end):.1f}:"
    )
    return play_song(options, report, folder, STEPPING, lead)


# ---- silence -------------------------------------------------------------------------------------------


@c_callback(STREAM_CALLBACK)
def _count_late(source, sink, frames, time_info, flags, userdata):
    counts = carray(userdata, (2,), np.int64)
    counts[0] += 1
    counts[1] += flags != 0
    return CONTINUE


@contextmanager
def background_work(count: int) -> Iterator[None]:
    """``count`` processes that compute all the time, as willing to wait as the one that makes phrases."""
    context = get_context("spawn")
    workers = [context.Process(target=_compute, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _compute() -> None:
    os.nice(NICENESS)
    while True:
        np.fft.rfft(np.ones(1 << 16))


def run_silence(options: argparse.Namespace, report: Report, folder: Path) -> list[Values]:
    """Let a client that does nothing run for a minute, with more and more work beside it."""
    library = load_jack()
    assert library is not None
    frames = options.frames[-1]
    values = []
    for work in (0, 1):
        counts = np.zeros(2, np.int64)
        with jack_server(RATE, frames, options.realtime), background_work(work):
            stream = JackStream(
                library, UNCONNECTED, UNCONNECTED, RATE, frames, 1, 1, _count_late.address, counts.ctypes.data
            )
            stolen = stolen_seconds()
            stream.start()
            time.sleep(_SILENCE_SECONDS)
            periods, late = map(int, counts)
            stolen = stolen_seconds() - stolen
            stream.close()
        report(
            f"silence beside {work} computing: {late} of {periods} periods came late, "
            f"{stolen:.1f} s of processor time withheld"
        )
        values.append({"work": work, "periods": periods, "late": late, "stolen_seconds": stolen})
    return values


RUNS: Final[dict[str, Callable[[argparse.Namespace, Report, Path], Any]]] = {
    "latency": run_latency,
    "midi": run_midi,
    "gil": run_gil,
    "endurance": run_endurance,
    "phrases": run_phrases,
    "clock": run_clock,
    "master": run_master,
    "silence": run_silence,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure struck live over a JACK server of its own.")
    parser.add_argument("what", nargs="*", help=f"{', '.join(RUNS)} (default: latency, midi, gil)")
    parser.add_argument(
        "--count", type=int, default=30, help="strings and notes per measurement (default: 30)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each part of gil (default: 10)")
    parser.add_argument("--minutes", type=float, default=30.0, help="of endurance (default: 30)")
    parser.add_argument(
        "--frames",
        type=int,
        nargs="+",
        default=[64, 128],
        help="JACK's periods; endurance, phrases, clock and silence take the last",
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="JACK with real-time scheduling, but in gil",
    )
    parser.add_argument("--fake", action="store_true", help="in phrases: no networks")
    parser.add_argument("--profile", choices=("live", "tight"), default="live", help="in endurance")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, the lines to standard error"
    )
    options = parser.parse_args()
    unknown = set(options.what) - set(RUNS)
    if unknown:
        parser.error(f"no measurement is called {unknown.pop()}; they are {', '.join(RUNS)}")

    def report(line: str) -> None:
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    found: Values = {"load": describe_load()}
    report(found["load"])
    with tempfile.TemporaryDirectory() as folder:
        for name in options.what or ("latency", "midi", "gil"):
            try:
                found[name] = RUNS[name](options, report, Path(folder))
            except pytest.skip.Exception as error:  # the rig's word for what is not installed
                report(f"{name}: {error}")
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
