"""The measured load series below HELIOSTAT_DATA, as demand: what forecasts are judged on.

Requests stand for tokens where tokens were only estimated: the errors that are reported have no unit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from heliostat.model.demand import BUCKET, DemandSeries
from heliostat.model.names import DemandKey, ModelName, RegionName, SeriesKey, Tier, TokenKind


@dataclass(frozen=True, slots=True)
class Source:
    """Where one series lies: its file, its name in there, the column and the length of its bins."""

    name: str
    file: str
    series_id: str
    column: str
    bin: timedelta


_HOUR, _TEN, _ONE = timedelta(hours=1), timedelta(minutes=10), timedelta(minutes=1)
SOURCES = (
    Source("azure2024", "azure2024_conv_hourly", "azure2024/conv", "requests", _HOUR),
    Source(
        "burstgpt-chat", "burstgpt1_days00-34_hourly", "burstgpt1/conversation", "requests", _HOUR
    ),
    Source("burstgpt-api", "burstgpt1_days00-34_hourly", "burstgpt1/api", "requests", _HOUR),
    Source("servegen-m-small", "servegen_m-small", "servegen/m-small/_total", "requests", _TEN),
    Source("servegen-m-large", "servegen_m-large", "servegen/m-large/_total", "requests", _TEN),
    Source("sageserve-prod", "sageserve_A_1min", "sageserve/A/prod", "input_tokens", _ONE),
    Source("sageserve-dev", "sageserve_A_1min", "sageserve/A/dev", "input_tokens", _ONE),
)


def data_folder() -> Path | None:
    """Where measured data lie; None when HELIOSTAT_DATA names no folder that has series."""
    folder = Path(os.environ.get("HELIOSTAT_DATA", "")) / "series"
    return folder if "HELIOSTAT_DATA" in os.environ and folder.is_dir() else None


def read_all(folder: Path) -> Iterator[tuple[str, DemandSeries]]:
    """Every source by name; bins shorter than ten minutes become quarter hours with peaks."""
    for source in SOURCES:
        yield source.name, read(folder, source)


def read(folder: Path, source: Source) -> DemandSeries:
    """Rates per second on the source's bins, or on quarter hours whose peaks are its minutes."""
    table = (
        pl.read_parquet(folder / f"{source.file}.parquet")
        .filter(pl.col("series_id").cast(pl.String) == source.series_id)
        .sort("start_ts")
        .select("start_ts", rate=pl.col(source.column) / source.bin.total_seconds())
    )
    step = source.bin
    if source.bin < _TEN:
        step = BUCKET
        buckets = table.group_by_dynamic("start_ts", every=step)
        table = buckets.agg(peak=pl.col("rate").max(), rate=pl.col("rate").mean())
    else:
        # Without minutes inside nothing is known about peaks.
        table = table.with_columns(peak=pl.lit(None, dtype=pl.Float64))
    start: datetime = table["start_ts"][0]
    return DemandSeries(
        key=SeriesKey(
            demand=DemandKey(
                origin=RegionName("measured"),
                model=ModelName(source.name),
                tier=Tier.INTERACTIVE_NORMAL,
            ),
            kind=TokenKind.INPUT,
        ),
        start=start.astimezone(UTC).replace(microsecond=0),
        step=step,
        tokens_per_second=tuple(table["rate"].to_list()),
        peak_tokens_per_second=tuple(table["peak"].to_list()),
    )
