"""What was played in a recording, as somebody wrote it down beside it: ``NAME.notes.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..events.errors import StruckError

_SUFFIX: Final = ".notes.csv"
_FOLDER: Final = "annotations"
_ONSET: Final = "onset_s"
_PITCH: Final = "midi_pitch"


@dataclass(frozen=True)
class Truth:
    """What was played.

    Args:
        onset_seconds: of everything that was struck.
        notes: onset in seconds and MIDI pitch of what has a pitch.
    """

    onset_seconds: list[float]
    notes: list[tuple[float, float]]


def read_truth(recording: Path) -> Truth | None:
    """What was played in a recording, or None where no ``.notes.csv`` belongs to it.

    Raises:
        StruckError: the file has no ``onset_s`` column, or an onset or a pitch in it is not a number.
    """
    name = recording.stem + _SUFFIX
    places = (recording.parent / name, recording.parent / _FOLDER / name)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
        onsets = [float(row[_ONSET]) for row in rows]
        notes = [
            (onset, float(row[_PITCH])) for onset, row in zip(onsets, rows, strict=True) if row.get(_PITCH)
        ]
    except KeyError as error:
        raise StruckError(f"{path} has no column {_ONSET}") from error
    except (OSError, TypeError, ValueError) as error:
        raise StruckError(
            f"{path}: {_ONSET} or {_PITCH} is not a number in every line, or not text"
        ) from error
    if not np.isfinite([*onsets, *(pitch for _, pitch in notes)]).all():
        raise StruckError(f"{path}: {_ONSET} or {_PITCH} is not finite")
    return Truth(onsets, notes)
