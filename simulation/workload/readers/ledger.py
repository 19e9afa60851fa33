"""Counts a trace file's rows, kept and bad; refuses the file at its first bad row unless told to skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from heliostat.errors import InvalidTrace

EXAMPLES = 5
"""How many bad rows are remembered by line and reason."""

SKIP_REMEDY = "fix the row, or pass --skip-bad-rows to skip and count such rows"


@dataclass(slots=True, kw_only=True)
class RowLedger:
    """What became of a file's rows. `kept` + `bad` = rows read so far."""

    path: Path
    skip_bad_rows: bool = False
    kept: int = 0
    bad: int = 0
    examples: list[str] = field(default_factory=list)
    """`line N: reason` of the first bad rows."""
    remedy: str = SKIP_REMEDY
    """What helps against a bad row, where nothing better is known."""

    def sift(self, rows: pl.DataFrame, remedies: Mapping[str, str] | None = None) -> pl.DataFrame:
        """The good rows of a frame with columns `line` and `why` (null = good), those two left out of `why`.

        Raises InvalidTrace at the first bad row, naming its line and how many rows were good before
        it, unless bad rows are to be skipped. `remedies` say by `why` what helps better than `remedy`.
        """
        bad = rows.filter(pl.col("why").is_not_null())
        if bad.is_empty():
            self.kept += rows.height
            return rows.drop("why")
        line, why = bad.select("line", "why").row(0)
        if not self.skip_bad_rows:
            self.kept += rows.select((pl.col("line") < line).sum()).item()
            remedy = (remedies or {}).get(why, self.remedy)
            raise InvalidTrace(f"{self.path}:{line}", why, kept=self.kept, remedy=remedy)
        self.bad += bad.height
        for line, why in bad.select("line", "why").head(EXAMPLES - len(self.examples)).iter_rows():
            self.examples.append(f"line {line}: {why}")
        good = rows.filter(pl.col("why").is_null()).drop("why")
        self.kept += good.height
        return good

    def refuse(self, message: str, *, line: int = 0, remedy: str = "") -> InvalidTrace:
        """The error for a file that cannot be read any further."""
        place = f"{self.path}:{line}" if line else str(self.path)
        return InvalidTrace(place, message, kept=self.kept, remedy=remedy)

    def sentences(self) -> list[str]:
        """What must be said aloud about rows that were left out."""
        if not self.bad:
            return []
        rows = "row was" if self.bad == 1 else "rows were"
        return [
            f"{self.bad:,} bad {rows} left out, {self.kept:,} kept ({'; '.join(self.examples)}"
            f"{'; …' if self.bad > len(self.examples) else ''})."
        ]
