"""Orders that sort the queue by one number each and fill batches in turn: the cheap rivals.

Keys, the smallest first: when it came (FCFS); predicted seconds alone in a batch (SJF); when its promise
is due (EDF: the first token's deadline, of requests with a completion deadline alone that one); tier, then
arrival (PF); SageServe's deadline and priority (DPA); the latest start that keeps the promise in a full
batch (least slack).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from heliostat.model.names import Tier
from scheduling.ordering.latency import Floats
from scheduling.ordering.port import Ordered, Queue
from scheduling.ordering.tables import Places, Tables, places, tables_of
from scheduling.sageserve import DpaBounds

Key = Callable[[Tables], tuple[Floats, ...]]
"""Columns of shape (n,), the first decides."""
_TIERS = MappingProxyType({tier: float(rank) for rank, tier in enumerate(Tier)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ByKey:
    """Sorts by `key`, ties by arrival, then by place in the queue; batches are full but for the last."""

    name: str
    key: Key

    def order(self, queue: Queue, chance: np.random.Generator) -> Ordered:
        tables = tables_of(queue)
        return tables.plan(sorted_by(self.key)(tables)).ordered(self.name)


def sorted_by(key: Key) -> Callable[[Tables], Places]:
    """The order by that key, ties by arrival, then by place in the queue."""

    def order(tables: Tables) -> Places:
        return places(np.lexsort((tables.arrival, *reversed(key(tables)))))

    return order


def arrival(tables: Tables) -> tuple[Floats, ...]:
    """When it came."""
    return (tables.arrival,)


def predicted_seconds(tables: Tables) -> tuple[Floats, ...]:
    """Predicted seconds in a batch of its own."""
    return (tables.run[0],)


def deadline(tables: Tables) -> tuple[Floats, ...]:
    """When its promise is due."""
    return (tables.arrival + tables.tolerance,)


def tier(tables: Tables) -> tuple[Floats, ...]:
    """Interactive-fast, interactive-normal, batch."""
    return (np.array([_TIERS[request.tier] for request in tables.queue.requests]),)


def latest_start(tables: Tables) -> tuple[Floats, ...]:
    """The latest start in a full batch; who cannot keep its promise in one comes last."""
    slack = tables.latest[-1]
    return (np.where(np.isneginf(slack), np.inf, slack),)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineAndPriority:
    """The class that `DpaBounds` gives, then the tier."""

    bounds: DpaBounds = DpaBounds()

    def __call__(self, tables: Tables) -> tuple[Floats, ...]:
        late = tables.waited - tables.tolerance
        expired = np.where(late < self.bounds.severe * tables.tolerance, 0.0, 3.0)
        ahead = np.where(-late < self.bounds.urgent * tables.tolerance, 1.0, 2.0)
        return (np.where(late >= 0, expired, ahead), *tier(tables))


FCFS = ByKey(name="first come, first served", key=arrival)
SJF = ByKey(name="shortest predicted first", key=predicted_seconds)
EDF = ByKey(name="earliest deadline first", key=deadline)
PF = ByKey(name="faster tiers first", key=tier)
DPA = ByKey(name="deadline and priority", key=DeadlineAndPriority())
LEAST_SLACK = ByKey(name="least slack first", key=latest_start)

BY_KEY: Mapping[str, ByKey] = MappingProxyType(
    {
        "fcfs": FCFS,
        "sjf": SJF,
        "edf": EDF,
        "pf": PF,
        "dpa": DPA,
        "least-slack": LEAST_SLACK,
    }
)
