"""One table per origin, whatever the rule: modes, old input and unreachable models are settled here.

Heliostat sheds for want of ready replicas only where it steers, in ACTIVE mode. An origin in ADVISORY mode is
served at home, whatever is ready there: replicas that no agent reports may serve it. An origin in PAUSED mode
keeps its entries, as far as their regions have ready replicas; where none of them has, as far as they may
still serve. Where the input is old, the last entry stands as far as its regions have ready replicas. If none
of the regions that may serve a demand ever reported, there is no entry, and gateways serve at home.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from heliostat.model.fleet import Fleet
from heliostat.model.governance import Mode
from heliostat.model.names import DemandKey, ModelName, RegionName
from heliostat.model.routing import RouteEntry, RoutingTable
from heliostat.ports.deciding import RoutingProblem
from planning.routing.entries import (
    Split,
    make_entry,
    make_table,
    nothing_ready,
    only_serving,
    previous_entries,
    split_of,
)
from planning.routing.view import ModelView

Decision = tuple[Split, str]
"""Where requests should go, and why."""
Decide = Callable[[DemandKey, Split | None], Decision]
"""Decides about one demand; what it gets beside it is the last split as far as its regions can serve
now, None where there is no such."""


def tables(
    problem: RoutingProblem,
    models: Mapping[ModelName, ModelView],
    decide: Decide,
    is_old: Callable[[DemandKey], bool],
) -> tuple[RoutingTable, ...]:
    """Every origin's table. `decide` is asked where an origin is steered and someone can serve."""
    before = previous_entries(problem)
    reported = reported_regions(problem.fleet)
    made: list[RoutingTable] = []
    for region in problem.catalogue.regions:
        mode = problem.modes.of(region.name)
        entries: list[RouteEntry] = []
        for view in models.values():
            for spec in view.model.tiers:
                if _nobody_knows(view.reach(region.name, spec.tier), reported):
                    continue
                demand = view.demand(region.name, spec.tier)
                last = before.get((region.name, view.model.name, spec.tier))
                split, reason = _settle(view, demand, mode, last, decide, is_old, reported)
                entries.append(make_entry(problem.catalogue, view, demand, split, reason, last))
        made.append(make_table(problem, region.name, tuple(entries)))
    return tuple(made)


def _settle(
    view: ModelView,
    demand: DemandKey,
    mode: Mode,
    last: RouteEntry | None,
    decide: Decide,
    is_old: Callable[[DemandKey], bool],
    reported: frozenset[RegionName],
) -> tuple[Split | None, str]:
    serving = view.serving(demand.origin, demand.tier)
    kept = only_serving(split_of(last), serving) if last is not None else None
    if mode is not Mode.ACTIVE and view.reach(demand.origin, demand.tier):
        return _left_alone(view, demand, mode, last, kept)
    if not serving:
        return None, nothing_ready(view, demand, reported)
    if kept is not None and is_old(demand):
        return kept, "old input: the last entry is kept"
    return decide(demand, kept)


def _left_alone(
    view: ModelView, demand: DemandKey, mode: Mode, last: RouteEntry | None, kept: Split | None
) -> Decision:
    """An origin that is not steered; `kept`: its last split as far as its regions have ready replicas."""
    none_ready = f"no ready replica of {view.model.name} is known"
    if mode is Mode.PAUSED and kept is not None:
        return kept, "paused: the last entry is kept"
    home, serving = demand.origin, view.serving(demand.origin, demand.tier)
    reach = view.reach(home, demand.tier)
    old = only_serving(split_of(last), reach) if last is not None else None
    if mode is Mode.PAUSED and old is not None:
        return old, f"paused: the last entry is kept, though {none_ready} in its regions"
    if home not in reach:
        nearest = (serving or reach)[0]
        return {nearest: 1.0}, f"{mode}: not steered; residency forbids {home} to serve it"
    if home not in serving:
        return {home: 1.0}, f"{mode}: not steered, served at home, though {none_ready} there"
    return {home: 1.0}, f"{mode}: not steered, served at home"


def reported_regions(fleet: Fleet) -> frozenset[RegionName]:
    """Regions that were reported at least once."""
    return frozenset(
        state.observation.pool.region for state in fleet.pools if state.observed_at is not None
    )


def _nobody_knows(reach: tuple[RegionName, ...], reported: frozenset[RegionName]) -> bool:
    return bool(reach) and reported.isdisjoint(reach)


def unsteered(origin: RegionName, serving: tuple[RegionName, ...]) -> Split:
    """Everything to the origin's own region, else to the nearest that can serve."""
    return {origin if origin in serving else serving[0]: 1.0}
