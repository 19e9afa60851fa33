"""Chance by place: every request's numbers are a hash of the seed, its demand, its minute and its rank.

Nothing is drawn in order, so a minute looks the same whatever was asked before it and however many
minutes are asked for at once. The hash is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from heliostat.model.names import DemandKey
from simulation.chance import component

Words = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ ÷ the golden ratio: the step between two states of the generator."""


def mixed(words: Words) -> Words:
    """The words scrambled in place; distinct words stay distinct."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def demand_key(seed: int, demand: DemandKey) -> np.uint64:
    """The word that stands for one demand under one seed, whichever other demands there are."""
    name = crc32(str(demand).encode())
    return np.uint64(component(seed, "requests", name).generate_state(1, np.uint64)[0])


def minute_keys(demand: Words, epoch_minutes: NDArray[np.int64]) -> Words:
    """One word per (demand, minute): the generator of the requests of that cell. Shapes broadcast."""
    return mixed(mixed(demand + epoch_minutes.astype(np.uint64) * GOLDEN) + GOLDEN)


def request_words(keys: Words, ranks: NDArray[np.int64]) -> Words:
    """The word of the request of that rank within its cell; shapes are alike."""
    return mixed(keys + ranks.astype(np.uint64) * GOLDEN)
