"""Reads text files in blocks of whole lines, so that memory stays flat however long a trace is."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from simulation.workload.readers.ledger import RowLedger

BLOCK_BYTES = 8 * 1024 * 1024
LONGEST_LINE_BYTES = 1024 * 1024


def line_blocks(ledger: RowLedger, block_bytes: int = BLOCK_BYTES) -> Iterator[pl.DataFrame]:
    """Frames of `line` (from 1) and `text`, blank lines left out; a byte that is no UTF-8 becomes �.

    Raises InvalidTrace when the file cannot be read or holds a line beyond LONGEST_LINE_BYTES.
    """
    line, rest = 1, b""
    try:
        with ledger.path.open("rb") as file:
            while block := file.read(block_bytes):
                rest += block
                whole, newline, tail = rest.rpartition(b"\n")
                if newline:
                    frame = _frame(whole, line)
                    line += whole.count(b"\n") + 1
                    rest = tail
                    yield frame
                if len(rest) > max(LONGEST_LINE_BYTES, 2 * block_bytes):
                    raise ledger.refuse("the line is too long; is this a text file?", line=line)
    except OSError as error:
        raise ledger.refuse(f"cannot be read: {error.strerror or error}") from error
    if rest:
        yield _frame(rest, line)


def fields(lines: pl.DataFrame, count: int) -> pl.DataFrame:
    """The lines' comma-separated fields as `f0` … and `why` where there are not exactly `count`.

    None of the public traces quotes its fields, so a line is a row.
    """
    found = pl.col("text").str.count_matches(",", literal=True) + 1
    split = pl.col("text").str.split_exact(",", count - 1)
    names = [f"f{i}" for i in range(count)]
    return lines.select(
        "line",
        split.struct.rename_fields(names).alias("fields"),
        pl.when(found != count)
        .then(pl.format("has {} fields, expected {}", found, pl.lit(count)))
        .alias("why"),
    ).unnest("fields")


def _frame(block: bytes, first_line: int) -> pl.DataFrame:
    texts = block.decode("utf-8", errors="replace").split("\n")
    if first_line == 1:
        texts[0] = texts[0].removeprefix("\ufeff")
    return (
        pl.DataFrame({"text": texts}, schema={"text": pl.String})
        .select(
            (pl.int_range(pl.len(), dtype=pl.Int64) + first_line).alias("line"),
            pl.col("text").str.strip_chars(),
        )
        .filter(pl.col("text") != "")
    )
