"""How many events the decoder plays in real time on one core, and how long its worst block takes."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, thread_time

import numpy as np

from ..codec.block import insert_event, process_block
from ..codec.controls import make_initial_timbre_weights
from ..codec.decoder import Decoder
from ..codec.event_spec import FIELDS, INDEX, MODE_COUNT, VECTOR_SIZE, from_physical
from ..codec.events import Event
from ..codec.voices import MODES
from ..codec.weights import CodecWeights

RATE = 48_000
BLOCK_FRAMES = 64
_LARGEST_VOICE_COUNT = 8192


def sustained_events(count: int, seed: int) -> list[Event]:
    """``count`` events whose 64 modes, noise and rooms all sound for many seconds."""
    rng = np.random.default_rng(seed)
    events = []
    for _ in range(count):
        vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
        values = {
            "pitch": rng.uniform(30.0, 50.0), "stiffness": 0.0, "attack": 0.002, "hold": 6.0, "release": 4.0,
            "decay": 40.0, "decay_tilt": 0.0, "tail": 0.1, "tail_ratio": 2.0, "tilt": 0.0, "noisiness": 0.3,
            "noise_decay": 20.0, "room_mix": 0.4, "room": rng.uniform(0.0, 3.0),
        }  # fmt: skip
        for name, value in values.items():
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], float(value))
        events.append(Event(0.0, -30.0, vector))
    return events


def plain_weights() -> CodecWeights:
    """Weights whose learned shapes are flat, so that every mode sounds."""
    decoder = {name: np.zeros_like(array) for name, array in make_initial_timbre_weights(0).items()}
    return CodecWeights("plain", decoder, {})


def time_blocks(voice_count: int, block_count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Wall and processor seconds of each block with ``voice_count`` voices, and the modes that sounded.

    On a busy machine the two differ by what other processes took.
    """
    decoder = Decoder(plain_weights(), RATE, voice_count, voice_count)
    # onsets spread over a block: voices then reach their chunk boundaries at different samples
    records = decoder.make_records(sustained_events(min(voice_count, 64), seed=1))
    for i in range(voice_count):
        insert_event(decoder.state, records[i % len(records)], 64 + (i * 37) % 64)
    out = np.zeros(BLOCK_FRAMES, dtype=np.float32)
    for _ in range(200):  # starts, first partitions, attack
        process_block(decoder.state, out)
    seconds = np.empty(block_count)
    processor = np.empty(block_count)
    for i in range(block_count):
        start, start_processor = perf_counter(), thread_time()
        process_block(decoder.state, out)
        seconds[i], processor[i] = perf_counter() - start, thread_time() - start_processor
    assert decoder.active_voice_count == voice_count
    return seconds, processor, int(decoder.state.voices.counts[:voice_count, MODES].sum())


def run(report: Callable[[str], None], block_count: int = 400) -> dict[str, float]:
    """Measure, tell ``report`` line by line, return the figures.

    A number of voices *fits* when the median block takes no longer than it lasts.
    """
    budget = BLOCK_FRAMES / RATE
    report(f"decoder at {RATE} Hz, blocks of {BLOCK_FRAMES} frames, budget {1e6 * budget:.0f} us, one thread")
    idle, _, _ = time_blocks(1, block_count)
    report(f"1 voice: median block {1e6 * np.median(idle):.1f} us")
    voice_count = 1500
    seconds, processor, modes = time_blocks(voice_count, block_count)
    figures = {
        "voices_1500_median_us": 1e6 * float(np.median(seconds)),
        "voices_1500_p999_us": 1e6 * float(np.quantile(seconds, 0.999)),
        "voices_1500_worst_us": 1e6 * float(np.max(seconds)),
        "voices_1500_processor_worst_us": 1e6 * float(np.max(processor)),
        "voices_1500_real_time_factor": budget / float(np.mean(seconds)),
        "mode_samples_per_second": modes * BLOCK_FRAMES / float(np.median(seconds)),
    }
    report(
        f"{voice_count} voices of {modes / voice_count:.0f} modes: "
        f"median {figures['voices_1500_median_us']:.0f} us, "
        f"p99.9 {figures['voices_1500_p999_us']:.0f} us, worst {figures['voices_1500_worst_us']:.0f} us "
        f"(processor {figures['voices_1500_processor_worst_us']:.0f} us), "
        f"{figures['voices_1500_real_time_factor']:.2f} x real time, "
        f"{figures['mode_samples_per_second'] / 1e9:.2f} G mode-samples/s"
    )
    low, high = 64, _LARGEST_VOICE_COUNT
    while high - low > 64:
        middle = (low + high) // 128 * 64
        if np.median(time_blocks(middle, block_count // 4)[0]) <= budget:
            low = middle
        else:
            high = middle
    seconds, processor, _ = time_blocks(low, block_count)
    figures["voices_that_fit"] = low
    figures["modes_that_fit"] = low * MODE_COUNT
    figures["fit_worst_us"] = 1e6 * float(np.max(seconds))
    figures["fit_processor_worst_us"] = 1e6 * float(np.max(processor))
    report(
        f"{low} voices ({low * MODE_COUNT} modes) fit one core: median {1e6 * np.median(seconds):.0f} us, "
        f"worst {figures['fit_worst_us']:.0f} us (processor {figures['fit_processor_worst_us']:.0f} us)"
    )
    return figures
