"""The report of an evaluation of MARS as tables, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..notes.figures import NoteFigures
from .evaluation import PhraseReport
from .figures import PhraseFigures, Rhythm


def format_number(value: float | None, digits: int) -> str:
    """``value`` with so many digits after the point; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def format_percent(value: float | None, digits: int = 0) -> str:
    """A share (0..1) in percent; a dash for None."""
    return "-" if value is None else f"{100.0 * value:.{digits}f} %"


_NOTE_COLUMNS: Final[tuple[tuple[str, Callable[[NoteFigures], str]], ...]] = (
    ("PIS", lambda f: format_number(f.pis, 1)),
    ("IIS", lambda f: format_number(f.iis, 2)),
    ("PKID", lambda f: f"{f.pkid.mean:.3f}+-{f.pkid.deviation:.3f}"),
    ("IKID", lambda f: f"{f.ikid.mean:.3f}+-{f.ikid.deviation:.3f}"),
    ("NDB/k", lambda f: format_number(f.ndb_share, 2)),
    ("Frechet", lambda f: format_number(f.frechet, 2)),
    ("MSE", lambda f: format_number(f.level_error.mse if f.level_error else None, 4)),
    ("MAE", lambda f: format_number(f.level_error.mae if f.level_error else None, 4)),
    ("pitch", lambda f: format_percent(f.pitch_right)),
    ("cents", lambda f: format_number(f.cents_median, 0)),
    ("family", lambda f: format_percent(f.family_right)),
    ("nearest dB", lambda f: format_number(f.nearest_db, 1)),
    ("suspicious", lambda f: format_percent(f.suspicious)),
)
_PHRASE_COLUMNS: Final[tuple[tuple[str, Callable[[PhraseFigures], str]], ...]] = (
    ("chroma", lambda f: format_percent(f.chroma_share)),
    ("pass", lambda f: format_percent(f.chroma_passes)),
    ("changes", lambda f: format_percent(f.changes_share)),
    ("onsets each", lambda f: format_number(f.own_grid.onsets / f.count, 1)),
    ("error ms", lambda f: format_number(f.own_grid.error_ms, 1)),
    ("chance ms", lambda f: format_number(f.own_grid.chance_ms, 1)),
    ("on grid", lambda f: format_percent(f.own_grid.on_grid)),
    ("chance", lambda f: format_percent(f.own_grid.chance_on_grid)),
    ("phrases on grid", lambda f: format_percent(f.phrases_on_grid)),
    ("arpeggio F", lambda f: format_number(f.arpeggio_f, 2)),
    ("seam dBFS", lambda f: format_number(f.seam_db, 0)),
    ("seam beat ms", lambda f: format_number(f.seam_beat_ms, 1)),
    ("other beats", lambda f: format_number(f.other_beats_ms, 1)),
)

_LEGEND: Final = (
    "PIS, IIS: more is better; PKID, IKID, NDB/k, Frechet, MSE, MAE (of levels / 80 dB): less is better.",
    "pitch: within 50 cents; cents: median distance; family: named as asked; all of pitched notes, C2 to C7.",
    "nearest: to the nearest training note; suspicious: nearer than all but 5 % of held-out real notes are.",
    "chroma: energy on the chord's tones; pass: phrases with 75 % or more; changes: each chord of those that",
    "change. on grid: onsets within 30 ms. arpeggio F: one tone of the chord at each step, as transcribed.",
    "seam: by how much the worst step from a phrase's end to its beginning stands out; -120 where none does.",
    "seam beat: how far the beat after it is from where the phrase's other beats are; other beats: those.",
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


def rhythm_rows(report: PhraseReport) -> list[list[str]]:
    """Header and rows of the table of onsets on the grid of sixteenths, by style; empty without phrases."""
    measured = [(row.name, row.phrases) for row in report.rows if row.phrases is not None]
    if not measured:
        return []
    styles = list(measured[0][1].styles)
    rows = [
        [name, _rhythm(figures.rhythmic), *(_rhythm(figures.styles[style]) for style in styles)]
        for name, figures in measured
    ]
    first = measured[0][1]
    chances = [first.rhythmic, *(first.styles[style] for style in styles)]
    rows.append(
        [
            "chance",
            *(f"{format_percent(r.chance_on_grid)}, {format_number(r.chance_ms, 0)} ms" for r in chances),
        ]
    )
    return [["onsets on sixteenths", "all but pads", *styles], *rows]


def _rhythm(rhythm: Rhythm) -> str:
    if rhythm.error_ms is None:
        return "-"
    return f"{format_percent(rhythm.on_grid)}, {format_number(rhythm.error_ms, 0)} ms"


def format_text(report: PhraseReport) -> str:
    """All tables as aligned text, what they mean, and what was left out."""
    parts = [
        _aligned(note_rows(report)),
        _aligned(phrase_rows(report)),
        _aligned(rhythm_rows(report)),
        "\n".join([*_LEGEND, *_facts(report)]),
    ]
    return "\n\n".join(part for part in parts if part)


def format_markdown(report: PhraseReport) -> str:
    """The same as Markdown."""
    parts = [_markdown(rows(report)) for rows in (note_rows, phrase_rows, rhythm_rows)]
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
        f"pitch {format_percent(held['pitch'])}, family {format_percent(held['family'])}.",
        *_tokenizer(report),
        *report.notes,
    ]


def _tokenizer(report: PhraseReport) -> list[str]:
    lines = []
    for name, figures in report.tokenizers.items():
        use = ", ".join(
            f"{rows}x{columns} {format_percent(share)}"
            for (rows, columns), share in zip(figures.scales, figures.code_use, strict=True)
        )
        lines.append(
            f"Tokenizer of {name}, {figures.clips} held-out clips: MSE {figures.mse:.4f}; cut to as many "
            f"pixels, without tokens, {figures.truncation_mse:.4f}. Of {figures.code_count} codes are used: "
            f"{use}."
        )
    return lines


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
