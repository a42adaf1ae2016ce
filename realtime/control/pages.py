"""The files of the screen, as the control port serves them: read once, nothing else is ever served."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

_TYPES: Final[dict[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: Where the screen is.
SCREEN_PATH: Final = "/screen/"

#: The page loads nothing from elsewhere, runs no script that stands in it, and stands in no frame.
PAGE_HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Pages:
    """Type and bytes of each file, by its path in a URL."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, bytes]] = {}
        for file in files(__package__).joinpath("page").iterdir():
            kind = _TYPES.get("." + file.name.rpartition(".")[2])
            if kind is not None:
                self._files[SCREEN_PATH + file.name] = kind, file.read_bytes()
        self._files[SCREEN_PATH] = self._files[SCREEN_PATH + "index.html"]

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Type and bytes of what is at ``path``; None if nothing is."""
        return self._files.get(path)
