"""Sources whose requests are drawn, one per seed: in published shapes, or round the load of tenants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
"""A seed's requests, made anew each time."""


def published_source(
    catalogue: FleetCatalogue, wanted: WantedDemand, burst: BurstTest | None = None
) -> SourceOf:
    """SageServe's shapes; the seed in `wanted` is not looked at.

    Lengths are drawn from the laws alone: the minutes' tokens follow from them.
    """

    def made(seed: int) -> RequestSource:
        arrivals = synthesise_for(catalogue, replace(wanted, seed=seed)).arrivals
        return _requests(arrivals, catalogue, wanted, burst, seed, token_sums=False)

    return made


def tenants_source(
    trace: LoadedTrace,
    catalogue: FleetCatalogue,
    wanted: WantedDemand,
    burst: BurstTest | None = None,
) -> SourceOf:
    """A trace's tenants; the seed in `wanted` is not looked at. A minute's tokens are the tenants'."""

    def made(seed: int) -> RequestSource:
        arrivals = fit_to_fleet(trace, catalogue, replace(wanted, seed=seed)).arrivals
        return _requests(arrivals, catalogue, wanted, burst, seed, token_sums=True)

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
