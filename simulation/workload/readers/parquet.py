"""Our own parquet formats: request traces (`arrival_s`, tokens), load series (`start_ts`, sums per bin)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from heliostat.errors import HeliostatError, InvalidTrace
from heliostat.model.instants import FIRST_YEAR, LAST_YEAR, Span
from heliostat.model.names import RegionName
from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.rules import LONGEST_SPAN_SECONDS
from simulation.workload.readers.whose import series_of
from simulation.workload.series import DEMAND_PARTS

BLOCK_ROWS = 200_000
SPAN_NOTE, HOLES_NOTE = "span_s", "holes"
"""Metadata keys: a request file's length in seconds, and `{origin: [[begin, end], …]}` of its holes."""
_TICKS = {"ms": 1e3, "us": 1e6, "ns": 1e9}
_DIGITS = re.compile("[0-9]{1,9}")
_LATEST_SECONDS = 253_370_764_800
REQUEST_COLUMNS = ("arrival_s", "input_tokens", "output_tokens")
SERIES_KEYS = ("start_ts", "series_id")
MEASURES = ("requests", "input_tokens", "output_tokens")


def parquet_columns(path: Path) -> dict[str, pl.DataType]:
    """The file's columns and types. Raises InvalidTrace when it is no readable parquet file."""
    with _typed_errors(path):
        return dict(pl.read_parquet_schema(path))


def parquet_metadata(path: Path) -> dict[str, str]:
    """The file's own notes (licence, citation, time zone …). Raises InvalidTrace."""
    with _typed_errors(path):
        return dict(pl.read_parquet_metadata(path))


def knows_arrivals(path: Path) -> bool:
    """False when a request file holds no arrival time at all. Raises InvalidTrace."""
    with _typed_errors(path):
        return bool(pl.scan_parquet(path).select(pl.col("arrival_s").count()).collect().item())


def request_rows(ledger: RowLedger) -> Iterator[pl.DataFrame]:
    """Raw rows of a request trace; a null count = not measured.

    Series are the models in it, or `origin/model/tier` where the file says more of where each request
    comes from and what it was promised (`series_of`).
    """
    columns = parquet_columns(ledger.path)
    missing = [name for name in REQUEST_COLUMNS if name not in columns]
    if missing:
        raise ledger.refuse(f"lacks the columns {', '.join(missing)}")
    _check_numbers(ledger, columns, REQUEST_COLUMNS)
    series = series_of({part: pl.col(part) for part in DEMAND_PARTS if part in columns})
    for block in _blocks(ledger, BLOCK_ROWS):
        yield block.select(
            "line",
            _as_number("arrival_s").alias("at_seconds"),
            series.alias("series"),
            _as_number("input_tokens").alias("input_tokens"),
            _as_number("output_tokens").alias("output_tokens"),
            pl.lit(None, dtype=pl.String).alias("why"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestNotes:
    """What the metadata of a request file says of its time; None and {} where it does not.

    `span` is its whole length, silence at the end included. `holes` are the stretches, per origin,
    of which nothing is known.
    """

    start: datetime | None
    span: timedelta | None
    holes: Mapping[RegionName, tuple[Span, ...]]


def request_notes(path: Path) -> RequestNotes:
    """Start, length and holes of a request file. Raises InvalidTrace, naming the key."""
    notes = parquet_metadata(path)
    span = notes.get(SPAN_NOTE, "")
    if span and whole_seconds(span) % 60 != 0:
        raise InvalidTrace(
            f"{path}: {SPAN_NOTE}",
            f"{span[:40]!r} is not a whole number of minutes, at most ten years",
        )
    start = request_start(path)
    if start is not None and not FIRST_YEAR < start.year < LAST_YEAR:
        raise InvalidTrace(
            f"{path}: start_ts", f"{start:%Y} is outside the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    return RequestNotes(
        start=start,
        span=timedelta(seconds=int(span)) if span else None,
        holes=_holes(path, notes.get(HOLES_NOTE, "")),
    )


def whole_seconds(text: str) -> int:
    """Seconds in a note, -1 where it holds no whole number of them or more than ten years."""
    seconds = int(text) if _DIGITS.fullmatch(text) else -1
    return seconds if seconds <= LONGEST_SPAN_SECONDS else -1


def _holes(path: Path, text: str) -> Mapping[RegionName, tuple[Span, ...]]:
    try:
        found = json.loads(text or "{}")
        return {
            RegionName(origin): tuple(
                Span(datetime.fromisoformat(begin), datetime.fromisoformat(end))
                for begin, end in spans
            )
            for origin, spans in found.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError, HeliostatError) as error:
        raise InvalidTrace(f"{path}: {HOLES_NOTE}", f"cannot be read: {error}") from error


def request_start(path: Path) -> datetime | None:
    """The absolute start that the file's metadata gives, to the second; None where it gives none."""
    text = parquet_metadata(path).get("start_ts", "").replace("Z", "+00:00")
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if start.tzinfo is None else start.replace(microsecond=0)


def series_rows(ledger: RowLedger) -> pl.DataFrame:
    """All rows of a series file, checked: `line, start_ts, series_id, requests, input_tokens, output_tokens`.

    A measure that the file does not have is null throughout. Raises InvalidTrace.
    """
    columns = parquet_columns(ledger.path)
    missing = [name for name in SERIES_KEYS if name not in columns]
    if missing or not any(name in columns for name in MEASURES):
        raise ledger.refuse(f"lacks the columns {', '.join(missing or MEASURES)}")
    if not isinstance(columns["start_ts"], pl.Datetime):
        raise ledger.refuse(f"start_ts holds {columns['start_ts']}, not instants")
    _check_numbers(ledger, columns, MEASURES)
    frames = [ledger.sift(_series_block(block, columns)) for block in _blocks(ledger, BLOCK_ROWS)]
    if not frames:
        raise ledger.refuse("contains no rows")
    return pl.concat(frames)


def _series_block(block: pl.DataFrame, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    measures = [
        (_as_number(name) if name in columns else pl.lit(None, dtype=pl.Float64)).alias(name)
        for name in MEASURES
    ]
    unit = columns["start_ts"]
    assert isinstance(unit, pl.Datetime)
    # The stored number itself: a damaged file may hold instants that polars cannot convert.
    start = pl.col("start_ts").to_physical() / _TICKS[unit.time_unit]
    rows = block.select(
        "line", start.alias("start_seconds"), pl.col("series_id").cast(pl.String), *measures
    )
    why = [
        pl.when(pl.col("start_seconds").is_null()).then(pl.lit("start_ts is missing")),
        pl.when(~pl.col("start_seconds").is_between(0, _LATEST_SECONDS)).then(
            pl.lit("start_ts is outside the years 1970 to 9999")
        ),
        pl.when(pl.col("series_id").is_null()).then(pl.lit("series_id is missing")),
        *(
            pl.when((pl.col(name) < 0) | pl.col(name).is_infinite()).then(
                pl.format("{} may not be {}", pl.lit(name), pl.col(name))
            )
            for name in MEASURES
        ),
    ]
    return rows.with_columns(why=pl.coalesce(*why))


def _check_numbers(
    ledger: RowLedger, columns: dict[str, pl.DataType], names: tuple[str, ...]
) -> None:
    """Refuses columns of instants, lists and the like: no cast makes a count of them."""
    for name in names:
        kind = columns.get(name, pl.Null())
        if not (kind.is_numeric() or kind in (pl.String, pl.Null)):
            raise ledger.refuse(f"{name} holds {kind}, not numbers")


def _as_number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False).fill_nan(None)


def _blocks(ledger: RowLedger, rows: int) -> Iterator[pl.DataFrame]:
    """The file in slices, with `line` = row number from 1."""
    with _typed_errors(ledger.path):
        scan = pl.scan_parquet(ledger.path)
        total = int(scan.select(pl.len()).collect().item())
    for offset in range(0, total, rows):
        with _typed_errors(ledger.path):
            part = scan.slice(offset, rows).collect()
        yield part.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64) + (offset + 1))


@contextmanager
def _typed_errors(path: Path) -> Iterator[None]:
    """What polars says of a damaged file, as InvalidTrace; it panics on some of them."""
    try:
        yield
    except (PolarsError, PanicException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InvalidTrace(str(path), f"is not a readable parquet file: {reason}") from error
