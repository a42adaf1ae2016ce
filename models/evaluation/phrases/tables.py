"""The report of an evaluation of MARS as tables, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ...mars.quantizer import SCALES
from ..notes.figures import NoteFigures
from .evaluation import PhraseReport
from .figures import PhraseFigures


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:.0f} %"


_NOTE_COLUMNS: Final[tuple[tuple[str, Callable[[NoteFigures], str]], ...]] = (
    ("PIS", lambda f: _number(f.pis, 1)),
    ("IIS", lambda f: _number(f.iis, 2)),
    ("PKID", lambda f: f"{f.pkid.mean:.3f}+-{f.pkid.deviation:.3f}"),
    ("IKID", lambda f: f"{f.ikid.mean:.3f}+-{f.ikid.deviation:.3f}"),
    ("NDB/k", lambda f: _number(f.ndb_share, 2)),
    ("Frechet", lambda f: _number(f.frechet, 2)),
    ("MSE", lambda f: _number(f.level_error.mse if f.level_error else None, 4)),
    ("MAE", lambda f: _number(f.level_error.mae if f.level_error else None, 4)),
    ("pitch", lambda f: _percent(f.pitch_right)),
    ("cents", lambda f: _number(f.cents_median, 0)),
    ("family", lambda f: _percent(f.family_right)),
    ("nearest dB", lambda f: _number(f.nearest_db, 1)),
    ("suspicious", lambda f: _percent(f.suspicious)),
)
_PHRASE_COLUMNS: Final[tuple[tuple[str, Callable[[PhraseFigures], str]], ...]] = (
    ("chroma", lambda f: _percent(f.chroma_share)),
    ("pass", lambda f: _percent(f.chroma_passes)),
    ("onsets each", lambda f: _number(f.onsets_per_phrase, 1)),
    ("error ms", lambda f: _number(f.onset_error_ms, 1)),
    ("chance ms", lambda f: _number(f.chance_ms, 1)),
    ("on grid", lambda f: _percent(f.on_grid)),
    ("chance", lambda f: _percent(f.chance_on_grid)),
    ("phrases on grid", lambda f: _percent(f.phrases_on_grid)),
)

_LEGEND: Final = (
    "PIS, IIS: more is better; PKID, IKID, NDB/k, Frechet, MSE, MAE (of levels / 80 dB): less is better.",
    "pitch: within 50 cents; cents: median distance; family: named as asked; all of pitched notes, C2 to C7.",
    "nearest: to the nearest training note; suspicious: nearer than all but 5 % of held-out real notes are.",
    "chroma: energy on the chord's tones; pass: phrases with 75 % or more. on grid: onsets within 30 ms.",
)


def note_rows(report: PhraseReport) -> list[list[str]]:
    """Header and rows of the table of single notes."""
    head = ["single notes", *(name for name, _ in _NOTE_COLUMNS)]
    return [head, *([row.name, *(cell(row.notes) for _, cell in _NOTE_COLUMNS)] for row in report.rows)]


def phrase_rows(report: PhraseReport) -> list[list[str]]:
    """Header and rows of the table of phrases; empty where none were asked for."""
    rows = [
        [row.name, *(cell(row.phrases) for _, cell in _PHRASE_COLUMNS)]
        for row in report.rows
        if row.phrases is not None
    ]
    return [["phrases", *(name for name, _ in _PHRASE_COLUMNS)], *rows] if rows else []


def format_text(report: PhraseReport) -> str:
    """Both tables as aligned text, what they mean, and what was left out."""
    parts = [
        _aligned(note_rows(report)),
        _aligned(phrase_rows(report)),
        "\n".join([*_LEGEND, *_facts(report)]),
    ]
    return "\n\n".join(part for part in parts if part)


def format_markdown(report: PhraseReport) -> str:
    """The same as Markdown."""
    parts = [_markdown(note_rows(report)), _markdown(phrase_rows(report))]
    parts.append("\n".join(f"- {line}" for line in (*_LEGEND, *_facts(report))))
    return "# MARS beside its baselines\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def format_nearest(report: PhraseReport) -> str:
    """The training sounds nearest to each note of MARS, as Markdown."""
    lines = [
        "# Training sounds nearest to each note that MARS made",
        "",
        "By spectrogram: root mean square difference in dB of levels relative to the loudest.",
        "By embedding: distance in the layers under both classifiers.",
        "",
    ]
    for i, one in enumerate(report.nearest):
        asked = one.asked
        lines.append(f"## {i:03d}: {asked.instrument}, pitch {asked.pitch}, velocity {asked.velocity}")
        lines += [f"- {distance:.1f} dB: {name}" for name, distance in one.by_spectrogram]
        lines += [f"- {distance:.2f} (embedding): {name}" for name, distance in one.by_embedding]
        lines.append("")
    return "\n".join(lines)


def _facts(report: PhraseReport) -> list[str]:
    held = {name: report.judges.get(f"{name}_right_held_out") for name in ("pitch", "family")}
    return [
        f"{len(report.asked_notes)} notes and {len(report.asked_phrases)} phrases a row; "
        f"{report.training_notes} training notes. On real notes held out the classifiers are right: "
        f"pitch {_percent(held['pitch'])}, family {_percent(held['family'])}.",
        *_tokenizer(report),
        *report.notes,
    ]


def _tokenizer(report: PhraseReport) -> list[str]:
    figures = report.tokenizer
    if figures is None:
        return []
    use = ", ".join(
        f"{rows}x{columns} {_percent(share)}"
        for (rows, columns), share in zip(SCALES, figures.code_use, strict=True)
    )
    return [
        f"Tokenizer, {figures.clips} held-out clips: MSE {figures.mse:.4f}; cut to as many pixels, without "
        f"tokens, {figures.truncation_mse:.4f}. Of {figures.code_count} codes are used: {use}."
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    rule = "| --- |" + " ---: |" * (len(rows[0]) - 1)
    return "\n".join([lines[0], rule, *lines[1:]])
