"""The engine's memory: numpy arrays that hang on one record of addresses, and grow by doubling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.event.compiled import SIZE
from simulation.event.layout import ARRAYS, NOBODY, WORLD

Records = NDArray[Any]
_LINE_BYTES = 64


class Arrays:
    """Owns every array; the record `world` knows where they are and must not outlive this."""

    def __init__(self) -> None:
        self.world: Records = np.zeros(1, WORLD)
        self._arrays: dict[str, Records] = {}
        for name in ARRAYS:
            self.put(name, np.zeros(1, ARRAYS[name]))

    def __getitem__(self, name: str) -> Records:
        return self._arrays[name]

    def put(self, name: str, values: Records) -> None:
        """Let an array of that name's kind hang on the record, in place of the one before."""
        kept = _aligned(values, ARRAYS[name])
        self._arrays[name] = kept
        self.world[name] = kept.ctypes.data
        self.world[name + SIZE] = len(kept)

    def set(self, **scalars: float) -> None:
        """Set plain fields of the record."""
        for name, value in scalars.items():
            self.world[name] = value

    def scalar(self, name: str) -> int:
        """A whole number of the record."""
        return int(self.world[name][0])

    def grow_list(self, name: str, free: str, rows: int) -> None:
        """Let an array of records have so many rows; the new ones join the list of free ones."""
        before = self._arrays[name]
        grown = np.zeros(rows, ARRAYS[name])
        grown[: len(before)] = before
        grown["next"][len(before) :] = np.arange(len(before) + 1, rows + 1)
        grown["next"][-1] = self.world[free][0]
        self.world[free] = len(before)
        self.put(name, grown)


def empty_list(arrays: Arrays, name: str, free: str, rows: int) -> None:
    """An array of so many free records."""
    records = np.zeros(rows, ARRAYS[name])
    records["next"] = np.arange(1, rows + 1)
    records["next"][-1] = NOBODY
    arrays.put(name, records)
    arrays.world[free] = 0


def longer(arrays: Arrays, name: str, rows: int) -> None:
    """Let an array have so many rows; the new ones are zero."""
    grown = np.zeros(rows, ARRAYS[name])
    grown[: len(arrays[name])] = arrays[name]
    arrays.put(name, grown)


def _aligned(values: Records, dtype: np.dtype[Any]) -> Records:
    """The values in one piece that begins where a line of the processor's cache does."""
    room = np.zeros(values.size * dtype.itemsize + _LINE_BYTES, np.uint8)
    skip = -room.ctypes.data % _LINE_BYTES
    placed = room[skip : skip + values.size * dtype.itemsize].view(dtype)
    placed[:] = values.ravel()
    return placed
