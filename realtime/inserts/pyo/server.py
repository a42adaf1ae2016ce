"""A pyo server that computes one block when it is called, in the calling thread, with no device and no MIDI.

It is called through C as pyo's ``embedded`` back end is by other programs. What address that call takes has
changed between versions, so the version is checked: a wrong one crashes.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from ....codec.events.errors import StruckError
from ..plugins.plugin import FloatArray

#: The versions whose call takes the server's address.
_VERSIONS: Final = ("1.1.0",)


@cache
def load_pyo() -> Any:
    """The module.

    Raises:
        StruckError: it is not installed, or in a version that is not known.
    """
    try:
        found = version("pyo")
    except PackageNotFoundError:
        raise StruckError(
            "pyo's effects need pyo, which is not installed (pip install struck[live])"
        ) from None
    if found not in _VERSIONS:
        raise StruckError(f"pyo {found} is installed; what is known to work is {', '.join(_VERSIONS)}")
    with contextlib.redirect_stdout(io.StringIO()):  # it tells on import what else could be installed
        import pyo
    return pyo


class PyoServer:
    """One server; objects that are made until the next server is made belong to it.

    Args:
        rate: in Hz.
        channels: of input and output.
        block_frames: of every block.
    """

    def __init__(self, rate: int, channels: int, block_frames: int) -> None:
        pyo = load_pyo()
        self.server = pyo.Server(
            sr=rate, nchnls=channels, buffersize=block_frames, duplex=1, audio="embedded"
        )
        self.server.setVerbosity(0)
        self.server.boot()
        self.server.start()
        call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
        self._compute = call(int(self.server.getEmbedICallbackAddr(), 16))
        self._address = int(self.server.getServerAddr(), 16)
        shape = (block_frames, channels)
        self._input = _view(self.server.getInputAddr(), shape)
        self._output = _view(self.server.getOutputAddr(), shape)
        #: What objects hear: the server's input, all channels.
        self.input = pyo.Input(list(range(channels)))

    def process(self, block: FloatArray, out: FloatArray) -> None:
        """One block, ``[C, B]`` in and out."""
        self._input[:] = block.T
        self._compute(self._address)
        out[:] = self._output.T

    def note(self, message: bytes) -> None:
        """A MIDI message of three bytes, for the next block as a whole."""
        self.server.addMidiEvent(*message)

    def close(self) -> None:
        self.server.stop()
        self.server.shutdown()


def _view(address: str, shape: tuple[int, int]) -> np.ndarray:
    """pyo's own buffer of interleaved float32, without a copy."""
    values = (ctypes.c_float * (shape[0] * shape[1])).from_address(int(address, 16))
    return np.ctypeslib.as_array(values).reshape(shape)
