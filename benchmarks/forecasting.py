"""How fast forecasts are refreshed and champions selected, and how good champions are on measured series."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import psutil

from benchmarks.figure import Benchmark, Figure
from benchmarks.shared_series import data_folder, read_all
from benchmarks.watch import Watch, cpu_of, watched
from forecasting.backtest import CHAMPION, BacktestPlan, backtest, known_at
from forecasting.families import FAST_FAMILY, FULL_FAMILY, Family
from forecasting.fanout import FanOutForecaster
from forecasting.forecaster import SeasonalForecaster
from forecasting.grid import Floats
from forecasting.methods.naive import NAIVE
from forecasting.settings import ForecasterSettings
from heliostat.clock import cpu_seconds
from heliostat.model.demand import BUCKET, DemandSeries
from heliostat.model.forecast import Champion, ForecastScore
from heliostat.model.instants import Span, ceil_to, from_epoch
from heliostat.model.names import DemandKey, ModelName, RegionName, SeriesKey, Tier, TokenKind

_SERIES, _KINDS = 500, 2
_HISTORY, _HORIZON = timedelta(days=28), timedelta(hours=48)
_SELECTION = timedelta(hours=1)
_END = from_epoch(1_772_452_800)
_COMMAND = "make bench ARGS=forecasting."


def refresh() -> Iterable[Figure]:
    """500 series × 2 token kinds, 28 days of quarter hours, 48 h of quantiles: here and fanned out."""
    long = synthetic(_SERIES * _KINDS, days=29)
    now = [_END - timedelta(hours=1) + BUCKET * tick for tick in range(3)]
    known = [_known(long, at) for at in now]
    here = SeasonalForecaster(ForecasterSettings(family=FAST_FAMILY))
    walls = []
    for at, series in zip(now, known, strict=True):
        with watched() as watch:
            here.forecast(series, issued_at=at, horizon=_HORIZON)
        walls.append(watch)
    yield _figure("forecast_refresh_cold_seconds", walls[0], "refresh", note="one process")
    yield _figure("forecast_refresh_warm_seconds", walls[-1], "refresh", 30, note="one process")
    with FanOutForecaster(ForecasterSettings(family=FAST_FAMILY), lanes=_cores()) as lanes:
        for at, series in zip(now, known, strict=True):
            with watched(_cpu_with(lanes)) as watch:
                lanes.forecast(series, issued_at=at, horizon=_HORIZON)
    yield _figure("forecast_refresh_warm_lanes_seconds", watch, "refresh", 30, note=_lanes())


def demo_refresh() -> Iterable[Figure]:
    """A demo's refresh: 100 series, fast family, in the control plane's own process."""
    long = synthetic(100, days=29)
    here = SeasonalForecaster()
    for tick in range(3):
        at = _END - timedelta(hours=1) + BUCKET * tick
        series = _known(long, at)
        with watched() as watch:
            here.forecast(series, issued_at=at, horizon=_HORIZON)
    yield _figure("forecast_refresh_100_series_seconds", watch, "demo_refresh", 0.3)


def selection() -> Iterable[Figure]:
    """Nightly selection over the full family for 500 × 2 series, and the refresh that follows it."""
    known = _known(synthetic(_SERIES * _KINDS, days=28), _END)
    settings = ForecasterSettings(family=FULL_FAMILY)
    with FanOutForecaster(settings, lanes=_cores()) as lanes:
        with watched(_cpu_with(lanes)) as select:
            champions = lanes.select(known, issued_at=_END, horizon=_SELECTION)
        yield _figure("forecast_selection_seconds", select, "selection", 900, note=_lanes())
        with watched(_cpu_with(lanes)) as first:
            lanes.forecast(known, issued_at=_END, horizon=_HORIZON, champions=champions)
        yield _figure("forecast_after_selection_seconds", first, "selection", note=_mix(champions))
        with watched(_cpu_with(lanes)) as warm:
            lanes.forecast(known, issued_at=_END, horizon=_HORIZON, champions=champions)
        yield _figure("forecast_refresh_warm_full_seconds", warm, "selection", 30, note=_lanes())


def accuracy() -> Iterable[Figure]:
    """Champion against the best naive rival on the measured series, an hour and four hours ahead."""
    folder = data_folder()
    if folder is None:
        print("  HELIOSTAT_DATA is not set: champions are not compared on measured series")
        return
    for name, series in read_all(folder):
        with watched() as watch:
            scores = _backtest(series, FULL_FAMILY)
        for hours in (1, 4):
            yield from _against_naive(name, hours, scores, watch)


BENCHMARKS: tuple[Benchmark, ...] = (refresh, demo_refresh, selection, accuracy)


def synthetic(count: int, *, days: int) -> list[DemandSeries]:
    """Daily wave, weekend, noise that lasts hours, holes in every third; the same for everybody."""
    rng = np.random.default_rng(20260302)
    length = days * 96
    turns = np.arange(length) / 96
    shocks = rng.normal(size=(count, length)) * 0.1
    for bucket in range(1, length):
        shocks[:, bucket] += 0.9 * shocks[:, bucket - 1]
    wave = np.sin(2 * np.pi * (turns + rng.uniform(size=(count, 1))))
    weekend = np.where(turns.astype(int) % 7 >= 5, 0.4, 1.0)
    means = rng.uniform(100, 10_000, size=(count, 1)) * np.exp(wave + shocks) * weekend
    peaks = means * (1.1 + rng.exponential(0.3, size=means.shape))
    means[::3][rng.random(means[::3].shape) < 0.02] = np.nan
    return [_series(row, means[row], peaks[row]) for row in range(count)]


def _series(row: int, means: Floats, peaks: Floats) -> DemandSeries:
    demand = DemandKey(
        origin=RegionName(f"region-{row // _KINDS}"), model=ModelName("m"), tier=Tier.BATCH
    )
    return DemandSeries(
        key=SeriesKey(demand=demand, kind=list(TokenKind)[row % _KINDS]),
        start=_END - BUCKET * len(means),
        step=BUCKET,
        tokens_per_second=tuple(None if np.isnan(x) else x for x in means.tolist()),
        peak_tokens_per_second=tuple(None if np.isnan(x) else x for x in peaks.tolist()),
    )


def _known(series: Sequence[DemandSeries], at: datetime) -> list[DemandSeries]:
    cut = (known_at(one, at, _HISTORY) for one in series)
    return [one for one in cut if one is not None]


def _backtest(series: DemandSeries, family: Family) -> tuple[ForecastScore, ...]:
    """The last week (or the last third) every hour, selection daily."""
    length = min(timedelta(days=7), series.span.length / 3)
    start = ceil_to((series.span.end - length).replace(microsecond=0), timedelta(hours=1))
    plan = BacktestPlan(
        window=Span(start, series.span.end - timedelta(hours=4)),
        methods=tuple(method.name for method in NAIVE),
        horizon=timedelta(hours=4),
    )
    return backtest(SeasonalForecaster(ForecasterSettings(family=family)), [series], plan)


def _against_naive(
    name: str, hours: int, scores: Sequence[ForecastScore], watch: Watch
) -> Iterator[Figure]:
    """The champion's WAPE, asked to be no worse than the best of all naive rivals in hindsight."""
    at = {s.method: s for s in scores if s.horizon == timedelta(hours=hours)}
    wapes = {method: score.wape for method, score in at.items() if score.wape is not None}
    if CHAMPION not in wapes:
        return
    rival, best = min(
        ((method.name, wapes[method.name]) for method in NAIVE if method.name in wapes),
        key=lambda pair: pair[1],
    )
    covered = dict(at[CHAMPION].coverage)[0.95]
    yield Figure(
        name=f"forecast_wape_{name}_{hours}h",
        value=wapes[CHAMPION],
        unit="share",
        command=_COMMAND + "accuracy",
        cpu_seconds=watch.cpu_seconds,
        target=best,
        note=f"best naive {rival}; {at[CHAMPION].scored} origins; 0.95 covered {covered:.2f}",
    )


def _cpu_with(lanes: FanOutForecaster) -> Callable[[], float]:
    """This process's CPU seconds and its workers'."""
    return lambda: cpu_seconds() + cpu_of(psutil.Process(number) for number in lanes.worker_ids())


def _figure(
    name: str, watch: Watch, of: str, target: float | None = None, note: str = ""
) -> Figure:
    return Figure(
        name=name,
        value=watch.wall_seconds,
        unit="s",
        command=_COMMAND + of,
        cpu_seconds=watch.cpu_seconds,
        target=target,
        note=note,
    )


def _mix(champions: Sequence[Champion]) -> str:
    counts = Counter(champion.method for champion in champions)
    return ", ".join(f"{count} {method}" for method, count in counts.most_common())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lanes() -> str:
    return f"{_cores()} worker processes"
