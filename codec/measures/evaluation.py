"""Measure a codec over a folder of recordings, beside two baselines: Gabor pursuit and Opus.

What the numbers mean is written in ``docs/evaluation.md``.
"""

from __future__ import annotations

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
from .metrics import OnsetScore, energy_removed_db, mel_distance_db, note_f_measure, onset_f_measure
from .opus import OPUS_BITS_PER_SECOND, find_opus_fault, pass_through_opus
from .pursuit import count_equal_atoms, pursue
from .truth import Truth, read_truth

#: What one event costs in the comparison with the pursuit: its vector and its onset. Its gain is not counted,
#: to the pursuit's disadvantage by 3 %.
SCALARS_PER_EVENT: Final = VECTOR_SIZE + 1

#: File name endings of formats that soundfile lists under another name.
_ALIASES: Final = frozenset({"aif", "aifc", "oga", "opus", "snd"})


@dataclass(frozen=True)
class CodecResult:
    """What a codec made of one signal.

    Args:
        decoded: mono at ``ANALYSIS_RATE``, of any length.
        onset_seconds: of the events.
        payload_bits: of all that was told: events, amendments, ends.
        encode_seconds: it took.
        pitches_midi: of the events, as they sounded longest.
        amendment_count: amendments and ends.
        amendment_bits: of those.
    """

    decoded: NDArray[np.float32]
    onset_seconds: Sequence[float]
    event_count: int
    payload_bits: int
    encode_seconds: float
    pitches_midi: Sequence[float] = ()
    amendment_count: int = 0
    amendment_bits: int = 0


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
    amendments_per_second: float  # with ends
    amendment_bits_per_second: float
    real_time_factor: float | None  # seconds of sound encoded per second; None where it took no time
    struck: Score
    gabor: Score | None  # None where the baselines were left out
    opus: Score | None  # at the lowest rate, and at 9 and 12 kbit/s, asked for
    opus_9: Score | None
    opus_12: Score | None
    onsets: OnsetScore | None  # where the truth is known
    notes: OnsetScore | None  # where something in it has a pitch


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
    "amendments_per_second",
    "amendment_bits_per_second",
    "real_time_factor",
    "struck",
    "gabor",
    "opus",
    "opus_9",
    "opus_12",
    "onsets",
    "notes",
)


def evaluate_folder(
    folder: str | Path, codec: Codec, progress: Progress | None = None, baselines: bool = True
) -> Report:
    """Run ``codec`` and both baselines over every recording in ``folder`` (not in its subfolders).

    Args:
        folder: holds files of any format soundfile reads. Where ``NAME.notes.csv`` (a column ``onset_s``)
            lies beside ``NAME.*`` or in ``annotations/``, found onsets are scored against it, and notes
            where it has a column ``midi_pitch``.
        codec: called with mono float32 ``[N]`` at ``ANALYSIS_RATE``.
        progress: called with (files done, files in all, name of the file that starts), and once at the end
            with the last name.
        baselines: whether the pursuit and Opus take part.

    Returns:
        A report; files that could not be read are in its ``faults``, and the rest is evaluated.

    Raises:
        StruckError: the folder does not exist, or holds no recording.
    """
    folder = Path(folder)
    paths = find_recordings(folder)
    opus_fault = find_opus_fault() if baselines else None
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
        use_opus = baselines and opus_fault is None
        files.append(_evaluate(path.name, signal, truth, codec, baselines, use_opus))
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


def _evaluate(
    name: str,
    signal: NDArray[np.float32],
    truth: Truth | None,
    codec: Codec,
    use_pursuit: bool,
    use_opus: bool,
) -> FileReport:
    seconds = signal.size / ANALYSIS_RATE
    ours = codec(signal)
    gabor = None
    opus: list[Score] | list[None] = [None] * len(OPUS_BITS_PER_SECOND)
    if use_pursuit:
        pursuit = pursue(signal, count_equal_atoms(ours.event_count, SCALARS_PER_EVENT))
        gabor = _score(signal, pursuit.decoded, None)
    if use_opus:
        copies = [pass_through_opus(signal, ANALYSIS_RATE, rate) for rate in OPUS_BITS_PER_SECOND]
        opus = [_score(signal, copy.decoded, copy.payload_bits / seconds) for copy in copies]
    found = list(zip(ours.onset_seconds, ours.pitches_midi, strict=False))
    return FileReport(
        name=name,
        seconds=seconds,
        events_per_second=ours.event_count / seconds,
        amendments_per_second=ours.amendment_count / seconds,
        amendment_bits_per_second=ours.amendment_bits / seconds,
        real_time_factor=seconds / ours.encode_seconds if ours.encode_seconds > 0.0 else None,
        struck=_score(signal, ours.decoded, ours.payload_bits / seconds),
        gabor=gabor,
        opus=opus[0],
        opus_9=opus[1],
        opus_12=opus[2],
        onsets=None if truth is None else onset_f_measure(truth.onset_seconds, ours.onset_seconds),
        notes=note_f_measure(truth.notes, found) if truth is not None and truth.notes else None,
    )


def _score(signal: NDArray[np.float32], decoded: NDArray[np.float32], bits_per_second: float | None) -> Score:
    # Over the recording alone: silence that follows in both would count as likeness.
    decoded = decoded[: signal.size]
    return Score(energy_removed_db(signal, decoded), mel_distance_db(signal, decoded), bits_per_second)


def _median_of(values: list[Any]) -> Any:
    """Median of numbers, or of each entry of dicts; None stands for a missing value."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    if isinstance(present[0], dict):
        return {key: _median_of([value[key] for value in present]) for key in present[0]}
    return median(present)
