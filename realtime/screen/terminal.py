"""A picture that is redrawn in place on a terminal, below the lines that were printed."""

from __future__ import annotations

from types import TracebackType
from typing import Never, Self, TextIO

import rich.console
from rich.console import ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from .status_lines import Line


class LivePicture:
    """Context manager that hides the cursor, and leaves the terminal as it was.

    Raises:
        OSError: from every method, when the terminal has gone.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = _Console(file=stream, highlight=False, markup=False, emoji=False)
        self._encoding = stream.encoding or "ascii"
        #: The terminal shows more than ASCII.
        self.unicode = self._encoding.lower().replace("-", "").startswith("utf")
        # Tracebacks of other threads go to sys.stderr and then stand above the picture; results on standard
        # output are not touched.
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)

    @property
    def width(self) -> int:
        """Of the terminal now, in cells."""
        return self._console.width

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, told: list[str], picture: list[Line]) -> None:
        """Print the lines ``told`` above, and redraw the picture."""
        for line in told:
            self._console.print(self._encodable(line), soft_wrap=True)
        lines = [[(self._encodable(text), style) for text, style in line] for line in picture]
        self._live.update(_Lines(lines), refresh=True)

    def _encodable(self, text: str) -> str:
        return text.encode(self._encoding, "replace").decode(self._encoding)


class _Console(rich.console.Console):
    """A console of rich that does not end the program when its reader has gone."""

    def on_broken_pipe(self) -> Never:
        raise  # what is being handled


class _Lines:
    """Lines for rich, which only cuts them at the edge: cheap enough to draw ten times a second."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def __rich_console__(self, console: rich.console.Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            for text, style in line:
                yield Segment(text, Style.parse(style) if style else None)
            yield Segment.line()
