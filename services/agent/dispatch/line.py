"""The order in which held requests are tried, by an ordering of `scheduling.ordering`.

Replicas give places back one after the other: to those who wait the region is one server, on which a
request takes its time on a replica divided by the places that there are. Who waited longest is tried first
at every beat, whatever the ordering says, so that nobody starves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from heliostat.model.names import ModelName
from scheduling.laws.law import WorkerLaw
from scheduling.ordering.latency import Coefficients, LatencyModel
from scheduling.ordering.port import Ordering, Queue
from scheduling.request import Request
from services.agent.dispatch.held_requests import Held
from services.agent.dispatch.replicas import Replicas

_SOONEST = 1e-6
"""Seconds to a first token that cannot be kept any more."""


class Line:
    """Asks the ordering at every beat anew; keeps nothing."""

    def __init__(self, replicas: Replicas, ordering: Ordering, chance: np.random.Generator) -> None:
        self._replicas = replicas
        self._ordering = ordering
        self._chance = chance

    def turns(self, model: ModelName, front: Sequence[Held], now: float) -> list[Held]:
        """All of `front`, who wait for that model, in the order in which they are tried."""
        law = next(iter(self._replicas.laws(model)), None)
        if len(front) < 2 or law is None:
            return list(front)
        by_id = {held.request.id: held for held in front}
        queue = Queue(
            requests=tuple(_in_line(held, law) for held in front),
            latency=shared(law, *self._places(model)),
            now=now,
            batch_cap=1,
        )
        order = [by_id[one.id] for one in self._ordering.order(queue, self._chance).sequence]
        oldest = min(front, key=lambda held: held.request.arrival)
        return [oldest, *(held for held in order if held is not oldest)]

    def _places(self, model: ModelName) -> tuple[float, float]:
        """Requests that run in the region, and on a replica on the mean; at least one."""
        workers = self._replicas.workers(model)
        rows = workers.rows[: workers.used]
        taken = rows["running"] + rows["waiting"] + rows["unbooked_sequences"]
        accepting = max(1, int(np.count_nonzero(rows["accepting"])))
        places = max(1.0, float(taken[rows["accepting"] != 0].sum()))
        return places, max(1.0, places / accepting)


def shared(law: WorkerLaw, places: float, batch: float) -> LatencyModel:
    """Of a request's prefill and iterations in a batch of that size, its share of so many places."""
    return LatencyModel(
        prefill=Coefficients(
            per_token=law.prefill_per_token / places, base=law.prefill_base / places
        ),
        decode=Coefficients(
            per_token=batch * law.decode_per_token / places,
            base=(law.decode_base + batch * law.decode_per_sequence) / places,
        ),
    )


def _in_line(held: Held, law: WorkerLaw) -> Request:
    """The same, promised a place in time instead of a first token: it reads its prompt alone."""
    if held.in_line is None:
        request = held.request
        left = request.promise.ttft_seconds - law.prefill_seconds(request.input_tokens)
        promise = replace(request.promise, ttft_seconds=max(_SOONEST, left))
        held.in_line = replace(request, promise=promise)
    return held.in_line
