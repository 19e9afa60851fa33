"""Requests as arrival rates: what the fluid engine and forecasts see of a source, minute by minute."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.usage import WINDOW
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.requests.drawing import MINUTE_SECONDS
from simulation.requests.source import RequestSource

_CHUNK = timedelta(hours=1)


def rates_of(source: RequestSource) -> ArrivalRates:
    """History and run of a source as minutes on one grid; minutes in holes are NaN.

    Requests are asked for in chunks: memory grows with minutes, not with requests.
    """
    run, past = binned(source, source.span), source.history()
    return joined_rates(past, run) if past.minutes else run


def joined_rates(past: ArrivalRates, run: ArrivalRates) -> ArrivalRates:
    """Two stretches that follow one another, as one. Raises InvalidInput when they do not."""
    if past.span.end != run.start or past.demands != run.demands:
        raise InvalidInput(
            "history", f"{past.span} does not end at {run.start} for the same demands"
        )
    by_demand = {key: _after(past.by_demand[key], run.by_demand[key]) for key in run.demands}
    return ArrivalRates(start=past.start, by_demand=by_demand)


def binned(source: RequestSource, span: Span) -> ArrivalRates:
    """The requests of a part of the source's span, by minute. `span` is whole minutes."""
    minutes, demands = span.length // WINDOW, len(source.demands)
    sums = np.zeros((3, minutes, demands))
    for begin in span.steps(_CHUNK):
        end = min(begin + _CHUNK, span.end)
        first, last = (begin - span.start) // WINDOW, (end - span.start) // WINDOW
        requests = source.between(begin, end)
        since = requests.arrival_seconds - (begin - source.start).total_seconds()
        cell = (since // MINUTE_SECONDS).astype(np.int64) * demands + requests.demand
        for row, weights in enumerate((None, requests.input_tokens, requests.output_tokens)):
            found = np.bincount(cell, weights, minlength=(last - first) * demands)
            sums[row, first:last] = found.reshape(-1, demands)
    _open_holes(sums, source, span)
    return ArrivalRates(
        start=span.start,
        by_demand={
            demand: MinuteArrivals(
                offered=sums[0, :, place],
                input_tokens=sums[1, :, place],
                output_tokens=sums[2, :, place],
            )
            for place, demand in enumerate(source.demands)
        },
    )


def _open_holes(sums: NDArray[np.float64], source: RequestSource, span: Span) -> None:
    for origin in {demand.origin for demand in source.demands}:
        unknown = [not source.known(origin, at) for at in span.steps(WINDOW)]
        own = [demand.origin == origin for demand in source.demands]
        sums[:, np.outer(unknown, own)] = np.nan


def _after(past: MinuteArrivals, run: MinuteArrivals) -> MinuteArrivals:
    return MinuteArrivals(
        offered=np.concatenate([past.offered, run.offered]),
        input_tokens=np.concatenate([past.input_tokens, run.input_tokens]),
        output_tokens=np.concatenate([past.output_tokens, run.output_tokens]),
    )
