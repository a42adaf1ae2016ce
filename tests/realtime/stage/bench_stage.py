"""Measure what hearing loses on stage: its time is simulated, the processor's time is real.

    python -m tests.realtime.stage.bench_stage FILE.flac ... --profile instant --seconds 6

Run it from the root of the repository. A recording comes block by block, as from a device; while hearing
works, the stage's clock moves on by the processor time that takes, and what is heard meanwhile waits. So
other programs disturb less than on a real stage. It prints, per recording, energy removed and mel distance
from file to file and on stage, where late events sound late; events, how many of them were late, and by how
much the latest. It asserts nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from struck.codec.events.amendments import StreamItem, item_seconds
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.files.audio_files import read_mono
from struck.codec.hearing.following.follower import Follower
from struck.codec.hearing.resampler import StreamingResampler
from struck.codec.measures.metrics import energy_removed_db, mel_distance_db
from struck.codec.pipeline import render_samples
from struck.codec.playing.voice_records import RecordMaker
from struck.codec.weights.codec_weights import shipped_codec_weights
from struck.realtime.engine.latency import make_ledger

RATE: Final = 48_000
BLOCK_FRAMES: Final = 64
#: As the hearing thread does: sound is taken in such shares of a hop, and looked for so often.
_PIECE_SHARE: Final = 0.25
_PAUSE_SHARE: Final = 0.08


class Heard(NamedTuple):
    """A stream as it sounded, and how late its events were in seconds; negative: in time."""

    items: list[StreamItem]
    late_seconds: NDArray[np.float64]


def hear_on_stage(sound: NDArray[np.float32], profile: str) -> Heard:
    """Hear ``sound [T]`` at RATE in simulated time."""
    weights, settings = shipped_codec_weights(), PROFILES[profile]
    follower, resampler = Follower(weights, settings), StreamingResampler(RATE)
    records = RecordMaker(weights, RATE)
    ledger = make_ledger(settings, RATE, BLOCK_FRAMES, resampler.latency_samples / RATE)
    noise = np.random.default_rng(0).standard_normal(ANALYSIS_RATE).astype(np.float32)
    follower.process(0.1 * noise)
    follower.flush()
    follower.reset()
    hop_seconds = settings.hop_samples / ANALYSIS_RATE
    piece, pause = round(_PIECE_SHARE * hop_seconds * RATE), _PAUSE_SHARE * hop_seconds
    compute = ledger.compute_seconds + ledger.block_seconds
    idle = -time.thread_time()
    items: list[StreamItem] = []
    late: list[float] = []

    def now() -> float:
        return time.thread_time() + idle

    def tell(told: Sequence[StreamItem]) -> None:
        events = [item for item in told if isinstance(item, Event)]
        if events:
            records.make(events)
        begun = {}
        for event in events:
            late.append(now() - (event.onset_seconds + ledger.engine_seconds - ledger.block_seconds))
            begun[event.id] = event.onset_seconds + max(0.0, late[-1])
        items.extend(
            replace(item, onset_seconds=begun[item.id]) if isinstance(item, Event) else item for item in told
        )

    follower.pace.clock, follower.tell_first = now, tell
    position = 0
    while position < len(sound):
        come = min(len(sound), int(now() * RATE) // BLOCK_FRAMES * BLOCK_FRAMES)
        if come <= position:
            idle += pause
            continue
        block = sound[position : min(position + piece, come)]
        follower.pace.due_seconds = now() + compute - (come - position) / RATE - pause
        position += len(block)
        tell(follower.process(resampler.process(block)))
    follower.tell_first = None
    items += follower.flush()
    return Heard(in_order(items), np.array(late))


def in_order(items: Sequence[StreamItem]) -> list[StreamItem]:
    """By time; what is told of an event that began late acts when it began, at the earliest."""
    begun: dict[int | None, float] = {}
    moved: list[StreamItem] = []
    for item in items:
        if isinstance(item, Event):
            begun[item.id] = item.onset_seconds
        elif item.at_seconds < begun.get(item.id, 0.0):
            item = replace(item, at_seconds=begun[item.id])
        moved.append(item)
    return sorted(moved, key=lambda item: (item_seconds(item), not isinstance(item, Event)))


def hear_file(sound: NDArray[np.float32], profile: str) -> list[StreamItem]:
    """The stream of ``sound [T]`` at RATE, with all the time it takes."""
    follower, resampler = Follower(shipped_codec_weights(), PROFILES[profile]), StreamingResampler(RATE)
    items = follower.process(resampler.process(sound)) + follower.process(resampler.flush())
    return items + follower.flush()


def describe(reference: NDArray[np.float32], items: Sequence[StreamItem]) -> str:
    decoded = render_samples(shipped_codec_weights(), items, ANALYSIS_RATE)[: len(reference)]
    decoded = np.pad(decoded, (0, len(reference) - len(decoded)))
    energy, distance = energy_removed_db(reference, decoded), mel_distance_db(reference, decoded)
    count = sum(isinstance(item, Event) for item in items)
    return f"energy {energy:6.2f} dB, mel {distance:5.2f} dB, {count:3} events"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--profile", choices=("live", "tight", "instant"), default="instant")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each recording")
    options = parser.parse_args()
    for path in options.files:
        sound = read_mono(path, RATE)[: round(options.seconds * RATE)]
        reference = soxr.resample(sound, RATE, ANALYSIS_RATE)
        heard = hear_on_stage(sound, options.profile)
        print(path.stem)
        print(f"  file to file  {describe(reference, hear_file(sound, options.profile))}")
        print(
            f"  on stage      {describe(reference, heard.items)}, late {np.sum(heard.late_seconds > 0.0)}, "
            f"the latest by {1e3 * np.max(heard.late_seconds, initial=0.0):.1f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
