"""One scenario as a value: where, whose requests, from when to when, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidScenario
from heliostat.model.instants import FIRST_YEAR, LAST_YEAR, Span, from_epoch
from heliostat.model.names import PoolKey, RegionName, VmTypeName
from simulation.arrivals import ArrivalRates
from simulation.clients import RetryRule
from simulation.requests.binning import binned, rates_of
from simulation.requests.source import RequestSource
from simulation.start import FIRST_HOUR, USABLE_SHARE, first_fleet
from simulation.troubles import CloudTroubles
from simulation.workload.published import TIER_SHARES
from simulation.workload.synthesis import TierMix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """The same for every policy: fleet, quotas, lead times, start, requests, troubles.

    `source` makes a seed's requests anew each time: sources are not shared between runs. `fleet` is
    the mapping that `catalogue` was parsed from. `sized_for` says what the level was chosen for,
    `said` what was assumed. Raises InvalidScenario when a demand can be served nowhere or a region
    has no quota.
    """

    name: str
    description: str
    sized_for: str
    catalogue: FleetCatalogue
    fleet: Mapping[str, Any]
    begins: datetime
    ends: datetime
    history: timedelta
    source: Callable[[int], RequestSource]
    mix: TierMix = field(default_factory=lambda: TIER_SHARES)
    usable_share: float = USABLE_SHARE
    """How full the replicas that stand at the beginning are in the first hour."""
    troubles: Mapping[RegionName, CloudTroubles] = field(default_factory=dict)
    warm_vms: Mapping[VmTypeName, int] = field(default_factory=dict)
    retries: RetryRule = RetryRule()
    said: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ends <= self.begins:
            raise InvalidScenario(self.name, "ends before it begins")
        if self.begins - self.history < from_epoch(0) or self.ends.year >= LAST_YEAR:
            raise InvalidScenario(
                self.name,
                f"extends beyond the years {FIRST_YEAR} to {LAST_YEAR}, its history included",
            )
        if not 0 < self.usable_share <= 1:
            raise InvalidScenario(self.name, f"usable share {self.usable_share} is not in (0, 1]")
        _check_quotas(self.name, self.catalogue)
        for region in self.troubles:
            self.catalogue.region(region)

    @property
    def span(self) -> Span:
        """What is simulated."""
        return Span(self.begins, self.ends)

    def arrivals(self, seed: int) -> ArrivalRates:
        """History and run by minute: what the fluid engine serves."""
        return rates_of(self.source(seed))

    def first_fleet(self, seed: int) -> Mapping[PoolKey, int]:
        """The replicas that every policy finds ready at the beginning."""
        first = Span(self.begins, min(self.ends, self.begins + FIRST_HOUR))
        hour = binned(self.source(seed), first)
        return first_fleet(self.catalogue, hour, self.begins, usable_share=self.usable_share)


def _check_quotas(name: str, catalogue: FleetCatalogue) -> None:
    pools = [
        spec.key
        for spec in catalogue.pools
        if spec.max_replicas > 0 and catalogue.quotas[spec.key.region, spec.key.vm_type] > 0
    ]
    for region in catalogue.regions:
        if not any(pool.region == region.name for pool in pools):
            raise InvalidScenario(
                name,
                f"{region.name} has no quota for any VM type on which a model runs",
                remedy="give it one, or omit the region",
            )
        for model in catalogue.models:
            for tier in model.tiers:
                if not any(
                    pool.model == model.name
                    and catalogue.may_serve(region.name, pool.region, model.name, tier.tier)
                    for pool in pools
                ):
                    raise InvalidScenario(
                        name,
                        f"{region.name}/{model.name}/{tier.tier} cannot be served: no pool within "
                        "its residency and latency budget has a quota",
                    )
