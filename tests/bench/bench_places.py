"""What places for inserts cost an engine that has none: ``python -m tests.bench.bench_places``.

The engine is compiled a second time from its own text, without the two lines that ask whether there are
racks: so the compiler leaves out all that belongs to them. Both run on one state, block by block in an order
that favours neither, and the medians of some hundred blocks are compared. The engine against itself, in the
same way, says what the machine does of itself. It asserts nothing.
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
#: Of a turn.
BLOCKS: Final = 1_024


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


def make_turn(one: Callable[..., None], other: Callable[..., None]) -> Any:
    """Blocks by one and the other in an order that favours neither; cycles that each took."""

    @njit(void(ENGINE, float32[:, ::1], float32[:, ::1], int64[::1], int64[::1]), **KERNEL | {"cache": False})
    def turn(state, source, out, order, taken):
        for block in range(len(taken)):
            began = read_cycles()
            if order[block] == 0:
                one(state, source, out)
            else:
                other(state, source, out)
            taken[block] = read_cycles() - began

    return turn


def measure(turn: Any, voices: int, frames: int, turns: int) -> np.ndarray:
    """By how much of itself a block of the one takes longer than of the other, turn by turn."""
    stage = LoadedCallback(CycleClock(), RATE, voices)
    publish_number(stage.engine.numbers, RECORDING, 0)
    source, out = np.full((frames, 1), 0.01, np.float32), np.empty((frames, 2), np.float32)
    order = np.array([number.bit_count() % 2 for number in range(BLOCKS)])
    taken = np.zeros(BLOCKS, np.int64)
    found = []
    for _ in range(turns):
        for i in range(min(voices, 16)):  # each takes the quietest one's place: as many sound as before
            stage.play(int(stage.engine.numbers[POSITION]) + 64 + i)
        turn(stage.engine, source, out, order, taken)
        found.append(np.median(taken[order == 0]) / np.median(taken[order == 1]) - 1.0)
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--frames", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        again = make_turn(engine.process_engine, engine.process_engine)
        bare = make_turn(engine.process_engine, without_places(Path(folder)))
        for voices in (1, 32, 200):
            for what, turn in (("places cost", bare), ("against itself", again)):
                found = 100.0 * measure(turn, voices, options.frames, options.turns)
                low, middle, high = np.percentile(found, (25, 50, 75))
                print(
                    f"{voices} voices: {what} {middle:+.2f} % of a block (quartiles {low:+.2f}, {high:+.2f})",
                    flush=True,
                )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
