"""How much of each block's time the audio callback takes, with everything it may have to do at once.

The callback is called through its C pointer, as a device calls it, and timed by itself: that is what it
reports on stage too. The blocks follow one another at once and not in real time, so processors and caches
are warm; a device leaves pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ..engine.commands import PANIC
from ..engine.cycles import CycleClock
from ..engine.state import POSITION
from .amended import AMENDMENTS_PER_SECOND, run_amended
from .jobs import describe_load
from .loaded_callback import BLOCK_FRAMES, RATE, VOICE_COUNT, LoadedCallback
from .storm import BEND_COUNT, CHANGE_COUNT, START_COUNT, run_storm
from .storm import VOICE_COUNT as STORM_VOICES

#: Rates in Hz and block sizes that are measured shortly.
_OTHERS: Final = (*((RATE, 2**power) for power in range(5, 12)), (44_100, 64), (96_000, 64), (96_000, 128))
_OTHER_SECONDS: Final = 2.0


def time_flood(stage: LoadedCallback, turns: int = 20) -> float:
    """Median share of a block that obeys 16 events, as many as one of 64 frames may, and starts them."""
    shares = []
    for _ in range(turns):
        for _ in range(16):
            stage.play(int(stage.engine.numbers[POSITION]) + 5)
        shares.append(stage.block(BLOCK_FRAMES))
        stage.run(20, BLOCK_FRAMES)
    return float(np.median(shares))


def time_panic(stage: LoadedCallback, turns: int = 9) -> float:
    """Median share of a block that silences all; afterwards the stage is empty."""
    shares = []
    for _ in range(turns):
        stage.send(PANIC)
        shares.append(stage.block(BLOCK_FRAMES))
    return float(np.median(shares))


def run(report: Callable[[str], None], block_count: int = 20_000) -> dict[str, float]:
    """Measure, tell ``report`` line by line, return the figures; all shares in percent of a block."""
    report(f"audio callback, one thread: {describe_load()}")
    clock = CycleClock(0.2)
    stage = LoadedCallback(clock)
    shares = stage.run(block_count, BLOCK_FRAMES)
    figures = {
        "voices": float(stage.voice_count),
        "rooms": float(stage.room_count),
        "blocks": float(block_count),
        "block_us": 1e6 * BLOCK_FRAMES / RATE,
        "median_percent": shares.percent(0.5),
        "p99_percent": shares.percent(0.99),
        "p999_percent": shares.percent(0.999),
        "worst_percent": shares.percent(1.0),
        "own_p999_percent": shares.own_p999_percent,
        "own_worst_percent": 100.0 * float(np.max(shares.busy[~shares.interrupted], initial=0.0)),
        "interrupted_share": float(np.mean(shares.interrupted)),
    }
    report(
        f"{RATE} Hz, {block_count} blocks of {BLOCK_FRAMES} frames, {stage.voice_count} voices, "
        f"{stage.room_count} rooms; of a block's {figures['block_us']:.0f} us:"
    )
    report(
        f"  median {figures['median_percent']:.1f} %, p99 {figures['p99_percent']:.1f} %, "
        f"p99.9 {figures['p999_percent']:.1f} %, worst {figures['worst_percent']:.1f} %"
    )
    report(
        f"  of the blocks that nothing interrupted ({1 - figures['interrupted_share']:.2%}): "
        f"p99.9 {figures['own_p999_percent']:.1f} %, worst {figures['own_worst_percent']:.1f} %"
    )
    figures["flood_percent"] = 100.0 * time_flood(stage)
    figures["panic_percent"] = 100.0 * time_panic(stage)
    report(
        f"  16 events sent and started in one block: {figures['flood_percent']:.1f} %; "
        f"panic: {figures['panic_percent']:.1f} %"
    )
    storm = run_storm(clock)
    figures["storm_own_worst_percent"] = storm.own_worst_percent
    figures["storm_median_percent"] = storm.shares.percent(0.5)
    figures["storm_worst_percent"] = storm.shares.percent(1.0)
    figures |= {f"storm_{name}": float(number) for name, number in storm.counts.items()}
    report(
        f"a second with {STORM_VOICES} voices, {START_COUNT} events at one sample, {BEND_COUNT} bends, "
        f"{CHANGE_COUNT} patch changes:"
    )
    report(
        f"  median {storm.shares.percent(0.5):.1f} %, worst block {storm.own_worst_percent:.1f} % of itself, "
        f"{storm.shares.percent(1.0):.1f} % with what else the machine did"
    )
    report("  " + ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in storm.counts.items()))
    changed = run_amended(clock)
    figures["amended_ratio"] = changed.ratio
    for name, part in (("plain", changed.plain), ("amended", changed.amended)):
        figures[f"{name}_median_percent"] = part.percent(0.5)
        figures[f"{name}_own_p999_percent"] = part.own_p999_percent
    figures["amended_count"] = float(changed.amended_count)
    figures["amended_spilled"] = float(changed.spilled_count)
    report(
        f"{VOICE_COUNT} voices, each amended {AMENDMENTS_PER_SECOND} times a second: median "
        f"{changed.amended.percent(0.5):.1f} %, p99.9 {changed.amended.own_p999_percent:.1f} %; without "
        f"{changed.plain.percent(0.5):.1f} % and {changed.plain.own_p999_percent:.1f} %; "
        f"{changed.ratio:.2f} times"
    )
    for rate, frames in _OTHERS:
        other = LoadedCallback(clock, rate).run(round(_OTHER_SECONDS * rate / frames), frames)
        name = f"rate_{rate}_frames_{frames}"
        figures[f"{name}_median_percent"] = other.percent(0.5)
        figures[f"{name}_p999_percent"] = other.percent(0.999)
        figures[f"{name}_worst_percent"] = other.percent(1.0)
        report(
            f"{rate} Hz, {frames} frames: median {other.percent(0.5):.1f} %, "
            f"p99.9 {other.percent(0.999):.1f} %, worst {other.percent(1.0):.1f} %"
        )
    return figures
