"""Measure a codec over a folder of recordings, beside two baselines: Gabor pursuit and Opus.

What the numbers mean is written in ``docs/evaluation.md``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..events.errors import StruckError
from ..events.event_spec import ANALYSIS_RATE, VECTOR_SIZE
from ..files.audio_files import read_mono
from .metrics import OnsetScore, energy_removed_db, mel_distance_db, onset_f_measure
from .opus import find_opus_fault, pass_through_opus
from .pursuit import count_equal_atoms, pursue

#: What one event costs in the comparison with the pursuit: its vector and its onset. Its gain is not counted,
#: to the pursuit's disadvantage by 3 %.
SCALARS_PER_EVENT: Final = VECTOR_SIZE + 1

_TRUTH_SUFFIX: Final = ".notes.csv"
_TRUTH_FOLDER: Final = "annotations"
_TRUTH_COLUMN: Final = "onset_s"

#: File name endings of formats that soundfile lists under another name.
_ALIASES: Final = frozenset({"aif", "aifc", "oga", "opus", "snd"})


@dataclass(frozen=True)
class CodecResult:
    """What a codec made of one signal. ``decoded`` is mono at ``ANALYSIS_RATE``, of any length."""

    decoded: NDArray[np.float32]
    onset_seconds: Sequence[float]
    event_count: int
    payload_bits: int
    encode_seconds: float


Codec = Callable[[NDArray[np.float32]], CodecResult]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Score:
    """How close one method came. ``bits_per_second`` is None for the pursuit, which has no bit stream."""

    energy_removed_db: float
    mel_distance_db: float
    bits_per_second: float | None


@dataclass(frozen=True)
class FileReport:
    """All numbers of one recording."""

    name: str
    seconds: float
    events_per_second: float
    real_time_factor: float | None  # seconds of sound encoded per second; None where it took no time
    struck: Score
    gabor: Score
    opus: Score | None
    onsets: OnsetScore | None  # where the truth is known


@dataclass(frozen=True)
class Report:
    """An evaluation: ``files`` in order of name, ``faults`` (name: why) of what was left out, ``notes``."""

    files: list[FileReport]
    faults: list[str]
    notes: list[str]

    def medians(self) -> dict[str, Any]:
        """Medians over the files that have the number, nested like a :class:`FileReport`; None where none."""
        return {key: _median_of([asdict(f)[key] for f in self.files]) for key in _MEDIAN_KEYS}

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dicts, all finite: ready for JSON."""
        return {
            "files": [asdict(file) for file in self.files],
            "median": self.medians(),
            "faults": self.faults,
            "notes": self.notes,
        }


_MEDIAN_KEYS: Final = (
    "seconds",
    "events_per_second",
    "real_time_factor",
    "struck",
    "gabor",
    "opus",
    "onsets",
)


def evaluate_folder(folder: str | Path, codec: Codec, progress: Progress | None = None) -> Report:
    """Run ``codec`` and both baselines over every recording in ``folder`` (not in its subfolders).

    Args:
        folder: holds files of any format soundfile reads. Where ``NAME.notes.csv`` (a column ``onset_s``)
            lies beside ``NAME.*`` or in ``annotations/``, found onsets are scored against it.
        codec: called with mono float32 ``[N]`` at ``ANALYSIS_RATE``.
        progress: called with (files done, files in all, name of the file that starts), and once at the end
            with the last name.

    Returns:
        A report; files that could not be read are in its ``faults``, and the rest is evaluated.

    Raises:
        StruckError: the folder does not exist, or holds no recording.
    """
    folder = Path(folder)
    paths = find_recordings(folder)
    opus_fault = find_opus_fault()
    files: list[FileReport] = []
    faults: list[str] = []
    notes = [] if opus_fault is None else [f"no Opus baseline: {opus_fault}"]
    for done, path in enumerate(paths):
        if progress is not None:
            progress(done, len(paths), path.name)
        try:
            signal = read_mono(path, ANALYSIS_RATE, notes.append)
            truth = read_truth(path)
        except StruckError as error:
            faults.append(f"{path.name}: {error}")
            continue
        if signal.size == 0:
            faults.append(f"{path.name}: the file is empty")
            continue
        files.append(_evaluate(path.name, signal, truth, codec, use_opus=opus_fault is None))
    if progress is not None:
        progress(len(paths), len(paths), paths[-1].name)
    return Report(files, faults, notes)


def find_recordings(folder: Path) -> list[Path]:
    """Files in ``folder`` whose ending names a format that soundfile reads, sorted.

    Raises:
        StruckError: the folder does not exist, or there is no such file.
    """
    if not folder.is_dir():
        raise StruckError(f"not a folder: {folder}")
    # Headerless samples cannot be read without being told their format.
    endings = {name.lower() for name in soundfile.available_formats() if name != "RAW"} | _ALIASES
    paths = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower().lstrip(".") in endings)
    if not paths:
        raise StruckError(f"no recordings in {folder}")
    return paths


def read_truth(recording: Path) -> list[float] | None:
    """True onsets in seconds of a recording, or None where no ``.notes.csv`` belongs to it.

    Raises:
        StruckError: the file has no ``onset_s`` column, or a value in it is not a number.
    """
    name = recording.stem + _TRUTH_SUFFIX
    places = (recording.parent / name, recording.parent / _TRUTH_FOLDER / name)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        onsets = [float(row[_TRUTH_COLUMN]) for row in rows]
    except KeyError as error:
        raise StruckError(f"{path} has no column {_TRUTH_COLUMN}") from error
    except (OSError, TypeError, ValueError) as error:
        raise StruckError(f"{path}: {_TRUTH_COLUMN} is not a number in every line, or not text") from error
    if not np.isfinite(onsets).all():
        raise StruckError(f"{path}: {_TRUTH_COLUMN} is not finite")
    return onsets


def format_table(report: Report) -> str:
    """The report as aligned text of about 110 columns, medians last, faults and notes below."""
    width = max([len("median"), *(len(file.name) for file in report.files)])
    lines = [
        f"{'':{width}}  {'sound':>6} {'events':>6} {'speed':>6} | {'struck':^20} | {'Gabor':^13} | "
        f"{'Opus':^20} | {'onset':>5}",
        f"{'':{width}}  {'s':>6} {'1/s':>6} {'x real':>6} | {'kbit/s':>6} {'dB':>6} {'mel':>6} | {'dB':>6} "
        f"{'mel':>6} | {'kbit/s':>6} {'dB':>6} {'mel':>6} | {'F':>5}",
    ]
    rows = [asdict(file) for file in report.files]
    if rows:
        rows.append({"name": "median", **report.medians()})
    for row in rows:
        line = f"{row['name']:{width}}  " + " ".join(
            _cell(row[key], 6, 1) for key in ("seconds", "events_per_second", "real_time_factor")
        )
        for method in ("struck", "gabor", "opus"):
            score = row[method] or {}
            bits = score.get("bits_per_second")
            kilobits = "" if method == "gabor" else _cell(None if bits is None else bits / 1000, 6, 2) + " "
            line += f" | {kilobits}{_cell(score.get('energy_removed_db'), 6, 2)} "
            line += _cell(score.get("mel_distance_db"), 6, 2)
        onsets = row["onsets"] or {}
        lines.append(f"{line} | {_cell(onsets.get('f_measure'), 5, 2)}")
        if row is rows[-1] and len(rows) > 1:
            lines.insert(-1, "-" * len(lines[-1]))
    lines += [f"left out: {fault}" for fault in report.faults] + report.notes
    lines.append("dB: energy removed, more is better. mel: mean distance of mel bands in dB, less is better.")
    return "\n".join(lines)


def _evaluate(
    name: str, signal: NDArray[np.float32], truth: list[float] | None, codec: Codec, use_opus: bool
) -> FileReport:
    seconds = signal.size / ANALYSIS_RATE
    ours = codec(signal)
    pursuit = pursue(signal, count_equal_atoms(ours.event_count, SCALARS_PER_EVENT))
    opus = None
    if use_opus:
        copy = pass_through_opus(signal, ANALYSIS_RATE)
        opus = _score(signal, copy.decoded, copy.payload_bits / seconds)
    return FileReport(
        name=name,
        seconds=seconds,
        events_per_second=ours.event_count / seconds,
        real_time_factor=seconds / ours.encode_seconds if ours.encode_seconds > 0.0 else None,
        struck=_score(signal, ours.decoded, ours.payload_bits / seconds),
        gabor=_score(signal, pursuit.decoded, None),
        opus=opus,
        onsets=None if truth is None else onset_f_measure(truth, ours.onset_seconds),
    )


def _score(signal: NDArray[np.float32], decoded: NDArray[np.float32], bits_per_second: float | None) -> Score:
    return Score(energy_removed_db(signal, decoded), mel_distance_db(signal, decoded), bits_per_second)


def _median_of(values: list[Any]) -> Any:
    """Median of numbers, or of each entry of dicts; None stands for a missing value."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    if isinstance(present[0], dict):
        return {key: _median_of([value[key] for value in present]) for key in present[0]}
    return median(present)


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
