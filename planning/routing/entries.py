"""Turns shares into table entries: exact parts per million, damping, and kept or repaired entries."""

from __future__ import annotations

from collections.abc import Container, Mapping

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from heliostat.ports.deciding import RoutingProblem
from planning.routing.view import ModelView

SHED = RegionName("")
"""Stands for the shed share among the regions of a split."""
Split = dict[RegionName, float]
"""Shares per serving region (and SHED); they add up to 1."""


def to_ppm(split: Mapping[RegionName, float]) -> dict[RegionName, int]:
    """Whole parts per million that add up to exactly one million, by largest remainder.

    `split` must have a positive sum; ties go to the name that comes first.
    """
    total = sum(split.values())
    exact = {name: share / total * MILLION for name, share in split.items() if share > 0}
    floor = {name: int(value) for name, value in exact.items()}
    left = MILLION - sum(floor.values())
    if left:
        for name in sorted(exact, key=lambda n: (floor[n] - exact[n], n))[:left]:
            floor[name] += 1
    return {name: weight for name, weight in floor.items() if weight}


def damped(before: Split, wanted: Split, *, largest_move: float, hysteresis: float) -> Split:
    """From `before` towards `wanted`: not at all below `hysteresis`, at most `largest_move` of traffic."""
    names = before.keys() | wanted.keys()
    moved = sum(max(0.0, wanted.get(n, 0.0) - before.get(n, 0.0)) for n in names)
    if moved <= hysteresis:
        return before
    part = min(1.0, largest_move / moved)
    return {n: (1 - part) * before.get(n, 0.0) + part * wanted.get(n, 0.0) for n in sorted(names)}


def split_of(entry: RouteEntry) -> Split:
    """An entry's shares, the shed share included."""
    split: Split = {share.serving: share.weight_ppm / MILLION for share in entry.shares}
    if entry.shed_ppm:
        split[SHED] = entry.shed_ppm / MILLION
    return split


def only_serving(split: Split, serving: tuple[RegionName, ...]) -> Split | None:
    """The split without regions that cannot serve now, their share spread over the rest.

    None when nothing is left to send to.
    """
    kept = {name: share for name, share in split.items() if name in serving}
    total = sum(kept.values())
    if total <= 0:
        return None
    shed = split.get(SHED, 0.0)
    scaled = {name: share / total * (1 - shed) for name, share in kept.items()}
    return scaled | ({SHED: shed} if shed else {})


def make_entry(
    catalogue: FleetCatalogue,
    view: ModelView,
    demand: DemandKey,
    split: Split | None,
    reason: str,
    last: RouteEntry | None = None,
) -> RouteEntry:
    """The entry of a split, which names regions that may serve the demand; None sheds everything.

    It is the `last` entry itself where that one says the same: most minutes change nothing.
    """
    weights = to_ppm(split) if split else {SHED: MILLION}
    shed, fallback = weights.get(SHED, 0), view.serving(demand.origin, demand.tier)
    shares = [
        (name, weights[name], catalogue.region(name).ingress_endpoint)
        for name in view.reach(demand.origin, demand.tier)
        if name in weights
    ]
    if (
        last is not None
        and (last.shed_ppm, last.fallback, last.reason) == (shed, fallback, reason)
        and [(s.serving, s.weight_ppm, s.ingress_endpoint) for s in last.shares] == shares
    ):
        return last
    return RouteEntry(
        model=demand.model,
        tier=demand.tier,
        shares=tuple(
            RouteShare(serving=name, weight_ppm=weight, ingress_endpoint=endpoint)
            for name, weight, endpoint in shares
        ),
        shed_ppm=shed,
        fallback=fallback,
        reason=reason,
    )


def nothing_ready(view: ModelView, demand: DemandKey, reported: Container[RegionName]) -> str:
    """Why an entry sheds everything; regions without any report yet are named."""
    names = view.reach(demand.origin, demand.tier)
    reach = ", ".join(names) or "no region"
    unseen = ", ".join(name for name in names if name not in reported)
    yet = f"; no reports yet from {unseen}" if unseen else ""
    return (
        f"no ready replica of {demand.model} may serve {demand.origin}"
        f" ({demand.tier} may go to {reach}{yet})"
    )


def previous_entries(
    problem: RoutingProblem,
) -> dict[tuple[RegionName, ModelName, Tier], RouteEntry]:
    """The last tables' entries by origin, model and tier."""
    return {
        (table.origin, entry.model, entry.tier): entry
        for table in problem.previous
        for entry in table.entries
    }


def make_table(
    problem: RoutingProblem, origin: RegionName, entries: tuple[RouteEntry, ...]
) -> RoutingTable:
    """The whole table of an origin, with the replicas of its own region."""
    return RoutingTable(
        origin=origin,
        valid_from=problem.at,
        stale_after=problem.stale_after,
        entries=entries,
        replicas=tuple(r for r in problem.fleet.replicas if r.pool.region == origin),
        plan_version=problem.plan.version if problem.plan is not None else 0,
    )
