"""The forecaster: series in, quantile paths out, by each series' champion or what its history allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from forecasting.batches import Batch, batches, fit_bucket
from forecasting.conformal import quantile_paths
from forecasting.fitting import Fitted, fit
from forecasting.ladder import Choice, choose
from forecasting.methods.method import Method, stack
from forecasting.panel import Panel
from forecasting.remembered import RememberedFits, stamp
from forecasting.selection import champions_of
from forecasting.settings import ForecasterSettings
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast
from heliostat.model.names import SeriesKey


class SeasonalForecaster:
    """Keeps `heliostat.ports.forecasts.Forecaster` in this process; one thread at a time.

    Remembered fits make a refresh warm and never change an answer: parameters and intervals depend
    on the data before a fit instant (midnight UTC for series older than two weeks, see RefitRule),
    and a fit is used again only for exactly the same data. Late revisions of old buckets refit.
    Each series is computed by itself, to the last bit, whatever else is in the call.
    """

    def __init__(self, settings: ForecasterSettings | None = None) -> None:
        self._settings = settings or ForecasterSettings()
        self._fits = RememberedFits(self._settings.remembered)

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        """See the port. A series without any measurement gets none, rather than zeros."""
        names = {champion.key: champion.method for champion in champions}
        made: dict[int, Forecast] = {}
        for batch in batches(series, issued_at=issued_at, settings=self._settings):
            made.update(self._forecast(batch, series, issued_at, horizon, names))
        return tuple(made[place] for place in sorted(made))

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        """See the port. A series whose history is too short to compare anything gets none."""
        found: dict[int, Champion] = {}
        for batch in batches(series, issued_at=issued_at, settings=self._settings):
            found.update(
                champions_of(
                    batch, series, issued_at=issued_at, horizon=horizon, settings=self._settings
                )
            )
        return tuple(found[place] for place in sorted(found))

    def _forecast(
        self,
        batch: Batch,
        series: Sequence[DemandSeries],
        issued_at: datetime,
        horizon: timedelta,
        champions: Mapping[SeriesKey, str],
    ) -> dict[int, Forecast]:
        steps = max(1, batch.panel.grid.buckets(horizon))
        choices: dict[int, Choice] = {}
        alike: dict[tuple[Method, int, timedelta | None], list[int]] = defaultdict(list)
        for row, history in enumerate(batch.histories):
            if history is None:
                continue
            champion = champions.get(series[batch.places[row]].key)
            choices[row] = choose(history, champion, self._settings.family)
            interval = self._settings.refit.interval(history.age)
            alike[choices[row].method, batch.begins[row], interval].append(row)
        made = {}
        for (method, begin, interval), rows in alike.items():
            keys = [series[batch.places[row]].key for row in rows]
            panel = batch.panel.since(begin).rows(rows)
            fits = self._fit(method, panel, keys, steps, interval)
            paths = _paths(method, panel, fits, steps)
            for row, key, fitted, (mean, peak) in zip(rows, keys, fits, paths, strict=True):
                made[batch.places[row]] = Forecast(
                    key=key,
                    issued_at=issued_at,
                    start=batch.start,
                    step=batch.step,
                    method=method.name,
                    trained_until=batch.trained_until[row],
                    levels=self._settings.levels,
                    mean=mean,
                    peak=peak,
                    degraded=_and_intervals(choices[row].degraded, fitted),
                )
        return made

    def _fit(
        self,
        method: Method,
        panel: Panel,
        keys: Sequence[SeriesKey],
        steps: int,
        interval: timedelta | None,
    ) -> list[Fitted]:
        """Remembered where history before the fit instant is the same, else made and remembered."""
        until = fit_bucket(panel.grid, panel.length, interval)
        training = panel.until(until).since(
            until - panel.grid.buckets(self._settings.refit.training)
        )
        stamps = [stamp(training, row, method=method.name, steps=steps) for row in range(len(keys))]
        fits = [
            self._fits.get(key, method.name, one) for key, one in zip(keys, stamps, strict=True)
        ]
        missing = [row for row, fitted in enumerate(fits) if fitted is None]
        if missing:
            fresh = fit(
                method,
                training.rows(missing),
                steps=steps,
                levels=self._settings.levels,
                rule=self._settings.calibration,
            )
            for row, fitted in zip(missing, fresh, strict=True):
                fits[row] = fitted
                self._fits.put(keys[row], method.name, stamps[row], fitted)
        return [fitted for fitted in fits if fitted is not None]


Rows = tuple[tuple[float, ...], ...]


def _paths(
    method: Method, panel: Panel, fits: Sequence[Fitted], steps: int
) -> list[tuple[Rows, Rows]]:
    """Mean and peak quantiles per series, one tuple of steps per level."""
    leads = np.arange(1, steps + 1)
    parameters = stack([fitted.parameters for fitted in fits])
    centre = method.predict(parameters, panel, np.array([panel.length]), leads)[:, 0]
    mean, peak = quantile_paths(centre, [fitted.calibration for fitted in fits], leads)
    return [
        (tuple(map(tuple, means)), tuple(map(tuple, peaks)))
        for means, peaks in zip(mean.tolist(), peak.tolist(), strict=True)
    ]


def _and_intervals(degraded: str, fitted: Fitted) -> str:
    """What the method gave up, and what its intervals do not rest on."""
    reasons = [degraded] if degraded else []
    if not fitted.calibration.scored:
        reasons.append("no errors to learn from yet: intervals assumed")
    elif not fitted.calibration.peaks_seen:
        reasons.append("no 1-minute peaks observed: peaks assumed")
    return "; ".join(reasons)
