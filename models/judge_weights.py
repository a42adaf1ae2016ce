"""Weights of what phrases are judged by, and how they came about, in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from struck.codec.errors import StruckError
from struck.codec.part_files import part_file


@contextmanager
def reading_weights(
    path: Path, what: str, version: int
) -> Iterator[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Give facts and weights, by name, of ``what``; the body puts them in their places.

    Raises:
        StruckError: the file is missing, damaged, of another version, or does not fit the body.
    """
    if not path.is_file():
        raise StruckError(f"weights of {what} not found: {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        if metadata.get("version") != str(version):
            raise StruckError(f"{path} is version {metadata.get('version')}, not {version}")
        yield json.loads(metadata["facts"]), weights
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        line = str(error).splitlines()[0]
        raise StruckError(f"{path} does not hold weights of {what}: {line}") from error


def write_weights(path: Path, weights: dict[str, Tensor], version: int, facts: dict[str, Any]) -> None:
    """Write them in half precision.

    Raises:
        StruckError: the file cannot be written.
    """
    halves = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in weights.items()
    }
    with part_file(path) as beside:
        save_file(halves, beside, {"version": str(version), "facts": json.dumps(facts)})
