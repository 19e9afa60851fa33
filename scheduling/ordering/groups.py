"""QLM's order: requests of one model and promise stand in groups, and the group that is due first runs first.

Source: QLM ("Queue management for SLO-oriented LLM serving", SoCC 2024): virtual queues, waiting times by the
central limit theorem. With q requests ahead that take μ ± σ seconds of a full batch each, a group waits
q·μ/B ± σ·√q/B seconds; planned is mean + z·deviation. QLM orders groups by a linear programme and falls back
on the earliest deadline; here it is the deadline alone. z and the size of groups are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName
from scheduling.ordering.port import Ordered, Queue
from scheduling.ordering.tables import Tables, places, tables_of
from scheduling.request import Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Places in the queue that run one after another, the longest waiting first.

    `due_in_seconds`: until the first promise of the group is due; `wait` and `wait_deviation`: seconds
    until its last member starts.
    """

    members: tuple[int, ...]
    due_in_seconds: float
    wait: float = 0.0
    wait_deviation: float = 0.0

    def at_risk(self, z: float) -> bool:
        """Whether it may still wait when its promise is due."""
        return self.wait + z * self.wait_deviation > self.due_in_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOrder:
    """Groups of at most `batches` full batches, the earliest due first."""

    batches: int = 4
    z: float = 1.64

    def __post_init__(self) -> None:
        if self.batches < 1 or not 0 <= self.z < math.inf:
            raise InvalidInput("groups", f"batches {self.batches}, z {self.z}")

    def order(self, queue: Queue, chance: np.random.Generator) -> Ordered:
        tables = tables_of(queue)
        groups = self.groups(tables)
        late = sum(group.at_risk(self.z) for group in groups)
        order = places([i for group in groups for i in group.members])
        return tables.plan(order).ordered(
            f"{len(groups)} groups by deadline, {late} may wait too long"
        )

    def groups(self, tables: Tables) -> tuple[Group, ...]:
        """The groups in their order, each with its wait behind those before it."""
        queues: dict[tuple[ModelName, Promise], list[int]] = {}
        for i in np.argsort(tables.arrival, kind="stable").tolist():
            request = tables.queue.requests[i]
            queues.setdefault((request.model, request.promise), []).append(i)
        size = self.batches * tables.queue.batch_cap
        due = tables.tolerance - tables.waited
        groups = [
            Group(
                members=tuple(members[low : low + size]),
                due_in_seconds=float(due[members[low : low + size]].min()),
            )
            for members in queues.values()
            for low in range(0, len(members), size)
        ]
        groups.sort(key=lambda group: (group.due_in_seconds, group.members[0]))
        return _with_waits(groups, tables)


def _with_waits(groups: list[Group], tables: Tables) -> tuple[Group, ...]:
    cap = tables.queue.batch_cap
    ahead, variance, waiting = 0.0, 0.0, []
    for group in groups:
        members = list(group.members)
        ahead += float(tables.run[-1, members].sum()) / cap
        variance += float((tables.doubt[-1, members] ** 2).sum()) / cap**2
        # The last of a group starts before its own seconds have passed.
        own = float(tables.run[-1, members[-1]]) / cap
        waiting.append(
            Group(
                members=group.members,
                due_in_seconds=group.due_in_seconds,
                wait=ahead - own,
                wait_deviation=math.sqrt(variance),
            )
        )
    return tuple(waiting)
