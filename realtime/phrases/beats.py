"""Beats and bars as stream samples: of the own tempo, or of a clock that is followed.

::

    sample   0        L/4       L/2       3L/4        L      of a loop of four beats
    beat     0         1         2         3          4
    bar      |                             (of three) |

A phrase of whole beats is a whole number of samples long. The tempo is rounded to make it so (by less than
0.02 % at the lowest rate), and loops that go on for hours stay on their beats. The grid of a clock is made
anew all the time, exact where the stream is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...codec.events.beat_line import BeatLine
from ...models.mars.conditions import PhraseConditions


@dataclass(frozen=True)
class Beats:
    """A grid of beats: ``loop_beats`` of them in ``loop_samples``.

    >>> beats = Beats.of_tempo(48_000, 90.0)
    >>> beats.loop_beats, beats.loop_samples
    (8, 256000)
    >>> beats.sample_of(1), beats.next_beat(32_000), beats.next_beat(32_001), beats.next_bar(1)
    (32000, 32000, 64000, 128000)

    Args:
        loop_beats, loop_samples: length of a phrase.
        beats_per_bar: where bars begin.
        origin_sample: of beat 0, which begins a bar.
    """

    loop_beats: int
    loop_samples: int
    beats_per_bar: int = 4
    origin_sample: int = 0

    @classmethod
    def of_tempo(cls, rate: int, tempo_bpm: float, beats_per_bar: int = 4, origin_sample: int = 0) -> Beats:
        """The grid of a tempo, in samples at ``rate`` Hz.

        Raises:
            ValueError: the tempo is out of the range of phrases.
        """
        beats = PhraseConditions(tempo_bpm=tempo_bpm).beats
        return cls(beats, round(beats * 60.0 / tempo_bpm * rate), beats_per_bar, origin_sample)

    @classmethod
    def of_line(
        cls,
        rate: int,
        line: BeatLine,
        seconds: float,
        at_sample: int,
        loop_beats: int,
        beats_per_bar: int = 4,
    ) -> Beats:
        """The grid of a clock: at ``seconds`` the stream is at ``at_sample``, and there the grid is exact.

        >>> line = BeatLine(seconds=5.0, beat=1_000.0, beat_seconds=0.5)
        >>> Beats.of_line(48_000, line, 5.25, 100_000, loop_beats=8).sample_of(1_001)
        112000
        """
        beat = round(line.beat_at(seconds))
        sample = at_sample + round((line.seconds_at(beat) - seconds) * rate)
        grid = cls(loop_beats, round(loop_beats * line.beat_seconds * rate), beats_per_bar)
        return replace(grid, origin_sample=sample - grid.sample_of(beat))

    def tempo_bpm(self, rate: int) -> float:
        """The tempo as it is, rounded to whole samples."""
        return 60.0 * rate * self.loop_beats / self.loop_samples

    def sample_of(self, beat: int) -> int:
        """Stream sample nearest to a beat; whole loops are exact."""
        return self.origin_sample + (beat * self.loop_samples + self.loop_beats // 2) // self.loop_beats

    def nearest_beat(self, at_sample: int) -> int:
        """The beat nearest to a stream sample."""
        return round((at_sample - self.origin_sample) * self.loop_beats / self.loop_samples)

    def samples_of(self, beats: int) -> int:
        """Length of so many beats in samples."""
        return round(beats * self.loop_samples / self.loop_beats)

    def next_beat(self, at_sample: int) -> int:
        """Stream sample of the first beat at or after ``at_sample``."""
        return self._next(at_sample, 1)

    def next_bar(self, at_sample: int) -> int:
        """Stream sample of the first bar at or after ``at_sample``."""
        return self._next(at_sample, self.beats_per_bar)

    def _next(self, at_sample: int, step: int) -> int:
        # At or before the one that is sought, by less than two steps.
        beat = (at_sample - self.origin_sample) * self.loop_beats // self.loop_samples // step * step
        while self.sample_of(beat) < at_sample:
            beat += step
        return self.sample_of(beat)
