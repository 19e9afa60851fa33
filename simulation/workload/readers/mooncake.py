"""Request traces as JSON lines, as Mooncake publishes them: milliseconds, input and output lengths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.lines import line_blocks
from simulation.workload.readers.rules import RAW

KEYS = ("timestamp", "input_length", "output_length")


def mooncake_rows(ledger: RowLedger) -> Iterator[pl.DataFrame]:
    """Raw rows; the clock is milliseconds from the first request. Prefix hashes are left out."""
    for lines in line_blocks(ledger):
        rows = [(line, *_row(text)) for line, text in lines.iter_rows()]
        yield pl.DataFrame(rows, schema=RAW, orient="row")


Row = tuple[float | None, str, float | None, float | None, str | None]


def _row(text: str) -> Row:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _bad("is not a JSON object")
    if not isinstance(found, dict):
        return _bad("is not a JSON object")
    numbers: list[float] = []
    for key in KEYS:
        value: Any = found.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return _bad(f"{key} is not a number: {str(value)[:40]!r}")
        try:
            numbers.append(float(value))
        except OverflowError:
            return _bad(f"{key} is too long")
    return numbers[0] / 1000, "mooncake", numbers[1], numbers[2], None


def _bad(why: str) -> Row:
    return None, "mooncake", None, None, why
