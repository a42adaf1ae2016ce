"""What ``struck phrase`` does: phrases that run on from each other, joined, into a sound file and a take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from ...codec.events.errors import StruckError
from ...codec.events.event_spec import ANALYSIS_RATE
from ...codec.files.audio_writer import AudioWriter
from ...codec.files.part_files import is_same_file
from ...models.mars.conditions import PhraseConditions
from ..engine.slots import FADE
from .loops import loop_samples

if TYPE_CHECKING:
    from ...codec.weights.codec_weights import CodecWeights
    from ...models.mars.mars import Mars, PhaseMethod, Phrase, Sampling

#: Phrases heard as events: no performer waits for them.
_PROFILE: Final = "studio"

Report = Callable[[float], None]


@dataclass(frozen=True)
class PhraseFiles:
    """What is to be written.

    Args:
        output: ``.wav``, ``.flac`` or ``.ogg``: sound; ``.mcap``: a take alone.
        rate: of the sound in Hz; ``subtype``: its sample format as libsndfile names it, None for the usual.
        beside: ``.mcap``: the sound as events, too; None: no take.

    Raises:
        StruckError: the names do not fit.
    """

    output: Path
    rate: int = 48_000
    subtype: str | None = None
    beside: Path | None = None

    def __post_init__(self) -> None:
        if self.sound is not None:
            AudioWriter(self.sound, self.rate, subtype=self.subtype)  # refuses what cannot be written
        elif self.beside is not None:
            raise StruckError(f"{self.output} is a take already; {self.beside} would be another")
        elif self.subtype is not None:
            raise StruckError(f"{self.output} is a take: it has no sample format")
        if self.beside is not None:
            from ...codec.pipeline import refuse_other_extension

            refuse_other_extension(self.beside, ".mcap")
            if is_same_file(self.output, self.beside):
                raise StruckError(f"{self.beside} would be written twice")

    @property
    def sound(self) -> Path | None:
        """The sound file; None where there is a take alone."""
        return None if self.output.suffix.lower() == ".mcap" else self.output

    @property
    def take(self) -> Path | None:
        """The take; None where there is none."""
        return self.output if self.sound is None else self.beside


def make_phrases(
    mars: Mars,
    conditions: Sequence[PhraseConditions],
    seed: int,
    sampling: Sampling,
    phase: PhaseMethod,
    advance: Report,
) -> list[Phrase]:
    """Phrases, each going on from the one before, with seeds that count up from ``seed``."""
    phrases: list[Phrase] = []
    for number, asked in enumerate(conditions):
        before = phrases[-1] if phrases else None
        phrases.append(
            mars.generate(
                asked, seed=(seed + number) % (1 << 32), previous=before, sampling=sampling, phase=phase
            )
        )
        advance(number + 1)
    return phrases


def join_phrases(sounds: Sequence[NDArray[np.float32]], loop_seconds: float) -> NDArray[np.float32]:
    """Phrases ``loop_seconds`` one after the other, each cross-faded from how the one before would go on.

    A phrase goes on with its own beginning, as it is a loop, a single note with its end. So the last phrase
    ends where it would begin again, the last note where it has died away.

    >>> ones = np.ones(ANALYSIS_RATE, np.float32)
    >>> joined = join_phrases([ones, ones, ones], 1.0)
    >>> len(joined) == 3 * ANALYSIS_RATE, float(np.ptp(joined)) < 1e-6
    (True, True)
    """
    begins = [round(number * loop_seconds * ANALYSIS_RATE) for number in range(len(sounds) + 1)]
    ends_at = max(begins[-1], begins[-2] + len(sounds[-1]))
    out = np.zeros(ends_at, np.float32)
    share = np.arange(FADE, dtype=np.float32) / FADE
    for begin, end, sound in zip(begins, begins[1:], sounds, strict=False):
        body = loop_samples(sound, max(end - begin + FADE, len(sound)))[: len(out) - begin]
        if begin:
            out[begin : begin + FADE] *= 1.0 - share
            out[begin + FADE :] = 0.0
            body[:FADE] *= share
        out[begin : begin + len(body)] += body
    return out


def write_phrases(
    files: PhraseFiles, sound: NDArray[np.float32], weights: CodecWeights | None, source: str
) -> tuple[dict[str, Any], list[str]]:
    """Write ``sound [T]`` at the analysis rate, and with ``weights`` what the codec hears in it.

    The take stands beside its place until the sound is whole.

    Returns:
        What was written, as numbers and names; and notes for the user.

    Raises:
        StruckError: a file cannot be written; what stood there stays.
    """
    values: dict[str, Any] = {}
    notes: list[str] = []
    with ExitStack() as stack:
        if files.take is not None and weights is not None:
            # Whoever wants sound alone does not wait for the codec: half a second.
            from ...codec.events.events import Event
            from ...codec.events.profiles import PROFILES
            from ...codec.hearing.following.hearing import make_hearing
            from ...codec.pipeline import make_header
            from ...codec.takes.takes import TakeWriter

            profile = PROFILES[_PROFILE]
            hearing = make_hearing(weights, profile)
            take = stack.enter_context(TakeWriter(files.take, make_header(weights, profile, source)))
            items = [*hearing.process(sound), *hearing.flush()]
            for item in items:
                take.write(item)
            count = sum(isinstance(item, Event) for item in items)
            values = {"take": str(files.take), "event_count": count}
        if files.sound is not None:
            written, notes = _write_sound(files, files.sound, sound)
            values = written | values
        if files.take is not None and weights is not None:
            take.close(len(sound) / ANALYSIS_RATE)
    return {"duration_seconds": len(sound) / ANALYSIS_RATE} | values, notes


def _write_sound(
    files: PhraseFiles, path: Path, sound: NDArray[np.float32]
) -> tuple[dict[str, Any], list[str]]:
    """Write the sound at the rate asked for; what was written, and notes."""
    out = sound
    if files.rate != ANALYSIS_RATE:
        out = soxr.resample(sound, ANALYSIS_RATE, files.rate, quality="VHQ")
    # Between its samples it may be louder than full scale.
    out = out / max(1.0, float(np.max(np.abs(out))))
    with AudioWriter(path, files.rate, subtype=files.subtype) as writer:
        writer.write(out)
    values: dict[str, Any] = {
        "output": str(path),
        "rate_hz": files.rate,
        "duration_seconds": writer.frame_count / files.rate,
        "clipped_sample_count": writer.clipped_count,
    }
    return values, writer.notes
