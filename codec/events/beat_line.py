"""Beats against time: a straight line, as it is known at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BeatLine:
    """At ``seconds`` it is ``beat``; each beat lasts ``beat_seconds``.

    >>> line = BeatLine(seconds=10.0, beat=4.0, beat_seconds=0.5)
    >>> line.tempo_bpm, line.beat_at(11.0), line.seconds_at(8.0)
    (120.0, 6.0, 12.0)

    Args:
        seconds: a moment of ``time.perf_counter()``.
        beat: the song's beat then; beat 0 begins a bar.
        beat_seconds: longer than 0.
        song: counts how often the song was started or moved: beats of another one are not to be compared.
    """

    seconds: float
    beat: float
    beat_seconds: float
    song: int = 0

    @property
    def tempo_bpm(self) -> float:
        return 60.0 / self.beat_seconds

    def beat_at(self, seconds: float) -> float:
        """The beat at a moment, with its fraction."""
        return self.beat + (seconds - self.seconds) / self.beat_seconds

    def seconds_at(self, beat: float) -> float:
        """The moment of a beat."""
        return self.seconds + (beat - self.beat) * self.beat_seconds
