"""Writes the OSC namespace as tables into ``docs/osc.md``: ``python -m struck.realtime.docs.osc_docs``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...codec.events.event_spec import FIELDS
from ..osc.namespace import EVENT, NAMESPACE, Argument, Route
from .docs_tables import replace_tables

DOCS_PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "osc.md"

_SCALES: Final[dict[str, str]] = {
    "linear": "low + (high - low) u",
    "log": "low (high / low)^u",
    "power4": "high u^4",
    "square": "high u^2",
    "signed_square": "high v abs(v)",
    "logistic": "1 / (1 + 10^(-v high / 10))",
    "latent": "v",
}


def namespace_tables() -> str:
    """The addresses, the arguments of each, and the fields of the vector, as Markdown."""
    parts = [_addresses("Messages to struck", "in"), _addresses("Messages from struck", "out")]
    parts += [_arguments(EVENT), _vector()]
    return "\n".join(parts)


def _addresses(title: str, direction: str) -> str:
    lines = [f"## {title}", "", "| message | meaning | arguments |", "| --- | --- | --- |"]
    for route in NAMESPACE:
        if direction not in route.direction.split(", "):
            continue
        arguments = "; ".join(_argument(argument) for argument in route.arguments)
        if route is EVENT:
            arguments = "below"
        lines.append(f"| `{_signature(route, direction)}` | {route.meaning} | {arguments} |")
    return "\n".join([*lines, ""])


def _signature(route: Route, direction: str) -> str:
    signature = " ".join(f"{argument.tag}:{argument.name}" for argument in route.arguments)
    if route.repeated and route.optional:
        signature = "" if direction == "in" else f"{signature} ..."
    elif route.repeated:
        signature = f"{signature} ..."
    elif route.optional:
        signature = f"[{signature}]"
    return f"{route.address} {signature}".strip()


def _argument(argument: Argument) -> str:
    span = _range(argument)
    details = ", ".join(detail for detail in (argument.unit, span) if detail)
    return f"`{argument.name}`: {argument.meaning}" + (f" ({details})" if details else "")


def _range(argument: Argument) -> str:
    return "" if argument.low is None else f"{argument.low:g} to {argument.high:g}"


def _arguments(route: Route) -> str:
    lines = [
        f"## Arguments of `{route.address}`",
        "",
        "| argument | type | unit | range | when it comes in | meaning |",
    ]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for argument in route.arguments:
        read = "ignored" if argument.ignored else "counts"
        cells = (f"`{argument.name}`", argument.tag, argument.unit, _range(argument), read, argument.meaning)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _vector() -> str:
    lines = [
        "## Fields of `vector`",
        "",
        "Each number `v` lies in -1 to 1 and stands for a value, with `u = (v + 1) / 2`.",
        "",
        "| number | field | low | high | unit | value | meaning |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for index, field in enumerate(FIELDS):
        cells = (
            str(index),
            f"`{field.name}`",
            f"{field.low:g}",
            f"{field.high:g}",
            field.unit,
            f"`{_SCALES[field.scale]}`",
            field.meaning,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def with_tables(page: str) -> str:
    """``page`` with its tables made new.

    Raises:
        ValueError: the marks are not there.
    """
    return replace_tables(page, "osc_docs", namespace_tables())


if __name__ == "__main__":
    DOCS_PATH.write_text(with_tables(DOCS_PATH.read_text(encoding="utf-8")), encoding="utf-8")
