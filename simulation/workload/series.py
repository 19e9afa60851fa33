"""Load series: sums per bin on a regular grid; NaN = not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.names import RegionName
from simulation.columns import Floats

DEMAND_PARTS = ("origin", "model", "tier")
"""What a series is named after whose origin and tier are known, with / between."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadSeries:
    """One series: requests and tokens per bin of length `step`, from `start` on.

    NaN = not observed, 0 = an observed zero; a measure that the source lacks is NaN throughout.
    `start` is None where the source knows relative time only.
    """

    series_id: str
    start: datetime | None
    step: timedelta
    requests: Floats
    input_tokens: Floats
    output_tokens: Floats

    def __post_init__(self) -> None:
        if len({column.shape for column in self.measures}) != 1 or not len(self):
            raise InvalidInput(
                f"series {self.series_id}", "needs three filled columns of one length"
            )

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def measures(self) -> tuple[Floats, Floats, Floats]:
        """Requests, input tokens, output tokens."""
        return self.requests, self.input_tokens, self.output_tokens

    @property
    def span(self) -> timedelta:
        """How long the series is."""
        return self.step * len(self)

    @property
    def volume(self) -> Floats:
        """What its load is read from: requests, or input tokens where nobody counted requests."""
        return self.requests if observed(self.requests) else self.input_tokens


def model_in(series_id: str) -> str:
    """The model of a series named `origin/model/tier`; any other name is taken for a model's own."""
    parts = series_id.split("/")
    return parts[1] if len(parts) == len(DEMAND_PARTS) else series_id


def tier_in(series_id: str) -> str:
    """The tier of a series named `origin/model/tier`; "" of any other."""
    parts = series_id.split("/")
    return parts[2] if len(parts) == len(DEMAND_PARTS) else ""


def origin_in(series_id: str) -> RegionName:
    """The origin of a series named `origin/model/tier`; "" of any other."""
    parts = series_id.split("/")
    return RegionName(parts[0] if len(parts) == len(DEMAND_PARTS) else "")


def observed(column: Floats) -> bool:
    """True when the column holds any measurement."""
    return not bool(np.isnan(column).all())


def total_of(series_id: str, parts: Sequence[LoadSeries]) -> LoadSeries:
    """The sum of series on one grid; a bin that any of them misses is missing.

    A series that lacks a measure altogether makes it missing throughout. Raises InvalidInput when
    the grids differ.
    """
    first = parts[0]
    if any((p.start, p.step, len(p)) != (first.start, first.step, len(first)) for p in parts):
        raise InvalidInput(f"series {series_id}", "adds up series on different grids")
    return LoadSeries(
        series_id=series_id,
        start=first.start,
        step=first.step,
        requests=np.sum([p.requests for p in parts], axis=0),
        input_tokens=np.sum([p.input_tokens for p in parts], axis=0),
        output_tokens=np.sum([p.output_tokens for p in parts], axis=0),
    )


def mean_lengths(series: Sequence[LoadSeries]) -> tuple[float | None, float | None]:
    """Mean prompt and output tokens per request over the bins that measured both; None where none did."""
    return (
        _per_request([(one.requests, one.input_tokens) for one in series]),
        _per_request([(one.requests, one.output_tokens) for one in series]),
    )


def _per_request(columns: Sequence[tuple[Floats, Floats]]) -> float | None:
    counted = summed = 0.0
    for requests, tokens in columns:
        both = ~np.isnan(requests) & ~np.isnan(tokens)
        counted += float(requests[both].sum())
        summed += float(tokens[both].sum())
    return summed / counted if counted else None
