"""Randomness by hash: of the seed, the caller and its count, so that draws are independent of order.

SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulation.event.compiled import kernel

ROUTE_STREAM, RETURN_STREAM, FIRST_DISPATCH_STREAM = 0, 1, 2
LENGTH_STREAM = -1
ATTEMPT_BIT = 48
"""Where an attempt's number goes in a request's."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_THIRTY, _TWENTY_SEVEN, _THIRTY_ONE = np.uint64(30), np.uint64(27), np.uint64(31)
_ELEVEN = np.uint64(11)
_UNIT = 2.0**-53


@kernel
def chance(world: Any, stream: int, number: int) -> float:
    """A number in [0, 1) that belongs to the seed, the stream and the number."""
    word = np.uint64(world.seed) + np.uint64(stream + 1) * _SECOND
    word = (word ^ np.uint64(number)) * _GOLDEN + _FIRST
    word = (word ^ (word >> _THIRTY)) * _FIRST
    word = (word ^ (word >> _TWENTY_SEVEN)) * _SECOND
    word = word ^ (word >> _THIRTY_ONE)
    return float(word >> _ELEVEN) * _UNIT
