"""Writes any trace as our parquet: requests row by row in flat memory, or load series per bin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from heliostat.errors import InvalidInput, InvalidTrace
from heliostat.model.instants import from_epoch
from heliostat.model.usage import WINDOW
from simulation.arrivals import ArrivalRates
from simulation.workload.formats import TraceFormat
from simulation.workload.load import LoadedTrace, OnRows, checked_requests
from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.parquet import request_start
from simulation.workload.series import LoadSeries

UNKNOWN_START = from_epoch(0)
"""Where a series file starts whose source knows relative time only; its metadata says so."""


def convert_requests(
    source: Path,
    target: Path,
    *,
    kind: TraceFormat,
    skip_bad_rows: bool = False,
    on_rows: OnRows | None = None,
) -> RowLedger:
    """Write a request trace as request parquet. Raises InvalidTrace, InvalidInput.

    Blocks go to part files first and are streamed into one; a failed conversion leaves nothing.
    """
    if not kind.holds_requests:
        raise InvalidInput("to", f"{kind} contains bins, not requests; convert it to series")
    ledger = RowLedger(path=source, skip_bad_rows=skip_bad_rows)
    parts: list[Path] = []
    start = ""
    try:
        for rows, rules in checked_requests(ledger, kind, on_rows):
            part = target.with_name(f".{target.name}.{len(parts)}.part")
            parts.append(part)
            _request_columns(rows, str(kind)).write_parquet(part)
            at = request_start(source) if kind is TraceFormat.REQUESTS else rules.start
            start = at.isoformat() if at else ""
        if not ledger.kept:
            raise ledger.refuse("contains no valid row" if ledger.bad else "contains no rows")
        notes = {"kind": "requests", "origin": source.name, "start_ts": start}
        pl.scan_parquet(parts).sink_parquet(target, compression="zstd", metadata=notes)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return ledger


def convert_series(trace: LoadedTrace, target: Path) -> int:
    """Write a loaded trace as series parquet; gives the rows written. Raises InvalidInput, InvalidTrace."""
    if not trace.series:
        raise InvalidInput(
            "to", f"{trace.path} contains lengths without arrivals: there is no series"
        )
    zone = {"tz_local": trace.time_zone} if trace.time_zone else {}
    return write_series(trace.series, target, {"origin": trace.path.name, **zone})


def write_series(series: Sequence[LoadSeries], target: Path, notes: dict[str, str]) -> int:
    """Write series of one bin length as series parquet; gives the rows written. Raises InvalidTrace."""
    first = series[0]
    status = "exact" if first.start else "unknown: counted from 1970"
    notes = {
        **notes,
        "interval_s": f"{first.step.total_seconds():g}",
        "start_ts_status": status,
    }
    frame = pl.concat([_series_frame(one) for one in series])
    try:
        frame.write_parquet(target, compression="zstd", metadata=notes)
    except OSError as error:
        raise _unwritable(target, error) from error
    return frame.height


def arrivals_as_series(arrivals: ArrivalRates) -> list[LoadSeries]:
    """Arrivals as load series named `region/model/tier`, on their own minutes."""
    return [
        LoadSeries(
            series_id=str(demand),
            start=arrivals.start,
            step=WINDOW,
            requests=arrivals.by_demand[demand].offered,
            input_tokens=arrivals.by_demand[demand].input_tokens,
            output_tokens=arrivals.by_demand[demand].output_tokens,
        )
        for demand in arrivals.demands
    ]


def _request_columns(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    return rows.select(
        "arrival_s",
        pl.col("series").alias("model"),
        pl.col("input_tokens").cast(pl.Int32),
        pl.col("output_tokens").cast(pl.Int32),
        pl.lit(source).alias("source"),
    )


def _series_frame(series: LoadSeries) -> pl.DataFrame:
    origin = int((series.start or UNKNOWN_START).timestamp() * 1000)
    step = int(series.step.total_seconds() * 1000)
    at = origin + step * np.arange(len(series), dtype=np.int64)
    return pl.DataFrame(
        {
            "start_ts": pl.Series(at).cast(pl.Datetime("ms", "UTC")),
            "series_id": pl.Series([series.series_id] * len(series)),
            "requests": pl.Series(series.requests).fill_nan(None),
            "input_tokens": pl.Series(series.input_tokens).fill_nan(None),
            "output_tokens": pl.Series(series.output_tokens).fill_nan(None),
        }
    )


def _unwritable(target: Path, error: OSError) -> InvalidTrace:
    return InvalidTrace(str(target), f"cannot be written: {error.strerror or error}")
