"""A VST3 plug-in in the path: one instance, or one for each channel where it is mono."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from ....codec.events.errors import StruckError
from ..plugins.plugin import FloatArray, PluginInfo, PluginParameter
from .module import load_pedalboard

#: MIDI controllers that frameworks show as parameters: thousands of them.
_NO_PARAMETER: Final = re.compile(r"MIDI C[Ch]")
#: Parameters of so few steps show what each is called.
_MOST_CHOICES: Final = 32
#: pedalboard plays a note when it loads an instrument: this much is run out before anybody listens.
_RUN_OUT_SECONDS: Final = 2.0
#: A parameter on its way moves so often; each call costs some microseconds.
_LEAST_FRAMES: Final = 8


class Vst3Plugin:
    """Runs a VST3 plug-in; a :class:`~struck.realtime.inserts.plugins.plugin.Plugin`.

    Parameters go from 0 to 1, as the standard has them. It must be made in the process's main thread.

    Args:
        name: path of a ``.vst3``, or the name of one that is installed.
        rate: in Hz.
        channels: 1 or 2.
        block_frames: of every block.
        state: of :meth:`save_state`; empty for none.

    Raises:
        StruckError: pedalboard or the plug-in is not to be had, or the state is not its own.
    """

    def __init__(self, name: str, rate: int, channels: int, block_frames: int, state: str = "") -> None:
        self._rate, self._frames = rate, block_frames
        path = find_vst3(name)
        self._instances = [_load(path)]
        first = self._instances[0]
        is_instrument = bool(first.is_instrument)
        self.info = PluginInfo(
            host="vst3",
            identifier=str(path),
            name=str(first.name),
            maker=str(first.manufacturer_name),
            category=str(first.category),
            audio_inputs=0 if is_instrument else 2,
            audio_outputs=2,
            takes_notes=is_instrument,
        )
        self.least_frames = block_frames if is_instrument else min(_LEAST_FRAMES, block_frames)
        self._notes: list[tuple[bytes, float]] = []
        if is_instrument:
            self._notes = [(bytes((0xB0 | c, n, 0)), 0.0) for c in range(16) for n in (120, 123)]
            for _ in range(round(_RUN_OUT_SECONDS * rate / block_frames)):
                self._play()
        self._channels = 2 if is_instrument or self._takes(2) else 1
        if self._channels == 1:
            if not self._takes(1):
                raise StruckError(f"the VST3 plug-in {name} takes neither two channels nor one")
            self._instances += [_load(path) for _ in range(channels - 1)]
        self._numbers: list[Any] = []
        self.parameters: tuple[PluginParameter, ...] = tuple(self._read_parameters())
        if state:
            self._restore(state)

    def _takes(self, channels: int) -> bool:
        """Whether it takes so many channels: it runs a block of silence."""
        silence = np.zeros((channels, self._frames), np.float32)
        try:
            for instance in self._instances:
                instance.process(silence, self._rate, self._frames, reset=False)
        except ValueError:
            return False
        return True

    def _read_parameters(self) -> Iterator[PluginParameter]:
        taken: set[str] = set()
        for number, parameter in enumerate(self._instances[0]._parameters):
            if _NO_PARAMETER.match(parameter.name):
                continue
            symbol = re.sub(r"\W+", "_", parameter.name.strip().lower()).strip("_") or f"parameter_{number}"
            if symbol in taken:
                symbol = f"{symbol}_{number}"
            taken.add(symbol)
            self._numbers.append(number)
            steps = int(parameter.num_steps)
            choices = None
            if 2 <= steps <= _MOST_CHOICES:
                values = [step / (steps - 1) for step in range(steps)]
                choices = {value: str(parameter.get_text_for_raw_value(value)) for value in values}
            scale = "toggle" if steps == 2 else "linear"
            default = min(1.0, max(0.0, float(parameter.default_raw_value)))
            yield PluginParameter(symbol, parameter.name, 0.0, 1.0, default, "", scale, choices)

    @property
    def latency_samples(self) -> int:
        return int(self._instances[0].reported_latency_samples)

    def process(self, block: FloatArray, out: FloatArray) -> None:
        if self.info.takes_notes:
            sound = self._play()
            out[:] = sound if len(out) == 2 else 0.5 * (sound[0] + sound[1])
            return
        block = np.ascontiguousarray(block)
        if self._channels == 1:
            for c, instance in enumerate(self._instances):
                out[c] = instance.process(block[c : c + 1], self._rate, self._frames, reset=False)[0]
            return
        else:
            both = block if len(block) == 2 else np.repeat(block, 2, axis=0)
            sound = self._instances[0].process(both, self._rate, self._frames, reset=False)
        out[:] = sound if len(out) == 2 else 0.5 * (sound[0] + sound[1])

    def _play(self) -> FloatArray:
        """The next block of an instrument, ``[2, B]``."""
        notes, self._notes = self._notes, []
        sound: FloatArray = self._instances[0].process(
            notes,
            duration=self._frames / self._rate,
            sample_rate=self._rate,
            num_channels=2,
            buffer_size=self._frames,
            reset=False,
        )
        return sound

    def get(self, number: int) -> float:
        return float(self._instances[0]._parameters[self._numbers[number]].raw_value)

    def set(self, number: int, value: float) -> None:
        for instance in self._instances:
            instance._parameters[self._numbers[number]].raw_value = value

    def note(self, frame: int, message: bytes) -> None:
        self._notes.append((message, frame / self._rate))

    def save_state(self) -> str:
        # what was set is in the state only after the next block
        if self.info.takes_notes:
            self._play()
        else:
            self._takes(self._channels)
        data = base64.b64encode(self._instances[0].raw_state).decode()
        return json.dumps({"vst3": self._instances[0].identifier, "state": data})

    def _restore(self, state: str) -> None:
        try:
            found = json.loads(state)
            owner, data = found["vst3"], base64.b64decode(found["state"])
        except (ValueError, KeyError, TypeError):
            raise StruckError("the state is none of a VST3 plug-in") from None
        own = self._instances[0].identifier
        if owner != own:
            raise StruckError(f"the state is that of {owner}, not of {own}")
        for instance in self._instances:
            instance.raw_state = data

    def close(self) -> None:
        self._instances.clear()


def _load(path: Path) -> Any:
    pedalboard = load_pedalboard()
    try:
        return pedalboard.VST3Plugin(str(path))
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        raise StruckError(f"the VST3 plug-in {path} cannot be loaded: {error}") from None


def installed_vst3() -> list[Path]:
    """Paths of the VST3 plug-ins that are installed; none of them is loaded."""
    return sorted(Path(path) for path in load_pedalboard().VST3Plugin.installed_plugins)


def find_vst3(name: str) -> Path:
    """The plug-in at this path, or the installed one of this name.

    Raises:
        StruckError: there is none.
    """
    if name.endswith(".vst3"):
        if not Path(name).exists():
            raise StruckError(f"there is no VST3 plug-in {name}")
        return Path(name)
    for path in installed_vst3():
        if path.stem.lower() == name.lower():
            return path
    raise StruckError(f"no VST3 plug-in is called {name}")
