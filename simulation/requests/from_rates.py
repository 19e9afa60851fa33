"""Requests drawn inside each minute of arrival rates: what a fluid world knows, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import DemandKey, ModelName, RegionName
from simulation.arrivals import ArrivalRates
from simulation.requests.columns import RequestColumns, joined
from simulation.requests.drawing import MINUTE_SECONDS, Cells, draw
from simulation.requests.holes import known_minutes
from simulation.requests.keys import demand_key, minute_keys
from simulation.requests.lengths import length_tables
from simulation.workload.quantiles import LengthLaws

BLOCK_REQUESTS = 100_000
"""About so many requests are drawn at once; it bounds the memory and changes no request."""
_LONGEST_BLOCK = 1440


class RequestsFromRates:
    """A `RequestSource`: every minute's whole counts, each request at a place and of a length of its own.

    What lies before `begins` is history. Lengths follow their model's law. With `token_sums` they
    are stretched so that a minute's tokens are those of the rates, to the token; without, the law
    is kept as it is and the rates' tokens are not looked at. The same seed gives the same requests,
    whatever other demands there are. Requests of more tokens than their model's `longest` are cut,
    whatever the rates say. Raises InvalidInput when `begins` lies outside the rates or a model has
    no law.
    """

    def __init__(
        self,
        rates: ArrivalRates,
        *,
        begins: datetime,
        lengths: Mapping[ModelName, LengthLaws],
        seed: int,
        token_sums: bool = True,
        longest: Mapping[ModelName, int] | None = None,
        block_requests: int = BLOCK_REQUESTS,
    ) -> None:
        self._rates = rates
        self._run = rates.within(Span(begins, max(begins, rates.span.end)))
        self._span = self._run.span
        self._demands = rates.demands
        models = sorted({demand.model for demand in self._demands})
        lacking = [model for model in models if model not in lengths]
        if lacking:
            raise InvalidInput("lengths", f"holds no law for {', '.join(lacking)}")
        self._tables = length_tables([lengths[model] for model in models])
        self._laws = np.array([models.index(demand.model) for demand in self._demands])
        self._longest = (
            np.array([longest[demand.model] for demand in self._demands]) if longest else None
        )
        self._seeds = np.array([demand_key(seed, demand) for demand in self._demands])
        self._counts = np.nan_to_num(self._stacked("offered")).astype(np.int64)
        self._sums = (
            (self._stacked("input_tokens"), self._stacked("output_tokens")) if token_sums else None
        )
        self._known = known_minutes(rates)
        self._block_minutes = _block_minutes(self._counts, block_requests)
        self._block: tuple[int, RequestColumns] | None = None

    @property
    def start(self) -> datetime:
        return self._run.start

    @property
    def span(self) -> Span:
        return self._span

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        return self._demands

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        asked = Span(begin, end)
        if begin < self.span.start or end > self.span.end:
            raise InvalidInput("requests", f"{asked} is not within {self.span}")
        first, last = (_seconds(at - self.start) for at in (begin, end))
        block = MINUTE_SECONDS * self._block_minutes
        blocks = range(int(first // block), int(-(-last // block)))
        return joined([self._drawn(number).between(first, last) for number in blocks])

    def history(self) -> ArrivalRates:
        return self._rates.within(Span(self._rates.start, self.start))

    def known(self, origin: RegionName, minute: datetime) -> bool:
        at = self._rates.minute_of(minute)
        if not 0 <= at < self._rates.minutes:
            raise InvalidInput("minute", f"{minute} is outside {self._rates.span}")
        known = self._known.get(origin)
        return known is None or bool(known[at])

    def _drawn(self, number: int) -> RequestColumns:
        """The requests of one block; the newest one is kept for the next question."""
        if self._block is None or self._block[0] != number:
            self._block = (number, draw(self._cells(number), self._tables))
        return self._block[1]

    def _cells(self, number: int) -> Cells:
        first = number * self._block_minutes
        part = slice(first, first + self._block_minutes)
        counts = self._counts[part]
        minutes = np.arange(first, first + len(counts))
        keys = minute_keys(self._seeds[None, :], to_epoch(self.start) // 60 + minutes[:, None])
        sums = [column[part].ravel() for column in self._sums] if self._sums else [None, None]
        return Cells(
            counts=counts.ravel(),
            keys=keys.ravel(),
            minute_start=np.repeat(minutes * MINUTE_SECONDS, len(self._demands)),
            demand=np.tile(np.arange(len(self._demands), dtype=np.int16), len(counts)),
            law=np.tile(self._laws, len(counts)),
            prompt_sum=sums[0],
            output_sum=sums[1],
            longest=None if self._longest is None else np.tile(self._longest, len(counts)),
        )

    def _stacked(self, column: str) -> NDArray[np.float64]:
        """One column of all demands: `(minutes, demands)`."""
        arrivals = [getattr(self._run.by_demand[demand], column) for demand in self._demands]
        return np.stack(arrivals, axis=1) if arrivals else np.empty((self._run.minutes, 0))


def _block_minutes(counts: NDArray[np.int64], block_requests: int) -> int:
    per_minute = counts.sum() / max(1, len(counts))
    return int(np.clip(block_requests / max(per_minute, 1e-9), 1, _LONGEST_BLOCK))


def _seconds(length: timedelta) -> float:
    return length.total_seconds()
