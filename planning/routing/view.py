"""What can serve one model now: ready replicas, their usable and full throughput, their utilisation."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import ModelSpec
from heliostat.model.fleet import PoolState, Signal
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    ModelName,
    RegionName,
    Tier,
    VmTypeName,
)
from heliostat.ports.deciding import RoutingProblem
from planning.throughput import Thetas, demand_throughputs
from planning.usable import tier_loads, usable_shares

_OLD = (Signal.STALE, Signal.MISSING)
_STRICTEST_FIRST = (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL, Tier.BATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """One region's ready replicas of a model.

    `usable` ≤ `ready` is how many of them may be busy within the SLO; `counts` are the ready ones by VM
    type. `utilisation` is None where no fresh value is known.
    """

    region: RegionName
    model: ModelSpec
    ready: int
    usable: float
    counts: tuple[tuple[VmTypeName, int], ...]
    thetas: Thetas
    utilisation: float | None
    old: bool
    """True when the pools' reports are stale or missing."""

    def throughput(self, origin: RegionName, tier: Tier) -> float:
        """Requests per second of one replica on average, for requests as they come from there; 0 = no
        ready one can meet the tier's SLO."""
        key = DemandKey(origin=origin, model=self.model.name, tier=tier)
        rates = (count * self.thetas[key, of].requests_per_second for of, count in self.counts)
        return sum(rates) / self.ready if self.ready else 0.0

    def served(self, origin: RegionName, tier: Tier) -> float:
        """The same; where none can meet the tier's SLO, of the slowest tier that it can serve."""
        rate = self.throughput(origin, tier)
        if rate > 0:
            return rate
        others = (self.throughput(origin, spec.tier) for spec in self.model.tiers)
        return min((other for other in others if other > 0), default=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """All regions' views of one model, and whom each origin may send to, nearest first."""

    model: ModelSpec
    regions: dict[RegionName, RegionView]
    reach: dict[tuple[RegionName, Tier], tuple[RegionName, ...]]

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers that the model offers, the strictest first."""
        return tuple(tier for tier in _STRICTEST_FIRST if self.model.tier(tier) is not None)

    def serving(self, origin: RegionName, tier: Tier) -> tuple[RegionName, ...]:
        """Regions that may and can serve an origin's tier now, nearest first.

        Where no ready replica anywhere can meet the SLO, late is better than never: all with ready
        replicas.
        """
        ready = [r for r in self.reach[origin, tier] if self.regions[r].ready]
        able = [r for r in ready if self.regions[r].throughput(origin, tier) > 0]
        return tuple(able or ready)


def views(problem: RoutingProblem) -> dict[ModelName, ModelView]:
    """One view per model of the catalogue."""
    thetas = demand_throughputs(problem.catalogue, problem.mixes)
    names = [region.name for region in problem.catalogue.regions]
    wanted = _wanted(problem)
    found: dict[ModelName, ModelView] = {}
    for model in problem.catalogue.models:
        found[model.name] = ModelView(
            model=model,
            regions={
                region: _region(problem, model, region, thetas, wanted.get(model.name, {}))
                for region in names
            },
            reach={
                (origin, spec.tier): tuple(
                    to
                    for to in problem.catalogue.nearest_first(origin)
                    if problem.catalogue.may_serve(origin, to, model.name, spec.tier)
                )
                for origin in names
                for spec in model.tiers
            },
        )
    return found


def _wanted(problem: RoutingProblem) -> dict[ModelName, dict[Tier, float]]:
    """Measured requests per second by model and tier, of all origins."""
    found: dict[ModelName, dict[Tier, float]] = {}
    for rate in problem.demand:
        tiers = found.setdefault(rate.demand.model, {})
        if rate.measured:
            tier = rate.demand.tier
            tiers[tier] = tiers.get(tier, 0.0) + rate.requests_per_second
    return found


def _region(
    problem: RoutingProblem,
    model: ModelSpec,
    region: RegionName,
    thetas: Thetas,
    wanted: dict[Tier, float],
) -> RegionView:
    states = [
        state
        for state in problem.fleet.pools
        if (state.observation.pool.region, state.observation.pool.model) == (region, model.name)
        and state.observation.pool.vm_type in model.engines
    ]
    ready = sum(state.observation.ready for state in states)
    usable = 0.0
    counts: list[tuple[VmTypeName, int]] = []
    common = {
        (model.name, vm_type, spec.tier): thetas[_common(model, spec.tier), vm_type]
        for vm_type in model.engines
        for spec in model.tiers
    }
    for state in states:
        count, vm_type = state.observation.ready, state.observation.pool.vm_type
        if not count:
            continue
        rates = [common[model.name, vm_type, spec.tier] for spec in model.tiers]
        loads = tier_loads(model, vm_type, common, wanted)
        counts.append((vm_type, count))
        usable += count * float(usable_shares(rates, _table_length(count), loads)[count])
    return RegionView(
        region=region,
        model=model,
        ready=ready,
        usable=usable,
        counts=tuple(counts),
        thetas=thetas,
        utilisation=_utilisation(states),
        old=any(state.signal in _OLD for state in states if state.observation.ready),
    )


def _common(model: ModelSpec, tier: Tier) -> DemandKey:
    return DemandKey(origin=EVERYWHERE, model=model.name, tier=tier)


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


def planned_rates(problem: RoutingProblem) -> dict[DemandKey, dict[RegionName, float]]:
    """The plan's flows per demand and serving region, in requests per second."""
    flows: dict[DemandKey, dict[RegionName, float]] = {}
    for flow in problem.plan.flows if problem.plan is not None else ():
        row = flows.setdefault(flow.demand, {})
        row[flow.serving] = row.get(flow.serving, 0.0) + flow.requests_per_second
    return flows
