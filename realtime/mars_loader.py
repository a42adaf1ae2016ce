"""The trained MARS, loaded when it is needed: importing it takes torch, and a second."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ..codec.errors import StruckError

#: From path of the weights (None: those shipped), device and taker of lines to a Mars.
Load = Callable[[Path | None, str, Callable[[str], None]], Any]

DEVICES = ("auto", "cpu", "cuda")


def make_sampling(options: dict[str, Any]) -> Any:
    """How tokens are drawn: a :class:`struck.models.mars.Sampling` of what is given, the rest as usual."""
    return _module().Sampling(**options)


def load_mars(path: Path | None, device: str, report: Callable[[str], None]) -> Any:
    """Load it.

    Raises:
        StruckError: weights that are missing or broken, a device that is not there.
    """
    return _module().Mars.load(path, device, report)


def _module() -> Any:
    try:
        return import_module("struck.models.mars")
    except ModuleNotFoundError as error:
        raise StruckError(f"this installation cannot make phrases: {error}") from None
