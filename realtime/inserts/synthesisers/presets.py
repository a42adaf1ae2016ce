"""All presets of all instruments that are installed, each as something that plays MIDI files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import mido
import numpy as np
import soxr

from ....codec.events.errors import StruckError
from ....codec.events.event_spec import ANALYSIS_RATE
from ....models.mars.players.player import PlayerLostError
from ....models.mars.players.presets import Preset
from ..hosts.catalogue import Catalogue, cache_path
from ..lv2.library import lilv
from ..lv2.scan import find_plugin
from ..lv2.states import list_presets
from ..rack.process import describe_end
from .midi_server import RATE

_COMMAND: Final = (sys.executable, "-m", "struck.realtime.inserts.synthesisers.midi_server")
#: Of the GNU C library: fresh memory is all zeros. Some instruments play what they find there.
_ENVIRONMENT: Final = {"MALLOC_PERTURB_": "255", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class MidiServer:
    """Has MIDI files played by another process, which is started with the first.

    Args:
        command: starts it; see :mod:`~struck.realtime.inserts.synthesisers.midi_server`.
    """

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def play(self, plugin: str, preset: str, midi: mido.MidiFile) -> np.ndarray:
        """float32 [T] at the analysis rate: its sound on an instrument, in mono, from its first tick on.

        Args:
            plugin: an LV2 plug-in's URI.
            preset: one of its presets, by its URI; empty for none.

        Raises:
            PlayerLostError: the plug-in cannot be opened, crashed, or hangs.
        """
        with tempfile.TemporaryDirectory() as folder:
            score, sound = Path(folder) / "score.mid", Path(folder) / "sound.npy"
            midi.save(score)
            job = {"insert": {"plugin": plugin, "preset": preset}, "midi": str(score), "sound": str(sound)}
            code = self._ask(json.dumps(job))
            if code == 1 and sound.is_file():
                raise PlayerLostError(sound.read_text(encoding="utf-8"))
            if code != 0:
                raise PlayerLostError(f"{plugin} {describe_end(code)}")
            return soxr.resample(np.load(sound), RATE, ANALYSIS_RATE)

    def _ask(self, job: str) -> int:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, **_ENVIRONMENT},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(job, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise StruckError(f"what plays instruments {describe_end(self._process.wait())}")
        return int(answer)


def find_presets(tell: Callable[[str], None]) -> list[Preset]:
    """Every preset of every LV2 instrument that can be hosted; of one without presets, as it begins.

    Args:
        tell: takes one line for the user: liblilv is not installed.
    """
    infos = [info for info in Catalogue(cache_path(), tell).all() if info.host == "lv2"]
    server = MidiServer()
    presets = []
    for info in infos:
        if info.refused or not info.is_instrument:
            continue
        lib = lilv()
        names = list_presets(lib, find_plugin(lib, info.identifier)) or {"as it begins": ""}
        for name, uri in names.items():
            presets.append(Preset(info.name, name, partial(server.play, info.identifier, uri)))
    return presets
