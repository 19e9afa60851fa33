"""Baseline routers behind the same port: the 70 % rule for whole origins, and the nearest region."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.model.names import DemandKey, RegionName
from heliostat.model.routing import RoutingTable
from heliostat.ports.deciding import RoutingProblem
from planning.routing.entries import Split
from planning.routing.modes import Decision, tables, unsteered
from planning.routing.view import views


class NearestRouter:
    """Everything to the origin's own region, else to the nearest that can serve; never sheds by choice."""

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        models = views(problem)

        def decide(demand: DemandKey, kept: Split | None) -> Decision:
            serving = models[demand.model].serving(demand.origin, demand.tier)
            return unsteered(demand.origin, serving), "nearest"

        return tables(problem, models, decide, lambda _: False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeventyPercentRouter:
    """SageServe (POMACS 9(3) 61, routing): the first region in order of proximity below `threshold`
    utilisation, else the least used. Regions without a fresh utilisation count as full.
    """

    threshold: float = 0.7

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        models = views(problem)

        def busy(demand: DemandKey, region: RegionName) -> float:
            utilisation = models[demand.model].regions[region].utilisation
            return 1.0 if utilisation is None else utilisation

        def decide(demand: DemandKey, kept: Split | None) -> Decision:
            serving = models[demand.model].serving(demand.origin, demand.tier)
            for region in serving:
                if busy(demand, region) < self.threshold:
                    return {region: 1.0}, f"first below {self.threshold:.0%}"
            least = min(serving, key=lambda region: busy(demand, region))
            return {least: 1.0}, f"none below {self.threshold:.0%}: the least used"

        def is_old(demand: DemandKey) -> bool:
            view = models[demand.model]
            serving = view.serving(demand.origin, demand.tier)
            return all(view.regions[r].utilisation is None for r in serving)

        return tables(problem, models, decide, is_old)
