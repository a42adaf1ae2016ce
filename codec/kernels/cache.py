"""Numba's places for compiled kernels, with a stamp that knows of all kernels' sources.

Numba compiles a function again when the function's own file has changed. Kernels here call one another and
take constants from each other's files, so a change in one makes what was kept of the others stale, and stale
machine code writes to where its arrays no longer are. ``numba.config.CACHE_LOCATOR_CLASSES`` names the
classes below. The index of what is kept names classes whose tuples kernels take; one that is stale may name a
class that is gone, so its version tells that before it is read.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numba
from numba.core.caching import (
    IndexDataCacheFile,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

PACKAGE: Final = Path(__file__).parents[2]

#: Rooms whose files hold kernels, or constants of kernels.
KERNEL_ROOMS: Final = (
    "codec/events", "codec/hearing", "codec/hearing/joint", "codec/hearing/refit", "codec/kernels",
    "codec/measures", "codec/playing", "models/mars/sound", "realtime/bench", "realtime/devices",
    "realtime/engine", "realtime/midi",
)  # fmt: skip


@cache
def kernels_stamp() -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file in the rooms of kernels."""
    files = (path for room in KERNEL_ROOMS for path in sorted((PACKAGE / room).glob("*.py")))
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)


class _Stamped:
    """Adds :func:`kernels_stamp` to the stamp of a function of this package; others keep Numba's own."""

    def get_source_stamp(self) -> Any:
        own = super().get_source_stamp()  # type: ignore[misc]
        ours = Path(self._py_file).is_relative_to(PACKAGE)  # type: ignore[attr-defined]
        return (own, kernels_stamp()) if ours else own


class InTree(_Stamped, InTreeCacheLocator):
    """Beside the source."""


class UserProvided(_Stamped, UserProvidedCacheLocator):
    """Where ``NUMBA_CACHE_DIR`` says."""


class UserWide(_Stamped, UserWideCacheLocator):
    """In the user's cache folder."""


class Index(IndexDataCacheFile):
    """Of what is kept of a function; of ours the version tells the kernels' sources, too."""

    def __init__(self, cache_path: str, filename_base: str, source_stamp: Any) -> None:
        super().__init__(cache_path=cache_path, filename_base=filename_base, source_stamp=source_stamp)
        if isinstance(source_stamp, tuple) and source_stamp[-1] == kernels_stamp():
            self._version = f"{numba.__version__}, kernels {crc32(repr(source_stamp).encode()):08x}"


#: In Numba's own order; notebooks and archives hold none of our kernels, but other people's.
LOCATORS: Final = ",".join(
    [f"{__name__}.{locator.__name__}" for locator in (UserProvided, InTree, UserWide)]
    + ["IPythonCacheLocator", "ZipCacheLocator"]
)
