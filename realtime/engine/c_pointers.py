"""C functions called by their address from compiled code: one callback calls another without Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import cfunc, config, types
from numba.core import cgutils
from numba.extending import intrinsic

from ...codec.playing.kernel_options import CAN_CACHE

#: ``PaStreamCallback``: input, output, frames, time info, status flags, user data.
STREAM_CALLBACK: Final = types.int32(
    types.voidptr, types.voidptr, types.ulong, types.voidptr, types.ulong, types.voidptr
)
# PaStreamCallbackFlags and PaStreamCallbackResult
INPUT_OVERFLOW: Final = 2
OUTPUT_UNDERFLOW: Final = 4
CONTINUE: Final = 0


def c_callback(signature: types.Type) -> Callable[[Callable], Any]:
    """Decorator: the function compiled to one that C can call, at its ``.address``.

    Without the compiler (``NUMBA_DISABLE_JIT``) it is left as it is, and has no address.
    """
    if config.DISABLE_JIT:
        return lambda function: function
    return cfunc(signature, cache=CAN_CACHE)


@intrinsic
def as_pointer(typing_context, address):
    """An int64 address as a ``void *``."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@intrinsic
def as_address(typing_context, pointer):
    """A ``void *`` as an int64 address."""

    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return types.int64(types.voidptr), generate


def _function_at(builder, address, result, arguments):
    """The C function at ``address``, to be called with LLVM values ``arguments``."""
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.inttoptr(address, function_type.as_pointer())


@intrinsic
def call_stream_callback(typing_context, callback, source, sink, frames, time_info, flags, userdata):
    """Call the ``PaStreamCallback`` at an address; all arguments are int64, its result is int32."""

    def generate(context, builder, signature, arguments):
        callback, source, sink, frames, time_info, flags, userdata = arguments
        unsigned_long = context.get_value_type(types.ulong)  # 32 bits on Windows

        def pointer(address):
            return builder.inttoptr(address, cgutils.voidptr_t)

        def number(value):
            return builder.trunc(value, unsigned_long) if unsigned_long.width < 64 else value

        values = [
            pointer(source), pointer(sink), number(frames), pointer(time_info), number(flags),
            pointer(userdata),
        ]  # fmt: skip
        return builder.call(_function_at(builder, callback, ir.IntType(32), values), values)

    return types.int32(*[types.int64] * 7), generate


@intrinsic
def call_c(typing_context, function, first, second, third):
    """Call a C function at an address with up to three integers or pointers; all are int64, as is the result.

    Of what is narrower only the low bits count, of arguments and of the result.
    """

    def generate(context, builder, signature, arguments):
        function, *values = arguments
        return builder.call(_function_at(builder, function, ir.IntType(64), values), values)

    return types.int64(*[types.int64] * 4), generate
