"""Opens the plug-in of an insert, whoever hosts it; a host is imported when it is asked for."""

from __future__ import annotations

from ....codec.events.errors import StruckError
from ....patches.insert_patch import InsertPatch
from ..plugins.plugin import Plugin


def open_plugin(insert: InsertPatch, rate: int, channels: int, block_frames: int) -> Plugin:
    """The plug-in that ``insert`` names, to run at ``rate`` Hz in blocks ``[channels, block_frames]``.

    Raises:
        StruckError: it cannot be had; the message names it.
    """
    if insert.host == "lv2":
        from ..lv2.plugin import Lv2Plugin

        return Lv2Plugin(insert.plugin, rate, channels, block_frames, insert.preset, insert.state)
    _refuse_preset(insert)
    if insert.host == "pyo":
        from ..pyo.plugin import PyoPlugin

        return PyoPlugin(insert.plugin, insert.file, rate, channels, block_frames, insert.state)
    if insert.host == "vst3":
        from ..vst3.plugin import Vst3Plugin

        return Vst3Plugin(insert.plugin, rate, channels, block_frames, insert.state)
    if insert.host == "pedalboard":
        from ..vst3.effects import PedalboardEffect

        return PedalboardEffect(insert.plugin, rate, block_frames, insert.state)
    raise StruckError(f"there is no host {insert.host}")


def _refuse_preset(insert: InsertPatch) -> None:
    if insert.preset:
        raise StruckError(f"the host {insert.host} has no presets by name; save a state instead")
