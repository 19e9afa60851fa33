"""Randomness by name: each draw has its own generator, so that the order of draws does not matter.

A component owns a `SeedSequence` spawned from the experiment's seed; a draw is named by integers or
texts inside it. Polling a cloud more often, or crashing in between, then leaves the luck as it was.
"""

from __future__ import annotations

import math
from datetime import timedelta
from zlib import crc32

import numpy as np
from numpy.random import Generator, SeedSequence

_Z90 = 1.2815515655446004
"""The standard normal's 90 % quantile."""


def generator(seeds: SeedSequence, *names: int | str) -> Generator:
    """The generator of that name inside a component; the same names give the same stream."""
    key = (name if isinstance(name, int) else crc32(name.encode()) for name in names)
    return np.random.default_rng(
        SeedSequence(entropy=seeds.entropy, spawn_key=(*seeds.spawn_key, *key))
    )


def component(seed: int, *names: int | str) -> SeedSequence:
    """The seeds of a component of an experiment."""
    key = tuple(name if isinstance(name, int) else crc32(name.encode()) for name in names)
    return SeedSequence(entropy=seed, spawn_key=key)


def drawn_lead_time(rng: Generator, p50: timedelta, p90: timedelta) -> timedelta:
    """A lognormal length with these quantiles, in whole seconds, at least one."""
    median = p50.total_seconds()
    sigma = math.log(max(1.0, p90.total_seconds() / median)) / _Z90
    return timedelta(seconds=max(1, round(median * math.exp(sigma * rng.standard_normal()))))
