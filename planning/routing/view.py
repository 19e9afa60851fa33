"""Ready replicas of one model per region, and the regions each origin may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heliostat.catalogue import ModelSpec
from heliostat.model.fleet import PoolState
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.ports.deciding import RoutingProblem
from planning.routing.offer import Offer, offers
from planning.routing.region_view import RegionView, region_view, usable_by_size

_STRICTEST_FIRST = (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL, Tier.BATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """All regions' views of one model, and of each origin's tier, nearest first, who of those it may send
    to can serve it now (`able`)."""

    offer: Offer
    regions: dict[RegionName, RegionView]
    able: dict[tuple[RegionName, Tier], tuple[RegionName, ...]]

    @property
    def model(self) -> ModelSpec:
        """What the catalogue says of the model."""
        return self.offer.model

    @property
    def origins(self) -> tuple[RegionName, ...]:
        """Where requests may come from, by name."""
        return tuple(sorted(self.regions))

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers that the model offers, the strictest first."""
        return tuple(tier for tier in _STRICTEST_FIRST if self.model.tier(tier) is not None)

    def demand(self, origin: RegionName, tier: Tier) -> DemandKey:
        """The key of an origin's requests in a tier."""
        return self.offer.demands[origin, tier]

    def reach(self, origin: RegionName, tier: Tier) -> tuple[RegionName, ...]:
        """Regions that may serve an origin's tier, nearest first, ready or not."""
        return self.offer.reach[origin, tier]

    def serving(self, origin: RegionName, tier: Tier) -> tuple[RegionName, ...]:
        """Regions that may and can serve an origin's tier now, nearest first.

        Where no ready replica anywhere can meet the SLO, late is better than never: all with ready
        replicas.
        """
        return self.able[origin, tier]


def views(problem: RoutingProblem) -> dict[ModelName, ModelView]:
    """One view per model of the catalogue."""
    names = tuple(region.name for region in problem.catalogue.regions)
    wanted, states = _wanted(problem), _by_model(problem)
    return {
        offer.model.name: _view(
            offer, names, states.get(offer.model.name, ()), wanted.get(offer.model.name, {})
        )
        for offer in offers(problem.catalogue, problem.mixes)
    }


def _by_model(problem: RoutingProblem) -> dict[ModelName, list[PoolState]]:
    found: dict[ModelName, list[PoolState]] = {}
    for state in problem.fleet.pools:
        found.setdefault(state.observation.pool.model, []).append(state)
    return found


def _view(
    offer: Offer,
    names: tuple[RegionName, ...],
    pools: Sequence[PoolState],
    wanted: Mapping[Tier, float],
) -> ModelView:
    states: dict[RegionName, list[PoolState]] = {name: [] for name in names}
    for state in pools:
        pool = state.observation.pool
        if pool.vm_type in offer.model.engines:
            states.setdefault(pool.region, []).append(state)
    everywhere = [state for some in states.values() for state in some]
    usable = usable_by_size(offer, everywhere, wanted)
    regions = {name: region_view(offer, name, states[name], usable) for name in names}
    return ModelView(
        offer=offer,
        regions=regions,
        able={of: _able(of, to, regions) for of, to in offer.reach.items()},
    )


def _able(
    of: tuple[RegionName, Tier],
    reach: tuple[RegionName, ...],
    regions: Mapping[RegionName, RegionView],
) -> tuple[RegionName, ...]:
    ready = [name for name in reach if regions[name].ready]
    able = [name for name in ready if regions[name].rates[of] > 0]
    return tuple(able or ready)


def _wanted(problem: RoutingProblem) -> dict[ModelName, dict[Tier, float]]:
    """Measured requests per second by model and tier, of all origins."""
    found: dict[ModelName, dict[Tier, float]] = {}
    for rate in problem.demand:
        tiers = found.setdefault(rate.demand.model, {})
        if rate.measured:
            tier = rate.demand.tier
            tiers[tier] = tiers.get(tier, 0.0) + rate.requests_per_second
    return found


def planned_rates(problem: RoutingProblem) -> dict[DemandKey, dict[RegionName, float]]:
    """The plan's flows per demand and serving region, in requests per second."""
    flows: dict[DemandKey, dict[RegionName, float]] = {}
    for flow in problem.plan.flows if problem.plan is not None else ():
        row = flows.setdefault(flow.demand, {})
        row[flow.serving] = row.get(flow.serving, 0.0) + flow.requests_per_second
    return flows
