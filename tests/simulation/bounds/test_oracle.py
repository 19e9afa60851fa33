"""The forecaster that knows the truth, where it was told one, and says so."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from forecasting.forecaster import SeasonalForecaster
from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Forecast
from heliostat.model.names import EVERYWHERE, SeriesKey, Tier, TokenKind
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.bootstrap import fluid_engine, simulated_world
from simulation.bounds.oracle import OracleForecaster, causal_oracle_policy, future_demand
from tests.builders import MINUTE, NOON, QUARTER, a_catalogue, a_demand
from tests.forecasting.series import DAY, HOUR, demand, rates

ALL = rates(16)


def told(
    truth: DemandSeries, *, now: datetime = NOON - DAY, end: datetime = NOON - DAY
) -> Forecast:
    oracle = OracleForecaster([truth], SeasonalForecaster())
    known = demand(ALL[:-96], end=end)
    (found,) = oracle.forecast([known], issued_at=now, horizon=2 * HOUR)
    return found


def test_what_was_told_is_said_at_every_level() -> None:
    truth = demand(ALL)
    found = told(truth)
    assert (found.method, found.degraded) == ("oracle", "")
    for mean, peak in zip(found.mean, found.peak, strict=True):
        assert mean == truth.tokens_per_second[-96:-88]
        assert peak == truth.peak_tokens_per_second[-96:-88]


def test_what_was_not_told_is_forecast_and_said() -> None:
    found = told(demand(ALL[:-92], end=NOON - 23 * HOUR))
    assert found.degraded == "truth known for 4 of 8 steps, the rest by harmonic-ar"
    assert found.mean[0][:4] == tuple(ALL[-96:-92])
    assert found.mean[0][5] != ALL[-91]


def test_a_truth_on_another_grid_is_not_used() -> None:
    assert told(demand(ALL[::4], step=HOUR)).method == "harmonic-ar"


# --- what an oracle is told of a run --------------------------------------------------------------


def arrivals_of(offered: list[float]) -> ArrivalRates:
    count = np.array(offered)
    column = MinuteArrivals(offered=count, input_tokens=count * 1000, output_tokens=count * 100)
    by_demand = {a_demand(origin=origin): column for origin in ("east", "west")}
    return ArrivalRates(start=NOON, by_demand=by_demand)


def series_of(
    arrivals: ArrivalRates, origin: str, kind: TokenKind, factor: float = 1.0
) -> DemandSeries:
    key = SeriesKey(demand=a_demand(origin=origin), kind=kind)
    return next(one for one in future_demand(arrivals, factor=factor) if one.key == key)


def test_the_truth_is_means_and_largest_minutes_of_quarters_of_an_hour() -> None:
    arrivals = arrivals_of([60.0] * 14 + [360.0] + [0.0] * 15)
    found = series_of(arrivals, "east", TokenKind.INPUT)
    assert (found.start, found.step) == (NOON, QUARTER)
    assert found.tokens_per_second == pytest.approx((1200 * 1000 / 900, 0.0))
    assert found.peak_tokens_per_second == pytest.approx((6000.0, 0.0))
    assert series_of(arrivals, "east", TokenKind.OUTPUT).tokens_per_second[0] == pytest.approx(
        1200 * 100 / 900
    )


def test_sums_over_regions_are_told_as_series_of_their_own() -> None:
    arrivals = arrivals_of([60.0] * 15)
    keys = [one.key.demand.origin for one in future_demand(arrivals)]
    assert sorted(keys) == sorted([EVERYWHERE, "east", "west"] * 2)
    whole, east = (
        series_of(arrivals, origin, TokenKind.INPUT).peak_tokens_per_second[0]
        for origin in (EVERYWHERE, "east")
    )
    assert whole == pytest.approx(2 * (east or 0.0))


def test_a_hole_holds_nothing_and_a_factor_scales_all() -> None:
    found = series_of(arrivals_of([float("nan")] * 15), "east", TokenKind.INPUT, factor=3.0)
    assert found.tokens_per_second == (0.0,)
    arrivals = arrivals_of([60.0] * 15)
    once, thrice = (series_of(arrivals, "east", TokenKind.INPUT, factor=f) for f in (1.0, 3.0))
    assert thrice.tokens_per_second[0] == pytest.approx(3 * (once.tokens_per_second[0] or 0.0))
    for factor in (0.0, -1.0, float("inf")):
        with pytest.raises(InvalidInput, match="factor"):
            future_demand(arrivals, factor=factor)


def test_the_truth_of_a_run_that_begins_inside_a_quarter_lies_on_the_clocks_quarters() -> None:
    arrivals = arrivals_of([60.0] * 25).shifted(5 * MINUTE)
    found = series_of(arrivals, "east", TokenKind.INPUT)
    assert found.start == NOON
    assert len(found.tokens_per_second) == 2


def test_the_causal_oracle_decides_like_heliostat_with_the_truth_for_a_forecast() -> None:
    """Its forecasts are the demand that then comes, in a world that it shares with no one."""
    catalogue = a_catalogue()
    rising = np.rint(np.linspace(300, 1200, 150)).tolist()
    arrivals = arrivals_of(rising)
    begins = NOON + 90 * MINUTE
    policy = causal_oracle_policy(catalogue, arrivals)
    world = simulated_world(
        catalogue=catalogue,
        arrivals=arrivals,
        begins=begins,
        policy=policy,
        seed=1,
        engine=fluid_engine,
    )
    world.run_until(begins + timedelta(minutes=30))
    assert policy.name == "causal oracle"
    key = SeriesKey(demand=a_demand(tier=Tier.INTERACTIVE_NORMAL), kind=TokenKind.INPUT)
    issued = world.stores.forecasts.get(key, begins)
    truth = series_of(arrivals, "east", TokenKind.INPUT)
    first = truth.bucket_of(issued.start, issued.step)
    assert first is not None
    assert issued.method == "oracle"
    assert issued.mean[0][:3] == truth.tokens_per_second[first : first + 3]
    assert issued.mean[0][:3] == issued.mean[-1][:3]
