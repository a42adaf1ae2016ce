"""Single notes made by calculation, of which pitch and onset are known, and how well a codec hears them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..events.event_spec import ANALYSIS_RATE, read_field
from ..events.events import Event

#: Silence before a note, and the length of all.
ONSET_SECONDS: Final = 0.2
_SECONDS: Final = 1.2
_PEAK: Final = 0.3


@dataclass(frozen=True)
class KnownNote:
    """One note after ``ONSET_SECONDS`` of silence; ``samples`` are float32 ``[T]`` at the analysis rate."""

    name: str
    pitch_midi: float
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class NoteScore:
    """How one note was heard: as how many events, and how far off its pitch and onset the loudest is.

    The errors are None where nothing was heard.
    """

    name: str
    event_count: int
    pitch_error_cents: float | None
    onset_error_seconds: float | None


def make_known_notes() -> list[KnownNote]:
    """A plucked string (Karplus-Strong) and a struck one (stiff, with decays of its own for each partial)."""
    return [_note("plucked string A3", 57.0, _pluck), _note("struck string E4", 64.0, _strike)]


def score_note(note: KnownNote, events: Sequence[Event]) -> NoteScore:
    """How well ``events`` describe ``note``."""
    if not events:
        return NoteScore(note.name, 0, None, None)
    loudest = max(events, key=lambda event: event.gain_db)
    return NoteScore(
        name=note.name,
        event_count=len(events),
        pitch_error_cents=100.0 * (float(read_field(loudest.vector, "pitch")) - note.pitch_midi),
        onset_error_seconds=loudest.onset_seconds - ONSET_SECONDS,
    )


def format_notes(scores: Sequence[NoteScore]) -> str:
    """The scores as lines of text."""
    lines = ["single notes: events, and how far off the loudest is"]
    for score in scores:
        line = f"  {score.name:20} {score.event_count:3} events"
        if score.pitch_error_cents is not None and score.onset_error_seconds is not None:
            line += f"  {score.pitch_error_cents:+8.0f} cents  {1e3 * score.onset_error_seconds:+7.1f} ms"
        lines.append(line)
    return "\n".join(lines)


def _note(name: str, pitch_midi: float, play: Callable[[float, int], NDArray[np.float64]]) -> KnownNote:
    start = round(ONSET_SECONDS * ANALYSIS_RATE)
    samples = np.zeros(round(_SECONDS * ANALYSIS_RATE), np.float32)
    played = play(440.0 * 2.0 ** ((pitch_midi - 69.0) / 12.0), len(samples) - start)
    samples[start:] = _PEAK * played / np.abs(played).max()
    return KnownNote(name, pitch_midi, samples)


def _pluck(frequency_hz: float, count: int) -> NDArray[np.float64]:
    """Karplus and Strong's string ``[count]``, tuned by an allpass (Jaffe and Smith, CMJ 7:2, 1983)."""
    period = ANALYSIS_RATE / frequency_hz
    delay = int(period - 0.6)
    part = period - 0.5 - delay
    coefficient = (1.0 - part) / (1.0 + part)
    burst = np.random.default_rng(0).uniform(-1.0, 1.0, delay)
    string = np.zeros(count + delay + 1)
    string[1 : delay + 1] = burst - burst.mean()
    last_in = last_out = 0.0
    for i in range(delay + 1, len(string)):
        mean = 0.499 * (string[i - delay] + string[i - delay - 1])
        last_out = coefficient * (mean - last_out) + last_in
        last_in = mean
        string[i] = last_out
    return string[delay + 1 :]


def _strike(frequency_hz: float, count: int) -> NDArray[np.float64]:
    """Fifteen partials of a stiff string ``[count]``, sharper and shorter the higher they are."""
    seconds = np.arange(count) / ANALYSIS_RATE
    n = np.arange(1, 16)[:, None]
    partial_hz = n * frequency_hz * np.sqrt(1.0 + 4e-4 * n**2)
    partials = np.exp(-(2.0 + 0.6 * n) * seconds) * np.sin(2.0 * np.pi * partial_hz * seconds) / n**1.2
    partials[partial_hz[:, 0] > 0.45 * ANALYSIS_RATE] = 0.0
    rise: NDArray[np.float64] = np.minimum(1.0, seconds / 0.003)
    return rise * partials.sum(0)
