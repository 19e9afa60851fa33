"""Writes any source of requests as request parquet: row groups in order of time, memory flat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from heliostat.errors import InvalidTrace
from heliostat.model.usage import WINDOW
from simulation.requests.columns import RequestColumns, joined
from simulation.requests.holes import hole_spans
from simulation.requests.source import RequestSource
from simulation.workload.readers.parquet import HOLES_NOTE, SPAN_NOTE

ROW_GROUP = 200_000
_CHUNK = timedelta(minutes=15)

OnWritten = Callable[[int, float], None]
"""Told after each row group how many requests were written so far, and how many seconds they cover."""


def write_requests(
    source: RequestSource,
    target: Path,
    *,
    notes: Mapping[str, str],
    on_written: OnWritten | None = None,
) -> int:
    """Write the source's run; gives the number of requests. Raises InvalidTrace.

    Columns: `arrival_s` from the start, `origin`, `model`, `tier`, `input_tokens`, `output_tokens`.
    Start, length and holes go into the metadata beside `notes`. Row groups go to part files first
    and are streamed into one; a failure leaves the target as it was.
    """
    parts: list[Path] = []
    beside = target.with_name(f".{target.name}.part")
    written = 0
    try:
        for rows, until in _row_groups(source):
            parts.append(target.with_name(f".{target.name}.{len(parts)}.part"))
            _frame(source, rows).write_parquet(parts[-1])
            written += len(rows)
            if on_written:
                on_written(written, (until - source.start).total_seconds())
        if not written:
            raise InvalidTrace(str(target), "would be empty: the source has no requests")
        told = dict(notes) | _own_notes(source)
        pl.scan_parquet(parts).sink_parquet(
            beside, compression="zstd", row_group_size=ROW_GROUP, metadata=told
        )
        beside.replace(target)
    except OSError as error:
        raise InvalidTrace(str(target), f"cannot be written: {error.strerror or error}") from error
    finally:
        for part in (*parts, beside):
            part.unlink(missing_ok=True)
    return written


def _row_groups(source: RequestSource) -> Iterator[tuple[RequestColumns, datetime]]:
    """Requests in groups of about ROW_GROUP, each with the instant up to which it goes."""
    group: list[RequestColumns] = []
    for begin in source.span.steps(_CHUNK):
        end = min(begin + _CHUNK, source.span.end)
        group.append(source.between(begin, end))
        if sum(map(len, group)) >= ROW_GROUP or end == source.span.end:
            yield joined(group), end
            group = []


def _frame(source: RequestSource, rows: RequestColumns) -> pl.DataFrame:
    demands = source.demands
    names = [
        pl.Series(name, values, dtype=pl.Enum(sorted(set(values)))).gather(rows.demand)
        for name, values in (
            ("origin", [str(demand.origin) for demand in demands]),
            ("model", [str(demand.model) for demand in demands]),
            ("tier", [str(demand.tier) for demand in demands]),
        )
    ]
    return pl.DataFrame(
        [
            pl.Series("arrival_s", rows.arrival_seconds),
            *names,
            pl.Series("input_tokens", rows.input_tokens),
            pl.Series("output_tokens", rows.output_tokens),
        ]
    )


def _own_notes(source: RequestSource) -> dict[str, str]:
    span = source.span
    holes: dict[str, list[list[str]]] = {}
    for origin in sorted({demand.origin for demand in source.demands}):
        known = np.array([source.known(origin, at) for at in span.steps(WINDOW)])
        spans = hole_spans(known, span.start)
        if spans:
            holes[origin] = [[hole.start.isoformat(), hole.end.isoformat()] for hole in spans]
    return {
        "kind": "requests",
        "start_ts": span.start.isoformat(),
        SPAN_NOTE: str(int(span.length.total_seconds())),
        HOLES_NOTE: json.dumps(holes),
    }
