"""Every order of a small queue: the control that says how good a search could have been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliostat.errors import InvalidInput
from scheduling.ordering.every import MOST, look_at_all
from scheduling.ordering.goal import Goal
from scheduling.ordering.port import Ordered, Queue
from scheduling.ordering.tables import places, tables_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustive:
    """The best order of all by the latency model; queues of at most `MOST` requests.

    Knows no anti-starvation: it is a bound, not a policy. Predictions count as certain, so
    `Goal.LIKELY` is refused (InvalidInput).
    """

    goal: Goal = Goal.GAIN

    def __post_init__(self) -> None:
        if self.goal is Goal.LIKELY:
            raise InvalidInput("exhaustive.goal", f"{self.goal} is not supported: gain or kept are")

    def order(self, queue: Queue, chance: np.random.Generator) -> Ordered:
        count = len(queue.requests)
        if count > MOST:
            raise InvalidInput(
                "queue.requests", f"{count} exceed the maximum of {MOST} for trying all orders"
            )
        tables = tables_of(queue)
        sets = np.zeros(count, dtype=np.int64)
        batches, weighed = (
            look_at_all(
                tables.run,
                tables.lasts,
                tables.latest,
                float(tables.waited.sum()),
                self.goal.compiled,
                sets,
            )
            if count
            else (0, 1)
        )
        members = [[i for i in range(count) if mask >> i & 1] for mask in sets[:batches].tolist()]
        order = places([i for batch in members for i in batch])
        first = places(np.cumsum([0, *map(len, members)]))
        return tables.plan(order, first).ordered(f"best of all orders by {self.goal}", weighed)
