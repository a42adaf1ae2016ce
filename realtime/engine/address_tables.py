"""States of compiled code behind one C pointer.

A C callback gets one pointer of user data. Here it points to a table of the addresses and shapes of all
arrays of a state (a named tuple of arrays and of such tuples), from which compiled code puts the state
together again, with no Python object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numpy.typing import NDArray


def make_address_table(state: Any) -> NDArray[np.int64]:
    """Addresses and shapes of a state's arrays, int64 ``[arrays, 4]``; the state must outlive it."""
    rows = [[a.ctypes.data, *a.shape, *[0] * (3 - a.ndim)] for a in _leaves(state)]
    return np.array(rows, dtype=np.int64)


def _leaves(state: Any) -> list[NDArray[Any]]:
    """The arrays in a tuple of arrays and tuples, in order."""
    return [leaf for part in state for leaf in ([part] if isinstance(part, np.ndarray) else _leaves(part))]


def state_reader(kind: types.Type) -> Any:
    """For compiled code: a function of a table's address, a ``void *``, that returns its state of ``kind``.

    It is the inverse of :func:`make_address_table`. The arrays own nothing, so using them touches no
    reference count.
    """

    @intrinsic
    def state_at(typing_context, table):
        return kind(table), _put_together

    return state_at


def _put_together(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
    """The state of the type ``signature`` returns, as an LLVM value."""
    word = ir.IntType(64)
    cells = builder.bitcast(arguments[0], word.as_pointer())
    row = 0

    def cell(column):  # type: ignore[no-untyped-def]
        place = builder.gep(cells, [ir.Constant(word, 4 * row + column)], source_etype=word)
        return builder.load(place, typ=word)

    def build(kind):  # type: ignore[no-untyped-def]
        nonlocal row
        if not isinstance(kind, types.Array):
            return context.make_tuple(builder, kind, [build(part) for part in kind.types])
        array = context.make_array(kind)(context, builder)
        itemsize = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        shape = [cell(1 + axis) for axis in range(kind.ndim)]
        strides = [ir.Constant(word, itemsize)]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        populate_array(
            array,
            data=builder.inttoptr(cell(0), array.data.type),
            shape=cgutils.pack_array(builder, shape),
            strides=cgutils.pack_array(builder, strides),
            itemsize=itemsize,
            meminfo=None,
        )
        row += 1
        return array._getvalue()

    return build(signature.return_type)
