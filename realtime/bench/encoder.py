"""How fast the encoder hears, what it costs on stage, and how time and memory grow with the length.

It listens to the demo's performance, played again and again, through the whole of ``struck encode``: file in,
take out. Every figure comes from a process of its own after a warm-up, so imports and compiling are not in it
(``struck bench startup`` has those).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from ...codec.events.event_spec import VECTOR_SIZE
from ...codec.events.events import Event
from ...codec.events.profiles import PROFILES
from ...codec.files.audio_files import AudioWriter, read_mono
from ...codec.pipeline import make_header
from ...codec.takes.takes import TakeWriter
from ...codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from .. import demo
from .jobs import ONE_THREAD, describe_load, run_job

Report = Callable[[str], None]

_RATE: Final = 44_100
_SPEED_SECONDS: Final = 10.0
_LENGTHS_SECONDS: Final = (10.0, 60.0)
_FULL_LENGTHS_SECONDS: Final = (10.0, 60.0, 600.0)
_TAKE_SECONDS: Final = 3_600.0
_TAKE_EVENTS_PER_SECOND: Final = 2.0


def run(report: Report, full: bool = False, run_count: int = 3) -> dict[str, Any]:
    """Measure, tell ``report`` line by line, return the figures; ``full`` adds 10 minutes and the hour."""
    report(f"encoder on the demo's performance: {describe_load()}")
    with TemporaryDirectory() as folder:
        figures = _measure_speed(report, Path(folder), run_count)
        figures |= _measure_live(report, Path(folder), run_count)
        lengths = _FULL_LENGTHS_SECONDS if full else _LENGTHS_SECONDS
        figures |= _measure_growth(report, Path(folder), lengths)
        if full:
            figures |= _measure_long_render(report, Path(folder))
    return figures


def write_performance(path: Path, duration_seconds: float) -> Path:
    """Write the demo's performance, repeated up to ``duration_seconds``."""
    with as_file(files(demo).joinpath("performance.flac")) as source:
        sound = read_mono(source, _RATE)
    left = round(duration_seconds * _RATE)
    with AudioWriter(path, _RATE, subtype="PCM_16") as writer:
        while left:
            writer.write(sound[:left])
            left -= len(sound[:left])
    return path


def _measure_speed(report: Report, folder: Path, run_count: int) -> dict[str, Any]:
    source = write_performance(folder / "speed.wav", _SPEED_SECONDS)
    figures: dict[str, Any] = {}
    report(
        f"medians of {run_count} runs over {_SPEED_SECONDS:.0f} s of sound, all libraries held to 1 thread"
    )
    report("profile          x real time   share of a core   events/s   gradient steps")
    cases = [(name, name, profile.refine_steps) for name, profile in PROFILES.items()]
    for label, name, steps in [("studio_unrefined", "studio", 0), *cases]:
        job = run_job("encode", source, name, run_count, steps, environment=ONE_THREAD)
        factor = job["duration_seconds"] / float(np.median(job["wall_seconds"]))
        share = float(np.median(job["processor_seconds"])) / job["duration_seconds"]
        figures[f"{label}_real_time_factor"] = factor
        figures[f"{label}_core_share"] = share
        rate = job["event_count"] / job["duration_seconds"]
        report(f"{label:16} {factor:11.2f}   {share:14.0%}   {rate:9.1f}   {job['refine_steps']:14}")
    report(
        "a share above 100 % cannot keep up live, whatever else runs; below it, x real time suffers the load"
    )
    return figures


def _measure_live(report: Report, folder: Path, run_count: int) -> dict[str, Any]:
    source = write_performance(folder / "live.wav", _SPEED_SECONDS)
    figures: dict[str, Any] = {}
    report(f"live, from file to file, processor time of hearing (1 thread, medians of {run_count} runs):")
    report("profile   share of a core   longest piece   time for a piece")
    for name in (name for name, profile in PROFILES.items() if profile.follows):
        job = run_job("perform", source, name, run_count, environment=ONE_THREAD)
        share = float(np.median(job["hearing_percent"])) / 100.0
        longest = float(np.median(job["longest_piece_seconds"]))
        figures[f"{name}_hearing_share"] = share
        figures[f"{name}_longest_piece_seconds"] = longest
        given = 1e3 * job["compute_seconds"]
        report(f"{name:9} {share:15.0%}   {1e3 * longest:10.1f} ms   {given:13.1f} ms")
    return figures


def _measure_growth(report: Report, folder: Path, lengths_seconds: tuple[float, ...]) -> dict[str, Any]:
    report("studio, longer and longer (1 thread, processor time, 1 run each):")
    report(" sound s   processor s   x real time   peak MiB")
    seconds, peaks = [], []
    for length in lengths_seconds:
        source = write_performance(folder / "growth.wav", length)
        job = run_job("encode", source, "studio", 1, environment=ONE_THREAD)
        seconds.append(job["processor_seconds"][0])
        peaks.append(job["peak_bytes"] / 2**20)
        factor = length / job["wall_seconds"][0]
        report(f"{length:8.0f}   {seconds[-1]:11.2f}   {factor:11.2f}   {peaks[-1]:8.0f}")
    time_exponent, memory_exponent = (
        float(np.polyfit(np.log(lengths_seconds), np.log(values), 1)[0]) for values in (seconds, peaks)
    )
    report(f"time grows as length ** {time_exponent:.2f}, memory as length ** {memory_exponent:.2f}")
    return {
        "growth_sound_seconds": list(lengths_seconds),
        "growth_processor_seconds": seconds,
        "growth_peak_mib": peaks,
        "time_exponent": time_exponent,
        "memory_exponent": memory_exponent,
    }


def _random_events(duration_seconds: float, events_per_second: float) -> Iterator[Event]:
    rng = np.random.default_rng(7)
    for i in range(int(duration_seconds * events_per_second)):
        vector = rng.uniform(-1.0, 1.0, VECTOR_SIZE).astype(np.float32)
        yield Event(i / events_per_second, float(rng.uniform(-40.0, -12.0)), vector)


def _measure_long_render(report: Report, folder: Path) -> dict[str, Any]:
    path = folder / "hour.mcap"
    weights = load_codec_weights(default_codec_weights_path())
    with TakeWriter(path, make_header(weights, PROFILES["studio"], "benchmark")) as take:
        for event in _random_events(_TAKE_SECONDS, _TAKE_EVENTS_PER_SECOND):
            take.write(event)
    job = run_job("render", path, folder / "hour.wav", _TAKE_SECONDS)
    quarters = [value / 2**20 for value in job["quarter_bytes"]]
    factor = job["duration_seconds"] / job["wall_seconds"]
    report(
        f"render of {_TAKE_SECONDS / 60:.0f} min with {_TAKE_EVENTS_PER_SECOND:.0f} events/s at 48000 Hz: "
        f"{factor:.1f} x real time; memory after each quarter "
        f"{', '.join(f'{value:.1f}' for value in quarters)} MiB, peak {job['peak_bytes'] / 2**20:.1f} MiB"
    )
    return {
        "hour_render_real_time_factor": factor,
        "hour_render_quarter_mib": quarters,
        "hour_render_peak_mib": job["peak_bytes"] / 2**20,
    }
