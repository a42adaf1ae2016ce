"""Jobs of :mod:`struck.realtime.bench.phrase`, each run in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any


def first_phrase(weights: str) -> dict[str, Any]:
    """Seconds from nothing imported to the first phrase's sound."""
    began = perf_counter()
    import torch

    from ...models.mars.conditions import PhraseConditions
    from ...models.mars.mars import Mars

    imported = perf_counter()
    mars = Mars.load(Path(weights), "cpu")
    loaded = perf_counter()
    mars.generate(PhraseConditions(48, style="arpeggio"))
    ended = perf_counter()
    return {
        "import": imported - began,
        "load": loaded - imported,
        "phrase": ended - loaded,
        "total": ended - began,
        "cuda": torch.cuda.is_available(),
    }


def phrases(weights: str, device: str, count: str) -> dict[str, Any]:
    """What each of so many phrases took, and of the processor's time, all threads; after a warm-up."""
    from ...models.mars.mars import Mars

    mars = Mars.load(Path(weights), device)
    mars.warm_up()
    seconds, processor = [], []
    for number in range(int(count)):
        began = process_time()
        seconds.append(_generate(mars, number).seconds)
        processor.append(process_time() - began)
    return {"seconds": seconds, "processor_seconds": processor}


def phases(weights: str, count: str) -> dict[str, Any]:
    """Seconds and spectral convergence of both ways to phases, over the same spectrograms."""
    from ...models.mars.condition_inputs import frames_of
    from ...models.mars.mars import Mars
    from ...models.mars.sound.griffin_lim import griffin_lim
    from ...models.mars.sound.phase import sound_from_magnitude
    from ...models.mars.sound.spectrum import convergence_db, db_to_magnitude

    mars = Mars.load(Path(weights), "cpu")
    ways: dict[str, Callable[..., Any]] = {"heap": sound_from_magnitude, "griffin_lim": griffin_lim}
    found: dict[str, list[float]] = {f"{name}_{what}": [] for name in ways for what in _PHASE_FIGURES}
    for number in range(int(count) + 1):
        phrase = _generate(mars, number)
        magnitude, frames = db_to_magnitude(phrase.log_magnitude), frames_of(phrase.conditions)
        for name, sound_of in ways.items():
            began = perf_counter()
            sound = sound_of(magnitude, frames)
            seconds = perf_counter() - began
            if number:  # the first warms up
                found[f"{name}_seconds"].append(seconds)
                found[f"{name}_convergence_db"].append(convergence_db(magnitude, sound, frames))
    return found


_PHASE_FIGURES = ("seconds", "convergence_db")


def _generate(mars: Any, number: int) -> Any:
    from ...models.mars.conditions import FAMILIES, STYLES, PhraseConditions

    conditions = PhraseConditions(
        36 + 7 * number % 48, style=STYLES[number % len(STYLES)], instrument=FAMILIES[number % 11]
    )
    return mars.generate(conditions, seed=number)
