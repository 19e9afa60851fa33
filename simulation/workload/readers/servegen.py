"""ServeGen's files per client: `chunk-N-trace.csv` holds rates, `chunk-N-dataset.json` lengths."""

from __future__ import annotations

import ast
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.lines import fields, line_blocks
from simulation.workload.readers.rules import number

TRACE_NAME = re.compile(r"chunk-(\d+)-trace\.csv")
FIELDS = 6
"""Window start in seconds, requests per second, inter-arrival CV, fitted family, its two arguments."""


def client_files(path: Path) -> list[Path]:
    """The clients' trace files in a folder, by client; the file itself when it is one."""
    files = [f for f in path.iterdir() if f.is_file()] if path.is_dir() else [path]
    found = [(int(match[1]), f) for f in files if (match := TRACE_NAME.fullmatch(f.name))]
    return [file for _, file in sorted(found)]


def servegen_rows(ledger: RowLedger) -> Iterator[tuple[str, Path, pl.DataFrame]]:
    """Per client its name, its file and its good windows: `line, start_seconds, requests_per_second`.

    A window without a rate is null. Raises InvalidTrace.
    """
    folder = ledger.path
    try:
        files = client_files(folder)
    except OSError as error:
        raise ledger.refuse(f"cannot be read: {error.strerror or error}") from error
    if not files:
        raise ledger.refuse("contains no chunk-<client>-trace.csv")
    try:
        for file in files:
            ledger.path = file
            parts = [ledger.sift(_windows(block)) for block in line_blocks(ledger)]
            if parts:
                yield f"client-{file.name.split('-')[1]}", file, _sorted(pl.concat(parts), ledger)
    finally:
        ledger.path = folder


def client_lengths(trace: Path, ledger: RowLedger) -> ClientLengths:
    """The mean lengths beside a client's trace; none where there is no such file. Raises InvalidTrace."""
    beside = trace.with_name(trace.name.replace("-trace.csv", "-dataset.json"))
    if not beside.exists():
        return ClientLengths({})
    try:
        found = json.loads(beside.read_text("utf-8", errors="replace"))
        means = {int(at): _means(laws) for at, laws in found.items()}
    except (ValueError, SyntaxError, TypeError, AttributeError, OSError, RecursionError) as error:
        ledger.path = beside
        raise ledger.refuse(f"contains no length histograms: {error}"[:200]) from error
    return ClientLengths({at: mean for at, mean in means.items() if mean is not None})


class ClientLengths:
    """Mean prompt and output tokens of one client by the 6-hour window that measured them."""

    def __init__(self, means: dict[int, tuple[float, float]]) -> None:
        self._starts = sorted(means)
        self._means = means

    @property
    def known(self) -> bool:
        """True when any window measured lengths."""
        return bool(self._starts)

    def at(self, seconds: float) -> tuple[float, float]:
        """The newest means that are not after a time; NaN before the first."""
        place = bisect_right(self._starts, seconds)
        return self._means[self._starts[place - 1]] if place else (float("nan"), float("nan"))


def _windows(block: pl.DataFrame) -> pl.DataFrame:
    start, why_start = number("f0", "the window's start")
    rate, why_rate = number("f1", "the rate")
    rows = fields(block, FIELDS).select(
        "line",
        start.alias("start_seconds"),
        rate.alias("requests_per_second"),
        (pl.col("f1").str.strip_chars() == "").alias("silent"),
        why_start.alias("why_start"),
        why_rate.alias("why_rate"),
        "why",
    )
    bad_start = pl.when((pl.col("start_seconds") < 0) | pl.col("start_seconds").is_infinite()).then(
        pl.format("the window's start may not be {}", "start_seconds")
    )
    bad_rate = pl.when(
        (pl.col("requests_per_second") < 0) | pl.col("requests_per_second").is_infinite()
    ).then(pl.format("the rate may not be {}", "requests_per_second"))
    why_rate_kept = pl.when(~pl.col("silent")).then("why_rate")
    return rows.select(
        "line",
        "start_seconds",
        "requests_per_second",
        pl.coalesce("why", "why_start", why_rate_kept, bad_start, bad_rate).alias("why"),
    )


def _sorted(windows: pl.DataFrame, ledger: RowLedger) -> pl.DataFrame:
    steps = windows["start_seconds"].diff()
    late = windows.filter(steps <= 0)
    if late.height:
        raise ledger.refuse("windows are out of order or duplicated", line=int(late["line"][0]))
    return windows


def _means(laws: dict[str, str]) -> tuple[float, float] | None:
    means = [_mean(laws[kind]) for kind in ("input_tokens", "output_tokens")]
    return None if None in means else (float(means[0] or 0), float(means[1] or 0))


def _mean(law: str) -> float | None:
    """The mean of a histogram that is written as a Python dictionary: length → probability."""
    shares = {float(length): float(share) for length, share in ast.literal_eval(law).items()}
    weight = sum(shares.values())
    return sum(length * share for length, share in shares.items()) / weight if weight > 0 else None
