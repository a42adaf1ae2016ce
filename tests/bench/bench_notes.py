"""How much of what is told of single notes is chance: all held-out notes, several seeds, and draws of fewer.

    python -m tests.bench.bench_notes --data runs/mars/data [--seeds 2] [--draw 240]

Run it from the root of the repository. ``struck evaluate mars`` takes some of the held-out notes, once. Here
all of them are taken: what was played, what comes back from tokens, and what MARS makes with one seed after
the other, measured in the same way (``docs/evaluation.md``). Beside the figures of all stand those of
``--draw`` notes drawn 40 times without replacement: their mean and standard deviation. The Frechet distance
grows as notes become fewer; compare it in one column.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch

from struck.models.evaluation.notes.classifiers import PhraseClassifiers
from struck.models.evaluation.notes.features import packed_features
from struck.models.evaluation.notes.figures import PITCH_TOLERANCE_CENTS, RANGE_PITCHES
from struck.models.evaluation.notes.metrics import frechet_distance, kernel_distance
from struck.models.evaluation.notes.pitch import cents_off, note_pitch
from struck.models.evaluation.phrases.evaluation import match_reference
from struck.models.mars.condition_inputs import frames_of
from struck.models.mars.conditions import FAMILIES, PhraseConditions
from struck.models.mars.mars import Mars, sound_of
from struck.models.mars.phrase_data import PhraseData
from struck.models.shipped_weights import default_phrase_classifiers_path

DRAWS: Final = 40
#: Training notes for each note asked for, of its family and near its pitch.
_REFERENCE_EACH: Final = 4


class Measure:
    """What is told of sounds for the conditions ``asked``.

    Args:
        reference: float32 [M, D], embeddings of training notes.
        draw: so many notes are drawn.
    """

    def __init__(
        self, judges: PhraseClassifiers, asked: list[PhraseConditions], reference: np.ndarray, draw: int
    ) -> None:
        self._judges, self._asked, self._reference = judges, asked, reference
        self._draw = min(draw, len(asked))
        low, high = RANGE_PITCHES
        self._inside = np.array([one.instrument != "drums" and low <= one.pitch <= high for one in asked])

    def tell(self, name: str, sounds: list[np.ndarray]) -> None:
        """Print a row."""
        judged = self._judges.judge(sounds)
        named = [
            FAMILIES[k] == one.instrument for k, one in zip(judged.family.argmax(1), self._asked, strict=True)
        ]
        right = np.array(named)
        off = np.full(len(sounds), np.inf)
        for i in np.flatnonzero(self._inside):
            off[i] = abs(cents_off(note_pitch(sounds[i]), self._asked[i].pitch))
        in_tune = off <= PITCH_TOLERANCE_CENTS
        embedded = judged.family_embedding
        rng = np.random.default_rng(1)
        drawn = []
        for _ in range(DRAWS):
            ours = rng.choice(len(sounds), self._draw, replace=False)
            theirs = rng.choice(
                len(self._reference), min(_REFERENCE_EACH * self._draw, len(self._reference)), replace=False
            )
            told = ours[self._inside[ours]]
            few, real = embedded[ours], self._reference[theirs]
            distances = kernel_distance(few, real, blocks=25).mean, frechet_distance(few, real)
            drawn.append((100.0 * in_tune[told].mean(), 100.0 * right[told].mean(), *distances))
        mean, deviation = np.mean(drawn, 0), np.std(drawn, 0)
        pitched = self._inside.sum()
        whole = (
            f"{pitched - in_tune[self._inside].sum()} of {pitched}",
            f"{100.0 * in_tune[self._inside].mean():.1f} %",
            f"{100.0 * right[self._inside].mean():.0f} %",
            f"{kernel_distance(embedded, self._reference).mean:.3f}",
            f"{frechet_distance(embedded, self._reference):.1f}",
        )
        digits = (1, 0, 3, 1)
        some = [f"{m:.{n}f} +- {d:.{n}f}" for m, d, n in zip(mean, deviation, digits, strict=True)]
        print(f"| {name} | " + " | ".join([*whole, *some]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="clips with held-out ones among them")
    parser.add_argument("--weights", type=Path, help="of MARS (default: those shipped)")
    parser.add_argument("--seeds", type=int, default=2, help="how often MARS plays all (default 2)")
    parser.add_argument("--draw", type=int, default=240, help="notes of a draw (default 240)")
    parser.add_argument("--most", type=int, help="take so many of the held-out notes alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data, mars = PhraseData(options.data), Mars.load(options.weights, "cpu")
    judges = PhraseClassifiers.load(default_phrase_classifiers_path())
    single = np.array([one.style == "single" for one in data.conditions])
    rows = np.flatnonzero(single & data.held_out)[: options.most]
    asked = [data.conditions[row] for row in rows]
    training = np.flatnonzero(single & ~data.held_out)
    chosen = match_reference(
        asked * _REFERENCE_EACH,
        [data.conditions[row] for row in training],
        np.zeros(len(training), bool),
        np.random.default_rng(0),
    )
    reference = judges.judge_features(packed_features(data.samples(int(training[i])) for i in chosen))
    measure = Measure(judges, asked, reference.family_embedding, options.draw)
    names = ("pitch wrong", "pitch", "family", "IKID", "Frechet")
    names += tuple(f"{name}, {options.draw} drawn" for name in names[1:])
    print(f"{len(rows)} held-out notes\n")
    print("| notes | " + " | ".join(names) + " |\n| --- |" + " ---: |" * len(names))
    played = [data.samples(int(row)) for row in rows]
    measure.tell("held-out real", played)
    restored = [mars.reconstruct(sound, one) for sound, one in zip(played, asked, strict=True)]
    frames = [frames_of(one) for one in asked]
    measure.tell("reconstruction", [sound_of(s, f) for s, f in zip(restored, frames, strict=True)])
    for seed in range(options.seeds):
        made = [mars.generate(one, seed=10_007 * seed + i).samples for i, one in enumerate(asked)]
        measure.tell(f"MARS, seed {seed}", made)


if __name__ == "__main__":
    main()
