"""How kernels are compiled, and whether what was compiled can be kept for the next start.

Numba keeps it beside the source; where that may not be written (an installation for all users), in the user's
cache folder. Where there is no such folder either (a service without a home), everything is compiled at each
start, which takes a minute or two and is told once.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import config
from numba.core import caching
from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

from ..events.errors import StruckWarning
from ..kernels.cache import LOCATORS, PACKAGE, Index
from ..kernels.compiler import (
    ClosedCompiler,
    InnerCompiler,
    JoiningCompiler,
    OuterCompiler,
    VectorisingCompiler,
)

#: Folders of the package that have kernels in them.
_FOLDERS: Final = ("codec", "models", "realtime")


def find_cache(package: Path) -> bool:
    """Whether Numba finds a place for what it compiles, for every kernel under ``package``.

    Asked here because Numba raises where it finds none, at the import of the first kernel.
    """
    here = __file__
    if UserProvidedCacheLocator.from_function(find_cache, here) is not None:  # NUMBA_CACHE_DIR
        return True
    beside = (InTreeCacheLocator.from_function(find_cache, file) for file in _one_file_each(package))
    if all(place is not None for place in beside):
        return True
    return UserWideCacheLocator.from_function(find_cache, here) is not None


def _one_file_each(package: Path) -> Iterator[str]:
    """``__init__.py`` of every folder: a room may be read-only among others that are not."""
    for top in _FOLDERS:
        for folder, _, files in os.walk(package / top):
            if "__init__.py" in files:
                yield os.path.join(folder, "__init__.py")


CAN_CACHE: Final = find_cache(PACKAGE)
if not CAN_CACHE:
    warnings.warn(
        "no folder for compiled code can be written, so every start compiles again, for a minute or two; "
        "let NUMBA_CACHE_DIR name a folder that can be written",
        StruckWarning,
        stacklevel=2,
    )

if not config.CACHE_LOCATOR_CLASSES:  # else whoever set NUMBA_CACHE_LOCATOR_CLASSES knows better
    config.CACHE_LOCATOR_CLASSES = LOCATORS
caching.IndexDataCacheFile = Index

#: How kernels are compiled: no lock, kept on disk, IEEE division without an exception, and no wrapper for C,
#: which nothing asks for.
EXACT: Final[dict[str, Any]] = {
    "nogil": True,
    "cache": CAN_CACHE,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "pipeline_class": ClosedCompiler,
}
#: As EXACT, for what plays: its arrays belong to its caller, so no references to them are counted, which was
#: a quarter of the code. Numba refuses to compile an allocation or an exception so.
BORROWING: Final[dict[str, Any]] = EXACT | {
    "_nrt": False,
    "no_rewrites": True,
    "pipeline_class": OuterCompiler,
}
#: As BORROWING, for what hears: loops become vector instructions once more in the end. Without, it ran slower
#: in `studio`.
VECTORISED: Final[dict[str, Any]] = BORROWING | {"pipeline_class": VectorisingCompiler}
#: How those are compiled that only other kernels call: they are kept inside these, and Python cannot call
#: them. A first start compiles in half the time: most of a small kernel's code was its wrappers, which take
#: apart tuples of arrays, and they were compiled again in each kernel that calls it.
_INSIDE: Final[dict[str, Any]] = {"cache": False, "no_cpython_wrapper": True}
INNER: Final[dict[str, Any]] = EXACT | _INSIDE | {"pipeline_class": InnerCompiler}
#: As INNER, inside BORROWING and VECTORISED. What counts references must not call one that returns arrays: it
#: would give up references that nobody took.
LINKED: Final[dict[str, Any]] = BORROWING | _INSIDE | {"pipeline_class": InnerCompiler}
#: As LINKED, for what calls other kernels in turn and computes little itself.
JOINING: Final[dict[str, Any]] = LINKED | {"pipeline_class": JoiningCompiler}

#: To hand to kernels: of a constant of Python's, Numba compiles a kernel of its own.
NOUGHT, ONE = np.arange(2)
