"""Every ordering by its name. To add one: a module that keeps the port's promise, and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from scheduling.ordering.annealing import HELIOSTAT, PAPER, RANDOM_WALK
from scheduling.ordering.by_key import BY_KEY
from scheduling.ordering.groups import GroupOrder
from scheduling.ordering.on_time import MostOnTime
from scheduling.ordering.port import Ordering

ORDERINGS: Mapping[str, Ordering] = MappingProxyType(
    {
        **BY_KEY,
        "qlm": GroupOrder(),
        "on-time": MostOnTime(),
        "annealing": PAPER,
        "random-walk": RANDOM_WALK,
        "heliostat": HELIOSTAT,
    }
)
"""`exhaustive.Exhaustive` is not among them: it takes queues of eight at most."""
