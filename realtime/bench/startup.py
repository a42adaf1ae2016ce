"""How long one waits for ``struck`` itself: help, the first sound after an installation, any later sound."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from ...codec.events.event_spec import VECTOR_SIZE
from ...codec.events.events import Event
from ...codec.events.profiles import PROFILES
from ...codec.pipeline import make_header
from ...codec.takes.takes import TakeWriter
from ...codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from .jobs import describe_load


def run(report: Callable[[str], None], run_count: int = 5) -> dict[str, float]:
    """Measure, tell ``report`` line by line, return the figures in seconds.

    The *first* render compiles all kernels: it gets an empty folder for Numba's cache, the others find it
    filled. Python's own bytecode is there already, and files are in the system's memory.
    """
    report(f"start-up, whole processes: {describe_load()}")
    weights = load_codec_weights(default_codec_weights_path())
    with TemporaryDirectory() as folder:
        take_path = Path(folder) / "short.mcap"
        with TakeWriter(take_path, make_header(weights, PROFILES["studio"], "benchmark")) as take:
            take.write(Event(0.0, -20.0, np.zeros(VECTOR_SIZE, dtype=np.float32)))
        cache = {"NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        render = ["render", str(take_path), str(Path(folder) / "short.wav")]
        helps = [_seconds(["--help"], cache) for _ in range(run_count)]
        first = _seconds(render, cache)
        later = [_seconds(render, cache) for _ in range(run_count)]
    figures = {
        "help_seconds": float(np.median(helps)),
        "first_render_seconds": first,
        "later_render_seconds": float(np.median(later)),
    }
    report(f"struck --help                  {figures['help_seconds']:6.2f} s (median of {run_count})")
    report(f"struck render, nothing compiled {first:5.2f} s (once)")
    report(f"struck render, later           {figures['later_render_seconds']:6.2f} s (median of {run_count})")
    report(f"the first render takes {first / figures['later_render_seconds']:.1f} x a later one")
    return figures


def _seconds(arguments: list[str], environment: Mapping[str, str]) -> float:
    started = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "struck.realtime.commands.cli", *arguments],
        env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return perf_counter() - started
