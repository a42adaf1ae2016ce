"""The state of a plug-in that is all in the values of its parameters, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from ....codec.events.errors import StruckError
from .plugin import PluginParameter, find_parameter


def write_values(host: str, name: str, parameters: Sequence[PluginParameter], values: Sequence[float]) -> str:
    """The values of the plug-in ``name``, one for each parameter, as a text."""
    by_symbol = {p.symbol: value for p, value in zip(parameters, values, strict=True)}
    return json.dumps({host: name, "values": by_symbol})


def read_values(
    state: str, host: str, name: str, parameters: Sequence[PluginParameter]
) -> list[tuple[int, float]]:
    """Numbers of parameters and their values, of what :func:`write_values` gave.

    Raises:
        StruckError: it is none of the host's, or that of another plug-in, or a value cannot be.
    """
    try:
        found = json.loads(state)
        owner = found[host]
        values = {str(symbol): float(value) for symbol, value in found["values"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StruckError(f"the state is none of {host}'s") from None
    if owner != name:
        raise StruckError(f"the state is that of {host}'s {owner}, not of {name}")
    known = [asdict(parameter) for parameter in parameters]
    own = {parameter.symbol for parameter in parameters}  # another version may have others
    try:
        return [(find_parameter(known, symbol, x), x) for symbol, x in values.items() if symbol in own]
    except ValueError as error:
        raise StruckError(f"the state of {host}'s {name}: {error}") from None
