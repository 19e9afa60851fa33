"""Compiles this package's arithmetic for Python and the simulator.

A *rule* takes and gives plain numbers, so that whoever keeps the state, and in whatever records, calls
the very same code. An *entry* is what Python calls, its machine code kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Numba types its surface only in part.
_numba: Any = numba

SHARED = (Path(__file__).parent / "rules",)
"""Folders whose code is compiled into programs outside this room: who keeps machine code that holds it
makes it anew when a file there changes (`sources_of`)."""


def rule(function: Function) -> Function:
    """Compile arithmetic on numbers as a part of whoever calls it."""
    return cast(Function, _numba.njit(error_model="numpy")(function))


def in_python(compiled: Function) -> Function:
    """A rule as it is written: for whoever asks now and then, and would wait for machine code."""
    return cast(Function, getattr(compiled, "py_func", compiled))


def part(function: Function) -> Function:
    """Compile as `rule` does, and into the caller's own body: handing arrays over counts references,
    which takes longer than a loop over a few dozen places."""
    return cast(Function, _numba.njit(error_model="numpy", forceinline=True)(function))


def entry(build: Callable[[int], Function]) -> Function:
    """Compile what Python calls, and keep the machine code on disk.

    `build` gets a number that stands for all sources of this room and returns a function that uses it:
    numba looks at the file of the outermost function only, and would go on with stale code when
    another one changes.
    """
    function = build(sources_of([Path(__file__).parent]))
    try:
        return cast(Function, _numba.njit(function, error_model="numpy", cache=True))
    except RuntimeError:  # nowhere to write: compile anew in each process
        return cast(Function, _numba.njit(function, error_model="numpy"))


def sources_of(folders: Iterable[Path]) -> int:
    """A number that changes when a Python file in one of these folders does."""
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    text = b"".join(path.read_bytes() for path in paths)
    return int.from_bytes(sha256(text).digest()[:6], "big")
