"""The status as lines of text with styles: what the terminal shows."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Final

from .status import Status, format_clock, format_db, format_recording

#: A line is pieces of text, each with a style's name.
Line = list[tuple[str, str]]

_FLOOR_DB: Final = -60.0
#: Colours of a meter: each holds from this level upwards.
_ZONES: Final = ((-math.inf, "green"), (-12.0, "yellow"), (-3.0, "red"))
_LABEL_CELLS: Final = 7
_LEVEL_CELLS: Final = 15
_NAME_CELLS: Final = 25
_WIDEST_CELLS: Final = 100
#: A bar shorter than this says nothing.
_SHORTEST_BAR_CELLS: Final = 8
_CHANNELS_SHOWN: Final = 8
#: The peak mark stays this long, then falls.
_HOLD_SECONDS: Final = 1.5
_FALL_DB_PER_SECOND: Final = 20.0


def picture_lines(status: Status, width_cells: int, unicode: bool) -> list[Line]:
    """The whole picture; lines longer than the terminal is wide are the terminal's to cut.

    Args:
        width_cells: of the terminal.
        unicode: draw bars with more than ASCII.
    """
    names = [status.profile, status.patch and f"patch {status.patch}"]
    stream = f"{status.rate_hz} Hz / {status.block_frames}" if status.rate_hz else ""
    latency = f"latency {status.latency_seconds * 1000.0:.1f} ms" if status.latency_seconds else ""
    head = [text for text in (*names, stream, latency) if text]
    lines: list[Line] = [[(format_clock(status.position_seconds), "bold"), ("  " + "  ".join(head), "")]]
    lines += _meters("in", status.input_name, status.input_rms_db, status.input_peak_db, width_cells, unicode)
    lines += _meters(
        "out", status.output_name, status.output_rms_db, status.output_peak_db, width_cells, unicode
    )
    of_limit = f"/{status.voice_limit}" if status.voice_limit else ""
    lines.append(
        [
            (f"events {status.events_per_second:.1f}/s  voices {status.voices}{of_limit}", ""),
            (f"  limiter {status.limiter_db:.1f} dB", "yellow" if status.limiter_db <= -0.1 else "dim"),
        ]
    )
    lines.append(
        [
            (f"callback {status.callback_mean_percent:.0f} % mean", ""),
            (f"  {status.callback_worst_percent:.0f} % worst", _load_style(status.callback_worst_percent)),
            *((f"  {name} {p:.0f} %", _load_style(p)) for name, p in status.worker_percent.items()),
        ]
    )
    if status.tempo or status.phrases:
        # A word says what a colour does.
        lost = "dropout" in status.tempo
        gap = "  " if status.tempo and status.phrases else ""
        lines.append([(status.tempo + gap, "bold red" if lost else ""), (status.phrases, "")])
    if status.counters:
        lines.append(
            [
                (f"{name.replace('_', ' ')} {number}  ", "bold red" if number else "dim")
                for name, number in status.counters.items()
            ]
        )
    for recording in status.recordings:
        troubled = recording.failed or recording.dropped
        dot = "● " if unicode else "* "
        lines.append([(dot, "red"), (format_recording(recording), "bold red" if troubled else "")])
    if status.peers:
        lines.append([("  ".join(status.peers), "dim")])
    return [[(printable(text), style) for text, style in line] for line in lines]


def printable(text: str) -> str:
    """``text`` without what could steer a terminal: names of files, devices and peers are other people's."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _meters(
    label: str,
    name: str,
    rms_db: tuple[float, ...],
    peak_db: tuple[float, ...],
    width_cells: int,
    unicode: bool,
) -> list[Line]:
    lines: list[Line] = []
    for channel, (rms, peak) in enumerate(zip(rms_db, peak_db, strict=True)):
        if channel == _CHANNELS_SHOWN:
            break
        beside = min(len(name) + 1, _NAME_CELLS) if name else 0
        tag = label if len(rms_db) == 1 else f"{label} {channel + 1}"
        cells = min(width_cells, _WIDEST_CELLS) - _LABEL_CELLS - _LEVEL_CELLS - beside
        bar = _bar(rms, peak, cells, unicode)
        levels = f" {format_db(rms):>6} {format_db(peak):>6} "
        lines.append([(f"{tag:{_LABEL_CELLS}}", ""), *bar, (levels, "bold red" if peak >= 0.0 else "")])
    if name and lines:
        lines[0].append((f" {name}", "dim"))
    return lines


def _bar(rms_db: float, peak_db: float, cells: int, unicode: bool) -> Line:
    """A bar as long as the RMS level, with a mark at the peak, in the colours of the zones."""
    if cells < _SHORTEST_BAR_CELLS:
        return []
    full, empty, mark = ("━", "─", "┃") if unicode else ("#", "-", "|")
    filled, peak = _cell(rms_db, cells), _cell(peak_db, cells)
    text = full * filled + empty * (cells - filled)
    if peak > 0:
        text = text[: peak - 1] + mark + text[peak:]
    edges = [_cell(low, cells) for low, _ in _ZONES] + [cells]
    lit = max(filled, peak)
    pieces: Line = []
    for (_, colour), (start, end) in zip(_ZONES, pairwise(edges), strict=True):
        pieces.append((text[start : min(end, lit)], colour))
    return [*((piece, colour) for piece, colour in pieces if piece), (text[lit:], "dim")]


def _cell(level_db: float, cells: int) -> int:
    """How many cells of a bar a level fills."""
    if not level_db > _FLOOR_DB:  # silence, and NaN
        return 0
    return min(cells, round((level_db - _FLOOR_DB) / -_FLOOR_DB * cells))


def _load_style(percent: float) -> str:
    return "bold red" if percent >= 90.0 else "yellow" if percent >= 60.0 else ""


class PeakHold:
    """Lets the eye see peaks: they stand for a while, then fall."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], tuple[float, float]] = {}

    def hold(self, status: Status, now_seconds: float) -> Status:
        """The status with peaks as high as those shown lately."""
        return replace(
            status,
            input_peak_db=self._levels("in", status.input_peak_db, now_seconds),
            output_peak_db=self._levels("out", status.output_peak_db, now_seconds),
        )

    def _levels(self, side: str, peaks_db: tuple[float, ...], now_seconds: float) -> tuple[float, ...]:
        shown = []
        for channel, peak_db in enumerate(peaks_db):
            top_db, at_seconds = self._held.get((side, channel), (-math.inf, now_seconds))
            fallen_db = _FALL_DB_PER_SECOND * max(0.0, now_seconds - at_seconds - _HOLD_SECONDS)
            if not peak_db < top_db - fallen_db or top_db - fallen_db < _FLOOR_DB:
                self._held[side, channel] = (peak_db, now_seconds)
                shown.append(peak_db)
            else:
                shown.append(top_db - fallen_db)
        return tuple(shown)
