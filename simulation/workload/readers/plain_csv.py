"""Request traces as plain CSV, as people write their own: an arrival, two counts, and whose request it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from heliostat.errors import InvalidTrace
from heliostat.model.instants import FIRST_YEAR, LAST_YEAR
from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.lines import BLOCK_BYTES, fields, line_blocks
from simulation.workload.readers.rules import LONGEST_SPAN_SECONDS, clock_text, number
from simulation.workload.readers.whose import series_of
from simulation.workload.series import DEMAND_PARTS

PLAIN_HEADER = ("arrival", "input_tokens", "output_tokens")
"""Columns that every such file has; `origin`, `model` and `tier` may stand beside them."""

RIGHT_HEADER = (
    f"a request CSV must start with {','.join(PLAIN_HEADER)} and may add "
    f"{', '.join(DEMAND_PARTS)} (docs/traces.md)"
)
_PEEK_BYTES = 64 * 1024


def header_names(line: str) -> list[str]:
    """The names in a header line, without quotes and blanks round them."""
    return [name.strip() for name in line.replace('"', "").split(",")]


def lacking(path: Path, names: list[str]) -> InvalidTrace:
    """The error about a table whose header misses what a request CSV needs."""
    missing = [name for name in PLAIN_HEADER if name not in names]
    kind = "column" if len(missing) == 1 else "columns"
    found = ", ".join(names)
    return InvalidTrace(
        f"{path}:1",
        f"lacks the {kind} {', '.join(missing)}; its header names {found[:200]}",
        remedy=RIGHT_HEADER,
    )


def plain_rows(ledger: RowLedger) -> Iterator[pl.DataFrame]:
    """Raw rows. The clock is UTC or seconds, as `tells_instants` finds; an empty count = not measured.

    Series are models, or `origin/model/tier` where the file says more (`series_of`). Other columns are
    left out. Fields may be quoted and hold no comma.
    """
    absolute = tells_instants(ledger.path)
    for at, rows in _tables(ledger, BLOCK_BYTES):
        arrival, why_arrival = _instant(at["arrival"]) if absolute else _seconds(at["arrival"])
        input_tokens, why_input = _count(at["input_tokens"], "input_tokens")
        output_tokens, why_output = _count(at["output_tokens"], "output_tokens")
        named = {part: pl.col(at[part]).str.strip_chars() for part in DEMAND_PARTS if part in at}
        yield rows.select(
            "line",
            arrival.alias("at_seconds"),
            series_of(named).alias("series"),
            input_tokens.alias("input_tokens"),
            output_tokens.alias("output_tokens"),
            pl.coalesce("why", why_arrival, why_input, why_output).alias("why"),
        )


def tells_instants(path: Path) -> bool:
    """Whether `arrival` holds instants, which give the trace its start; False = seconds.

    The first row tells that can be read in one way or the other. Raises InvalidTrace.
    """
    for at, rows in _tables(RowLedger(path=path), _PEEK_BYTES):
        field = at["arrival"]
        found = rows.select(instant=_instant(field)[0], seconds=number(field, field)[0])
        for instant, seconds in found.iter_rows():
            if (instant, seconds) != (None, None):
                return instant is not None
    return True


def _tables(ledger: RowLedger, block_bytes: int) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
    """The file in blocks of fields, with the field of every column of its header. Raises InvalidTrace."""
    names: list[str] = []
    for lines in line_blocks(ledger, block_bytes):
        plain = lines.with_columns(pl.col("text").str.replace_all('"', "", literal=True))
        if not plain.height:
            continue
        if not names:
            names = header_names(plain["text"][0])
            if not set(PLAIN_HEADER) <= set(names):
                raise lacking(ledger.path, names)
            if len(set(names)) < len(names):
                raise ledger.refuse("a column appears twice in the header", line=1)
            plain = plain.slice(1)
        yield {name: f"f{place}" for place, name in enumerate(names)}, fields(plain, len(names))


def _count(field: str, name: str) -> tuple[pl.Expr, pl.Expr]:
    """A number of tokens; an empty field is null and no complaint."""
    value, why = number(field, name)
    return value, pl.when(pl.col(field).str.strip_chars() != "").then(why)


def _seconds(field: str) -> tuple[pl.Expr, pl.Expr]:
    value, why = number(field, "arrival")
    # Seconds since 1970 would be taken for a trace without a date, and lose the hour of the day.
    far = pl.when(value > LONGEST_SPAN_SECONDS).then(
        pl.format(
            "arrival {} is more than ten years in seconds; use seconds from the first request, or "
            "instants such as 2026-02-06T10:00:00Z",
            value,
        )
    )
    return value, pl.coalesce(why, far)


def _instant(field: str) -> tuple[pl.Expr, pl.Expr]:
    """Epoch seconds of `2026-02-06T10:00:00.25+01:00`; a blank for the T and `Z`, `UTC` or `+01` will do."""
    plain = (
        pl.col(field)
        .str.strip_chars()
        .str.replace(r"\s?(Z|UTC)$", "+00:00")
        .str.replace(r"([+-]\d{2})$", "${1}:00")
    )
    at = clock_text(plain).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False)
    why = pl.when(at.is_null()).then(
        pl.format(
            "arrival is not an instant with a time zone, such as 2026-02-06T10:00:00Z: '{}'",
            pl.col(field).fill_null("").str.head(40),
        )
    )
    beyond = pl.when(~at.dt.year().is_between(FIRST_YEAR, LAST_YEAR, closed="none")).then(
        pl.format("arrival is outside the years {} to {}", pl.lit(FIRST_YEAR), pl.lit(LAST_YEAR))
    )
    return at.dt.epoch("us") / 1e6, pl.coalesce(why, beyond)
