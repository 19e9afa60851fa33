"""Several replicas: each request goes to the one with most free token capacity, then each queue is ordered.

Source: arXiv 2504.14966, instance assignment. A request takes its prompt and its predicted output; when no
replica has room left, the least overdrawn one gets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heliostat.errors import InvalidInput
from scheduling.ordering.latency import LatencyModel
from scheduling.ordering.port import Ordered, Ordering, Queue
from scheduling.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A replica that takes requests: tokens of KV memory that are free now, and how it works."""

    name: str
    free_tokens: float
    latency: LatencyModel
    batch_cap: int
    free_in_seconds: float = 0.0
    continuous: bool = False

    def queue(self, requests: Iterable[Request], now: float) -> Queue:
        """These requests waiting at it."""
        return Queue(
            requests=tuple(requests),
            latency=self.latency,
            now=now,
            batch_cap=self.batch_cap,
            free_in_seconds=self.free_in_seconds,
            continuous=self.continuous,
        )


def assign(
    requests: Iterable[Request], instances: Sequence[Instance]
) -> Mapping[str, tuple[Request, ...]]:
    """Who goes where, in order of arrival; every instance is named, some perhaps with nobody.

    Of equally free instances the first named is taken. Raises InvalidInput without instances, when two have
    one name, or for a request without prediction.
    """
    free = {one.name: one.free_tokens for one in instances}
    if not free or len(free) < len(instances):
        raise InvalidInput(
            "instances", f"{[one.name for one in instances]}: one name each, at least one"
        )
    there: dict[str, list[Request]] = {name: [] for name in free}
    for request in sorted(requests, key=lambda one: one.arrival):
        name = max(free, key=lambda one: free[one])
        free[name] -= request.input_tokens + request.length.mean_tokens
        there[name].append(request)
    return {name: tuple(queue) for name, queue in there.items()}


def order_all(
    requests: Iterable[Request],
    instances: Sequence[Instance],
    ordering: Ordering,
    now: float,
    chance: np.random.Generator,
) -> Mapping[str, Ordered]:
    """Assign, then one search per instance. Raises as `assign` and `Ordering.order` do."""
    queues = assign(requests, instances)
    return {one.name: ordering.order(one.queue(queues[one.name], now), chance) for one in instances}
