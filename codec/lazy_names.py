"""Public names of a package that are imported when they are first used: a package costs nothing to import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: its ``__name__``.
        homes: public name -> the module it lives in, relative to the package (``.decoder``).
    """

    def get_attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"{package} has no public name {name}; there are {', '.join(homes)}")
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted(homes)

    return get_attribute, list_names
