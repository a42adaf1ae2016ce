"""How much later a rack's results are there, exactly."""

from __future__ import annotations

from math import gcd
from typing import Final

#: A rack's process works in blocks of a power of two between these.
SMALLEST_BLOCK: Final = 32
LARGEST_BLOCK: Final = 256


def rack_delay_frames(callback_frames: int, block_frames: int) -> int:
    """The least delay with which a result is always there, in frames.

    The callback comes with F frames at multiples of F, the rack computes whole blocks of B at multiples of B
    between two callbacks. At the end of a callback that began at p = kF the frame p + F - 1 - D is read, and
    all blocks that were whole at p are done, of which the last ends at or after p - B + gcd(F, B)::

        p + F - D <= p - B + gcd(F, B)   so   D = F + B - gcd(F, B)

    >>> rack_delay_frames(64, 64), rack_delay_frames(480, 128), rack_delay_frames(441, 128)
    (64, 576, 568)
    """
    return callback_frames + block_frames - gcd(callback_frames, block_frames)


def choose_block_frames(callback_frames: int) -> int:
    """The rack's block for a callback's frames: as large as costs no delay, at least 64 where it does.

    >>> [choose_block_frames(frames) for frames in (32, 64, 128, 480, 441, 2048)]
    [32, 64, 128, 64, 64, 256]
    """
    power = callback_frames & -callback_frames  # the largest power of two that divides it
    if power == callback_frames:
        return max(SMALLEST_BLOCK, min(LARGEST_BLOCK, power))
    return max(64, min(LARGEST_BLOCK, power))
