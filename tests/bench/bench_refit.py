"""What refitting costs a live encoder: milliseconds of one core per hop, and that over the hop.

    python -m tests.bench.bench_refit

A hop: the young events are refitted by a few steps over the last 0.55 s, the levels of the old ones follow
over the last frames. Processor time, median over the runs, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import process_time

import numpy as np

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.refit.levels import follow_levels
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.hearing.refit.window_events import WindowEvents
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

YOUNG_ROWS = 48
OLD_ROWS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--young", type=int, default=10, help="events refitted each hop")
    parser.add_argument("--old", type=int, default=20, help="events whose levels follow each hop")
    parser.add_argument("--steps", type=int, default=3, help="gradient steps each hop")
    parser.add_argument("--runs", type=int, default=200, help="hops measured")
    options = parser.parse_args()
    decoder = load_codec_weights(default_codec_weights_path()).decoder
    rng = np.random.default_rng(0)

    def events(count: int, first_row: int, last_row: int) -> WindowEvents:
        vectors = rng.uniform(-0.5, 0.5, (count, 32)).astype(np.float32)
        gains = rng.uniform(-40.0, -20.0, count).astype(np.float32)
        return WindowEvents(
            gains, vectors, rng.integers(first_row, last_row, count), np.zeros(count, np.float32)
        )

    print("profile  n_fft   hop ms   refit ms   levels ms   share of the hop")
    for name in ("live", "tight"):
        profile = PROFILES[name]
        refitter = Refitter(decoder, profile.n_fft, options.steps, mel_weight=0.04)
        follower = Refitter(decoder, profile.n_fft, 1)
        young, old = events(options.young, 0, YOUNG_ROWS - 4), events(options.old, -300, -40)
        power, fourth = Refitter(decoder, profile.n_fft, 1, stride=1).sums(old, YOUNG_ROWS)
        observed = np.sqrt(power) + 1e-3 * rng.random(power.shape, np.float32)
        times = []
        for _ in range(options.runs):
            started = process_time()
            refitter.refit(observed, power, fourth, young)
            middle = process_time()
            follow_levels(follower, observed[-OLD_ROWS:], np.zeros_like(power[-OLD_ROWS:]), old)
            times.append((middle - started, process_time() - middle))
        refit_ms, levels_ms = (1e3 * median(column) for column in zip(*times, strict=True))
        hop_ms = 1e3 * profile.hop_samples / ANALYSIS_RATE
        share = (refit_ms + levels_ms) / hop_ms
        print(f"{name:7} {profile.n_fft:6} {hop_ms:8.1f} {refit_ms:10.2f} {levels_ms:11.2f} {share:18.0%}")


if __name__ == "__main__":
    main()
