"""What phrases by several weights are worth, side by side, without judges: after training, before shipping.

    python -m tests.models.evaluation.bench_phrases --data runs/mars/data [--weights FILE ...] [--phrases 185]

Run it from the root of the repository. Of the phrases by held-out players some are drawn. Each row is
measured as ``struck evaluate mars`` does (``docs/evaluation.md``): as played; what comes back from tokens,
with the mean squared error of its levels in units of 80 dB; what is generated for the same conditions, each
phrase from its own seed. Columns ``comping`` and ``pads`` are onsets a phrase. Without ``--weights`` they are
those shipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch

from struck.models.evaluation.phrases.figures import PhraseFigures, measure_phrases
from struck.models.evaluation.phrases.tables import format_number, format_percent
from struck.models.mars.condition_inputs import frames_of
from struck.models.mars.mars import Mars, sound_of
from struck.models.mars.phrase_data import PhraseData
from struck.models.mars.sound.spectrum import FLOOR_DB
from struck.models.mars.train import PHRASE_KIND
from struck.models.shipped_weights import default_mars_weights_path

HEADS: Final = (
    "chroma", "changes", "on the sixteenths", "error ms", "arpeggio F", "comping", "pads", "seam dBFS",
    "seam beat ms", "MSE",
)  # fmt: skip


def row(name: str, figures: PhraseFigures, mse: float | None = None) -> str:
    """A line of the table."""
    styles = figures.styles
    each = [
        f"{styles[style].onsets / max(1, styles[style].phrases):.1f}" if style in styles else "-"
        for style in ("comping", "pad")
    ]
    cells = [
        name,
        format_percent(figures.chroma_share, 1),
        format_percent(figures.changes_share, 1),
        format_percent(figures.rhythmic.on_grid, 1),
        format_number(figures.rhythmic.error_ms, 1),
        format_number(figures.arpeggio_f, 2),
        *each,
        format_number(figures.seam_db, 0),
        format_number(figures.seam_beat_ms, 1),
        format_number(mse, 4),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="clips, as struck train mars makes them")
    parser.add_argument("--weights", type=Path, nargs="*", help="files; those shipped")
    parser.add_argument("--phrases", type=int, default=185)
    parser.add_argument("--seed", type=int, default=5, help="which phrases are drawn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = PhraseData(options.data)
    rows = np.random.default_rng(options.seed).permutation(PHRASE_KIND.rows(data, held_out=True))
    rows = np.sort(rows[: options.phrases])
    asked = [data.clips[k].conditions for k in rows]
    played = [data.samples(int(k)) for k in rows]
    print("| what | " + " | ".join(HEADS) + " |")
    print("| --- |" + " ---: |" * len(HEADS))
    print(row("(as played)", measure_phrases(played, asked)), flush=True)
    for path in options.weights or [default_mars_weights_path()]:
        mars = Mars.load(path, "cpu")
        errors, back = [], []
        for sound, one in zip(played, asked, strict=True):
            level = mars.reconstruct(sound, one)
            wanted = frames_of(one).log_magnitude(sound)
            errors.append(float(np.square((level - wanted) / FLOOR_DB).mean()))
            back.append(sound_of(level, frames_of(one)))
        print(
            row(f"{path.stem}, from tokens", measure_phrases(back, asked), float(np.mean(errors))), flush=True
        )
        made = [mars.generate(one, seed=int(k)).samples for k, one in zip(rows, asked, strict=True)]
        print(row(f"{path.stem}, generated", measure_phrases(made, asked)), flush=True)


if __name__ == "__main__":
    main()
