"""From where a controller stands to where its target goes: positions from 0 to 1, encoders, soft takeover."""

from __future__ import annotations

from typing import Final

#: Positions this near are the same: a target holds what its unit and float32 make of it.
_SAME: Final = 1e-4


def position_of(value: int, highest: int) -> float:
    """Position of a controller's value; the middle one, 64 of 127 or 8192 of 16383, is exactly the middle.

    >>> position_of(64, 127), position_of(127, 127), position_of(8192, 16383)
    (0.5, 1.0, 0.5)
    """
    middle = (highest + 1) // 2
    if value <= middle:
        return 0.5 * value / middle
    return 0.5 + 0.5 * (value - middle) / (highest - middle)


def value_of(position: float, highest: int) -> int:
    """The nearest value of a controller at a position: the inverse of :func:`position_of`."""
    middle = (highest + 1) // 2
    if position <= 0.5:
        return round(2.0 * position * middle)
    return middle + round((2.0 * position - 1.0) * (highest - middle))


def steps_of(code: str, value: int) -> int:
    """Steps that an endless encoder was turned, by the code of its values 0 to 127.

    >>> steps_of("twos", 127), steps_of("offset", 63), steps_of("sign_up", 65), steps_of("sign_down", 65)
    (-1, -1, 1, -1)
    """
    if code == "twos":
        return value if value < 64 else value - 128
    if code == "offset":
        return value - 64
    size, marked = value & 63, value >= 64
    return size if marked == (code == "sign_up") else -size


class Takeover:
    """One controller's hold on its target.

    ::

        target      ─────────●───────────        pickup: nothing is heard until the controller
        controller  ─▶  ─▶  ─▶│─▶  ─▶            has passed the target, then it has it

    Args:
        mode: ``pickup``, ``jump`` or ``scale``.
        highest: value of the controller.
    """

    def __init__(self, mode: str, highest: int) -> None:
        self._mode = mode
        self._step = 1.0 / highest
        self._before: float | None = None  # where the controller stood
        self._given: float | None = None  # where the target was put

    def move(self, position: float, target: float) -> float | None:
        """Where the target goes when the controller is at ``position`` and the target at ``target``.

        None: it stays. With ``pickup`` and ``scale`` it never goes further than the controller did, but for
        one step.
        """
        before, self._before = self._before, position
        if self._mode == "jump":
            goes: float | None = position
        elif self._given is not None and abs(self._given - target) <= _SAME and self._mode == "pickup":
            goes = position
        elif self._mode == "scale":
            goes = self._scaled(before, position, target)
        else:
            near = abs(position - target) <= self._step
            passed = before is not None and (before - target) * (position - target) <= 0.0
            goes = position if near or passed else None
        self._given = goes
        return goes

    def _scaled(self, before: float | None, position: float, target: float) -> float | None:
        """The target goes the controller's way, by a smaller share of it where it has less left to the end:
        so it never goes further than the controller, and they meet."""
        if before is None or abs(before - target) <= _SAME:
            return position if before is not None or abs(position - target) <= self._step else None
        if position >= before:
            left, way = 1.0 - target, 1.0 - before
        else:
            left, way = target, before
        return target + (position - before) * min(1.0, left / max(way, 1e-9))
