"""Opens one plug-in and tells about it: ``python -m struck.realtime.inserts.hosts.probe``.

A process of its own: what a plug-in does when it is loaded is its own affair, and may take for ever. It reads
an insert's fields from standard input, as a state may be longer than an argument.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np

from ....codec.events.errors import StruckError
from ....patches.insert_patch import InsertPatch
from .open_plugin import open_plugin

_COMMAND: Final = (sys.executable, "-m", "struck.realtime.inserts.hosts.probe")
_SECONDS: Final = 30.0
_RATE: Final = 48_000
_BLOCK_FRAMES: Final = 64
#: Blocks of noise, then of silence.
_BLOCKS: Final = 60


def probe_plugin(
    host: str, name: str, seconds: float = _SECONDS, preset: str = "", state: str = ""
) -> dict[str, Any]:
    """What a plug-in tells once it is open, and how it did.

    Args:
        host, name: as a patch names it.
        preset, state: that it is opened with.

    Returns:
        ``info``, ``parameters``, ``presets``, ``latency_samples``; ``is_finite`` (its sound) and
        ``keeps_state`` (what it saved of its parameters came back).

    Raises:
        StruckError: it cannot be opened, crashed, or took longer than ``seconds``.
    """
    wanted = json.dumps({"host": host, "plugin": name, "preset": preset, "state": state}).encode()
    try:
        done = subprocess.run(_COMMAND, input=wanted, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise StruckError(f"{name} did not answer within {seconds:g} s") from None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        raise StruckError(f"{name} crashed while it was looked at (exit code {done.returncode})")
    found: dict[str, Any] = json.loads(lines[-1])
    if "error" in found:
        raise StruckError(found["error"])
    return found


def main() -> None:
    """Print one JSON object, and end without tidying up: many plug-ins crash at that."""
    insert = InsertPatch("master", **json.load(sys.stdin))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what plug-ins print does not stand before it
    try:
        values = _describe(insert)
    except StruckError as error:
        values = {"error": str(error)}
    print(json.dumps(values), file=out, flush=True)
    os._exit(0)


def _describe(insert: InsertPatch) -> dict[str, Any]:
    plugin = open_plugin(insert, _RATE, 2, _BLOCK_FRAMES)
    generator = np.random.default_rng(1)
    out = np.zeros((2, _BLOCK_FRAMES), np.float32)
    is_finite = True
    for block in range(2 * _BLOCKS):
        size = out.shape if block < _BLOCKS else (2, 0)
        sound = np.zeros_like(out)
        sound[:, : size[1]] = generator.uniform(-0.5, 0.5, size)
        plugin.process(sound, out)
        is_finite = is_finite and bool(np.isfinite(out).all())
    values = [plugin.get(number) for number in range(len(plugin.parameters))]
    as_saved = replace(insert, preset="", state=plugin.save_state())
    again = open_plugin(as_saved, _RATE, 2, _BLOCK_FRAMES)
    again.process(np.zeros_like(out), out)
    restored = [again.get(number) for number in range(len(again.parameters))]
    return {
        "info": plugin.info.to_dict(),
        "parameters": [asdict(parameter) for parameter in plugin.parameters],
        "presets": _presets(insert.host, insert.plugin),
        "latency_samples": plugin.latency_samples,
        "is_finite": is_finite,
        "keeps_state": np.allclose(values, restored, rtol=1e-6, atol=1e-6),
    }


def _presets(host: str, name: str) -> list[str]:
    if host != "lv2":
        return []
    from ..lv2.library import lilv
    from ..lv2.scan import find_plugin
    from ..lv2.states import list_presets

    return list(list_presets(lilv(), find_plugin(lilv(), name)))


if __name__ == "__main__":
    main()
