"""An address as a QR code of plain characters, for a telephone to read off a terminal."""

from __future__ import annotations

import io
from typing import TextIO

import segno


def qr_code(text: str, stream: TextIO) -> str:
    """Lines of ``text`` as a QR code; "" where ``stream`` is no terminal or has no such characters."""
    if not stream.isatty():
        return ""
    lines = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(lines, compact=True, border=2)
    try:
        lines.getvalue().encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return lines.getvalue()
