"""A queue as arrays: what each request takes in each size of batch, and how late it may start there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from scheduling.ordering.latency import Floats
from scheduling.ordering.port import Expectation, Ordered, Queue
from scheduling.ordering.weighing import weigh

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Of n requests and batches of 1 … cap, rows are sizes: arrays of shape (cap, n), in seconds.

    `run`: from a batch's start to the request's end; `lasts`: how long a batch lasts for its sake; `latest`:
    the latest start that keeps its promises, from the start of the first batch, −inf where the gaps
    between tokens would be too long however early it starts; `doubt`: the deviation of `run` as outputs are
    predicted; `sharp`: how fast the probability of a promise falls around `latest`, per second.
    """

    queue: Queue
    run: Floats
    lasts: Floats
    latest: Floats
    doubt: Floats
    sharp: Floats
    waited: Floats
    """Seconds from arrival to the start of the first batch, shape (n,)."""
    arrival: Floats
    first_token_by: Floats
    ends_by: Floats
    """Seconds from arrival, inf = whenever, shape (n,)."""

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self.queue.requests)

    @property
    def tolerance(self) -> Floats:
        """The shorter of first-token and completion bound, shape (n,)."""
        return np.minimum(self.first_token_by, self.ends_by)

    @property
    def compiled(self) -> tuple[Floats, Floats, Floats, Floats]:
        """What the compiled code calls its tables."""
        return self.run, self.lasts, self.latest, self.sharp

    def plan(self, order: Places, first: Places | None = None) -> Plan:
        """That order in batches bounded by `first`; by default full ones, but for the last."""
        bounds = filled(self.count, self.queue.batch_cap) if first is None else first
        met, seconds = self.weighed(order, bounds)
        expected = Expectation(requests=self.count, met=int(met), seconds=seconds)
        return Plan(tables=self, order=order, first=bounds, expected=expected)

    def weighed(self, order: Places, first: Places, *, soft: bool = False) -> tuple[float, float]:
        """n, counted by probability when `soft`, and t of an order."""
        met, seconds = weigh(*self.compiled, soft, order, first)
        return float(met), float(seconds + self.waited.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """An order by places in the queue; batch j holds the places `first[j]` to `first[j + 1]` of it."""

    tables: Tables
    order: Places
    first: Places
    expected: Expectation

    def ordered(self, reason: str, weighed: int = 1) -> Ordered:
        """The answer of an ordering that chose it."""
        requests, order, bounds = (
            self.tables.queue.requests,
            self.order.tolist(),
            self.first.tolist(),
        )
        return Ordered(
            batches=tuple(
                tuple(requests[i] for i in order[low:high]) for low, high in pairwise(bounds)
            ),
            expected=self.expected,
            reason=reason,
            weighed=weighed,
        )


def tables_of(queue: Queue) -> Tables:
    """The arrays of a queue. Raises InvalidInput for a request without prediction or from the future."""
    numbers = np.array(
        [
            (
                one.input_tokens,
                one.length.mean_tokens,
                one.length.deviation_tokens,
                one.arrival,
                one.promise.ttft_seconds,
                one.promise.itl_seconds,
                np.inf if one.promise.e2e_seconds is None else one.promise.e2e_seconds,
            )
            for one in queue.requests
        ],
        dtype=np.float64,
    ).reshape(-1, 7)
    tokens, outputs, deviation, arrival, first_token, gap, end = numbers.T
    if np.any(arrival > queue.now):
        late = queue.requests[int(np.argmax(arrival))]
        raise InvalidInput(
            "request.arrival", f"{late.id} arrives at {late.arrival}, after {queue.now}"
        )
    batch = np.arange(1.0, queue.batch_cap + 1)[:, None]
    prefill = queue.latency.prefill_seconds(batch, tokens)
    decode = queue.latency.decode_seconds(batch, tokens, outputs)
    run = prefill + decode
    waited = queue.now + queue.free_in_seconds - arrival
    latest = np.minimum(first_token - prefill, end - run) - waited
    # One token has no gap; every gap divides by at least one iteration.
    latest[decode / np.maximum(outputs - 1.0, 1.0) > gap] = -np.inf
    doubt = deviation * queue.latency.decode.at(batch, tokens + outputs)
    return Tables(
        queue=queue,
        run=run,
        lasts=run,
        latest=latest,
        doubt=doubt,
        sharp=np.full_like(run, np.inf),
        waited=waited,
        arrival=arrival,
        first_token_by=first_token,
        ends_by=end,
    )


def filled(count: int, cap: int) -> Places:
    """Bounds of batches that are full, but for the last: 0, cap, 2·cap … count."""
    return np.minimum(np.arange(-(-count // cap) + 1) * cap, count)


def places(order: Sequence[int] | NDArray[np.intp]) -> Places:
    """An order as the compiled code takes it."""
    return np.asarray(order, dtype=np.int64)
