"""Request traces as CSV: Azure's LLM inference traces and BurstGPT, told apart by their header line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.lines import fields, line_blocks
from simulation.workload.readers.rules import clock_text, number

AZURE_HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
BURSTGPT_HEADER = ("Timestamp", "Model", "Request tokens", "Response tokens")
"""Columns that we read; BurstGPT files have two more, its third file four more."""


def azure_rows(ledger: RowLedger) -> Iterator[pl.DataFrame]:
    """Raw rows of an Azure trace (2023 or 2024); the clock is absolute, UTC where no offset is given."""
    return _rows(ledger, AZURE_HEADER, lambda at: (pl.lit("azure"), _instant(at[0]), at[1], at[2]))


def burstgpt_rows(ledger: RowLedger) -> Iterator[pl.DataFrame]:
    """Raw rows of a BurstGPT trace; the clock is seconds from some start, series are `model/log type`."""
    return _rows(
        ledger,
        BURSTGPT_HEADER,
        lambda at: (pl.col(at[1]), number(at[0], "Timestamp"), at[2], at[3]),
    )


Columns = Callable[[list[str]], tuple[pl.Expr, tuple[pl.Expr, pl.Expr], str, str]]
"""Field names of the wanted columns → series, (time, complaint), input field, output field."""


def _rows(ledger: RowLedger, wanted: tuple[str, ...], columns: Columns) -> Iterator[pl.DataFrame]:
    header: list[str] | None = None
    for lines in line_blocks(ledger):
        block = lines
        if header is None:
            header = [name.strip() for name in str(block["text"][0]).split(",")]
            missing = [name for name in wanted if name not in header]
            if missing:
                raise ledger.refuse(f"the header lacks {', '.join(missing)}", line=1)
            block = block.slice(1)
        at = [f"f{header.index(name)}" for name in wanted]
        series, (time, why_time), source, sink = columns(at)
        input_tokens, why_input = number(source, wanted[-2])
        output_tokens, why_output = number(sink, wanted[-1])
        yield fields(block, len(header)).select(
            "line",
            time.alias("at_seconds"),
            series.alias("series"),
            input_tokens.alias("input_tokens"),
            output_tokens.alias("output_tokens"),
            pl.coalesce("why", why_time, why_input, why_output).alias("why"),
        )


def _instant(field: str) -> tuple[pl.Expr, pl.Expr]:
    """Epoch seconds of `2023-11-16 18:15:46.6805900` or `2024-05-10 00:00:00.009930+00:00`."""
    plain = pl.col(field).str.strip_chars().str.replace(r"(Z|[+-]00:?00)$", "")
    at = clock_text(plain).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    why = pl.when(at.is_null()).then(
        pl.format("TIMESTAMP is not a UTC instant: '{}'", pl.col(field).fill_null("").str.head(40))
    )
    return at.dt.epoch("us") / 1e6, why
