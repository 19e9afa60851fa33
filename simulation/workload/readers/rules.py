"""The rules that every request row obeys, whatever file it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from simulation.workload.readers.ledger import RowLedger

LONGEST_SPAN_SECONDS = 10 * 366 * 86_400
MOST_TOKENS = 10_000_000
"""No context window reaches this: a longer prompt is a broken row."""

RAW = {
    "line": pl.Int64,
    "at_seconds": pl.Float64,
    "series": pl.String,
    "input_tokens": pl.Float64,
    "output_tokens": pl.Float64,
    "why": pl.String,
}
"""What a format's parser makes of its rows: time on the file's own clock, `why` where unreadable."""


def number(field: str, name: str) -> tuple[pl.Expr, pl.Expr]:
    """A text field as a number, and the complaint where it is none."""
    value = pl.col(field).str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)
    why = pl.when(value.is_null()).then(
        pl.format(
            "{} is not a number: '{}'", pl.lit(name), pl.col(field).fill_null("").str.head(40)
        )
    )
    return value, why


def clock_text(text: pl.Expr) -> pl.Expr:
    """An instant as polars reads it: a blank for the T, and no finer than a microsecond."""
    return text.str.replace("T", " ", literal=True).str.replace(r"(\.\d{6})\d+", "$1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What somebody holds against rows: `why`, null = nothing, and by `why` what helps against it."""

    why: pl.Expr
    remedies: Mapping[str, str] = field(default_factory=dict)


Judge = Callable[[pl.DataFrame], Sequence[Complaint]]
"""A caller's own complaints about a block of raw rows."""


class RequestRules:
    """Checks rows in file order, block by block: readable, sorted, sizes that a request can have.

    `start` is the instant of the first good row where the file's clock is absolute. `zero` is what
    the file's clock shows at its start; None = at the first good row. `judge` knows what the caller
    demands beyond.
    """

    def __init__(
        self,
        ledger: RowLedger,
        *,
        absolute: bool,
        zero: float | None = None,
        judge: Judge | None = None,
    ) -> None:
        self._ledger = ledger
        self._absolute = absolute
        self._zero = zero
        self._judge = judge
        self._first: float | None = None
        self._latest = float("-inf")

    @property
    def start(self) -> datetime | None:
        """When the trace starts, in whole seconds; None when the file does not say or held no row."""
        if self._first is None or not self._absolute:
            return None
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(self._first))

    def check(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Good rows as `line, arrival_s, series, input_tokens, output_tokens`. Raises InvalidTrace.

        `arrival_s` counts from the start; a null count = not measured.
        """
        more = self._judge(rows) if self._judge else ()
        remedies = {why: remedy for one in more for why, remedy in one.remedies.items()}
        why = pl.coalesce(
            pl.col("why"),
            *_size("input_tokens"),
            *_size("output_tokens"),
            self._time(),
            *(one.why for one in more),
        )
        rows = rows.with_columns(why=why)
        rows = rows.with_columns(why=pl.coalesce("why", self._too_far(rows)))
        # A row is late against the latest good row before it, wherever that stood.
        good_at = pl.when(pl.col("why").is_null()).then(pl.col("at_seconds"))
        latest = pl.max_horizontal(
            good_at.cum_max().forward_fill().shift(1), pl.lit(self._latest, dtype=pl.Float64)
        )
        late = pl.when(pl.col("at_seconds") < latest).then(
            pl.lit("arrives before the previous row; sort the file by time first")
        )
        good = self._ledger.sift(rows.with_columns(why=pl.coalesce("why", late)), remedies)
        if good.height:
            if self._first is None:
                self._first = float(good["at_seconds"][0])
            self._latest = float(good["at_seconds"][-1])
        zero = (self._first or 0.0) if self._zero is None else self._zero
        return good.select(
            "line",
            (pl.col("at_seconds") - zero).alias("arrival_s"),
            "series",
            "input_tokens",
            "output_tokens",
        )

    def _time(self) -> pl.Expr:
        at = pl.col("at_seconds")
        unreadable = pl.when(at.is_null() | at.is_nan() | at.is_infinite()).then(
            pl.lit("the arrival time cannot be read")
        )
        if self._zero is None:
            return unreadable
        early = pl.when(at < self._zero).then(
            pl.format("arrives before the start, at {} s", at - self._zero)
        )
        return pl.coalesce(unreadable, early)

    def _too_far(self, rows: pl.DataFrame) -> pl.Expr:
        first = self._first if self._zero is None else self._zero
        if first is None:
            good = rows.filter(pl.col("why").is_null())
            first = float(good["at_seconds"][0]) if good.height else 0.0
        return pl.when(pl.col("at_seconds") - first > LONGEST_SPAN_SECONDS).then(
            pl.lit(
                f"arrives more than ten years after the {'first row' if self._zero is None else 'start'}"
            )
        )


def _size(column: str) -> tuple[pl.Expr, pl.Expr]:
    value = pl.col(column)
    name = pl.lit(column.replace("_", " "))
    return (
        pl.when((value < 0) | (value != value.floor())).then(
            pl.format("{} are not a whole number of at least 0: {}", name, value)
        ),
        pl.when(value > MOST_TOKENS).then(
            pl.format("{} are too long: {} (at most {})", name, value, pl.lit(MOST_TOKENS))
        ),
    )
