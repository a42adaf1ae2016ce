"""A Python file of the user's own that builds a graph of pyo's objects.

It is a program with the user's rights: it is run because a patch in a file of the user's own names it, and
never at anybody's word over the network. The process in which it runs keeps crashes away; it is no sandbox.
"""

from __future__ import annotations

import ast
import runpy
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from ....codec.events.errors import StruckError
from ..plugins.plugin import PluginParameter
from .server import load_pyo

_SMOOTHING_SECONDS: Final = 0.02

T = TypeVar("T")


class PyoProgram:
    """Runs a file once and builds its graph.

    The file has ``build(input, ...)``, which returns the object to be heard; ``parameters``, if it has any,
    are ``{name: (low, high, default, unit)}``, and each comes to ``build`` as a smoothed signal of that name;
    ``takes_notes = True`` says that the graph hears MIDI (``Notein``).

    Args:
        path: of the file.
        source: what it hears.

    Raises:
        StruckError: it cannot be read, does not run, or builds nothing that can be heard.
    """

    def __init__(self, path: Path, source: Any) -> None:
        pyo = load_pyo()
        #: What the file defines; objects play only while somebody keeps them.
        _told_in_one_line(path, lambda: _parse(path))
        names = self._names = _told_in_one_line(path, lambda: runpy.run_path(str(path)))
        build = names.get("build")
        if not callable(build):
            raise StruckError(f"{path} has no function build(input)")
        self.parameters = _read_parameters(path, names.get("parameters", {}))
        #: Signals by the parameters' names.
        self.signals = {
            p.symbol: pyo.SigTo(value=p.default, time=_SMOOTHING_SECONDS, init=p.default)
            for p in self.parameters
        }
        self.takes_notes = bool(names.get("takes_notes", False))
        #: What is heard.
        self.made = _told_in_one_line(path, lambda: build(source, **self.signals))
        if not isinstance(self.made, pyo.PyoObject):
            raise StruckError(f"build(input) of {path} returns {self.made!r}, not one of pyo's objects")


def look_into_program(path: Path) -> tuple[PluginParameter, ...] | None:
    """The parameters of a file that is read and not run; None where only running it would tell.

    Raises:
        StruckError: it cannot be read, has a syntax error, or its parameters are wrong.
    """
    tree = _told_in_one_line(path, lambda: _parse(path))
    named = sum(isinstance(node, ast.Name) and node.id == "parameters" for node in ast.walk(tree))
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="parameters")], value=table) if named == 1:
                try:
                    return _read_parameters(path, ast.literal_eval(table))
                except (TypeError, ValueError):  # it is computed
                    return None
    return None if named else ()


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except ValueError as error:  # null bytes, before Python 3.11.4
        raise SyntaxError(str(error)) from None


def _told_in_one_line(path: Path, function: Callable[[], T]) -> T:
    """What ``function`` returns; what it raises in one line."""
    try:
        return function()
    except OSError as error:
        raise StruckError(f"cannot read {path}: {error.strerror}") from None
    except SyntaxError as error:
        line = "" if error.lineno is None else f", line {error.lineno}"
        raise StruckError(f"{path}{line}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise StruckError(f"{place.filename}, line {place.lineno}: {type(error).__name__}: {error}") from None


def _read_parameters(path: Path, table: Any) -> tuple[PluginParameter, ...]:
    found = []
    try:
        for name, (low, high, default, *unit) in dict(table).items():
            text = str(unit[0]) if unit else ""
            found.append(PluginParameter(str(name), str(name), float(low), float(high), float(default), text))
    except (TypeError, ValueError):
        raise StruckError(f"parameters of {path} must be {{name: (low, high, default, unit)}}") from None
    for parameter in found:
        if not parameter.low <= parameter.default <= parameter.high:
            raise StruckError(f"the default of {parameter.symbol} in {path} is outside its range")
    return tuple(found)
