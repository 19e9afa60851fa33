"""The port of orderings, which arrange a replica's queue into batches, with their input and output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from heliostat.errors import InvalidInput
from scheduling.ordering.latency import LatencyModel
from scheduling.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who waits at one replica, in any order, and what the replica can do.

    Every request carries its prediction. `now` in seconds of the clock of `Request.arrival`.
    `free_in_seconds`: what runs goes on so long before the first batch can start. `continuous`: whoever
    ends makes room at once for the next of the order, not only when the whole batch has ended. An empty
    queue is no error: its order is empty.
    """

    requests: tuple[Request, ...]
    latency: LatencyModel
    now: float
    batch_cap: int
    free_in_seconds: float = 0.0
    continuous: bool = False

    def __post_init__(self) -> None:
        if self.batch_cap < 1:
            raise InvalidInput("queue.batch_cap", f"{self.batch_cap} is not at least 1")
        if not math.isfinite(self.now):
            raise InvalidInput("queue.now", f"{self.now} is not an instant")
        if not 0 <= self.free_in_seconds < math.inf:
            raise InvalidInput(
                "queue.free_in_seconds", f"{self.free_in_seconds} is not a valid wait"
            )
        if len({request.id for request in self.requests}) < len(self.requests):
            raise InvalidInput("queue.requests", "contains a request twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What an order promises by latency model and predictions: n of `requests` keep their promises,
    and t = Σ seconds from arrival to last token."""

    requests: int
    met: int
    seconds: float

    @property
    def gain(self) -> float:
        """G = n ÷ t, per second; 0 of an empty queue."""
        return self.met / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Batches in the order in which they should run, none empty and none above the cap; every request
    of the queue stands in exactly one. `weighed` counts the orders that were compared."""

    batches: tuple[tuple[Request, ...], ...]
    expected: Expectation
    reason: str
    weighed: int = 1

    @property
    def sequence(self) -> tuple[Request, ...]:
        """One after another: what an engine with continuous batching admits first."""
        return tuple(request for batch in self.batches for request in batch)


class Ordering(Protocol):
    """Orders a queue. Pure: the same queue and the same state of `chance` give the same answer."""

    def order(self, queue: Queue, chance: np.random.Generator) -> Ordered:
        """The batches of that queue, first to last. Orderings without chance leave `chance` untouched.

        Raises InvalidInput when a request has no prediction, arrived after `now`, or when the queue is
        longer than the ordering can look through.
        """
        ...
