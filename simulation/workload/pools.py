"""Several series files as one trace: each file is a pool of tenants, scaled as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from heliostat.errors import InvalidTrace
from simulation.columns import Floats
from simulation.workload.describe import without_roll_ups
from simulation.workload.load import LoadedTrace
from simulation.workload.series import LoadSeries, mean_lengths


def merged(pools: Sequence[tuple[LoadedTrace, float]]) -> LoadedTrace:
    """The pools' series beside one another, requests and tokens times their pool's factor.

    Sums of other series are left out. A tenant whose lengths nobody measured gets the mean of its own
    pool. Raises InvalidTrace when a pool holds no series or the pools lie on different grids.
    """
    series: list[LoadSeries] = []
    grid: LoadSeries | None = None
    said: list[str] = []
    for trace, factor in pools:
        singles, sums = without_roll_ups(trace.series)
        if not singles:
            raise InvalidTrace(str(trace.path), "contains no series of arrivals", kept=trace.kept)
        grid = grid or singles[0]
        _check_grid(trace, singles, grid)
        said += trace.said
        if sums:
            said.append(f"{', '.join(sums)} left out: sums of the others.")
        said.append(f"{trace.path.name}: {len(singles)} tenants, requests × {factor:g}.")
        lengths = mean_lengths(singles)
        series += [_filled(one, lengths, factor) for one in singles]
    names = Counter(one.series_id for one in series)
    twice = sorted(name for name, times in names.items() if times > 1)
    if twice:
        raise InvalidTrace(str(pools[0][0].path), f"several pools contain {', '.join(twice)[:200]}")
    return replace(
        pools[0][0],
        series=tuple(series),
        kept=sum(trace.kept for trace, _ in pools),
        bad=sum(trace.bad for trace, _ in pools),
        said=tuple(said),
    )


def _filled(
    series: LoadSeries, lengths: tuple[float | None, float | None], factor: float
) -> LoadSeries:
    requests = series.requests * factor
    tokens = [
        _or_mean(column * factor, requests, mean)
        for column, mean in zip((series.input_tokens, series.output_tokens), lengths, strict=True)
    ]
    return replace(series, requests=requests, input_tokens=tokens[0], output_tokens=tokens[1])


def _or_mean(tokens: Floats, requests: Floats, mean: float | None) -> Floats:
    return tokens if mean is None else np.where(np.isnan(tokens), requests * mean, tokens)


def _check_grid(trace: LoadedTrace, singles: Sequence[LoadSeries], grid: LoadSeries) -> None:
    for one in singles:
        if (one.start, one.step, len(one)) != (grid.start, grid.step, len(grid)):
            raise InvalidTrace(
                str(trace.path),
                f"{one.series_id} has {len(one)} bins of {one.step} from {one.start}, expected "
                f"{len(grid)} of {grid.step} from {grid.start} as {grid.series_id}",
                kept=trace.kept,
            )
