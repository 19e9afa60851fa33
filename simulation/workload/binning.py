"""Sums requests into minutes, block by block, so that memory grows with minutes and not with requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from simulation.workload.series import LoadSeries, origin_in

MINUTE = timedelta(minutes=1)
_COMPACT_EVERY = 64


class MinuteBins:
    """Per series and minute from the trace's first arrival: requests and token sums."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Take in checked rows (see `RequestRules.check`)."""
        minute = (pl.col("arrival_s") / 60).floor().cast(pl.Int64).alias("minute")
        self._parts.append(
            rows.group_by("series", minute)
            .agg(
                pl.len().cast(pl.Float64).alias("requests"),
                *(_sum_or_null(name) for name in ("input_tokens", "output_tokens")),
            )
            # As text, the few names would keep all the block's text in memory.
            .with_columns(pl.col("series").cast(pl.Categorical))
        )
        if len(self._parts) >= _COMPACT_EVERY:
            self._parts = [self._compacted()]

    def series(self, start: datetime | None, least_minutes: int = 0) -> list[LoadSeries]:
        """The series on one grid of at least so many minutes, largest first; [] when nothing was added."""
        if not self._parts:
            return []
        bins = self._compacted()
        last = int(bins["minute"].max() or 0)  # type: ignore[arg-type]  # an integer column
        minutes = max(last + 1, least_minutes)
        found = [
            _on_grid(str(name), part, minutes, start)
            for (name,), part in bins.group_by("series", maintain_order=False)
        ]
        return sorted(found, key=lambda one: (-one.requests.sum(), one.series_id))

    def _compacted(self) -> pl.DataFrame:
        return (
            pl.concat(self._parts)
            .group_by("series", "minute")
            .agg(
                pl.col("requests").sum(),
                *(_sum_or_null(name) for name in ("input_tokens", "output_tokens")),
            )
        )


def with_holes(
    series: Sequence[LoadSeries], holes: Mapping[RegionName, Sequence[Span]]
) -> tuple[LoadSeries, ...]:
    """The series, named `origin/model/tier`, with the minutes in their origin's holes missing."""
    return tuple(_with_holes(one, holes.get(origin_in(one.series_id), ())) for one in series)


def _with_holes(series: LoadSeries, holes: Sequence[Span]) -> LoadSeries:
    if not holes or series.start is None:
        return series
    known = np.ones(len(series), dtype=np.bool_)
    for hole in holes:
        first, last = ((at - series.start) // MINUTE for at in (hole.start, hole.end))
        known[max(0, first) : max(0, last)] = False
    requests, prompt, output = (np.where(known, column, np.nan) for column in series.measures)
    return replace(series, requests=requests, input_tokens=prompt, output_tokens=output)


def _sum_or_null(name: str) -> pl.Expr:
    """The sum; null when any part is missing, since half a sum is no measurement."""
    return pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum()).alias(name)


def _on_grid(name: str, part: pl.DataFrame, minutes: int, start: datetime | None) -> LoadSeries:
    at = part["minute"].to_numpy()

    def column(measure: str) -> NDArray[np.float64]:
        grid = np.zeros(minutes)  # a minute without a request is an observed zero
        grid[at] = part[measure].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return grid

    return LoadSeries(
        series_id=name,
        start=start,
        step=MINUTE,
        requests=column("requests"),
        input_tokens=column("input_tokens"),
        output_tokens=column("output_tokens"),
    )
