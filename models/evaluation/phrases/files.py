"""What an evaluation of MARS leaves in a folder: tables, sounds, nearest training sounds, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE

from ...mars.conditions import PhraseConditions
from .evaluation import PhraseReport
from .pictures import draw_rows, draw_scales
from .tables import format_markdown, format_nearest

_PICTURE_NOTES: Final = 5
#: The phrase whose scales are drawn.
_PICTURE_PHRASE: Final = PhraseConditions(57, 100, "arpeggio", "piano", "minor", 120.0)


def check_folder(folder: Path) -> None:
    """Make the folder, or find out before an hour's work that it cannot be made.

    Raises:
        StruckError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StruckError(f"cannot make the folder {folder}: {error.strerror}") from error


def write_files(folder: Path, report: PhraseReport, mars: Any) -> list[Path]:
    """Write everything; returns the paths.

    ::

        report.md, report.json   tables
        nearest.md               training sounds nearest to each note of MARS
        sounds/ROW/note-000.flac, phrase-000.flac
        notes.png, phrases.png   the same sounds by every row
        scales.png               one phrase from coarse to fine

    Args:
        mars: gives the phrase for ``scales.png`` (:class:`struck.models.mars.mars.Mars`).

    Raises:
        StruckError: something cannot be written.
    """
    check_folder(folder)
    written = []
    texts = {
        "report.md": format_markdown(report),
        "report.json": json.dumps(report.to_dict(), allow_nan=False, indent=1),
        "nearest.md": format_nearest(report),
    }
    for name, text in texts.items():
        written.append(folder / name)
        try:
            (folder / name).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise StruckError(f"cannot write {folder / name}: {error.strerror}") from error
    for row in report.rows:
        place = folder / "sounds" / row.name.replace(",", "").replace(" ", "-")
        check_folder(place)
        for kind, sounds in (("note", row.note_sounds), ("phrase", row.phrase_sounds)):
            for i, sound in enumerate(sounds):
                written.append(place / f"{kind}-{i:03d}.flac")
                _write_sound(written[-1], sound)
    for kind, asked in (("notes", report.asked_notes), ("phrases", report.asked_phrases)):
        count = min(_PICTURE_NOTES, len(asked))
        if count:
            rows = [
                (row.name, (row.note_sounds if kind == "notes" else row.phrase_sounds)[:count])
                for row in report.rows
            ]
            written.append(folder / f"{kind}.png")
            draw_rows(written[-1], rows, [_title(a.conditions) for a in asked[:count]])
    phrase = mars.generate(_PICTURE_PHRASE, seed=0)
    shapes = [(tokens.shape[0], tokens.shape[1]) for tokens in phrase.tokens]
    written.append(folder / "scales.png")
    scales, hop_samples = mars.scales(phrase.tokens, _PICTURE_PHRASE), _PICTURE_PHRASE.hop_samples
    draw_scales(written[-1], scales, shapes, _title(_PICTURE_PHRASE), hop_samples)
    return written


def _title(conditions: PhraseConditions) -> str:
    note = f"{conditions.instrument} {conditions.pitch}"
    if conditions.style == "single":
        return note
    chord = f" {conditions.chord}" if conditions.has_chord else ""
    return f"{conditions.style}: {note}{chord}, {conditions.tempo_bpm:g} bpm"


def _write_sound(path: Path, samples: np.ndarray) -> None:
    try:
        soundfile.write(path, np.clip(samples, -1.0, 1.0), ANALYSIS_RATE)
    except (OSError, soundfile.LibsndfileError) as error:
        raise StruckError(f"cannot write {path}: {error}") from error
