"""Compiled code: how this room's functions become machine code, and how they reach their memory.

Arrays handed from one compiled function to another travel as seven numbers each, and every call
counts references: with two dozen arrays a call costs half a microsecond, as much as a whole request
may cost. So all arrays of an engine hang on one record of addresses (`layout`), functions take that
record alone, and look the arrays up where they need them. Places are not checked: a wrong one reads
or writes whatever lies there. With `HELIOSTAT_CHECKED_ENGINE=1` all are, and a wrong
one is an IndexError; the tests run through everything once in that mode.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.cgutils
import numba.np.arrayobj
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from scheduling.compiled import SHARED, sources_of

Function = TypeVar("Function", bound=Callable[..., Any])

# Numba types its surface only in part, and not what is below it.
_numba: Any = numba
_cgutils: Any = numba.core.cgutils
_arrayobj: Any = numba.np.arrayobj

CHECKED = os.environ.get("HELIOSTAT_CHECKED_ENGINE") == "1"
"""Is every place in every array looked at before it is used?"""
_OPTIONS = {"error_model": "numpy", "boundscheck": CHECKED}

KEY_SIGNATURE = "float64(float64, float64, int64, int64, float64, float64, float64, float64)"
"""What `order_key` compiles to; the arguments are explained in `orders`."""


def kernel(function: Function) -> Function:
    """Compile a function as a part of whoever calls it."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True} | _OPTIONS
    return cast(Function, _numba.njit(**options)(function))


def entry(build: Callable[[int], Function]) -> Function:
    """Compile what Python calls, and keep the machine code on disk.

    `build` gets a number that stands for all sources of this room and returns a function that uses
    it: numba looks at the file of the outermost function only, and would go on with stale code when
    one of the others changes.
    """
    function = build(_sources())
    try:
        return cast(Function, _numba.njit(function, cache=True, **_OPTIONS))
    except RuntimeError:  # nowhere to write: compile anew in each process
        return cast(Function, _numba.njit(function, **_OPTIONS))


def order_key(function: Function) -> Function:
    """Compile an order's key by itself, to be handed over as a value: the engine needs no compiling."""
    try:
        return cast(Function, _numba.cfunc(KEY_SIGNATURE, cache=True)(function))
    except RuntimeError:  # as above
        return cast(Function, _numba.cfunc(KEY_SIGNATURE)(function))


SIZE = "_size"
"""Ends the name of the field that holds an array's length."""


def view(name: str, dtype: np.dtype[Any]) -> Callable[[Any], Any]:
    """A compiled function that finds the array of plain numbers of that name, given the record of
    addresses."""
    item = numba.from_dtype(dtype)
    array = types.Array(item, 1, "C")

    @intrinsic
    def found(typing_context: Any, world: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            field = _fields(context, builder, world, arguments[0])
            value = _arrayobj.make_array(array)(context, builder)
            bytes_each = context.get_constant(types.intp, dtype.itemsize)
            _arrayobj.populate_array(
                value,
                data=builder.inttoptr(field(name), context.get_data_type(item).as_pointer()),
                shape=[field(name + SIZE)],
                strides=[bytes_each],
                itemsize=bytes_each,
                meminfo=None,
            )
            return value._getvalue()

        return array(world), build

    return cast(Callable[[Any], Any], found)


def record(name: str, dtype: np.dtype[Any]) -> Callable[[Any, int], Any]:
    """A compiled function that finds one record of the array of that name, given its place.

    Places are never negative, which an array's subscript would ask about each time.
    """
    item = numba.from_dtype(dtype)

    @intrinsic
    def found(typing_context: Any, world: Any, place: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            field = _fields(context, builder, world, arguments[0])
            start = field(name)
            places = context.cast(builder, arguments[1], place, types.int64)
            if CHECKED:
                outside = builder.icmp_unsigned(">=", places, field(name + SIZE))
                with builder.if_then(outside, likely=False):
                    said = (f"there is no record of {name}",)
                    context.call_conv.return_user_exc(builder, IndexError, said)
            offset = builder.mul(places, context.get_constant(types.int64, dtype.itemsize))
            return builder.inttoptr(builder.add(start, offset), context.get_value_type(item))

        return item(world, place), build

    return cast(Callable[[Any, int], Any], found)


def _fields(context: Any, builder: Any, world: Any, pointer: Any) -> Callable[[str], Any]:
    """Loads whole numbers from the record of addresses."""
    word = context.get_value_type(types.int64)

    def field(name: str) -> Any:
        return builder.load(_cgutils.get_record_member(builder, pointer, world.offset(name), word))

    return field


def _sources() -> int:
    """A number that changes when any source of this room does, or of the rules that it shares; a checked
    engine has its own."""
    return sources_of([Path(__file__).parent, *SHARED]) + CHECKED
