"""Asking for memory ahead of its use, from compiled code: a thousand voices do not fit the nearest cache."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

#: Bytes fetched at once, on nearly all machines.
LINE_BYTES: Final = 64


def prefetch_bytes(array: np.ndarray, first: int, count: int) -> None:
    """Ask for ``count`` bytes of a C-contiguous ``array`` from byte ``first``; changes nothing but time.

    Without the compiler this does nothing.
    """


@intrinsic
def _prefetch_line(typing_context: Any, array: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte_pointer = ir.IntType(8).as_pointer()
        line = builder.gep(builder.bitcast(data, byte_pointer), [arguments[1]])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # to be read, to the nearest cache, data
        builder.call(function, [line, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@overload(prefetch_bytes, inline="always")
def _prefetch_bytes(array, first, count):
    def fetch(array, first, count):
        for place in range(first, first + count, LINE_BYTES):
            _prefetch_line(array, place)

    return fetch
