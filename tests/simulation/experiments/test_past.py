"""From a usage history to arrivals: what was wanted, what is not known, what is no longer offered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from threading import RLock
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from heliostat.clock import SteppedClock
from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries
from heliostat.model.fleet import LeadTimeSample, StartKind
from heliostat.model.instants import Span
from heliostat.model.names import Tier
from heliostat.model.usage import UsageWindow
from heliostat.ports.history import UsageHistory
from simulation.experiments.measured import with_lead_times
from simulation.experiments.past import past_arrivals
from simulation.history import past_batches
from storage.memory import memory_stores
from storage.memory.usage import MemoryUsage
from storage.notify import ChangeFeed
from tests.builders import (
    MINUTE,
    NOON,
    QUARTER,
    a_batch,
    a_catalogue,
    a_demand,
    a_pool,
    a_series,
    a_window,
    catalogue_mapping,
)
from tests.simulation.experiments.little import little_arrivals

HOUR = timedelta(hours=1)


def a_history(*windows: UsageWindow) -> UsageHistory:
    usage = memory_stores(SteppedClock(NOON)).usage
    usage.record([a_batch(windows)])
    return usage


def window(minute: int, **changes: Any) -> UsageWindow:
    return a_window(NOON + MINUTE * minute, **changes)


def offered(usage: UsageHistory, span: Span, **demand: Any) -> list[float]:
    found = past_arrivals(usage, a_catalogue(), span).arrivals
    return [float(count) for count in found.by_demand[a_demand(**demand)].offered]


QUARTER_SPAN = Span(NOON, NOON + QUARTER)
ALL = [window(minute) for minute in range(15)]


def test_what_was_recorded_by_minute_comes_back_by_minute() -> None:
    usage = memory_stores(SteppedClock(NOON)).usage
    was = little_arrivals(before=60, minutes=60)
    for batch in past_batches(was):
        usage.record([batch])
    past = past_arrivals(usage, a_catalogue(), was.span)
    assert past.left_out == 0
    assert past.minutes_from == was.start
    assert past.arrivals.demands == was.demands
    for demand in was.demands:
        one, other = was.by_demand[demand], past.arrivals.by_demand[demand]
        for column in ("offered", "input_tokens", "output_tokens"):
            assert_array_equal(getattr(one, column), getattr(other, column))


def test_shed_requests_are_wanted_with_the_lengths_of_those_that_were_served() -> None:
    shed = window(0, offered=10, admitted=4, rejected=6, completed=4, output_tokens=400)
    past = past_arrivals(a_history(shed, *ALL[1:]), a_catalogue(), QUARTER_SPAN)
    column = past.arrivals.by_demand[a_demand()]
    assert column.offered[0] == 10
    assert column.output_tokens[0] == 1000


def test_retries_are_no_demand() -> None:
    retried = window(0, offered=10, retried=3)
    assert offered(a_history(retried, *ALL[1:]), QUARTER_SPAN)[0] == 7


def test_a_minute_that_nobody_reported_is_a_hole_and_a_silent_one_is_zero() -> None:
    silent = window(1, offered=0, admitted=0, completed=0, input_tokens=0, output_tokens=0)
    found = offered(a_history(window(0), silent, window(3)), QUARTER_SPAN)
    assert found[:2] == [10, 0]
    assert np.isnan(found[2])
    assert found[3] == 10
    assert np.isnan(found[4:]).all()


def test_a_hole_of_one_region_is_none_of_another() -> None:
    west = window(1, series=a_series(origin="west"))
    usage = a_history(window(0), west)
    assert np.isnan(offered(usage, QUARTER_SPAN)[1])
    assert offered(usage, QUARTER_SPAN, origin="west")[1] == 10


def test_tokens_that_were_not_measured_are_the_means_of_those_that_were() -> None:
    blind = window(0, input_tokens=None, output_tokens=None)
    past = past_arrivals(a_history(blind, *ALL[1:]), a_catalogue(), QUARTER_SPAN)
    column = past.arrivals.by_demand[a_demand()]
    assert (column.input_tokens[0], column.output_tokens[0]) == (10_000, 1000)


def test_without_any_measured_tokens_the_catalogue_is_asked() -> None:
    blind = [window(m, input_tokens=None, output_tokens=None) for m in range(15)]
    past = past_arrivals(a_history(*blind), a_catalogue(), QUARTER_SPAN)
    assert past.arrivals.by_demand[a_demand()].input_tokens[0] == 10_000


def test_regions_that_serve_one_demand_are_summed() -> None:
    away = window(0, series=a_series(serving="west"), offered=5, admitted=5, completed=5)
    assert offered(a_history(away, *ALL), QUARTER_SPAN)[0] == 15


def test_quarters_of_an_hour_are_spread_over_their_minutes_to_the_last_request() -> None:
    usage = a_history(*[window(m, offered=7, admitted=7, completed=7) for m in range(30)])
    later = NOON + timedelta(days=1)
    usage.roll_up(later)
    usage.prune(NOON + 2 * QUARTER, NOON - timedelta(days=9))
    past = past_arrivals(usage, a_catalogue(), Span(NOON, NOON + 2 * QUARTER))
    column = past.arrivals.by_demand[a_demand()]
    assert column.offered.sum() == 7 * 30
    assert column.input_tokens.sum() == pytest.approx(30 * 10_000, rel=1e-6)
    assert past.minutes_from == NOON + 2 * QUARTER


KEPT_FROM = NOON - timedelta(days=1, hours=6)
"""Within a day, of which earlier minutes are gone."""
DAYS = [NOON - timedelta(days=day) for day in (2, 1, 0)]


def three_days(usage: UsageHistory) -> UsageHistory:
    """A quarter of an hour of each, with a burst in its first minute; and one just before `KEPT_FROM`."""
    quarters = [DAYS[0], KEPT_FROM - QUARTER, DAYS[1], DAYS[2]]
    burst: dict[str, int] = {"offered": 160, "admitted": 160, "completed": 160}
    first = [a_window(at, **burst) for at in quarters]
    others = [a_window(at + MINUTE * m) for at in quarters for m in range(1, 15)]
    usage.record([a_batch([*first, *others])])
    usage.roll_up(NOON + HOUR)
    return usage


def test_minutes_are_taken_as_far_back_as_they_are_kept() -> None:
    usage = three_days(memory_stores(SteppedClock(NOON)).usage)
    usage.prune(KEPT_FROM, NOON - timedelta(days=9))
    past = past_arrivals(usage, a_catalogue(), Span(DAYS[0], NOON + QUARTER))
    assert past.minutes_from == KEPT_FROM
    column = past.arrivals.by_demand[a_demand()].offered
    assert np.nansum(column) == 4 * 300
    firsts = [column[(at - DAYS[0]) // MINUTE] for at in (DAYS[0], KEPT_FROM - QUARTER, *DAYS[1:])]
    assert firsts == [20, 20, 160, 160], "a burst is seen where its minutes are kept"


class PrunedMeanwhile(MemoryUsage):
    """Retention takes minutes whenever the second day is read."""

    def demand(self, span: Span, step: timedelta) -> tuple[DemandSeries, ...]:
        if DAYS[1] in span:
            self.prune(KEPT_FROM, NOON - timedelta(days=9))
        return super().demand(span, step)


def test_minutes_that_are_pruned_while_they_are_read_come_by_the_quarter() -> None:
    usage = three_days(PrunedMeanwhile(ChangeFeed(), RLock()))
    past = past_arrivals(usage, a_catalogue(), Span(DAYS[0], NOON + QUARTER))
    assert past.minutes_from == KEPT_FROM
    assert np.nansum(past.arrivals.by_demand[a_demand()].offered) == 4 * 300


def test_what_the_catalogue_no_longer_offers_is_left_out_and_counted() -> None:
    gone = window(0, series=a_series(model="gamma"))
    past = past_arrivals(a_history(gone, *ALL), a_catalogue(), QUARTER_SPAN)
    assert past.left_out == 10
    assert [demand.model for demand in past.arrivals.demands] == ["alpha"]


def test_a_history_of_nothing_is_refused() -> None:
    gone = window(0, series=a_series(model="gamma", tier=Tier.BATCH))
    with pytest.raises(InvalidInput, match="holds no requests"):
        past_arrivals(a_history(gone), a_catalogue(), QUARTER_SPAN)


# --- lead times -----------------------------------------------------------------------------


def samples(seconds: list[int], vm_type: str = "small") -> list[LeadTimeSample]:
    return [
        LeadTimeSample(
            pool=a_pool(vm_type=vm_type),
            start_kind=StartKind.COLD,
            lead_time=timedelta(seconds=length),
            ready_at=NOON,
        )
        for length in seconds
    ]


def test_measured_lead_times_replace_the_priors_where_there_are_enough() -> None:
    measured = [*samples([100, 110, 120, 130, 200]), *samples([1, 2], "big")]
    mapping, said = with_lead_times(catalogue_mapping(), measured)
    priors: Mapping[Any, Any] = a_catalogue(mapping).lead_time_priors
    assert priors["small", StartKind.COLD].p50 == timedelta(seconds=120)
    assert priors["small", StartKind.COLD].p90 == timedelta(seconds=172)
    assert priors["small", StartKind.WARM].p50 == timedelta(seconds=60)
    assert priors["big", StartKind.COLD].p50 == timedelta(seconds=480)
    assert said == ("small cold 120 s (5 starts)",)


def test_lead_times_of_vm_types_that_are_gone_are_left_out() -> None:
    mapping, said = with_lead_times(catalogue_mapping(), samples([9] * 9, "tiny"))
    assert said == ()
    assert a_catalogue(mapping).lead_time_priors == a_catalogue().lead_time_priors
