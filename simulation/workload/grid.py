"""Puts the rows of a series file on one regular grid; absent bins stay missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simulation.workload.readers.ledger import RowLedger
from simulation.workload.series import LoadSeries

MOST_BINS = 6_000_000
"""Ten years of minutes."""


def series_on_grid(
    rows: pl.DataFrame, ledger: RowLedger, step: timedelta | None
) -> tuple[list[LoadSeries], list[str]]:
    """The series, by name, on the grid that spans them all, and what must be said about that.

    `step` is the bin length that the file's metadata gives; without it the shortest distance
    between two bins of a series. Raises InvalidTrace on bins that are off the grid or appear twice.
    """
    said: list[str] = []
    ordered = rows.sort("series_id", "start_seconds", maintain_order=True)
    if not ordered["line"].equals(rows.sort("series_id", maintain_order=True)["line"]):
        said.append("Rows were not in time order; they were sorted.")
    gap = pl.col("start_seconds").diff().over("series_id")
    twice = ordered.filter(gap == 0)
    if twice.height:
        name = twice["series_id"][0]
        raise ledger.refuse(f"{name} has this bin twice", line=int(twice["line"][0]))
    seconds = _step_seconds(ordered, gap, step, ledger)
    first, last = float(ordered["start_seconds"].min()), float(ordered["start_seconds"].max())  # type: ignore[arg-type]  # a float column
    _check_grid(ordered, first, last, seconds, ledger)
    bins = round((last - first) / seconds) + 1
    start = datetime.fromtimestamp(first, UTC).replace(microsecond=0)
    series = [
        _one(str(name), part, bins, start, seconds)
        for (name,), part in ordered.group_by("series_id", maintain_order=True)
    ]
    absent = sum(bins - part.height for _, part in ordered.group_by("series_id"))
    if absent:
        said.append(f"{absent:,} bins have no row; they count as missing, not as zero.")
    return series, said


def _step_seconds(
    ordered: pl.DataFrame, gap: pl.Expr, step: timedelta | None, ledger: RowLedger
) -> float:
    if step is not None:
        return step.total_seconds()
    least = ordered.select(gap.min()).item()
    if least is None:
        raise ledger.refuse("has one bin per series, so the bin length is unknown")
    return float(least)


def _check_grid(
    ordered: pl.DataFrame, first: float, last: float, seconds: float, ledger: RowLedger
) -> None:
    if seconds <= 0 or (last - first) / seconds > MOST_BINS:
        raise ledger.refuse(f"spans more than {MOST_BINS:,} bins of {seconds:g} s")
    off = ordered.filter(
        ((pl.col("start_seconds") - first) % seconds).is_between(1e-3, seconds - 1e-3)
    )
    if off.height:
        line = int(off["line"][0])
        raise ledger.refuse(f"the bin does not start on the grid of {seconds:g} s", line=line)


def _one(name: str, part: pl.DataFrame, bins: int, start: datetime, seconds: float) -> LoadSeries:
    origin = start.timestamp()
    at = np.rint((part["start_seconds"].to_numpy() - origin) / seconds).astype(np.int64)

    def column(measure: str) -> NDArray[np.float64]:
        grid = np.full(bins, np.nan)
        grid[at] = part[measure].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return grid

    return LoadSeries(
        series_id=name,
        start=start,
        step=timedelta(seconds=seconds),
        requests=column("requests"),
        input_tokens=column("input_tokens"),
        output_tokens=column("output_tokens"),
    )
