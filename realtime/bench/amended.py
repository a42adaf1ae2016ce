"""What amendments cost: the same voices with and without each of them being amended again and again."""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import numpy as np

from ...codec.playing.changes import AMENDED, SPILLED
from ..engine.cycles import CycleClock
from ..engine.state import POSITION
from .loaded_callback import BLOCK_FRAMES, RATE, VOICE_COUNT, BlockShares, LoadedCallback

#: How often each voice is amended.
AMENDMENTS_PER_SECOND: Final = 20
#: Blocks of a turn: two seconds, in which all voices sound on.
_BLOCK_COUNT: Final = 2 * RATE // BLOCK_FRAMES


class AmendedFigures(NamedTuple):
    """Blocks of both kinds, which took turns, and what was counted in the amended ones."""

    plain: BlockShares
    amended: BlockShares
    amended_count: int
    spilled_count: int

    @property
    def ratio(self) -> float:
        """Quantile 0.999 of the amended blocks over that of the plain ones; of those nothing interrupted."""
        return self.amended.own_p999_percent / self.plain.own_p999_percent


def run_amended(clock: CycleClock, turns: int = 6) -> AmendedFigures:
    """Blocks without and with amendments in turn, so that both see the same of what else the machine does."""
    parts: tuple[list[BlockShares], list[BlockShares]] = ([], [])
    amended = spilled = 0
    for _ in range(turns):
        for amends in (False, True):
            loaded = LoadedCallback(clock, named=True)
            before = partial(_send, loaded) if amends else _send_nothing
            parts[amends].append(loaded.measure(_BLOCK_COUNT, BLOCK_FRAMES, before))
            changes = loaded.engine.decoder.changes.numbers
            amended += int(changes[AMENDED])
            spilled += int(changes[SPILLED])
    return AmendedFigures(_join(parts[False]), _join(parts[True]), amended, spilled)


def _send(loaded: LoadedCallback, block: int) -> None:
    """The amendments of a block, at times and of voices spread evenly."""
    per_second = VOICE_COUNT * AMENDMENTS_PER_SECOND
    samples = RATE // per_second
    begin = int(loaded.engine.numbers[POSITION])
    first, last = (-(-number * BLOCK_FRAMES // samples) for number in (block, block + 1))
    for number in range(first, last):
        # known a grid cell before its time, as what comes with a time tag is
        at_sample = begin + number * samples - block * BLOCK_FRAMES + 2 * BLOCK_FRAMES
        loaded.amend(at_sample, 1 + number * 37 % VOICE_COUNT)


def _send_nothing(block: int) -> None:
    """For the blocks without amendments."""


def _join(parts: list[BlockShares]) -> BlockShares:
    return BlockShares(
        np.concatenate([part.busy for part in parts]), np.concatenate([part.interrupted for part in parts])
    )
