"""Measure MARS over notes and phrases by instruments that it never heard, beside baselines.

What the numbers mean is written in ``docs/evaluation.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from struck.codec.events.errors import StruckError

from ...mars.condition_inputs import frames_of
from ...mars.conditions import PhraseConditions
from ...mars.mars import sound_of
from ...mars.phrase_data import PhraseData
from ...mars.sound.spectrum import MARS_FRAMES
from ...mars.tokenizer import Tokenizer
from ..notes.classifiers import Judgement, PhraseClassifiers
from ..notes.features import packed_features
from ..notes.figures import NoteFigures, NoteStandard
from ..notes.metrics import LevelError, level_error
from ..notes.nearest_sounds import nearest_embeddings, nearest_spectrograms
from .additive import AdditiveSynth
from .figures import PhraseFigures, measure_phrases
from .nearest_sampler import NearestSampler
from .tokenizer_figures import TokenizerFigures, measure_tokenizer

#: Sounds of each row that are kept to be written to files.
KEPT_NOTES: Final = 24
KEPT_PHRASES: Final = 12
#: How far from the pitch asked a reference note may be, as long as there are others.
_REFERENCE_SEMITONES: Final = 7
#: Reference notes for each note asked for: more than one make the reference's own chance small.
_REFERENCE_EACH: Final = 4

Float32Array = NDArray[np.float32]
Progress = Callable[[int, int, str], None]


class Generator(Protocol):
    """What MARS is to an evaluation (:class:`struck.models.mars.mars.Mars`)."""

    def generate(self, conditions: PhraseConditions, *, seed: int = 0) -> Any: ...

    def reconstruct(self, samples: Float32Array, conditions: PhraseConditions) -> Float32Array: ...


@dataclass(frozen=True)
class Asked:
    """One sound that every row has to give: a held-out clip, its conditions, and a seed."""

    clip: int
    conditions: PhraseConditions
    seed: int


@dataclass(frozen=True)
class Sound:
    """What a row gives: the clip's samples ``[N]``, and the spectrogram they were made from, if so."""

    samples: Float32Array
    log_magnitude: Float32Array | None = None


@dataclass(frozen=True)
class Source:
    """Where a row's sounds come from."""

    name: str
    make: Callable[[Asked], Sound]


@dataclass(frozen=True)
class Row:
    """All that was measured of one source, and some of its sounds."""

    name: str
    notes: NoteFigures
    phrases: PhraseFigures | None
    note_sounds: list[Float32Array] = field(repr=False)
    phrase_sounds: list[Float32Array] = field(repr=False)


@dataclass(frozen=True)
class NearestNote:
    """A generated note and the training sounds nearest to it, nearest first."""

    asked: PhraseConditions
    by_spectrogram: list[tuple[str, float]]  # what the training sound is, distance in dB
    by_embedding: list[tuple[str, float]]


@dataclass(frozen=True)
class PhraseReport:
    """An evaluation.

    ``tokenizers`` are by what they are of, notes or phrases, all that are held out; ``nearest`` is of the row
    ``MARS``; ``notes`` tell what was left out, and why.
    """

    rows: list[Row]
    asked_notes: list[Asked]
    asked_phrases: list[Asked]
    nearest: list[NearestNote]
    tokenizers: dict[str, TokenizerFigures]
    judges: dict[str, Any]
    training_notes: int
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the sounds as numbers, strings, lists and dicts, all finite: ready for JSON."""
        return {
            "rows": [
                {
                    "name": row.name,
                    "notes": asdict(row.notes),
                    "phrases": None if row.phrases is None else asdict(row.phrases),
                }
                for row in self.rows
            ],
            "tokenizers": {name: asdict(figures) for name, figures in self.tokenizers.items()},
            "nearest": [{**asdict(one), "asked": one.asked.as_dict()} for one in self.nearest],
            "judges": self.judges,
            "training_notes": self.training_notes,
            "notes": self.notes,
        }


def evaluate_mars(
    data: PhraseData,
    judges: PhraseClassifiers,
    mars: Generator,
    *,
    tokenizers: Mapping[str, Tokenizer] | None = None,
    truncated: Generator | None = None,
    additive: AdditiveSynth | None = None,
    note_count: int = 240,
    phrase_count: int = 60,
    seed: int = 0,
    remarks: Sequence[str] = (),
    progress: Progress | None = None,
) -> PhraseReport:
    """Let MARS and its baselines play what held-out instruments played, and measure all.

    Args:
        data: what MARS was trained on, with the clips held out.
        judges: trained on the same training notes.
        mars: what is measured.
        tokenizers: its tokenizers, of ``notes`` and of ``phrases``, that are to be measured by themselves.
        truncated: the same without channel multiplexing; its row is left out where there is none.
        additive: the baseline; likewise.
        note_count, phrase_count: sounds per row, at most all that are held out.
        remarks: what else the report shall say.
        progress: called with (sounds done, sounds in all, what is being done).

    Raises:
        StruckError: the data holds too few notes that are held out, or too few others.
    """
    conditions, held = data.conditions, data.held_out
    single = np.array([c.style == "single" for c in conditions], bool)
    rng = np.random.default_rng(seed)
    # A phrase that follows another begins with the other's end: alone it would not be the same task.
    first = data.previous < 0
    asked_notes = _choose(rng, np.flatnonzero(single & held), note_count, conditions)
    asked_phrases = _choose(rng, np.flatnonzero(~single & held & first), phrase_count, conditions)
    training = np.flatnonzero(single & ~held)
    if len(asked_notes) < 8 or len(training) < 2 * len(asked_notes):
        raise StruckError(
            f"an evaluation needs 8 held-out notes or more, and twice as many to compare with; there are "
            f"{len(asked_notes)} and {len(training)}"
        )
    stock = np.flatnonzero(~held)
    sampler = NearestSampler([conditions[i] for i in stock], lambda row: data.samples(int(stock[row])))
    sources, notes = _sources(data, sampler, mars, truncated, additive)
    total = len(training) + len(sources) * (len(asked_notes) + len(asked_phrases))
    unheard = {"notes": np.flatnonzero(single & held), "phrases": np.flatnonzero(~single & held)}
    total += sum(len(unheard[name]) for name in tokenizers or {})
    done = 0

    def advance(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, what)

    features = packed_features(
        (data.samples(int(i)) for i in training), lambda count: advance("listening to the training notes")
    )
    judged = judges.judge_features(features)
    played = {int(stock[sampler.nearest(a.conditions)]) for a in asked_notes}
    reference = match_reference(
        [a.conditions for a in asked_notes] * _REFERENCE_EACH,
        [conditions[i] for i in training],
        np.array([int(i) in played for i in training], bool),
        rng,
    )
    pitched = np.array([conditions[i].instrument != "drums" for i in training], bool)
    standard = NoteStandard(judges, judged, reference, pitched, seed)
    rows: list[Row] = []
    nearest: list[NearestNote] = []
    for source in sources:
        row, heard = _measure(source, standard, data, asked_notes, asked_phrases, advance, not rows)
        rows.append(row)
        if source.name == MARS:
            names = [describe(data, int(i)) for i in training]
            nearest = _list_nearest(heard, judged, names, [a.conditions for a in asked_notes])
    figures = {
        name: measure_tokenizer(tokenizer, data, unheard[name], advance)
        for name, tokenizer in (tokenizers or {}).items()
    }
    return PhraseReport(
        rows, asked_notes, asked_phrases, nearest, figures, judges.facts, len(training), [*remarks, *notes]
    )


#: Names of the rows.
REAL: Final = "held-out real"
RECONSTRUCTION: Final = "reconstruction"
RECONSTRUCTION_TRUNCATED: Final = "reconstruction, truncated"
MARS: Final = "MARS"
MARS_TRUNCATED: Final = "MARS, truncated"
NEAREST: Final = "nearest neighbour"
ADDITIVE: Final = "additive"


def match_reference(
    asked: Sequence[PhraseConditions],
    training: Sequence[PhraseConditions],
    taken: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """For each note asked for a training note of its family, near its pitch, drawn without replacement.

    So families and registers are as frequent in the reference as in the rows. Notes ``taken`` (what the
    nearest neighbour plays) are left out: a sound must not be its own reference. A note asked for of whose
    family nothing is left gets any training note.
    """
    free = ~taken
    families = np.array([c.instrument for c in training])
    pitches = np.array([c.pitch for c in training])
    chosen = []
    for conditions in asked:
        usable = free & (families == conditions.instrument)
        close = usable & (np.abs(pitches - conditions.pitch) <= _REFERENCE_SEMITONES)
        group = next((g for g in (close, usable, free) if g.any()), None)
        if group is None:
            break
        row = int(rng.choice(np.flatnonzero(group)))
        free[row] = False
        chosen.append(row)
    return np.array(chosen, np.int64)


def describe(data: PhraseData, clip: int) -> str:
    """What a training clip is, in a few words."""
    one = data.clips[clip]
    return f"clip {clip}: {one.source}, {one.conditions.instrument}, pitch {one.conditions.pitch}"


def _choose(
    rng: np.random.Generator, clips: NDArray[np.int64], count: int, conditions: Sequence[PhraseConditions]
) -> list[Asked]:
    """``count`` clips, families in turn: recordings are of few families."""
    order = rng.permutation(clips)
    seen: dict[str, int] = {}
    turns = []
    for clip in order:
        family = conditions[clip].instrument
        turns.append(seen.get(family, 0))
        seen[family] = turns[-1] + 1
    picked = order[np.argsort(turns, kind="stable")][:count]
    return [Asked(int(clip), conditions[clip], int(rng.integers(2**31))) for clip in picked]


def _sources(
    data: PhraseData,
    sampler: NearestSampler,
    mars: Generator,
    truncated: Generator | None,
    additive: AdditiveSynth | None,
) -> tuple[list[Source], list[str]]:
    sources = [
        Source(REAL, lambda asked: Sound(data.samples(asked.clip))),
        Source(RECONSTRUCTION, lambda asked: _reconstructed(mars, data, asked)),
    ]
    notes = []
    if truncated is not None:
        sources.append(Source(RECONSTRUCTION_TRUNCATED, lambda asked: _reconstructed(truncated, data, asked)))
    sources.append(Source(MARS, lambda asked: _generated(mars, asked)))
    if truncated is None:
        notes.append("no row for truncation instead of channel multiplexing: no weights were given for it")
    else:
        sources.append(Source(MARS_TRUNCATED, lambda asked: _generated(truncated, asked)))
    sources.append(Source(NEAREST, lambda asked: Sound(sampler.generate(asked.conditions, asked.seed))))
    if additive is None:
        notes.append("no row for the additive baseline: there are no weights of it")
    else:
        sources.append(Source(ADDITIVE, lambda asked: Sound(additive.generate(asked.conditions, asked.seed))))
    return sources, notes


def _reconstructed(mars: Generator, data: PhraseData, asked: Asked) -> Sound:
    level = mars.reconstruct(data.samples(asked.clip), asked.conditions)
    return Sound(sound_of(level, frames_of(asked.conditions)), level)


def _generated(mars: Generator, asked: Asked) -> Sound:
    phrase = mars.generate(asked.conditions, seed=asked.seed)
    return Sound(phrase.samples, phrase.log_magnitude)


def _measure(
    source: Source,
    standard: NoteStandard,
    data: PhraseData,
    asked_notes: Sequence[Asked],
    asked_phrases: Sequence[Asked],
    advance: Callable[[str], None],
    is_real: bool,
) -> tuple[Row, Judgement]:
    clips: list[Float32Array] = []
    errors: list[LevelError] = []
    for asked in asked_notes:
        sound = source.make(asked)
        clips.append(sound.samples)
        if not is_real:
            found = sound.log_magnitude
            found = MARS_FRAMES.log_magnitude(sound.samples) if found is None else found
            errors.append(level_error(found, MARS_FRAMES.log_magnitude(data.samples(asked.clip))))
        advance(f"{source.name}: notes")
    heard = standard.judge(clips)
    if is_real:
        standard.expect(heard)
    figures = standard.measure(heard, clips, [a.conditions for a in asked_notes], errors)
    phrases = []
    for asked in asked_phrases:
        phrases.append(source.make(asked).samples)
        advance(f"{source.name}: phrases")
    phrase_figures = measure_phrases(phrases, [a.conditions for a in asked_phrases]) if phrases else None
    return Row(source.name, figures, phrase_figures, clips[:KEPT_NOTES], phrases[:KEPT_PHRASES]), heard


def _list_nearest(
    heard: Judgement, training: Judgement, names: Sequence[str], asked: Sequence[PhraseConditions]
) -> list[NearestNote]:
    spectra = nearest_spectrograms(heard.features, training.features)
    embeddings = nearest_embeddings(_both(heard), _both(training))

    def told(rows: NDArray[np.int64], distances: NDArray[np.float32]) -> list[tuple[str, float]]:
        return [(names[row], round(float(d), 3)) for row, d in zip(rows, distances, strict=True)]

    return [
        NearestNote(
            conditions,
            told(spectra.rows[i], spectra.distances[i]),
            told(embeddings.rows[i], embeddings.distances[i]),
        )
        for i, conditions in enumerate(asked)
    ]


def _both(judged: Judgement) -> Float32Array:
    return np.concatenate([judged.pitch_embedding, judged.family_embedding], 1)
