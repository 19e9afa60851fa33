"""Backtests a forecaster on a period of history and scores it.

Nothing after an instant is handed to the forecaster, so nothing can leak. Every method of a family
is forced in turn; `champion` is what selection every `select_every` would have used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from forecasting.accuracy import AccuracyScorer
from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, ForecastExcerpt, ForecastScore
from heliostat.model.instants import Span
from heliostat.ports.forecasts import Forecaster

CHAMPION = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """Which instants are replayed, how far each looks, and which methods compete.

    `memory` is how much history is handed over, as the control loop would. Raises InvalidInput on
    lengths that are not positive.
    """

    window: Span
    methods: tuple[str, ...]
    every: timedelta = timedelta(hours=1)
    horizon: timedelta = timedelta(hours=24)
    memory: timedelta = timedelta(days=28)
    select_every: timedelta = timedelta(days=1)
    selection_horizon: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        for name in ("every", "horizon", "memory", "select_every", "selection_horizon"):
            if getattr(self, name) <= timedelta(0):
                raise InvalidInput(f"backtest.{name}", "must be positive")


def backtest(
    forecaster: Forecaster, series: Sequence[DemandSeries], plan: BacktestPlan
) -> tuple[ForecastScore, ...]:
    """Scores per (series, method, horizon), sorted: `champion`, the plan's methods, naive rivals.

    A method that the forecaster had to replace at some instant is not scored on that instant.
    """
    issued: list[ForecastExcerpt] = []
    champions: tuple[Champion, ...] = ()
    select_at = plan.window.start
    for now in plan.window.steps(plan.every):
        known = [one for one in (known_at(one, now, plan.memory) for one in series) if one]
        if now >= select_at:
            champions = forecaster.select(known, issued_at=now, horizon=plan.selection_horizon)
            select_at += plan.select_every
        served = forecaster.forecast(
            known, issued_at=now, horizon=plan.horizon, champions=champions
        )
        issued += [replace(forecast.excerpt(), method=CHAMPION) for forecast in served]
        for method in plan.methods:
            forced = forecaster.forecast(
                known, issued_at=now, horizon=plan.horizon, champions=_all(known, method, now)
            )
            issued += [forecast.excerpt() for forecast in forced if forecast.method == method]
    return AccuracyScorer().score(issued, series)


def known_at(series: DemandSeries, now: datetime, memory: timedelta) -> DemandSeries | None:
    """What the series had shown by then, no older than `memory`; None when it had not begun."""
    end = min((now - series.start) // series.step, len(series.tokens_per_second))
    begin = max(0, end - memory // series.step)
    if end <= begin:
        return None
    return replace(
        series,
        start=series.start + series.step * begin,
        tokens_per_second=series.tokens_per_second[begin:end],
        peak_tokens_per_second=series.peak_tokens_per_second[begin:end],
    )


def _all(series: Sequence[DemandSeries], method: str, now: datetime) -> tuple[Champion, ...]:
    return tuple(
        Champion(key=one.key, method=method, since=now, reason="backtest", losses=())
        for one in series
    )
