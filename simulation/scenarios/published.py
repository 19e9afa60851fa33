"""Requests in the shapes that SageServe publishes, for any fleet, as a source per seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from heliostat.catalogue import FleetCatalogue
from simulation.requests.from_rates import RequestsFromRates
from simulation.requests.rows import longest_requests
from simulation.requests.source import RequestSource
from simulation.workload.bursts import BurstTest, with_bursts
from simulation.workload.fit import synthesise_for
from simulation.workload.wanted import WantedDemand


def published_source(
    catalogue: FleetCatalogue, wanted: WantedDemand, burst: BurstTest | None = None
) -> Callable[[int], RequestSource]:
    """Makes a seed's requests; the seed in `wanted` is not looked at.

    Lengths are drawn from the laws alone: the minutes' tokens follow from them.
    """

    def made(seed: int) -> RequestSource:
        arrivals = synthesise_for(catalogue, replace(wanted, seed=seed)).arrivals
        if burst is not None:
            arrivals = with_bursts(arrivals, burst, wanted.begins)
        return RequestsFromRates(
            arrivals,
            begins=wanted.begins,
            lengths=wanted.laws(catalogue),
            seed=seed,
            token_sums=False,
            longest=longest_requests(catalogue),
        )

    return made
