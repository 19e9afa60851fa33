"""Ready replicas of one model per region, and the regions each origin may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliostat.catalogue import ModelSpec
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.ports.deciding import RoutingProblem
from planning.routing.region_view import RegionView, region_view, usable_by_size
from planning.throughput import Thetas, demand_throughputs

_STRICTEST_FIRST = (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL, Tier.BATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """All regions' views of one model, and of each origin's tier, nearest first, whom it may send to
    (`reach`) and who of these can serve it now (`able`)."""

    model: ModelSpec
    regions: dict[RegionName, RegionView]
    reach: dict[tuple[RegionName, Tier], tuple[RegionName, ...]]
    able: dict[tuple[RegionName, Tier], tuple[RegionName, ...]]

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers that the model offers, the strictest first."""
        return tuple(tier for tier in _STRICTEST_FIRST if self.model.tier(tier) is not None)

    def serving(self, origin: RegionName, tier: Tier) -> tuple[RegionName, ...]:
        """Regions that may and can serve an origin's tier now, nearest first.

        Where no ready replica anywhere can meet the SLO, late is better than never: all with ready
        replicas.
        """
        return self.able[origin, tier]


def views(problem: RoutingProblem) -> dict[ModelName, ModelView]:
    """One view per model of the catalogue."""
    thetas = demand_throughputs(problem.catalogue, problem.mixes)
    wanted = _wanted(problem)
    return {
        model.name: _view(problem, model, thetas, wanted.get(model.name, {}))
        for model in problem.catalogue.models
    }


def _view(
    problem: RoutingProblem, model: ModelSpec, thetas: Thetas, wanted: dict[Tier, float]
) -> ModelView:
    catalogue = problem.catalogue
    names = [region.name for region in catalogue.regions]
    usable = usable_by_size(problem, model, thetas, wanted)
    regions = {name: region_view(problem, model, name, thetas, usable) for name in names}
    reach = {
        (origin, spec.tier): tuple(
            to
            for to in catalogue.nearest_first(origin)
            if catalogue.may_serve(origin, to, model.name, spec.tier)
        )
        for origin in names
        for spec in model.tiers
    }
    return ModelView(
        model=model,
        regions=regions,
        reach=reach,
        able={of: _able(of, to, regions) for of, to in reach.items()},
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
