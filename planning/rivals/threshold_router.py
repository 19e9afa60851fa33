"""SageServe's 70 % rule in the limit of many requests: home until that busy, the rest to the next region.

The paper decides per request: the first region in order of proximity below the threshold, else the least
used (POMACS 9(3) 61, routing). A table that sends a whole origin one way for a minute makes regions
swing; taken request by request the rule holds a full region at its threshold and passes on what is
more. That is what is computed here, from the rates that arrive and the replicas that are ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliostat.errors import InvalidInput
from heliostat.model.names import DemandKey, RegionName, Tier
from heliostat.model.routing import RoutingTable
from heliostat.ports.deciding import RoutingProblem
from planning.routing.entries import Split
from planning.routing.fill import Capacity, Want, fill
from planning.routing.modes import Decision, tables
from planning.routing.router import demand_rates
from planning.routing.view import ModelView, planned_rates, views


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRouter:
    """The `Router` that fills regions to a threshold, nearest first; never sheds by choice."""

    threshold: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise InvalidInput("router.threshold", f"{self.threshold} is not within (0, 1]")

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        models = views(problem)
        rates = demand_rates(problem, planned_rates(problem))
        splits: dict[DemandKey, Split] = {}
        for view in models.values():
            splits |= self._split(view, rates)
        measured = {rate.demand for rate in problem.demand if rate.measured}

        def decide(demand: DemandKey, kept: Split | None) -> Decision:
            return splits[demand], f"regions are filled to {self.threshold:.0%}, nearest first"

        return tables(problem, models, decide, lambda demand: demand not in measured)

    def _split(self, view: ModelView, rates: Mapping[DemandKey, float]) -> dict[DemandKey, Split]:
        room = {name: self.threshold * region.ready for name, region in view.regions.items()}
        capacity = Capacity(usable=room, full=dict(room))
        splits: dict[DemandKey, Split] = {}
        for tier in view.tiers:
            wants = [_want(view, origin, tier, rates) for origin in view.origins]
            wants = [want for want in wants if want.serving]
            placed = fill(wants, capacity)
            for want in wants:
                key = view.demand(want.origin, tier)
                splits[key] = _with_the_rest(want, placed[want.origin], view)
        return splits


def _want(
    view: ModelView, origin: RegionName, tier: Tier, rates: Mapping[DemandKey, float]
) -> Want:
    serving = view.serving(origin, tier)
    return Want(
        origin=origin,
        requests_per_second=rates[view.demand(origin, tier)],
        wanted={},
        serving=serving,
        throughput={region: view.regions[region].served(origin, tier) for region in serving},
    )


def _with_the_rest(want: Want, placed: Mapping[RegionName, float], view: ModelView) -> Split:
    """Shares, with what fits below no threshold spread over all regions by their replicas."""
    left = max(0.0, want.requests_per_second - sum(placed.values()))
    ready = {region: view.regions[region].ready for region in want.serving}
    total = sum(ready.values())
    rates = {
        region: placed.get(region, 0.0) + left * ready[region] / total for region in want.serving
    }
    return {region: rate / want.requests_per_second for region, rate in rates.items() if rate > 0}
