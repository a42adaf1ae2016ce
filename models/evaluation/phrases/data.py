"""Finds the clips for an evaluation of MARS, or has them made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from struck.codec.events.errors import StruckError

from ...mars.phrase_data import PhraseData, build_phrase_data

#: Clips that are made where there are none: enough to compare with, made in a minute or two.
_SINGLES: Final = 1500
_PHRASES: Final = 300
_HELD_OUT: Final = 600

Report = Callable[[str], None]


def open_evaluation_data(path: Path, made_in: Path, report: Report) -> tuple[PhraseData, list[str]]:
    """Clips in ``path`` or ``path/data``; or made into ``made_in``, of ``path/notes`` among others.

    What was made is used again. Returns the clips and notes to the report.

    Raises:
        StruckError: there is neither, or the clips are damaged, or cannot be made.
    """
    if not path.is_dir():
        raise StruckError(f"there is no folder {path}")
    for folder in (path, path / "data"):
        if (folder / "audio.npy").is_file():
            return PhraseData(folder), []
    if not (path / "notes" / "manifest.csv").is_file():
        raise StruckError(f"{path} holds neither training clips (audio.npy) nor recorded notes (notes/)")
    note = f"compared with clips made for the evaluation ({made_in}), not with those that MARS was trained on"
    if (made_in / "audio.npy").is_file():
        return PhraseData(made_in), [note]
    data = build_phrase_data(
        path, made_in, singles=_SINGLES, phrases=_PHRASES, held_out=_HELD_OUT, seed=0, report=report
    )
    return data, [note]
