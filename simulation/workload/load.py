"""Reads any trace that we know into series on a grid and a histogram of lengths, in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simulation.workload.binning import MINUTE, MinuteBins, with_holes
from simulation.workload.formats import TraceFormat, detect_format
from simulation.workload.grid import series_on_grid
from simulation.workload.lengths import LengthHistogram
from simulation.workload.readers.csv_requests import azure_rows, burstgpt_rows
from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.mooncake import mooncake_rows
from simulation.workload.readers.parquet import (
    RequestNotes,
    knows_arrivals,
    parquet_metadata,
    request_notes,
    request_rows,
    series_rows,
    whole_seconds,
)
from simulation.workload.readers.plain_csv import plain_rows, tells_instants
from simulation.workload.readers.rules import Judge, RequestRules
from simulation.workload.readers.servegen import client_lengths, servegen_rows
from simulation.workload.series import LoadSeries, model_in

OnRows = Callable[[int], None]
"""Told after each block how many rows were read so far."""

SOURCES: dict[TraceFormat, Callable[[RowLedger], Iterator[pl.DataFrame]]] = {
    TraceFormat.AZURE: azure_rows,
    TraceFormat.BURSTGPT: burstgpt_rows,
    TraceFormat.MOONCAKE: mooncake_rows,
    TraceFormat.PLAIN: plain_rows,
    TraceFormat.REQUESTS: request_rows,
}
"""The formats whose rows are requests."""


@dataclass(slots=True, kw_only=True)
class Lengths:
    """Prompt and output lengths of single requests."""

    prompt: LengthHistogram = field(default_factory=LengthHistogram)
    output: LengthHistogram = field(default_factory=LengthHistogram)

    def add(self, rows: pl.DataFrame) -> None:
        """Count the lengths of checked rows."""
        for histogram, name in ((self.prompt, "input_tokens"), (self.output, "output_tokens")):
            histogram.add(rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy())


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTrace:
    """What a trace file holds.

    `series` share one grid and are () for a file of lengths without arrivals. `lengths` is None
    where rows are bins, `model_lengths` are those of each model. `whole`: the last bin is not cut
    off, since it is a bin of the file or the file says how long it is. `said` are sentences on what
    was left out or put right while reading.
    """

    path: Path
    format: TraceFormat
    series: tuple[LoadSeries, ...]
    lengths: Lengths | None
    kept: int
    bad: int
    said: tuple[str, ...]
    time_zone: str = ""
    """The source's local time zone where its metadata names one."""
    model_lengths: Mapping[str, Lengths] = field(default_factory=dict)
    whole: bool = False


def load_trace(
    path: Path,
    *,
    wanted: TraceFormat | None = None,
    skip_bad_rows: bool = False,
    on_rows: OnRows | None = None,
) -> LoadedTrace:
    """The file (or folder), read once. Raises InvalidTrace."""
    kind = wanted or detect_format(path)
    ledger = RowLedger(path=path, skip_bad_rows=skip_bad_rows)
    if kind is TraceFormat.SERIES:
        return _series_file(ledger, kind)
    if kind is TraceFormat.SERVEGEN:
        return _servegen(ledger, kind, on_rows)
    return _requests(ledger, kind, on_rows)


def checked_requests(
    ledger: RowLedger,
    kind: TraceFormat,
    on_rows: OnRows | None = None,
    judge: Judge | None = None,
) -> Iterator[tuple[pl.DataFrame, RequestRules]]:
    """Blocks of good request rows, with the rules that know the start. Raises InvalidTrace.

    `judge` complains about more than every trace is read with.
    """
    zero = 0.0 if kind is TraceFormat.REQUESTS else None
    rules = RequestRules(ledger, absolute=_is_dated(ledger, kind), zero=zero, judge=judge)
    for block in SOURCES[kind](ledger):
        yield rules.check(block), rules
        if on_rows:
            on_rows(ledger.kept + ledger.bad)


def _is_dated(ledger: RowLedger, kind: TraceFormat) -> bool:
    """Whether the rows themselves say when they arrived, and not how long after some start."""
    return kind is TraceFormat.AZURE or (kind is TraceFormat.PLAIN and tells_instants(ledger.path))


def _requests(ledger: RowLedger, kind: TraceFormat, on_rows: OnRows | None) -> LoadedTrace:
    bins, every, by_model = MinuteBins(), Lengths(), dict[str, Lengths]()
    if kind is TraceFormat.REQUESTS and not knows_arrivals(ledger.path):
        return _lengths_only(ledger, every)
    start: datetime | None = None
    for rows, rules in checked_requests(ledger, kind, on_rows):
        start = rules.start
        bins.add(rows)
        every.add(rows)
        for (name,), part in rows.group_by("series"):
            by_model.setdefault(model_in(str(name)), Lengths()).add(part)
    notes = RequestNotes(start=start, span=None, holes={})
    if kind is TraceFormat.REQUESTS:
        notes = request_notes(ledger.path)
    least = int(notes.span / MINUTE) if notes.span else 0
    series = tuple(bins.series(notes.start, least)) if ledger.kept else ()
    if not series:
        raise ledger.refuse("contains no valid row" if ledger.bad else "contains no rows")
    loaded = _loaded(ledger, kind, with_holes(series, notes.holes), every, ledger.sentences())
    return replace(loaded, model_lengths=by_model, whole=notes.span is not None)


def _lengths_only(ledger: RowLedger, lengths: Lengths) -> LoadedTrace:
    # The rules want a time: all rows get the same, which says nothing and is thrown away.
    rules = RequestRules(ledger, absolute=False)
    for block in request_rows(ledger):
        lengths.add(rules.check(block.with_columns(at_seconds=pl.lit(0.0))))
    if not ledger.kept:
        raise ledger.refuse("contains no rows")
    said = [*ledger.sentences(), "The file contains lengths of requests but no arrival times."]
    return _loaded(ledger, TraceFormat.REQUESTS, (), lengths, said)


def _series_file(ledger: RowLedger, kind: TraceFormat) -> LoadedTrace:
    rows = series_rows(ledger)
    if rows.is_empty():
        raise ledger.refuse("contains no valid row" if ledger.bad else "contains no rows")
    metadata = parquet_metadata(ledger.path)
    interval = whole_seconds(metadata.get("interval_s", ""))
    step = timedelta(seconds=interval) if interval > 0 else None
    series, said = series_on_grid(rows, ledger, step)
    zone = metadata.get("tz_local", "").split(" ")[0]
    return _loaded(ledger, kind, tuple(series), None, [*ledger.sentences(), *said], zone)


def _servegen(ledger: RowLedger, kind: TraceFormat, on_rows: OnRows | None) -> LoadedTrace:
    frames: list[pl.DataFrame] = []
    without: list[str] = []
    for client, file, windows in servegen_rows(ledger):
        lengths = client_lengths(file, ledger)
        starts = windows["start_seconds"].to_numpy()
        if not lengths.known:
            without.append(client)
        means = np.array([lengths.at(at) for at in starts]).reshape(-1, 2)
        frames.append(_window_sums(client, windows, means))
        if on_rows:
            on_rows(ledger.kept + ledger.bad)
    if not frames or not sum(frame.height for frame in frames):
        raise ledger.refuse("contains no valid row" if ledger.bad else "contains no rows")
    series, said = series_on_grid(pl.concat(frames), ledger, None)
    # The windows count from a start that the files do not name.
    relative = tuple(replace(one, start=None) for one in series)
    said.append("Requests of a window are its rate times its length, because the files give rates.")
    if without:
        said.append(f"{len(without)} of {len(frames)} clients have no request lengths.")
    return _loaded(ledger, kind, relative, None, [*ledger.sentences(), *said], "Asia/Shanghai")


WINDOW_SECONDS = 600.0
"""ServeGen's published window, for a client with a single one."""


def _window_sums(client: str, windows: pl.DataFrame, means: NDArray[np.float64]) -> pl.DataFrame:
    least = windows["start_seconds"].diff().min()
    seconds = float(least) if isinstance(least, float) else WINDOW_SECONDS
    requests = pl.col("requests_per_second") * seconds
    return windows.select(
        "line",
        "start_seconds",
        pl.lit(client).alias("series_id"),
        requests.alias("requests"),
        (requests * pl.lit(pl.Series(means[:, 0]))).alias("input_tokens"),
        (requests * pl.lit(pl.Series(means[:, 1]))).alias("output_tokens"),
    )


def _loaded(
    ledger: RowLedger,
    kind: TraceFormat,
    series: tuple[LoadSeries, ...],
    lengths: Lengths | None,
    said: list[str],
    time_zone: str = "",
) -> LoadedTrace:
    return LoadedTrace(
        whole=not kind.holds_requests,
        path=ledger.path,
        format=kind,
        series=series,
        lengths=lengths,
        kept=ledger.kept,
        bad=ledger.bad,
        said=tuple(said),
        time_zone=time_zone,
    )
