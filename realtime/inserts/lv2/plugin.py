"""An LV2 plug-in in the path: one instance, or one for each channel where it is mono."""

from __future__ import annotations

from functools import cache
from typing import Final

from ....codec.events.errors import StruckError
from ..plugins.plugin import FloatArray, PluginInfo, PluginParameter
from .features import PROVIDED, WHOLE_BLOCKS, UridMap
from .instance import Lv2Instance
from .library import Lilv, lilv
from .ports import read_ports
from .scan import describe_plugin, find_plugin
from .states import StateKeeper

#: A parameter on its way moves so often, a whole number of times in a block.
_LEAST_FRAMES: Final = 4


@cache
def _urids() -> UridMap:
    """One map for the process: liblilv keeps numbers, too."""
    return UridMap()


class Lv2Plugin:
    """Runs an LV2 plug-in; a :class:`~struck.realtime.inserts.plugins.plugin.Plugin`.

    The first one or two audio inputs and outputs carry the sound; others are side chains as a rule, seldom
    marked so, and get silence.

    Args:
        name: its URI, or its name where no other is called so.
        rate: in Hz.
        channels: 1 or 2.
        block_frames: of every block.
        preset: name or URI of one of its presets; empty for none.
        state: of :meth:`save_state`; empty for none.

    Raises:
        StruckError: there is none, it requires what is not given, it has no sound, it cannot be instantiated,
            or preset or state are not its own.
    """

    def __init__(
        self, name: str, rate: int, channels: int, block_frames: int, preset: str = "", state: str = ""
    ) -> None:
        lib: Lilv = lilv()
        plugin = find_plugin(lib, name)
        self.info: PluginInfo = describe_plugin(lib, plugin)
        uri = self.info.identifier
        required = list(lib.nodes(lib.plugin_get_required_features(plugin)))
        missing = [feature for feature in required if feature not in PROVIDED]
        if missing:
            raise StruckError(f"the LV2 plug-in {uri} requires {', '.join(missing)}, which is not given")
        ports = read_ports(lib, plugin, rate)
        if not ports.audio_outputs:
            raise StruckError(f"the LV2 plug-in {uri} gives no sound")
        self.parameters: tuple[PluginParameter, ...] = ports.parameters
        self.least_frames = block_frames if WHOLE_BLOCKS.intersection(required) else _LEAST_FRAMES
        self._ins = min(2, len(ports.audio_inputs))
        self._outs = min(2, len(ports.audio_outputs))
        is_mono = self._ins <= 1 and self._outs == 1 and not ports.note_inputs
        count = channels if is_mono else 1
        self._instances = [
            Lv2Instance(lib, plugin, uri, ports, _urids(), rate, block_frames) for _ in range(count)
        ]
        self._keeper = StateKeeper(lib, plugin, uri, ports, _urids())
        self._notes: list[tuple[int, bytes]] = []
        try:
            if preset:
                self._keeper.load_preset(self._instances, preset)
            if state:
                self._keeper.restore(self._instances, state)
        except BaseException:
            self.close()
            raise

    @property
    def latency_samples(self) -> int:
        return self._instances[0].latency_samples

    def process(self, block: FloatArray, out: FloatArray) -> None:
        instances = self._instances
        channels, frames = block.shape
        if len(instances) == channels == 2:
            for c, instance in enumerate(instances):
                instance.inputs[0, :frames] = block[c]
                instance.run(frames)
                out[c] = instance.outputs[0, :frames]
            return
        (instance,) = instances
        if self._ins == 1:
            instance.inputs[0, :frames] = block[0] if channels == 1 else 0.5 * (block[0] + block[1])
        elif self._ins == 2:
            instance.inputs[0, :frames] = block[0]
            instance.inputs[1, :frames] = block[-1]
        for frame, message in self._notes:
            for notes in instance.notes:
                notes.add(frame, message)
        self._notes.clear()
        instance.run(frames)
        outputs = instance.outputs[:, :frames]
        if channels == 1 and self._outs == 2:
            out[0] = 0.5 * (outputs[0] + outputs[1])
        else:
            out[0] = outputs[0]
            out[-1] = outputs[self._outs - 1]

    def get(self, number: int) -> float:
        return float(self._instances[0].controls[number])

    def set(self, number: int, value: float) -> None:
        for instance in self._instances:
            instance.controls[number] = value

    def note(self, frame: int, message: bytes) -> None:
        self._notes.append((frame, message))

    def save_state(self) -> str:
        return self._keeper.save(self._instances[0])

    def close(self) -> None:
        for instance in self._instances:
            instance.close()
