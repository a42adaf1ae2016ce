"""Jobs that benchmarks run in processes of their own: memory and start-up belong to a process.

``python -m struck.realtime.bench.jobs NAME ARGUMENTS`` prints one JSON object; use :func:`run_job`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from . import phrase_jobs
from .usage import resident_bytes

#: Set to 1, these keep NumPy's, SciPy's and torch's libraries to one thread.
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
ONE_THREAD: Final = dict.fromkeys(_THREAD_VARIABLES, "1")


def describe_load() -> str:
    """What else this machine is doing: the first thing to know about a measured time."""
    if not hasattr(os, "getloadavg"):
        return f"{os.cpu_count()} cores, load unknown"
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f} before the measurement"


def run_job(name: str, *arguments: object, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a job in a new process and return what it found.

    Raises:
        subprocess.CalledProcessError: the job failed; its stack trace is on standard error.
    """
    process = subprocess.run(
        [sys.executable, "-m", __name__, name, *map(str, arguments)],
        env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(process.stdout)
    return found


def _encode(source: str, profile_name: str, run_count: str, refine_steps: str = "") -> dict[str, Any]:
    """Encode a sound file as ``struck encode`` does, after a warm-up; seconds of each run."""
    import numpy as np

    from ...codec.events.profiles import PROFILES
    from ...codec.hearing.following.hearing import make_hearing
    from ...codec.pipeline import ANALYSIS_RATE, encode_file
    from ...codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

    profile = PROFILES[profile_name]
    weights = load_codec_weights(default_codec_weights_path())
    steps = int(refine_steps) if refine_steps else profile.refine_steps
    warm_up = make_hearing(weights, profile, steps)  # compiles or loads the kernels
    time = np.arange(ANALYSIS_RATE) / ANALYSIS_RATE
    warm_up.process(np.sin(2e3 * time * np.exp(-3.0 * time)).astype(np.float32))
    warm_up.flush()
    wall, processor = [], []
    values: dict[str, Any] = {}
    for _ in range(int(run_count)):
        started, started_processor = perf_counter(), process_time()
        values, _ = encode_file(
            Path(source),
            Path(source).with_suffix(".mcap"),
            weights,
            make_hearing(weights, profile, steps),
            False,
            lambda done: None,
        )
        wall.append(perf_counter() - started)
        processor.append(process_time() - started_processor)
    return {
        "duration_seconds": values["duration_seconds"],
        "event_count": values["event_count"],
        "refine_steps": steps,
        "wall_seconds": wall,
        "processor_seconds": processor,
        "peak_bytes": resident_bytes(peak=True),
    }


def _perform(source: str, profile_name: str, run_count: str) -> dict[str, Any]:
    """Play a sound file to another as ``struck live`` does; what hearing took, by run."""
    from ..host.host import Host
    from ..host.settings import LiveSettings

    settings = LiveSettings(
        input=source, output=str(Path(source).with_name("heard.wav")), profile=profile_name, phrases="off"
    )
    summaries = []
    for _ in range(int(run_count)):
        with Host(settings) as host:  # warms up before it begins
            host.run()
        summaries.append(host.summary())
    return {
        "hearing_percent": [summary["encoder_percent"] for summary in summaries],
        "longest_piece_seconds": [summary["latency"]["longest_piece_seconds"] for summary in summaries],
        "compute_seconds": summaries[0]["latency"]["compute_seconds"],
        "total_seconds": summaries[0]["latency"]["total_seconds"],
    }


def _render(source: str, destination: str, duration_seconds: str) -> dict[str, Any]:
    """Render a take as ``struck render`` does; memory after each quarter of ``duration_seconds``."""
    from ...codec.pipeline import render_take
    from ...codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

    quarters: list[int] = []

    def sample(seconds: float) -> None:
        if seconds >= float(duration_seconds) * (len(quarters) + 1) / 4:
            quarters.append(resident_bytes(peak=False))

    weights = load_codec_weights(default_codec_weights_path())
    started = perf_counter()
    values, _ = render_take(Path(source), Path(destination), weights, 48_000, "PCM_16", sample)
    return {
        "duration_seconds": values["duration_seconds"],
        "wall_seconds": perf_counter() - started,
        "quarter_bytes": quarters,
        "peak_bytes": resident_bytes(peak=True),
    }


_JOBS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "encode": _encode,
    "perform": _perform,
    "render": _render,
    "first_phrase": phrase_jobs.first_phrase,
    "phrases": phrase_jobs.phrases,
    "phases": phrase_jobs.phases,
}

if __name__ == "__main__":
    print(json.dumps(_JOBS[sys.argv[1]](*sys.argv[2:])))
