"""pyo in the path: one of its classes by name, or a graph from a file of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..plugins.plugin import FloatArray, PluginInfo, PluginParameter
from ..plugins.value_state import read_values, write_values
from .classes import describe_class, latency_of, make_object, read_parameters
from .program import PyoProgram
from .server import PyoServer

#: Of a buffer: as often a parameter on its way moves, and as exact notes are.
_BUFFER_FRAMES: Final = 8


class PyoPlugin:
    """Runs pyo's objects; a :class:`~struck.realtime.inserts.plugins.plugin.Plugin`.

    pyo works in buffers of 8 frames here. Objects hear one and make the same one: but for dynamics there is
    no latency. Notes come to a graph's ``Notein`` at the beginning of the buffer they are in.

    Args:
        name: of a class of :data:`~struck.realtime.inserts.pyo.classes.CLASSES`; or empty.
        file: a Python file, where there is no name.
        rate: in Hz.
        channels: 1 or 2.
        block_frames: of every block.
        state: of :meth:`save_state`; empty for none.

    Raises:
        StruckError: pyo or the class is not to be had, the file is broken, or the state is not its own.
    """

    def __init__(
        self, name: str, file: str, rate: int, channels: int, block_frames: int, state: str = ""
    ) -> None:
        self.latency_samples = 0
        self.least_frames = min(_BUFFER_FRAMES, block_frames)
        self._notes: list[tuple[int, bytes]] = []
        self._server = PyoServer(rate, channels, self.least_frames)
        self._program: PyoProgram | None = None  # what a file has made lives as long as this
        self.info: PluginInfo
        self.parameters: tuple[PluginParameter, ...]
        if file:
            program = self._program = PyoProgram(Path(file), self._server.input)
            self._made = program.made
            self.parameters = program.parameters
            stem = Path(file).stem
            self.info = PluginInfo("pyo", file, stem, "", "Graph", 2, 2, program.takes_notes)
        else:
            self._made = make_object(name, self._server.input)
            self.parameters = read_parameters(self._made)
            self.info = describe_class(name)
            self.latency_samples = latency_of(name, rate)
        self._values = [parameter.default for parameter in self.parameters]
        self._made.out()
        if state:
            for number, value in read_values(state, "pyo", self.info.name, self.parameters):
                self.set(number, value)

    def process(self, block: FloatArray, out: FloatArray) -> None:
        step = self.least_frames
        for start in range(0, block.shape[1], step):
            for frame, message in self._notes:
                if start <= frame < start + step:
                    self._server.note(message)
            self._server.process(block[:, start : start + step], out[:, start : start + step])
        self._notes.clear()

    def get(self, number: int) -> float:
        return self._values[number]

    def set(self, number: int, value: float) -> None:
        self._values[number] = value
        parameter = self.parameters[number]
        if self._program is not None:
            self._program.signals[parameter.symbol].value = value
        else:
            setattr(self._made, parameter.symbol, int(value) if parameter.scale == "integer" else value)

    def note(self, frame: int, message: bytes) -> None:
        self._notes.append((frame, message))

    def save_state(self) -> str:
        return write_values("pyo", self.info.name, self.parameters, self._values)

    def close(self) -> None:
        self._made.stop()
        self._server.close()
