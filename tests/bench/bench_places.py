"""What places for inserts cost an engine that has none: ``python -m tests.bench.bench_places``.

The engine is compiled a second time from its own text, without the two lines that ask whether there are
racks: so the compiler leaves out all that belongs to them. Both run on one state, in turns, and each turn's
median block is compared with that of the turn beside it. The engine against itself, in the same way, says
what the machine does of itself. It asserts nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import float32, int64, njit, void

from struck.realtime.bench.loaded_callback import RATE, LoadedCallback
from struck.realtime.engine import engine
from struck.realtime.engine.cycles import CycleClock, read_cycles
from struck.realtime.engine.rings import KERNEL
from struck.realtime.engine.state import ENGINE, POSITION, RECORDING, publish_number

#: What asks for racks, and what stands there instead.
QUESTIONS: Final = (
    ("load_acquire(state.racks[0], IN_USE) != 0", "False"),
    ("state.racks[0, ACTIVE] != 0", "False"),
)
BLOCKS: Final = 400


def without_places(folder: Path) -> Callable[..., None]:
    """The engine's function without places for inserts."""
    text = Path(engine.__file__).read_text(encoding="utf-8")
    for question, answer in QUESTIONS:
        assert text.count(question) == 1, f"the engine no longer asks {question}"
        text = text.replace(question, answer)
    path, name = folder / "engine_without_places.py", f"{engine.__package__}.engine_without_places"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.process_engine


def make_turn(process: Callable[..., None]) -> Any:
    @njit(void(ENGINE, float32[:, ::1], float32[:, ::1], int64[::1]), **KERNEL | {"cache": False})
    def turn(state, source, out, taken):
        for block in range(len(taken)):
            began = read_cycles()
            process(state, source, out)
            taken[block] = read_cycles() - began

    return turn


def measure(one: Any, other: Any, voices: int, frames: int, turns: int) -> np.ndarray:
    """By how much of itself a block of ``one`` takes longer than of ``other``, by pair of turns."""
    stage = LoadedCallback(CycleClock(), RATE, voices)
    publish_number(stage.engine.numbers, RECORDING, 0)
    source, out = np.full((frames, 1), 0.01, np.float32), np.empty((frames, 2), np.float32)
    taken = np.zeros(BLOCKS, np.int64)
    ratios = []
    for number in range(turns):
        times = {}
        for which in ("one", "other") if number % 2 else ("other", "one"):
            # as many voices as before: each new one takes the quietest one's place
            for i in range(min(voices, 16)):
                stage.play(int(stage.engine.numbers[POSITION]) + 64 + i)
            (one if which == "one" else other)(stage.engine, source, out, taken)
            times[which] = float(np.median(taken))
        ratios.append(times["one"] / times["other"] - 1.0)
    return np.array(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--turns", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places, again = make_turn(engine.process_engine), make_turn(engine.process_engine)
        bare = make_turn(without_places(Path(folder)))
        for voices in (1, 32, 200):
            for frames in (64, 256):
                for what, other in (("places cost", bare), ("against itself", again)):
                    found = 100.0 * measure(places, other, voices, frames, options.turns)
                    low, middle, high = np.percentile(found, (25, 50, 75))
                    print(
                        f"{voices} voices, {frames} frames: {what} {middle:+.2f} % of a block (quartiles "
                        f"{low:+.2f}, {high:+.2f})",
                        flush=True,
                    )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
