"""The worst second: all voices sound, and a burst of events, bends and patch changes comes on top.

All events of the burst are to begin at one sample, each in place of another; a bend amends the notes of two
hands. What they, the bends and the changes cost must be spread over blocks by the engine's limits, and what
was put off must be counted.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import numpy as np

from ...codec.playing.changes import AMENDED, SPILLED
from ...codec.playing.decoder_state import DELAYED, LATE, STARTED, STOLEN
from ..engine.commands import CONTROL, OUTCOME, OUTCOMES, RESULT_SIZE
from ..engine.cycles import CycleClock
from ..engine.rings import pop_row
from ..engine.state import GAIN_COUNT, POSITION
from .loaded_callback import BLOCK_FRAMES, RATE, BlockShares, LoadedCallback

VOICE_COUNT: Final = 512
START_COUNT: Final = 1_024
BEND_COUNT: Final = 200
#: Notes that a bend moves.
BENT_NOTES: Final = 10
CHANGE_COUNT: Final = 50
_BLOCK_COUNT: Final = RATE // BLOCK_FRAMES
#: Events sent per block, and the block in which all of them are to begin: when the last has arrived.
_SENT_PER_BLOCK: Final = 12
_DUE_BLOCK: Final = START_COUNT // _SENT_PER_BLOCK + 8


class StormFigures(NamedTuple):
    """What the second took and what was counted."""

    own: np.ndarray  # float64 [blocks] share of a block's time, the least of all turns
    shares: BlockShares  # of all turns
    counts: dict[str, int]  # of one turn

    @property
    def own_worst_percent(self) -> float:
        """The most that a block takes when nothing disturbs it in at least one of the turns."""
        return 100.0 * float(np.max(self.own))


def run_storm(clock: CycleClock, turns: int = 5) -> StormFigures:
    """The second, several times from the same beginning: what only one turn shows is the machine's."""
    parts, counts = [], {}
    for _ in range(turns):
        loaded = LoadedCallback(clock, voice_count=VOICE_COUNT, named=True)
        loaded.run(50, BLOCK_FRAMES)
        before = _count(loaded)
        _told(loaded)  # of the voices that sound already
        parts.append(loaded.measure(_BLOCK_COUNT, BLOCK_FRAMES, partial(_send, loaded)))
        counts = {name: number - before[name] for name, number in _count(loaded).items()} | _told(loaded)
    busy = np.concatenate([part.busy for part in parts])
    interrupted = np.concatenate([part.interrupted for part in parts])
    own = np.min([part.busy for part in parts], axis=0)
    return StormFigures(own, BlockShares(busy, interrupted), counts)


def _send(loaded: LoadedCallback, block: int) -> None:
    """What comes before a block."""
    begin = int(loaded.engine.numbers[POSITION])
    due = begin + (_DUE_BLOCK - block) * BLOCK_FRAMES
    for number in range(block * _SENT_PER_BLOCK, min(START_COUNT, (block + 1) * _SENT_PER_BLOCK)):
        loaded.play(due, event_id=1 + number)
    for _ in range(_times(BEND_COUNT, block)):
        for note in range(BENT_NOTES):
            loaded.amend(begin, 1 + note)
    for _ in range(_times(CHANGE_COUNT, block)):  # to the audio thread a patch is its gains
        for gain in range(GAIN_COUNT - 1):
            loaded.send(CONTROL, key=gain, value=0.5 + 1e-3 * (block % 100))


def _times(count: int, block: int) -> int:
    """How often of ``count`` times, evenly over the second, something comes before a block."""
    return (block + 1) * count // _BLOCK_COUNT - block * count // _BLOCK_COUNT


def _count(loaded: LoadedCallback) -> dict[str, int]:
    decoder = loaded.engine.decoder.numbers
    return {
        "started": int(decoder[STARTED]),
        "stolen": int(decoder[STOLEN]),
        "late": int(decoder[LATE]),
        "starts_delayed": int(decoder[DELAYED]),
        "amended": int(loaded.engine.decoder.changes.numbers[AMENDED]),
        "amendments_delayed": int(loaded.engine.decoder.changes.numbers[SPILLED]),
    }


def _told(loaded: LoadedCallback) -> dict[str, int]:
    """What the engine has told since the last time, by outcome."""
    counts: dict[str, int] = {}
    row = np.zeros(RESULT_SIZE)
    while pop_row(loaded.engine.results, row):
        name = f"told_{OUTCOMES[int(row[OUTCOME])]}"
        counts[name] = counts.get(name, 0) + 1
    return counts
