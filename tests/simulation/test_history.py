"""The past of a run: told as usage windows, it reads back as the demand that it was."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from heliostat.clock import SteppedClock
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE, SeriesKey, Tier, TokenKind
from heliostat.model.usage import UsageBatch
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.history import past_batches
from storage.memory import memory_stores
from tests.builders import MINUTE, NOON, a_demand

HOUR = timedelta(hours=1)


def some_arrivals(*, hole: slice = slice(0, 0), silence: slice = slice(0, 0)) -> ArrivalRates:
    def columns(requests: float) -> MinuteArrivals:
        offered = np.full(120, float(requests))
        offered[silence] = 0
        offered[hole] = np.nan
        return MinuteArrivals(
            offered=offered, input_tokens=offered * 600, output_tokens=offered * 60
        )

    west = a_demand(origin="west", tier=Tier.BATCH)
    return ArrivalRates(start=NOON, by_demand={a_demand(): columns(5), west: columns(2)})


def recorded(
    arrivals: ArrivalRates,
) -> tuple[list[UsageBatch], dict[SeriesKey, Sequence[float | None]]]:
    stores = memory_stores(SteppedClock(NOON))
    batches = list(past_batches(arrivals, length=timedelta(minutes=50)))
    for batch in batches:
        stores.usage.record([batch])
    series = stores.usage.demand(arrivals.span, BUCKET)
    return batches, {one.key: one.tokens_per_second for one in series}


def test_the_past_reads_back_as_the_demand_that_it_was() -> None:
    _, demand = recorded(some_arrivals())
    assert demand[SeriesKey(demand=a_demand(), kind=TokenKind.INPUT)] == (50.0,) * 8
    everywhere = a_demand(origin=EVERYWHERE)
    assert demand[SeriesKey(demand=everywhere, kind=TokenKind.OUTPUT)] == (5.0,) * 8


def test_batches_of_a_source_are_numbered_in_time() -> None:
    batches, _ = recorded(some_arrivals())
    assert [(b.source_id, b.sequence) for b in batches] == [
        (f"history-{origin}", sequence) for sequence in (1, 2, 3) for origin in ("east", "west")
    ]
    assert all(list(b.window_start) == sorted(b.window_start) for b in batches)


def test_holes_stay_missing_and_silence_is_zero() -> None:
    _, demand = recorded(some_arrivals(hole=slice(0, 15), silence=slice(30, 45)))
    rates = demand[SeriesKey(demand=a_demand(), kind=TokenKind.INPUT)]
    assert rates == (None, 50.0, 0.0, 50.0, 50.0, 50.0, 50.0, 50.0)


def test_a_past_of_holes_has_no_batches() -> None:
    assert list(past_batches(some_arrivals(hole=slice(0, 120)))) == []


def test_only_the_asked_past_is_told() -> None:
    part = some_arrivals().within(Span(NOON, NOON + HOUR))
    starts = {start for batch in past_batches(part) for start in batch.window_start}
    assert max(starts) == int((NOON + HOUR - MINUTE).timestamp())
