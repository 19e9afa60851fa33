"""Series of one grid as arrays: what every method reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecasting.grid import Floats, Grid, LocalCalendar
from heliostat.model.demand import DemandSeries, Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`values[s, t]` and `peaks[s, t]`: tokens per second of series s in bucket t, NaN = not observed."""

    grid: Grid
    values: Floats
    peaks: Floats

    @property
    def series(self) -> int:
        """How many series."""
        return int(self.values.shape[0])

    @property
    def length(self) -> int:
        """How many buckets."""
        return int(self.values.shape[1])

    def until(self, bucket: int) -> Panel:
        """Only what came before that bucket."""
        return Panel(grid=self.grid, values=self.values[:, :bucket], peaks=self.peaks[:, :bucket])

    def since(self, bucket: int) -> Panel:
        """Only what came from that bucket on."""
        if bucket <= 0:
            return self
        return Panel(
            grid=self.grid.later(bucket),
            values=self.values[:, bucket:],
            peaks=self.peaks[:, bucket:],
        )

    def rows(self, which: Sequence[int]) -> Panel:
        """These series only, in this order."""
        index = list(which)
        return Panel(grid=self.grid, values=self.values[index], peaks=self.peaks[index])


def panel_of(series: Sequence[DemandSeries], calendar: LocalCalendar) -> Panel:
    """One panel of series that share start, step and length; negative rates count as not observed."""
    first = series[0]
    return Panel(
        grid=Grid.of(first.start, first.step, calendar),
        values=_matrix([one.tokens_per_second for one in series]),
        peaks=_matrix([one.peak_tokens_per_second for one in series]),
    )


def column_of(rates: Sequence[float | None]) -> Floats:
    """The rates as an array; a missing bucket is NaN, never 0."""
    return np.array(rates.column if isinstance(rates, Rates) else rates, dtype=np.float64)


def _matrix(rows: Sequence[Sequence[float | None]]) -> Floats:
    matrix = np.empty((len(rows), len(rows[0])))
    for index, row in enumerate(rows):
        matrix[index] = column_of(row)
    matrix[~(matrix >= 0) | np.isinf(matrix)] = np.nan
    return matrix
