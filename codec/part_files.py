"""A part file: what is written beside its destination and takes its place only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StruckError


@contextmanager
def part_file(destination: str | Path) -> Iterator[Path]:
    """Give a path to write to; rename it to ``destination`` on success, remove it on any failure.

    The part file lies in the destination's folder (a rename is atomic only inside one file system) and keeps
    its extension, from which writers choose a format. A symbolic link is followed: its target is replaced.

    Raises:
        StruckError: the folder is missing or not writable, or the destination is a folder or is not writable.
    """
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
    part = folder / f"{destination.stem}.{os.getpid()}.part{destination.suffix}"
    try:
        yield part
        part.replace(destination)
    except OSError as error:
        if error.filename not in (None, str(part), part):  # some other file's fault
            raise
        raise StruckError(f"cannot write {destination}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
