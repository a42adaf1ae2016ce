"""Writes tables of takes into ``docs/take_format.md``: ``python -m struck.realtime.docs.take_docs``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ...codec.packets.exact_sections import RECORDS
from ...codec.packets.heads import HEAD_FIELDS
from .docs_tables import replace_tables

DOCS_PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "take_format.md"


def take_tables() -> str:
    """The head of a packet and the records of exact ones, as Markdown."""
    return "\n".join([_head(), _records()])


def _head() -> str:
    lines = ["| varint of the head | up to | meaning |", "| --- | --- | --- |"]
    for name, most, meaning in HEAD_FIELDS:
        lines.append(f"| `{name}` | {'' if most is None else f'{most:,}'} | {meaning} |")
    return "\n".join([*lines, ""])


def _records() -> str:
    lines = ["| record of an exact packet | fields, little-endian | bytes |", "| --- | --- | --- |"]
    for what, record in RECORDS.items():
        assert record.fields is not None
        fields = ", ".join(f"{_type(record.fields[name][0])} `{name}`" for name in record.names or ())
        lines.append(f"| {what} | {fields} | {record.itemsize} |")
    return "\n".join([*lines, ""])


def _type(kind: np.dtype[Any]) -> str:
    count = f"{kind.shape[0]} x " if kind.shape else ""
    return f"{count}{kind.base.name}"


def with_tables(page: str) -> str:
    """``page`` with its tables made new.

    Raises:
        ValueError: its marks are missing.
    """
    return replace_tables(page, "take_docs", take_tables())


if __name__ == "__main__":
    DOCS_PATH.write_text(with_tables(DOCS_PATH.read_text(encoding="utf-8")), encoding="utf-8")
