"""The causal oracle: a forecaster given the future, and Heliostat's planner with it.

Only here may anybody know what comes. The policy is *causal* in all but its forecast: it orders as
Heliostat does, waits for what it ordered, and is refused what the clouds refuse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.demand import BUCKET, DemandSeries
from heliostat.model.forecast import Champion, Forecast
from heliostat.model.instants import floor_to
from heliostat.model.names import EVERYWHERE, DemandKey, SeriesKey, TokenKind
from heliostat.model.usage import WINDOW
from heliostat.ports.forecasts import Forecaster
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.columns import Floats
from simulation.policies.forecasters import ORACLE, forecaster_named
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.registry import policy_named

BEYOND_THE_END = "seasonal-day"
"""Forecasts what the oracle was not told: the time after the arrivals end."""


class OracleForecaster:
    """Says the truth at every level where it was told one; `otherwise` forecasts the rest.

    A forecast that knows only part of its steps says so in `degraded`.
    """

    def __init__(self, truth: Sequence[DemandSeries], otherwise: Forecaster) -> None:
        self._truth = {one.key: one for one in truth}
        self._otherwise = otherwise

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        """See the port."""
        guesses = self._otherwise.forecast(
            series, issued_at=issued_at, horizon=horizon, champions=champions
        )
        return tuple(self._told(guess) for guess in guesses)

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        """See the port; who knows the future has no use for champions."""
        return self._otherwise.select(series, issued_at=issued_at, horizon=horizon)

    def _told(self, guess: Forecast) -> Forecast:
        truth = self._truth.get(guess.key)
        first = None if truth is None else truth.bucket_of(guess.start, guess.step)
        if truth is None or first is None:
            return guess
        means = _ahead(truth.tokens_per_second, first, guess.steps)
        peaks = _ahead(truth.peak_tokens_per_second, first, guess.steps)
        # A bucket whose mean is known has that peak at least.
        peaks = [mean if peak is None else peak for mean, peak in zip(means, peaks, strict=True)]
        known = sum(mean is not None for mean in means)
        if not known:
            return guess
        partly = f"truth known for {known} of {guess.steps} steps, the rest by {guess.method}"
        return replace(
            guess,
            method=ORACLE,
            mean=_over(guess.mean, means),
            peak=_over(guess.peak, peaks),
            degraded="" if known == guess.steps else partly,
        )


def _ahead(rates: Sequence[float | None], first: int, steps: int) -> list[float | None]:
    return [
        rates[place] if 0 <= place < len(rates) else None for place in range(first, first + steps)
    ]


def _over(
    guess: tuple[tuple[float, ...], ...], known: Sequence[float | None]
) -> tuple[tuple[float, ...], ...]:
    """What is known in every row of the guess."""
    told = tuple(rate for rate in known if rate is not None)
    if len(told) == len(known):
        return (told,) * len(guess)
    return tuple(
        tuple(g if k is None else k for g, k in zip(row, known, strict=True)) for row in guess
    )


def future_demand(arrivals: ArrivalRates, *, factor: float = 1.0) -> tuple[DemandSeries, ...]:
    """What an oracle is told: every series of the arrivals and of their sums over all regions.

    On the grid of quarters of an hour on which demand is kept, times `factor`; a minute in a hole
    holds nothing. Raises InvalidInput for a factor that is not above 0.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise InvalidInput("factor", f"{factor} is not above 0")
    by_demand: dict[DemandKey, list[MinuteArrivals]] = {}
    for key, column in arrivals.by_demand.items():
        by_demand.setdefault(key, []).append(column)
        by_demand.setdefault(replace(key, origin=EVERYWHERE), []).append(column)
    return tuple(
        _series(arrivals.start, SeriesKey(demand=key, kind=kind), columns, factor)
        for key, columns in by_demand.items()
        for kind in TokenKind
    )


def causal_oracle_policy(
    catalogue: FleetCatalogue,
    arrivals: ArrivalRates,
    *,
    options: PolicyOptions | None = None,
    factor: float = 1.0,
) -> Policy:
    """Heliostat with the future as its forecast: what a better forecast alone could still bring.

    It plans and orders like Heliostat, with the same lead times. `factor` scales what it is told: swept,
    it gives the oracle's own frontier, since all its quantiles are the truth.
    """
    otherwise = forecaster_named(BEYOND_THE_END, catalogue)
    oracle = OracleForecaster(future_demand(arrivals, factor=factor), otherwise)
    told = replace(options or PolicyOptions(), forecaster=ORACLE, oracle=oracle)
    return replace(policy_named("heliostat", catalogue, told), name="causal oracle")


def _series(
    start: datetime, key: SeriesKey, columns: Sequence[MinuteArrivals], factor: float
) -> DemandSeries:
    tokens = np.sum([np.nan_to_num(_tokens(column, key.kind)) for column in columns], axis=0)
    first = floor_to(start, BUCKET)
    before = (start - first) // WINDOW
    minutes = BUCKET // WINDOW
    after = -(before + len(tokens)) % minutes
    buckets = np.pad(tokens * factor, (before, after)).reshape(-1, minutes)
    second = 1 / WINDOW.total_seconds()
    return DemandSeries(
        key=key,
        start=first,
        step=BUCKET,
        tokens_per_second=tuple((buckets.mean(axis=1) * second).tolist()),
        peak_tokens_per_second=tuple((buckets.max(axis=1) * second).tolist()),
    )


def _tokens(column: MinuteArrivals, kind: TokenKind) -> Floats:
    return column.input_tokens if kind is TokenKind.INPUT else column.output_tokens
