"""Sources whose requests are drawn, one per seed: in published shapes, or round the load of tenants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from heliostat.catalogue import FleetCatalogue
from simulation.arrivals import ArrivalRates
from simulation.requests.from_rates import RequestsFromRates
from simulation.requests.rows import longest_requests
from simulation.requests.source import RequestSource
from simulation.workload.bursts import BurstTest, with_bursts
from simulation.workload.fit import fit_to_fleet, synthesise_for
from simulation.workload.load import LoadedTrace
from simulation.workload.wanted import WantedDemand

SourceOf = Callable[[int], RequestSource]
"""A seed's requests, made anew each time. The rates that they are drawn from are computed once for the
seed that was asked for last: a run makes its source three times."""


def published_source(
    catalogue: FleetCatalogue, wanted: WantedDemand, burst: BurstTest | None = None
) -> SourceOf:
    """SageServe's shapes; the seed in `wanted` is not looked at.

    Lengths are drawn from the laws alone: the minutes' tokens follow from them.
    """

    @lru_cache(maxsize=1)
    def arrivals(seed: int) -> ArrivalRates:
        return synthesise_for(catalogue, replace(wanted, seed=seed)).arrivals

    def made(seed: int) -> RequestSource:
        return _requests(arrivals(seed), catalogue, wanted, burst, seed, token_sums=False)

    return made


def tenants_source(
    trace: LoadedTrace,
    catalogue: FleetCatalogue,
    wanted: WantedDemand,
    burst: BurstTest | None = None,
) -> SourceOf:
    """A trace's tenants; the seed in `wanted` is not looked at. A minute's tokens are the tenants'."""

    @lru_cache(maxsize=1)
    def arrivals(seed: int) -> ArrivalRates:
        return fit_to_fleet(trace, catalogue, replace(wanted, seed=seed)).arrivals

    def made(seed: int) -> RequestSource:
        return _requests(arrivals(seed), catalogue, wanted, burst, seed, token_sums=True)

    return made


def _requests(
    arrivals: ArrivalRates,
    catalogue: FleetCatalogue,
    wanted: WantedDemand,
    burst: BurstTest | None,
    seed: int,
    *,
    token_sums: bool,
) -> RequestSource:
    if burst is not None:
        arrivals = with_bursts(arrivals, burst, wanted.begins)
    return RequestsFromRates(
        arrivals,
        begins=wanted.begins,
        lengths=wanted.laws(catalogue),
        seed=seed,
        token_sums=token_sums,
        longest=longest_requests(catalogue),
    )
