"""All plug-ins that are installed, of all hosts; what was learnt of them is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ....codec.events.errors import StruckError
from ..plugins.plugin import PluginInfo
from .probe import probe_plugin

_VERSION: Final = 1
#: A VST3 tells about itself only while it is loaded, and some load slowly.
_PROBE_SECONDS: Final = 20.0


def cache_path() -> Path:
    """Where the catalogue is kept."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "struck" / "plugins.json"


class Catalogue:
    """Lists plug-ins. A file's entry is kept as long as its path, size and time are the same.

    Args:
        path: of the kept entries; None keeps none.
        tell: takes one line for the user: what is not installed, which plug-in is broken.
        advance: called with how many slow plug-ins have been looked at.
    """

    def __init__(
        self,
        path: Path | None,
        tell: Callable[[str], None],
        advance: Callable[[float], None] = lambda done: None,
    ) -> None:
        self._path, self._tell, self._advance = path, tell, advance
        self._kept: dict[str, dict[str, Any]] = _read(path)
        self._seen: dict[str, dict[str, Any]] = {}

    def all(self) -> list[PluginInfo]:
        """Every plug-in, by host and name; those that cannot be hosted say why."""
        found = [*self._lv2(), *self._pyo(), *self._vst3()]
        self._keep()
        return sorted(found, key=lambda info: (info.host, info.name.lower(), info.identifier))

    def search(self, text: str) -> list[PluginInfo]:
        """Those in whose name, maker, category or identifier all words of ``text`` stand."""
        words = text.lower().split()
        return [info for info in self.all() if all(word in _haystack(info) for word in words)]

    def find(self, name: str, host: str | None = None) -> PluginInfo:
        """The one of this identifier or name, of ``host`` or of any; or the only one in which it stands.

        Raises:
            StruckError: there is none, or several.
        """
        found = [info for info in self.all() if host in (None, info.host)]
        lower = name.lower()
        near = (
            [info for info in found if name in (info.identifier, info.name)]
            or [info for info in found if lower == info.name.lower()]
            or [info for info in found if lower in _haystack(info)]
        )
        if not near:
            raise StruckError(f"no plug-in is called {name}; see struck plugins list")
        if len(near) > 1:
            some = ", ".join(f"{i.name} ({i.host})" for i in near[:8])
            raise StruckError(f"{len(near)} plug-ins are called {name}: {some}; take an identifier")
        return near[0]

    def _lv2(self) -> list[PluginInfo]:
        from ..lv2.library import lilv
        from ..lv2.scan import bundle_of, describe_plugin

        try:
            lib = lilv()
        except StruckError as error:
            self._tell(str(error))
            return []
        found = []
        for plugin in lib.all_plugins():
            uri = lib.text(lib.plugin_get_uri(plugin), owned=False)
            stamp = _stamp(bundle_of(lib, plugin) / "manifest.ttl")
            found.append(self._remember(f"lv2 {uri}", stamp, partial(describe_plugin, lib, plugin)))
        return found

    def _pyo(self) -> list[PluginInfo]:
        if find_spec("pyo") is None:
            self._tell("pyo is not installed (pip install struck[live])")
            return []
        from ..pyo.classes import list_classes

        return list_classes()

    def _vst3(self) -> list[PluginInfo]:
        if find_spec("pedalboard") is None:
            self._tell("pedalboard, the host of VST3 plug-ins, is not installed (pip install struck[vst3])")
            return []
        from ..vst3.effects import list_effects
        from ..vst3.plugin import installed_vst3

        found = list_effects()
        for number, path in enumerate(installed_vst3()):
            found.append(self._remember(f"vst3 {path}", _stamp(path), partial(self._probe, path)))
            self._advance(float(number + 1))
        return found

    def _probe(self, path: Path) -> PluginInfo:
        try:
            info = probe_plugin("vst3", str(path), _PROBE_SECONDS)["info"]
        except StruckError as error:
            return PluginInfo("vst3", str(path), path.stem, refused=str(error))
        del info["is_instrument"]
        return PluginInfo(**info)

    def _remember(self, key: str, stamp: list[int], describe: Callable[[], PluginInfo]) -> PluginInfo:
        kept = self._kept.get(key)
        if kept is None or kept["stamp"] != stamp:
            kept = {"stamp": stamp, "info": asdict(describe())}
        self._seen[key] = kept
        return PluginInfo(**kept["info"])

    def _keep(self) -> None:
        """Write what was seen; where that is not possible, the next time takes as long as this one."""
        if self._path is None or self._seen == self._kept:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps({"version": _VERSION, "entries": self._seen}))
            part.replace(self._path)


def _read(path: Path | None) -> dict[str, dict[str, Any]]:
    """What was kept; nothing, where the file is missing, broken, or of another version."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
        if found["version"] != _VERSION:
            return {}
        for entry in found["entries"].values():
            PluginInfo(**entry["info"])
        return dict(found["entries"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _stamp(path: Path) -> list[int]:
    """Size and time of a file, or of a folder."""
    try:
        status = path.stat()
    except OSError:
        return [0, 0]
    return [status.st_size, status.st_mtime_ns]


def _haystack(info: PluginInfo) -> str:
    return f"{info.host} {info.name} {info.maker} {info.category} {info.identifier}".lower()
