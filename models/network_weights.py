"""Weights of torch networks, and how they came about, in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from struck.codec.events.errors import StruckError
from struck.codec.files.part_files import part_file


@contextmanager
def reading_weights(
    path: Path, what: str, version: int
) -> Iterator[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Give facts and weights, by name, of ``what``, in half precision; the body puts them in their places.

    Raises:
        StruckError: the file is missing, damaged, of something else or another version, or does not fit the
            body.
    """
    if not path.is_file():
        raise StruckError(f"{what} weights not found: {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise StruckError(f"{path} is not a readable safetensors file: {_line(error)}") from error
    if metadata.get("of") != what:
        raise StruckError(f"{path} does not hold {what} weights")
    if metadata.get("version") != str(version):
        raise StruckError(f"{path} holds {what} weights of version {metadata.get('version')}, not {version}")
    # A sum is finite where all that it is of are, and takes a fifth of the time.
    if not all(bool(tensor.sum(dtype=torch.float32).isfinite()) for tensor in weights.values()):
        raise StruckError(f"the {what} weights in {path} are not finite")
    try:
        facts = json.loads(metadata["facts"])
        yield facts, weights
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StruckError(f"the {what} weights in {path} do not fit together: {_line(error)}") from error


def write_weights(
    path: Path, what: str, version: int, facts: dict[str, Any], weights: dict[str, Tensor]
) -> None:
    """Write them in half precision.

    Raises:
        StruckError: the file cannot be written.
    """
    halves = {
        name: (tensor.detach().cpu().half() if tensor.is_floating_point() else tensor.cpu()).contiguous()
        for name, tensor in weights.items()
    }
    with part_file(path) as beside:
        save_file(halves, beside, {"of": what, "version": str(version), "facts": json.dumps(facts)})


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
