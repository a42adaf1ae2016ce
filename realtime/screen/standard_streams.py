"""Standard output and error, made to take any text, whatever the locale: file names are only bytes."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Final

_ANYHOW: Final = "struck-anyhow"


def prepare_standard_streams() -> None:
    """Let standard streams that were closed lead nowhere, and let the others print every character."""
    _fill_closed_streams()
    codecs.register_error(_ANYHOW, _write_anyhow)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ANYHOW)


def _fill_closed_streams() -> None:
    """Let streams that were closed before the start (``2>&-``) lead nowhere.

    Their numbers would go to the next files that are opened, and what a library writes to standard error
    would stand in a recording.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 (as long as the program)


def _write_anyhow(error: UnicodeError) -> tuple[bytes, int]:
    """Bytes of a name that is not text (PEP 383) as they are; what the encoding lacks as ``\\u....``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end]
    written = b"".join(
        bytes([ord(character) - 0xDC00])
        if "\udc80" <= character <= "\udcff"
        else character.encode("ascii", "backslashreplace")
        for character in piece
    )
    return written, error.end
