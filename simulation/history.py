"""What had happened before a run begins: arrivals as usage windows, served at home, in whole batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import DemandKey, RegionName
from heliostat.model.usage import WINDOW, UsageBatch, UsageSeries
from simulation.arrivals import ArrivalRates

DAY = timedelta(days=1)


def past_batches(arrivals: ArrivalRates, *, length: timedelta = DAY) -> Iterator[UsageBatch]:
    """The arrivals as one source per origin would have reported them, a batch per `length`.

    Everything is admitted, completes and carries no latencies. A minute in which nothing arrived is
    reported with a zero, a minute with a hole is not reported. Batches of all origins alternate in
    time, so that they may be recorded as they come.
    """
    origins = sorted({demand.origin for demand in arrivals.demands})
    sequences = dict.fromkeys(origins, 0)
    for start in arrivals.span.steps(length):
        part = arrivals.within(Span(start, min(start + length, arrivals.span.end)))
        for origin in origins:
            demands = [demand for demand in part.demands if demand.origin == origin]
            batch = _batch(part, origin, demands, sequences[origin] + 1)
            if len(batch):
                sequences[origin] += 1
                yield batch


def _batch(
    part: ArrivalRates, origin: RegionName, demands: list[DemandKey], sequence: int
) -> UsageBatch:
    offered, prompt, output = (
        np.stack([getattr(part.by_demand[demand], column) for demand in demands], axis=1)
        for column in ("offered", "input_tokens", "output_tokens")
    )
    known = ~np.isnan(offered).any(axis=1)
    told = known[:, None] & (offered > 0)
    told[:, 0] |= known & ~told.any(axis=1)
    minute, series = np.nonzero(told)
    counts = offered[told].astype(np.int64).tolist()
    nothing = [0] * len(counts)
    unmeasured = [None] * len(counts)
    step = int(WINDOW.total_seconds())
    return UsageBatch(
        source_id=f"history-{origin}",
        incarnation=1,
        sequence=sequence,
        series=tuple(
            UsageSeries(origin=origin, serving=origin, model=demand.model, tier=demand.tier)
            for demand in demands
        ),
        series_index=series.tolist(),
        window_start=(to_epoch(part.start) + minute * step).tolist(),
        revision=[1] * len(counts),
        offered=counts,
        admitted=counts,
        rejected=nothing,
        retried=nothing,
        completed=counts,
        input_tokens=prompt[told].astype(np.int64).tolist(),
        output_tokens=output[told].astype(np.int64).tolist(),
        ttft=unmeasured,
        itl=unmeasured,
        e2e=unmeasured,
    )
