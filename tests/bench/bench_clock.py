"""Measure how ``jack_midi_clock`` is followed with periods of all lengths, over a JACK server of its own.

    python -m tests.bench.bench_clock
    python -m tests.bench.bench_clock --frames 64 1024

The tempo steps from 120 to 126 beats per minute after two bars. Told are, of each length of a period, when
the tempo was followed within 1 % and the next beat within 5 ms, from the order on; how far both were off from
0.8 s on; and the standard deviation of the clocks from a straight line. It asserts nothing.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from ..realtime.rig.test_clock_master import TWO_BARS, listening, off_ms, off_tempo

_SETTLED_SECONDS = 1.5
_NEAR_MS, _NEAR_TEMPO = 5.0, 0.01


def measure(frames: int) -> str:
    with listening(120.0, frames) as (listener, master):
        master.roll()
        listener.wait_for(TWO_BARS)
        ordered = time.perf_counter()
        master.change(126.0)
        listener.wait_for(len(listener.arrivals) + TWO_BARS)
    passed = np.array(listener.arrivals) - ordered
    numbers = np.arange(len(passed))
    settled = numbers[passed >= _SETTLED_SECONDS]
    interval, first = np.polyfit(settled, passed[settled], 1)
    after = numbers[passed > 0.0]
    off = np.array([off_ms(listener.lines[n], interval, first + ordered) for n in after])
    tempo = np.array([off_tempo(listener.lines[n], interval) for n in after])
    astray = np.flatnonzero((np.abs(off) > _NEAR_MS) | (np.abs(tempo) > _NEAR_TEMPO))
    followed = passed[after[astray[-1] + 1]] if len(astray) else 0.0
    late = passed[after] > 0.8
    jitter = np.std(passed[settled] - first - interval * settled)
    return (
        f"{frames:5} frames: followed {followed:.3f} s after the order; from 0.8 s on within "
        f"{np.abs(off[late]).max():.3f} ms and {100.0 * np.abs(tempo[late]).max():.3f} %; "
        f"clocks off by {1e3 * jitter:.3f} ms"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, nargs="+", default=[64, 128, 256, 512, 1024, 2048])
    for frames in parser.parse_args().frames:
        print(measure(frames), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
