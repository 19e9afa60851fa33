"""A forecaster that was told the future: the ceiling for every other, for experiments alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast
from heliostat.ports.forecasts import Forecaster

ORACLE = "oracle"


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
        first = None if truth is None else bucket_of(truth, guess.start, guess.step)
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
            mean=tuple(_over(row, means) for row in guess.mean),
            peak=tuple(_over(row, peaks) for row in guess.peak),
            degraded="" if known == guess.steps else partly,
        )


def bucket_of(series: DemandSeries, instant: datetime, step: timedelta) -> int | None:
    """Which bucket of the series begins at that instant (it may lie outside); None off its grid."""
    if series.step != step or (instant - series.start) % step:
        return None
    return (instant - series.start) // step


def _ahead(rates: Sequence[float | None], first: int, steps: int) -> list[float | None]:
    return [
        rates[place] if 0 <= place < len(rates) else None for place in range(first, first + steps)
    ]


def _over(guess: tuple[float, ...], known: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(g if k is None else k for g, k in zip(guess, known, strict=True))
