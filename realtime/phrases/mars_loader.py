"""The trained MARS, loaded when it is needed: importing it takes torch, and seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.mars_extra import require_torch

if TYPE_CHECKING:
    from ...models.mars.mars import Mars

#: From path of the weights (None: those shipped), device and taker of lines to a Mars.
Load = Callable[[Path | None, str, Callable[[str], None]], "Mars"]


def load_mars(path: Path | None, device: str, report: Callable[[str], None]) -> Mars:
    """Load it; on the CPU where a GPU has too little memory, which is reported.

    Raises:
        StruckError: PyTorch or the device is not there, weights are missing or broken.
    """
    require_torch("making phrases")
    import torch

    from ...models.mars.mars import Mars

    try:
        return Mars.load(path, device, report)
    except torch.OutOfMemoryError:
        report("the GPU has too little memory for MARS: going on with the CPU")
        return Mars.load(path, "cpu", report)
