"""The block function behind a C pointer, as an audio device calls it: no Python object goes in or out."""

import numpy as np
import pytest
from numba import carray, cfunc, config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from struck.codec.block import process_block
from struck.codec.decoder import Decoder

from .decoder_events import RANDOM_WEIGHTS, random_events

RATE = 48_000

#: ``PaStreamCallback``: input, output, frames, time info, status flags, user data.
PORTAUDIO_CALLBACK = types.int32(
    types.voidptr, types.voidptr, types.ulong, types.voidptr, types.ulong, types.voidptr
)


@intrinsic
def as_pointer(typing_context, address):
    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


def leaves(state):
    """The arrays in a tuple of arrays and tuples, in order."""
    return [leaf for part in state for leaf in ([part] if isinstance(part, np.ndarray) else leaves(part))]


def make_table(state):
    """What the callback knows of the state: int64 ``[arrays, 4]``, each one's address and shape."""
    return np.array([[a.ctypes.data, *a.shape, *[0] * (3 - a.ndim)] for a in leaves(state)], dtype=np.int64)


def make_rebuild(state):
    """A compiled function from such a table to the state; Numba has no loop over arrays of many types, so its
    source is written here."""
    names = {"carray": carray, "as_pointer": as_pointer}
    row = 0

    def expression(part):
        nonlocal row
        if not isinstance(part, np.ndarray):
            names[type(part).__name__] = type(part)
            return f"{type(part).__name__}({', '.join(map(expression, part))})"
        names[part.dtype.name] = part.dtype.type
        shape = "".join(f"table[{row}, {1 + axis}], " for axis in range(part.ndim))
        row += 1
        return f"carray(as_pointer(table[{row - 1}, 0]), ({shape}), {part.dtype.name})"

    exec(f"def rebuild(table):\n    return {expression(state)}", names)
    return njit(names["rebuild"])


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")
def test_a_c_callback_plays_what_the_decoder_plays():
    decoders = [Decoder(RANDOM_WEIGHTS, RATE, voice_count=8) for _ in range(2)]
    for decoder in decoders:
        for event in random_events(24, seed=4, longest_onset_seconds=0.1):
            decoder.schedule(event)
    rebuild = make_rebuild(decoders[0].state)
    table = make_table(decoders[0].state)
    table_shape = table.shape

    @cfunc(PORTAUDIO_CALLBACK)
    def callback(source, out, frames, time_info, status, user):
        state = rebuild(carray(user, table_shape, np.int64))
        process_block(state, carray(out, (np.int64(frames),), np.float32))
        return 0

    for frames in [64] * 100 + [1, 63, 480, 32, 32, 1000]:
        out = np.full(frames, np.nan, dtype=np.float32)
        assert callback.ctypes(None, out.ctypes.data, frames, None, 0, table.ctypes.data) == 0
        assert out.tobytes() == decoders[1].process(frames).tobytes()
    assert out.any()
    assert decoders[0].counters() == decoders[1].counters()
    assert decoders[0].counters()["stolen"] == 16
