"""Readers take a trace block by block: one of twice the length needs no more memory at a time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simulation.workload.formats import TraceFormat
from simulation.workload.load import checked_requests, load_trace
from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.lines import BLOCK_BYTES
from tests.simulation.workload.samples import requests_file

ROWS = 500_000
"""Several blocks of every format."""
_PER_SECOND = 50


def azure(rows: int) -> str:
    lines = pl.select(
        pl.format(
            "2023-11-16 18:{}:{}.{},374,44",
            (pl.int_range(rows) // 3000 % 60).cast(pl.String).str.zfill(2),
            (pl.int_range(rows) // 50 % 60).cast(pl.String).str.zfill(2),
            (pl.int_range(rows) % 50).cast(pl.String).str.zfill(7),
        )
    )
    hour = 3000 * 60
    texts = lines.to_series().to_list()
    dated = (text.replace(" 18:", f" {n // hour:02}:") for n, text in enumerate(texts))
    return "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(dated) + "\n"


def burstgpt(rows: int) -> str:
    head = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    return head + "".join(f"{n / _PER_SECOND},GPT-4,417,276,693,API log\n" for n in range(rows))


def a_trace(kind: TraceFormat, folder: Path, rows: int) -> Path:
    if kind is TraceFormat.REQUESTS:
        return requests_file(folder, (np.arange(rows) / _PER_SECOND).tolist())
    texts: dict[TraceFormat, Callable[[int], str]] = {
        TraceFormat.AZURE: azure,
        TraceFormat.BURSTGPT: burstgpt,
    }
    path = folder / "trace.txt"
    path.write_text(texts[kind](rows), "utf-8")
    assert path.stat().st_size > 2 * BLOCK_BYTES
    return path


def peak_and_longest_block(path: Path, kind: TraceFormat) -> tuple[int, int]:
    """Bytes that Python and numpy held at most while the trace was read, and its longest block; what
    polars holds are such blocks."""
    ledger = RowLedger(path=path, skip_bad_rows=False)
    longest = max(len(block) for block, _ in checked_requests(ledger, kind))
    tracemalloc.start()
    load_trace(path, wanted=kind)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, longest


@pytest.mark.parametrize(
    "kind",
    [TraceFormat.AZURE, TraceFormat.BURSTGPT, TraceFormat.REQUESTS],
)
def test_a_trace_of_twice_the_length_needs_no_more_memory(
    tmp_path: Path, kind: TraceFormat
) -> None:
    (peak, longest), (doubled, longest_of_double) = (
        peak_and_longest_block(a_trace(kind, tmp_path, rows), kind) for rows in (ROWS, 2 * ROWS)
    )
    assert doubled < 1.1 * peak
    assert longest_of_double <= 1.05 * longest < 0.6 * ROWS
