"""One region's ready replicas of one model: how many, how busy, what each serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from heliostat.catalogue import ModelSpec
from heliostat.model.fleet import PoolState, Signal
from heliostat.model.names import EVERYWHERE, DemandKey, RegionName, Tier, VmTypeName
from heliostat.ports.deciding import RoutingProblem
from planning.arrays import Floats
from planning.throughput import Thetas, Throughput, common_throughput
from planning.usable import tier_loads, usable_shares

_OLD = (Signal.STALE, Signal.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """One region's ready replicas of a model.

    `usable` ≤ `ready` is how many of them may be busy within the SLO; `rates` are the requests per second
    of one of them on average, for requests as they come from an origin in a tier, 0 = no ready one can
    meet the tier's SLO. `utilisation` is None where no fresh value is known.
    """

    region: RegionName
    model: ModelSpec
    ready: int
    usable: float
    rates: Mapping[tuple[RegionName, Tier], float]
    utilisation: float | None
    old: bool
    """True when the pools' reports are stale or missing."""

    def served(self, origin: RegionName, tier: Tier) -> float:
        """Requests per second of one replica; where none can meet the tier's SLO, of the slowest tier
        that it can serve."""
        rate = self.rates[origin, tier]
        if rate > 0:
            return rate
        others = (self.rates[origin, spec.tier] for spec in self.model.tiers)
        return min((other for other in others if other > 0), default=1.0)


def region_view(
    problem: RoutingProblem,
    model: ModelSpec,
    region: RegionName,
    thetas: Thetas,
    usable: Mapping[VmTypeName, Floats],
) -> RegionView:
    """The region as it is now; `usable`: ρ by VM type and size of a pool."""
    states = [
        state
        for state in problem.fleet.pools
        if (state.observation.pool.region, state.observation.pool.model) == (region, model.name)
        and state.observation.pool.vm_type in model.engines
    ]
    counts = [
        (state.observation.pool.vm_type, state.observation.ready)
        for state in states
        if state.observation.ready
    ]
    ready = sum(count for _, count in counts)
    return RegionView(
        region=region,
        model=model,
        ready=ready,
        usable=sum(count * float(usable[vm_type][count]) for vm_type, count in counts),
        rates=_rates(problem, model, thetas, counts, ready),
        utilisation=_utilisation(states),
        old=any(state.signal in _OLD for state in states if state.observation.ready),
    )


def usable_by_size(
    problem: RoutingProblem, model: ModelSpec, thetas: Thetas, wanted: Mapping[Tier, float]
) -> dict[VmTypeName, Floats]:
    """ρ(n) of each VM type's pools for n from 0 to its largest pool; `wanted`: requests per second of the
    model's tiers from everywhere."""
    common = {
        (model.name, vm_type, spec.tier): _common(problem, model, spec.tier, vm_type, thetas)
        for vm_type in model.engines
        for spec in model.tiers
    }
    largest = dict.fromkeys(model.engines, 0)
    for state in problem.fleet.pools:
        pool = state.observation.pool
        if pool.model == model.name and pool.vm_type in largest:
            largest[pool.vm_type] = max(largest[pool.vm_type], state.observation.ready)
    return {
        vm_type: usable_shares(
            [common[model.name, vm_type, spec.tier] for spec in model.tiers],
            _table_length(count),
            tier_loads(model, vm_type, common, wanted),
        )
        for vm_type, count in largest.items()
    }


def _rates(
    problem: RoutingProblem,
    model: ModelSpec,
    thetas: Thetas,
    counts: Sequence[tuple[VmTypeName, int]],
    ready: int,
) -> dict[tuple[RegionName, Tier], float]:
    """Requests per second of one of the ready replicas on average, per origin and tier."""
    found: dict[tuple[RegionName, Tier], float] = {}
    for region in problem.catalogue.regions:
        for spec in model.tiers:
            key = DemandKey(origin=region.name, model=model.name, tier=spec.tier)
            all_of_them = sum(count * thetas[key, of].requests_per_second for of, count in counts)
            found[region.name, spec.tier] = all_of_them / ready if ready else 0.0
    return found


def _common(
    problem: RoutingProblem, model: ModelSpec, tier: Tier, vm_type: VmTypeName, thetas: Thetas
) -> Throughput:
    everywhere = DemandKey(origin=EVERYWHERE, model=model.name, tier=tier)
    own = (replace(everywhere, origin=region.name) for region in problem.catalogue.regions)
    return common_throughput(thetas, everywhere, vm_type, own)


def _table_length(count: int) -> int:
    """Few distinct lengths, so that the tables of ρ stay cached while pools breathe."""
    length = 64
    while length < count:
        length *= 2
    return length


def _utilisation(states: list[PoolState]) -> float | None:
    """Mean over ready replicas of pools that reported freshly; None when none did."""
    fresh = [
        (state.observation.ready, state.observation.utilisation)
        for state in states
        if state.observation.ready
        and state.observation.utilisation is not None
        and state.signal is Signal.FRESH
    ]
    ready = sum(count for count, _ in fresh)
    return sum(count * busy for count, busy in fresh) / ready if ready else None
