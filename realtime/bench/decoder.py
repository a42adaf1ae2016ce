"""How many events the decoder plays in real time on one core, and how long its worst block takes.

Wall time includes what other programs took. Where the system tells which blocks were interrupted (Linux), the
worst of the others is the decoder's own; processor time leaves out the waiting, but not what an interruption
pushed out of the caches.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import NamedTuple

import numpy as np

from ...codec.events.controls import make_initial_timbre_weights
from ...codec.events.event_spec import FIELDS, INDEX, MODE_COUNT, VECTOR_SIZE, from_physical
from ...codec.events.events import Event
from ...codec.playing.arrivals import insert_event
from ...codec.playing.block import process_block
from ...codec.playing.convolver import GRID
from ...codec.playing.decoder import Decoder
from ...codec.playing.voice_state import MODES
from ...codec.weights.codec_weights import CodecWeights
from .jobs import describe_load
from .usage import interruption_count

RATE = 48_000
BLOCK_FRAMES = 64
_LARGEST_VOICE_COUNT = 8192


def sustained_events(count: int, seed: int, rooms: tuple[float, float] = (0.0, 3.0)) -> list[Event]:
    """``count`` events whose 64 modes, noise and rooms, drawn from between ``rooms``, all sound for many
    seconds."""
    rng = np.random.default_rng(seed)
    events = []
    for _ in range(count):
        vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
        values = {
            "pitch": rng.uniform(30.0, 50.0), "stiffness": 0.0, "attack": 0.002, "hold": 6.0, "release": 4.0,
            "decay": 40.0, "decay_tilt": 0.0, "tail": 0.1, "tail_ratio": 2.0, "tilt": 0.0, "noisiness": 0.3,
            "noise_decay": 20.0, "room_mix": 0.4, "room": rng.uniform(*rooms),
        }  # fmt: skip
        for name, value in values.items():
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], float(value))
        events.append(Event(0.0, -30.0, vector))
    return events


def plain_weights() -> CodecWeights:
    """Weights whose learned shapes are flat, so that every mode sounds."""
    decoder = {name: np.zeros_like(array) for name, array in make_initial_timbre_weights(0).items()}
    return CodecWeights("plain", decoder, {})


class BlockTimes(NamedTuple):
    """What N blocks took."""

    wall: np.ndarray  # seconds [N]
    processor: np.ndarray  # seconds [N] of this thread
    interrupted: np.ndarray  # bool [N] another thread ran on our core; all False where that is not known
    modes: int  # sounding in the end

    @property
    def own_worst(self) -> float:
        """Longest wall time of a block that nothing interrupted, in seconds."""
        return float(np.max(self.wall[~self.interrupted], initial=0.0))


def time_blocks(voice_count: int, block_count: int, block_frames: int = BLOCK_FRAMES) -> BlockTimes:
    """Time ``block_count`` blocks with ``voice_count`` voices that sound all the time."""
    decoder = Decoder(plain_weights(), RATE, voice_count, voice_count)
    # onsets spread over a grid cell: voices then reach their chunk boundaries at different samples
    records = decoder.make_records(sustained_events(min(voice_count, 64), seed=1))
    for i in range(voice_count):
        insert_event(decoder.state, records[i % len(records)], 64 + (i * 37) % 64, 0)
    for _ in range(200):  # starts, first partitions, attack
        process_block(decoder.state, np.zeros(GRID, dtype=np.float32))
    out = np.zeros(block_frames, dtype=np.float32)
    wall, processor = np.empty(block_count), np.empty(block_count)
    interrupted = np.empty(block_count, dtype=bool)
    for i in range(block_count):
        before = interruption_count()
        start, start_processor = perf_counter(), thread_time()
        process_block(decoder.state, out)
        wall[i], processor[i] = perf_counter() - start, thread_time() - start_processor
        interrupted[i] = interruption_count() != before
    assert decoder.active_voice_count == voice_count
    modes = int(decoder.state.voices.counts[decoder.state.active[:voice_count], MODES].sum())
    return BlockTimes(wall, processor, interrupted, modes)


def time_burst(event_count: int, turns: int = 20) -> tuple[float, float]:
    """Median processor seconds of a block in which ``event_count`` events start at one sample, and of
    handing one event to the decoder from Python."""
    decoder = Decoder(plain_weights(), RATE, event_count, event_count)
    records = decoder.make_records(sustained_events(64, seed=1))
    out = np.zeros(BLOCK_FRAMES, dtype=np.float32)
    bursts, hands = [], []
    for _ in range(turns):
        decoder.reset()
        process_block(decoder.state, out)
        start = thread_time()
        for i in range(event_count):
            insert_event(decoder.state, records[i % 64], BLOCK_FRAMES + 5, 0)
        hands.append((thread_time() - start) / event_count)
        start = thread_time()
        process_block(decoder.state, out)
        bursts.append(thread_time() - start)
    return float(np.median(bursts)), float(np.median(hands))


def run(report: Callable[[str], None], block_count: int = 400) -> dict[str, float]:
    """Measure, tell ``report`` line by line, return the figures.

    A number of voices *fits* when the median block takes no longer than it lasts.
    """
    budget = BLOCK_FRAMES / RATE
    report(f"decoder, one thread: {describe_load()}")
    report(f"{RATE} Hz, blocks of {BLOCK_FRAMES} frames: budget {1e6 * budget:.0f} us")
    report(f"1 voice: median block {1e6 * np.median(time_blocks(1, block_count).wall):.1f} us")
    voice_count = 1500
    times = time_blocks(voice_count, block_count)
    median = float(np.median(times.wall))
    figures = {
        "voices_1500_median_us": 1e6 * median,
        "voices_1500_p999_us": 1e6 * float(np.quantile(times.wall, 0.999)),
        "voices_1500_worst_us": 1e6 * float(np.max(times.wall)),
        "voices_1500_own_worst_us": 1e6 * times.own_worst,
        "voices_1500_processor_worst_us": 1e6 * float(np.max(times.processor)),
        "voices_1500_interrupted_share": float(np.mean(times.interrupted)),
        "voices_1500_real_time_factor": budget / median,
        "mode_samples_per_second": times.modes * BLOCK_FRAMES / median,
    }
    report(
        f"{voice_count} voices of {times.modes / voice_count:.0f} modes: median {1e6 * median:.0f} us, "
        f"{figures['voices_1500_real_time_factor']:.2f} x real time, "
        f"{figures['mode_samples_per_second'] / 1e9:.2f} G mode-samples/s"
    )
    report(
        f"  worst {figures['voices_1500_worst_us']:.0f} us; of the blocks that nothing interrupted "
        f"({1 - figures['voices_1500_interrupted_share']:.1%}) {figures['voices_1500_own_worst_us']:.0f} us"
    )
    for frames in (32, 256):
        # the heaviest block of each grid cell: one of two at 32 frames
        processor = time_blocks(voice_count, block_count, frames).processor
        share = max(1, GRID // frames)
        heavy = float(np.median(np.max(processor[: len(processor) // share * share].reshape(-1, share), -1)))
        figures[f"voices_1500_{frames}_frames_us"] = 1e6 * heavy
        report(
            f"  blocks of {frames} frames: processor {1e6 * heavy:.0f} us of {1e6 * frames / RATE:.0f} us"
            + (f", every {share}nd block; the others hardly anything" if share == 2 else "")
        )
    burst, hand = time_burst(200)
    figures["burst_200_us"], figures["insert_us"] = 1e6 * burst, 1e6 * hand
    report(
        f"200 events that start at one sample: {1e6 * burst:.0f} us, {1e6 * burst / 200:.2f} us each with "
        f"their first {GRID} samples; handing one over from Python {1e6 * hand:.0f} us"
    )
    low, high = 64, _LARGEST_VOICE_COUNT
    while high - low > 64:
        middle = (low + high) // 128 * 64
        if np.median(time_blocks(middle, block_count // 4).wall) <= budget:
            low = middle
        else:
            high = middle
    times = time_blocks(low, block_count)
    figures["voices_that_fit"] = low
    figures["modes_that_fit"] = low * MODE_COUNT
    figures["fit_worst_us"] = 1e6 * float(np.max(times.wall))
    figures["fit_own_worst_us"] = 1e6 * times.own_worst
    report(
        f"{low} voices ({low * MODE_COUNT} modes) fit one core: median {1e6 * np.median(times.wall):.0f} us, "
        f"worst {figures['fit_worst_us']:.0f} us (not interrupted: {figures['fit_own_worst_us']:.0f} us)"
    )
    return figures
