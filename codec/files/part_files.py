"""A part file: what is written beside its destination and takes its place only when it is whole.

One that is recorded live keeps the name :func:`part_path`, survives any failure and is never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..events.errors import StruckError

#: A live recording stands in NAME + this until it is closed.
PART_SUFFIX: Final = ".part"


def part_path(path: str | Path) -> Path:
    """Where the live recording ``path`` stands while it is being made."""
    return Path(path).with_name(Path(path).name + PART_SUFFIX)


def refuse_unfinished(path: Path) -> None:
    """Raise StruckError if an earlier recording of ``path`` was never closed: its part is all there is."""
    part = part_path(path)
    if part.exists():
        raise StruckError(
            f"{part} holds an unfinished recording: convert it to a file of another name, or remove it"
        )


def check_destination(path: str | Path, live: bool = False) -> None:
    """Raise StruckError where :func:`part_file`, or :func:`live_part_file`, would; nothing is begun."""
    destination = _writable(path)
    if live:
        refuse_unfinished(destination)


@contextmanager
def part_file(destination: str | Path) -> Iterator[Path]:
    """Give a path to write to; rename it to ``destination`` on success, remove it on any failure.

    The part file lies in the destination's folder (a rename is atomic only inside one file system) and keeps
    its extension, from which writers choose a format. A symbolic link is followed: its target is replaced.

    Raises:
        StruckError: the folder is missing or not writable, or the destination is a folder or is not writable.
    """
    destination = _writable(destination)
    part = destination.parent / f"{destination.stem}.{os.getpid()}.part{destination.suffix}"
    try:
        with _replacing(destination, part):
            yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def live_part_file(destination: str | Path) -> Iterator[Path]:
    """Like :func:`part_file`, for a recording: the part is ``part_path(destination)`` and stays on failure.

    Raises:
        StruckError: as :func:`part_file`; also if an unfinished recording of this name exists.
    """
    destination = _writable(destination)
    refuse_unfinished(destination)
    part = part_path(destination)
    with _replacing(destination, part):
        yield part


@contextmanager
def _replacing(destination: Path, part: Path) -> Iterator[None]:
    """Rename ``part`` to ``destination`` after the body; what the disk refuses is a StruckError."""
    try:
        yield
        part.replace(destination)
    except OSError as error:
        if error.filename not in (None, str(part), part):  # some other file's fault
            raise
        raise StruckError(f"cannot write {destination}: {error.strerror or error}") from error


def _writable(destination: str | Path) -> Path:
    """The file that a path means, links followed; StruckError if it cannot be put there."""
    destination = Path(os.path.realpath(destination))
    folder = destination.parent
    if not folder.is_dir():
        raise StruckError(f"cannot write {destination}: there is no folder {folder}")
    if destination.is_dir():
        raise StruckError(f"cannot write {destination}: it is a folder")
    if destination.exists() and not destination.is_file():
        raise StruckError(f"cannot write {destination}: it is not a regular file")
    # A rename would replace a file that its owner has protected.
    if not os.access(folder, os.W_OK) or (destination.exists() and not os.access(destination, os.W_OK)):
        raise StruckError(f"cannot write {destination}: permission denied")
    return destination


def is_same_file(path: Path, other: Path) -> bool:
    """Whether both name one file, which need not exist."""
    return os.path.realpath(path) == os.path.realpath(other) or (
        path.exists() and other.exists() and os.path.samefile(path, other)
    )


def refuse_same_file(source: Path, destination: Path) -> None:
    """Raise StruckError where writing ``destination`` would overwrite ``source``."""
    if is_same_file(source, destination):
        raise StruckError(f"{destination} is both input and output")
