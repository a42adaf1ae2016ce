"""The console: results on standard output, messages and progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ...codec.pipeline import Advance

#: Why the first start takes long.
COMPILING: Final = "compiling for this machine; that takes up to a minute or two, once"


class Console:
    """Where a command speaks.

    Args:
        as_json: results are one JSON object; otherwise they are text for people.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def finish(self, values: dict[str, Any], text: str) -> None:
        """Print a command's result: ``values`` as JSON or ``text``, whichever was asked for."""
        print(json.dumps(values, allow_nan=False) if self.as_json else text, flush=True)

    def note(self, line: str) -> None:
        """Tell something that is not the result and stops nothing."""
        print(f"struck: note: {line}", file=sys.stderr)

    def report(self, line: str) -> None:
        """Tell an intermediate result: beside a JSON object it must not stand on standard output."""
        print(line, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    @contextmanager
    def patience(self, line: str, seconds: float = 3.0) -> Iterator[None]:
        """Tell ``line`` if the body takes longer than ``seconds``: why one has to wait."""
        timer = Timer(seconds, self.note, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def progress(self, task: str, total: float | None, unit: str = "s") -> Iterator[Advance]:
        """A progress bar while the body runs, where standard error is a terminal; nothing elsewhere.

        Args:
            task: what is being done, in a word or two.
            total: amount at the end; None if it is not known.
            unit: of the amounts.
        """
        if not sys.stderr.isatty():
            yield lambda done: None
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        amount = (
            f"{{task.completed:.1f}} / {{task.total:.1f}} {unit}"
            if total
            else f"{{task.completed:.1f}} {unit}"
        )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(amount),
            TimeElapsedColumn(),
            *((TimeRemainingColumn(),) if total else ()),
        )
        with Progress(*columns, console=RichConsole(stderr=True), transient=True) as bar:
            line = bar.add_task(task, total=total or None)
            yield lambda done: bar.update(line, completed=done)


def format_values(values: dict[str, Any]) -> str:
    """Lines of ``name  value``, underscores as spaces, for a result of numbers and names."""
    width = max(len(name) for name in values)
    return "\n".join(f"{name.replace('_', ' '):{width}}  {_format(value)}" for name, value in values.items())


def _format(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return f"{len(value):,}"
    return str(value)
