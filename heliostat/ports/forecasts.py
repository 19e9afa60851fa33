"""Ports of the forecaster and of the ledger that stores and scores forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast, ForecastExcerpt, ForecastScore
from heliostat.model.instants import Span
from heliostat.model.names import SeriesKey


class Forecaster(Protocol):
    """Demand in, quantiles out; never raises on short or holed data, and names its method."""

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        """One forecast per series, in order, on the series' own step, starting at its span's end
        (or at `issued_at` floored to the step, whichever is later).

        Uses nothing after `issued_at`. A series without a champion gets the default order of
        methods. A method that cannot be used is replaced in a stated order, said in `degraded`.
        A series without any measurement gets no forecast, rather than one of zeros.
        """
        ...

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        """The best method per series by rolling-origin backtest at that horizon, with the reason.

        A series whose history is too short to compare methods gets no champion.
        """
        ...


class ForecastScorer(Protocol):
    """Compares forecasts with actual demand."""

    @property
    def reach(self) -> timedelta:
        """How far before the first scored bucket it reads actual demand, for the naive baselines."""
        ...

    def score(
        self, issued: Sequence[ForecastExcerpt], truth: Sequence[DemandSeries]
    ) -> tuple[ForecastScore, ...]:
        """Scores per (series, method, horizon of 1 step, 1 h, 4 h, 24 h) where truth is known, the
        naive rivals' scores on the same buckets beside them; () when nothing can be scored. Truth
        that begins `reach` before the first forecast's start gives the same as any longer one.

        Each series is scored on its own, so some at a time give the same as all at once.
        """
        ...


class ForecastLedger(Protocol):
    """Stores every issued forecast and the champions; issued forecasts never change."""

    def store(self, forecasts: Sequence[Forecast], *, epoch: int) -> None:
        """Keep them; repeatable (same key and issue instant = same forecast). Raises Fenced.

        What was issued more than `CLOCK_SET_BACK` after the newest of them is dropped, of every series:
        it was issued by a clock that ran ahead, and would be the latest once its time comes.
        """
        ...

    def latest(self, at: datetime) -> tuple[Forecast, ...]:
        """Per series the forecast last issued at or before `at`; () when there is none."""
        ...

    def get(self, key: SeriesKey, at: datetime) -> Forecast:
        """The last forecast issued for the series at or before `at`. Raises UnknownForecast."""
        ...

    def issued(self, span: Span, keys: Sequence[SeriesKey] = ()) -> tuple[Forecast, ...]:
        """All forecasts issued inside the span, by issue instant; empty `keys` = every series."""
        ...

    def excerpts(self, span: Span, keys: Sequence[SeriesKey]) -> tuple[ForecastExcerpt, ...]:
        """The scored part of each forecast of these series issued inside the span, ordered as
        `issued` orders them. Costs a hundredth of the memory that `issued` takes."""
        ...

    def store_champions(self, champions: Sequence[Champion], *, epoch: int) -> None:
        """Replace the champions. Raises Fenced."""
        ...

    def champions(self) -> tuple[Champion, ...]:
        """The champions in force."""
        ...

    def store_scores(self, scores: Sequence[ForecastScore], at: datetime, *, epoch: int) -> None:
        """Keep accuracy figures as of `at`, in place of those before. Raises Fenced."""
        ...

    def scores(self, keys: Sequence[SeriesKey] = ()) -> tuple[ForecastScore, ...]:
        """The score stored last per (series, method, horizon)."""
        ...

    def prune(self, issued_before: datetime) -> int:
        """Drop forecasts issued before; returns how many."""
        ...
