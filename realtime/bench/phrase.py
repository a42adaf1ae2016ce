"""How long MARS needs for a phrase, from the request to its sound, and both ways to phases.

The first phrase after the start is measured in a process of its own: import of torch, loading of the weights,
compiled kernels from their cache, the phrase. The others come from a process for each number of threads, one
after the other, each of another seed and style; then once more while another process computes all the time:
threads that spin for each other would take many times as long then.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...codec.events.errors import StruckError
from ...models.shipped_weights import default_mars_weights_path
from .jobs import describe_load, run_job

Report = Callable[[str], None]

_THREADS: Final = (1, 2)
PARTS: Final = ("tokens", "spectrogram", "phase")


def run(report: Report, phrase_count: int = 12, weights: str = "") -> dict[str, Any]:
    """Measure, tell ``report`` line by line, return the figures in seconds.

    Args:
        phrase_count: phrases per measurement.
        weights: of MARS; empty: those shipped.

    Raises:
        StruckError: they are not there.
    """
    path = weights or str(default_mars_weights_path())
    if not Path(path).is_file():
        raise StruckError(f"MARS weights not found: {path}")
    report(f"phrases of 8 beats at 120 bpm: {describe_load()}")
    first = _run("first_phrase", path, 2)
    figures: dict[str, Any] = {"first_phrase_seconds": first}
    report(
        f"first phrase after the start, 2 threads: {first['total']:.2f} s = import {first['import']:.2f} + "
        f"weights {first['load']:.2f} + phrase {first['phrase']:.2f}"
    )
    report(f"then, {phrase_count} phrases of as many seeds, seconds:")
    report("device      threads   median    worst   tokens   spectrogram    phase   processor")
    for threads in _THREADS:
        job = _run("phrases", path, threads, "cpu", phrase_count)
        figures[f"cpu_{threads}_threads"] = _tell(report, "cpu", str(threads), job)
    for threads in _THREADS:
        with _other_work():
            job = _run("phrases", path, threads, "cpu", phrase_count)
        figures[f"busy_cpu_{threads}_threads"] = _tell(report, "cpu, busy", str(threads), job)
    if first["cuda"]:
        figures["cuda"] = _tell(report, "cuda", "", _run("phrases", path, 2, "cuda", phrase_count))
    else:
        figures["cuda"] = None
        report("cuda        not measured: there is none here")
    figures |= _tell_phases(report, _run("phases", path, 2, 4))
    return figures


def _run(name: str, path: str, threads: int, *arguments: object) -> dict[str, Any]:
    count = str(threads)
    environment = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), count)
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # as in use
    return run_job(name, path, *arguments, environment=environment)


@contextmanager
def _other_work() -> Iterator[None]:
    """A process that computes all the time."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _tell(report: Report, device: str, threads: str, job: dict[str, Any]) -> dict[str, Any]:
    totals = [sum(seconds.values()) for seconds in job["seconds"]]
    parts = {name: float(np.median([seconds[name] for seconds in job["seconds"]])) for name in PARTS}
    median, worst = float(np.median(totals)), max(totals)
    processor = float(np.median(job["processor_seconds"]))
    report(
        f"{device:11} {threads:>7} {median:8.3f} {worst:8.3f} {parts['tokens']:8.3f} "
        f"{parts['spectrogram']:13.3f} {parts['phase']:8.3f} {processor:11.3f}"
    )
    return {
        "median_seconds": median,
        "worst_seconds": worst,
        "processor_seconds": processor,
        **{f"{name}_seconds": seconds for name, seconds in parts.items()},
    }


def _tell_phases(report: Report, job: dict[str, Any]) -> dict[str, Any]:
    """Both ways to phases, over the same phrases."""
    figures: dict[str, Any] = {}
    for name, label in (("heap", "heap integration"), ("griffin_lim", "30 x Griffin-Lim")):
        seconds = float(np.median(job[f"{name}_seconds"]))
        convergence = float(np.median(job[f"{name}_convergence_db"]))
        figures |= {f"{name}_seconds": seconds, f"{name}_convergence_db": convergence}
        report(
            f"phases by {label}: {seconds:.3f} s, spectral convergence {convergence:.1f} dB (lower is better)"
        )
    factor = figures["griffin_lim_seconds"] / figures["heap_seconds"]
    report(f"heap integration is {factor:.1f} x as fast")
    return figures | {"heap_speed_up": factor}
