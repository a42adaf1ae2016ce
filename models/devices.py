"""The device that networks run on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from struck.codec.events.errors import StruckError


def choose_device(name: str, preferred: Sequence[str] = ("cuda", "mps")) -> str:
    """``auto`` to the first of ``preferred`` that is there, or ``cpu``; others as they are.

    Raises:
        StruckError: it is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next((kind for kind in preferred if there[kind]), "cpu")
    try:
        if not there.get(name, True):
            raise RuntimeError(f"no {name.upper()} GPU was found")
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise StruckError(f"there is no device {name} here: {str(error).splitlines()[0]}") from error
    return name
