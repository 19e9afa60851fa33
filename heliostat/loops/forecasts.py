"""The forecast loop: history → forecasts and champions → scores, one tick at a time.

Every method is one tick of one kind, as in `heliostat.loops.control`: it is passed `now` and the
leader's `epoch`, and calling it again is safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.model.demand import BUCKET
from heliostat.model.forecast import Champion, Forecast, ForecastScore
from heliostat.model.instants import Span, floor_to
from heliostat.ports.forecasts import Forecaster, ForecastScorer
from heliostat.ports.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastSettings:
    """How far forecasts look back and ahead, and how many are judged at a time."""

    history: timedelta = timedelta(days=28)
    horizon: timedelta = timedelta(hours=48)
    selection_horizon: timedelta = timedelta(hours=1)
    scoring_memory: timedelta = timedelta(days=2)
    scored_at_once: int = 100
    """Series whose forecasts are held at once: two days of excerpts of so many are some 25 MB."""


class ForecastLoop:
    """Keeps forecasts, champions and scores up to date; holds no state of its own."""

    def __init__(
        self,
        *,
        stores: Stores,
        forecaster: Forecaster,
        scorer: ForecastScorer,
        settings: ForecastSettings | None = None,
    ) -> None:
        self._stores = stores
        self._forecaster = forecaster
        self._scorer = scorer
        self._settings = settings or ForecastSettings()

    def refresh(self, now: datetime, *, epoch: int) -> tuple[Forecast, ...]:
        """Forecast every series that ever had traffic, with its champion; () for an empty history."""
        series = self._stores.usage.demand(self._recent(now, self._settings.history), BUCKET)
        forecasts = self._forecaster.forecast(
            series,
            issued_at=now,
            horizon=self._settings.horizon,
            champions=self._stores.forecasts.champions(),
        )
        self._stores.forecasts.store(forecasts, epoch=epoch)
        return forecasts

    def select(self, now: datetime, *, epoch: int) -> tuple[Champion, ...]:
        """Find each series' best method on its own history (a nightly matter)."""
        series = self._stores.usage.demand(self._recent(now, self._settings.history), BUCKET)
        champions = self._forecaster.select(
            series, issued_at=now, horizon=self._settings.selection_horizon
        )
        self._stores.forecasts.store_champions(champions, epoch=epoch)
        return champions

    def score(self, now: datetime, *, epoch: int) -> tuple[ForecastScore, ...]:
        """Compare the forecasts of late with what came, some series at a time.

        Truth is read as far back as the scorer looks, no further: nine days instead of 28.
        """
        memory, at_once = self._settings.scoring_memory, self._settings.scored_at_once
        issued = Span(floor_to(now, BUCKET) - memory, now)
        truth = self._stores.usage.demand(self._recent(now, memory + self._scorer.reach), BUCKET)
        scores: list[ForecastScore] = []
        for first in range(0, len(truth), at_once):
            some = truth[first : first + at_once]
            excerpts = self._stores.forecasts.excerpts(issued, [series.key for series in some])
            scores += self._scorer.score(excerpts, some)
        self._stores.forecasts.store_scores(scores, now, epoch=epoch)
        return tuple(scores)

    def _recent(self, now: datetime, length: timedelta) -> Span:
        """So much of whole buckets up to now, no further back than there is anything."""
        end = floor_to(now, BUCKET)
        first = self._stores.usage.first_window()
        if first is None:
            return Span(end, end)
        return Span(min(end, max(end - length, floor_to(first, BUCKET))), end)
