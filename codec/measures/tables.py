"""An evaluation as text: one profile file by file, or all profiles in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from .evaluation import Report

#: Keys of a report at higher rates than the lowest, and their titles.
_OPUS: Final = {"opus_9": "Opus, 9 kbit/s", "opus_12": "Opus, 12 kbit/s"}
_LEGEND: Final = "dB: energy removed, more is better. mel: mean distance of mel bands in dB, less is better."


def format_table(report: Report) -> str:
    """The report as aligned text of about 125 columns, medians last, faults and notes below."""
    medians = report.medians()
    rates = {name: medians[key] for key, name in _OPUS.items() if medians[key] is not None}
    width = max(len(name) for name in ("median", *rates, *(file.name for file in report.files)))
    lines = [
        f"{'':{width}}  {'sound':>6} {'events':>6} {'amend.':>6} {'speed':>6} | {'struck':^20} | "
        f"{'Gabor':^13} | {'Opus':^20} | {'onset':>5} {'note':>5}",
        f"{'':{width}}  {'s':>6} {'1/s':>6} {'1/s':>6} {'x real':>6} | {'kbit/s':>6} {'dB':>6} {'mel':>6} | "
        f"{'dB':>6} {'mel':>6} | {'kbit/s':>6} {'dB':>6} {'mel':>6} | {'F':>5} {'F':>5}",
    ]
    rows = [asdict(file) for file in report.files]
    if rows:
        rows.append({"name": "median", **medians})
    keys = ("seconds", "events_per_second", "amendments_per_second", "real_time_factor")
    for row in rows:
        line = f"{row['name']:{width}}  " + " ".join(_cell(row[key], 6, 1) for key in keys)
        for method in ("struck", "gabor", "opus"):
            line += f" | {_distances(row[method], rate=method != 'gabor')}"
        lines.append(f"{line} | {_share(row['onsets'])} {_share(row['notes'])}")
        if row is rows[-1] and len(rows) > 1:
            lines.insert(-1, "-" * len(lines[-1]))
    for name, score in rates.items():
        lines.append(f"{name:{width}}  {'':27} | {'':20} | {'':13} | {_distances(score)} |{'':12}")
    return "\n".join([*lines, *_remarks(report), _LEGEND])


def format_profiles(reports: Mapping[str, Report]) -> str:
    """Medians of several profiles over the same files, a row each, and of the baselines where they took part.

    Args:
        reports: by the profile's name; faults and notes are those of the first.
    """
    rows: list[str] = []
    for name, report in reports.items():
        median = report.medians()
        rows.append(
            _row(name, median["struck"])
            + f" {_kilobits(median['amendment_bits_per_second'])} "
            + " ".join(_cell(median[key], 6, 1) for key in ("events_per_second", "amendments_per_second"))
            + f"  {_share(median['onsets'])} {_share(median['notes'])} "
            + _cell(median["real_time_factor"], 6, 1)
        )
    first = next(iter(reports.values()))
    baselines = first.medians()
    titles = {"opus": "Opus, lowest rate"} | _OPUS | {"gabor": f"Gabor, as {next(iter(reports))}"}
    for name, title in titles.items():
        if baselines[name] is not None:
            rows.append(_row(title, baselines[name]))
    lines = [
        f"{'':17}  {'dB':>6} {'mel':>6} {'kbit/s':>6} {'amend.':>6} {'events':>6} {'amend.':>6}  "
        f"{'onset':>5} {'note':>5} {'speed':>6}",
        f"{'':17}  {'':>6} {'':>6} {'':>6} {'kbit/s':>6} {'1/s':>6} {'1/s':>6}  "
        f"{'F':>5} {'F':>5} {'x real':>6}",
    ]
    count = len(first.files)
    seconds = sum(file.seconds for file in first.files)
    return "\n".join(
        [*lines, *rows, f"medians of {count} files, {seconds:.0f} s in all", *_remarks(first), _LEGEND]
    )


def _row(name: str, score: Mapping[str, Any] | None) -> str:
    values = score or {}
    return (
        f"{name:17}  {_cell(values.get('energy_removed_db'), 6, 2)} "
        f"{_cell(values.get('mel_distance_db'), 6, 2)} {_kilobits(values.get('bits_per_second'))}"
    )


def _distances(score: Mapping[str, float] | None, rate: bool = True) -> str:
    values = score or {}
    cells = [_kilobits(values.get("bits_per_second"))] if rate else []
    cells += [_cell(values.get(key), 6, 2) for key in ("energy_removed_db", "mel_distance_db")]
    return " ".join(cells)


def _remarks(report: Report) -> list[str]:
    return [f"left out: {fault}" for fault in report.faults] + report.notes


def _kilobits(bits: float | None) -> str:
    return _cell(None if bits is None else bits / 1000, 6, 2)


def _share(score: Mapping[str, float] | None) -> str:
    return _cell((score or {}).get("f_measure"), 5, 2)


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
