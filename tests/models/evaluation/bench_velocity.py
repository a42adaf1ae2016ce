"""Whether velocity is heard as timbre: how much brighter hard notes are than soft ones of the same pitch.

    python -m tests.models.evaluation.bench_velocity --data runs/mars/data [--families brass reed]

Run it from the root of the repository. Brightness is the spectral centroid from 0.1 s to 2 s, so how loud a
note is does not matter. A line is fitted by least squares: octaves of centroid for 64 of velocity. Of notes
as they were played to what is left of both when player and pitch are known (a line over pitch for each
player); of what MARS makes to what is left when pitch and seed are: four pitches, four velocities, eight
seeds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.mars import Mars
from struck.models.mars.phrase_data import PhraseData

PITCHES: Final = (52, 57, 62, 67)
VELOCITIES: Final = (35, 65, 95, 125)
SEEDS: Final = 8
#: Clips that are looked at, and the least of a player.
CLIPS: Final = 3000
_LEAST: Final = 4

#: Pitch, velocity and brightness of a note.
Heard = tuple[float, float, float]


def brightness(samples: NDArray[np.float32]) -> float:
    """Octaves of the spectral centroid over 1 Hz."""
    part = samples[round(0.1 * ANALYSIS_RATE) : 2 * ANALYSIS_RATE].astype(np.float64)
    power = np.square(np.abs(np.fft.rfft(part * np.hanning(len(part)))))
    return float(np.log2((np.fft.rfftfreq(len(part), 1.0 / ANALYSIS_RATE) @ power) / power.sum()))


def tell(name: str, groups: list[list[Heard]]) -> None:
    """Print a row: the line's slope within groups, less what pitch explains, and its standard error."""
    velocities, brights = [], []
    for group in groups:
        pitch, velocity, bright = np.array(group, np.float64).T
        known = np.stack([pitch - pitch.mean(), np.ones(len(pitch))], 1)
        for values, left in ((velocity, velocities), (bright, brights)):
            left.append(values - known @ np.linalg.lstsq(known, values)[0])
    v, b = np.concatenate(velocities), np.concatenate(brights)
    slope = (v @ b) / (v @ v)
    error = np.sqrt(np.mean(np.square(b - slope * v)) / (v @ v))
    print(f"| {name} | {len(v)} | {64.0 * slope:.2f} +- {64.0 * error:.2f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="clips, as struck train mars makes them")
    parser.add_argument("--families", nargs="*", default=["brass", "reed"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = PhraseData(options.data)
    singles = [row for row, clip in enumerate(data.clips) if clip.conditions.style == "single"]
    players: dict[tuple[str, str], list[Heard]] = defaultdict(list)
    for row in np.random.default_rng(0).permutation(singles)[:CLIPS]:
        asked, source = data.clips[row].conditions, data.clips[row].source
        if asked.instrument in options.families:
            bright = brightness(data.samples(int(row)))
            players[asked.instrument, source].append((asked.pitch, asked.velocity, bright))
    mars = Mars.load(None, "cpu")
    print("| notes | how many | octaves for 64 of velocity |\n| --- | ---: | ---: |")
    for family in options.families:
        of_family = [heard for (name, _), heard in players.items() if name == family and len(heard) >= _LEAST]
        tell(f"{family}, as played", of_family)
        made = []
        for pitch in PITCHES:
            for seed in range(SEEDS):
                heard = []
                for velocity in VELOCITIES:
                    asked = PhraseConditions(pitch, velocity, "single", family)
                    sound = mars.generate(asked, seed=1000 * pitch + seed).samples
                    heard.append((float(pitch), float(velocity), brightness(sound)))
                made.append(heard)
        tell(f"{family}, MARS", made)


if __name__ == "__main__":
    main()
