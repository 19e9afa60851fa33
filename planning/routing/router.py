"""Heliostat's router: the plan's flows, corrected for ready replicas and load, in damped steps.

The shares of the plan are water-filled (`fill`) into the capacity that is ready now. A region that is
busier than the last tables explain is slower than its engine law says, and counts for less (down to
half). Shares then move by at most `largest_move` a step and not at all within `hysteresis`, so that
regions do not chase each other's readings. Traffic leaves a region without ready replicas at once.

With `pooled_within` an origin's requests are spread over all regions that near (round trip), and those to
which the plan sends, so that all are equally full (`balance`), and nothing is shed: engines turn away
whom they keep waiting too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RoutingTable
from heliostat.ports.deciding import RoutingProblem
from planning.routing.balance import balance
from planning.routing.entries import (
    SHED,
    Split,
    damped,
    previous_entries,
)
from planning.routing.fill import Capacity, Placement, Want, fill
from planning.routing.modes import Decision, tables
from planning.routing.view import ModelView, planned_rates, views

_A_WHISPER = 1e-6
"""Requests per second assumed where nothing is known: enough to have shares, too little to fill."""
_SLOWEST = 0.5
_BUSY_ENOUGH = 0.5
"""Utilisation below which nothing is concluded about a region's speed."""
_SHED_AT_ALL = 1e-4
Sent = tuple[RegionName, RouteEntry]
"""An origin, and an entry of its last table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterFillingRouter:
    """Heliostat's `Router`."""

    largest_move: float = 0.25
    hysteresis: float = 0.02
    pooled_within: timedelta | None = None

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        models = views(problem)
        flows = planned_rates(problem)
        rates = demand_rates(problem, flows)
        before = _by_model(problem)
        splits: dict[DemandKey, Split] = {}
        for name, view in models.items():
            last = before.get(name, ())
            if self.pooled_within is None:
                splits |= _split(view, rates, flows, last)
            else:
                splits |= self._balanced(problem, view, rates, flows, last)
        measured = {rate.demand for rate in problem.demand if rate.measured}

        def decide(demand: DemandKey, kept: Split | None) -> Decision:
            wanted = splits[demand]
            why = "plan corrected by ready capacity" if demand in flows else "nearest with room"
            if SHED in wanted:
                why = "capacity is short: part is shed"
            if kept is not None:
                wanted = damped(
                    kept, wanted, largest_move=self.largest_move, hysteresis=self.hysteresis
                )
            return wanted, why

        def is_old(demand: DemandKey) -> bool:
            view = models[demand.model]
            serving = view.serving(demand.origin, demand.tier)
            return demand not in measured or any(view.regions[r].old for r in serving)

        return tables(problem, models, decide, is_old)

    def _balanced(
        self,
        problem: RoutingProblem,
        view: ModelView,
        rates: Mapping[DemandKey, float],
        flows: Mapping[DemandKey, Mapping[RegionName, float]],
        before: Sequence[Sent],
    ) -> dict[DemandKey, Split]:
        """Every demand's shares; nothing is shed."""
        size = _capacity(view, rates, before).full
        load = dict.fromkeys(view.regions, 0.0)
        splits: dict[DemandKey, Split] = {}
        origins = view.origins
        for tier in view.tiers:
            wants = [
                self._in_pool(problem, _want(view, origin, tier, rates, flows))
                for origin in origins
                if view.serving(origin, tier)
            ]
            placed = balance(wants, size, load)
            for want in wants:
                splits[view.demand(want.origin, tier)] = _shares(want, placed)
        return splits

    def _in_pool(self, problem: RoutingProblem, want: Want) -> Want:
        """The same for the origin's pool alone: near regions, and those to which the plan sends."""
        assert self.pooled_within is not None
        most = self.pooled_within.total_seconds()
        pool = [
            region
            for region in want.serving
            if problem.catalogue.round_trip(want.origin, region) <= most
            or want.wanted.get(region, 0.0) > self.hysteresis
        ]
        if len(pool) == len(want.serving):
            return want
        return replace(want, serving=tuple(pool or want.serving[:1]))


def _by_model(problem: RoutingProblem) -> dict[ModelName, list[Sent]]:
    found: dict[ModelName, list[Sent]] = {}
    for (origin, model, _), entry in previous_entries(problem).items():
        found.setdefault(model, []).append((origin, entry))
    return found


def demand_rates(
    problem: RoutingProblem, flows: Mapping[DemandKey, Mapping[RegionName, float]]
) -> dict[DemandKey, float]:
    """Requests per second by demand: as measured, else as the plan's `flows` have it, else a whisper."""
    planned = {key: sum(row.values()) for key, row in flows.items()}
    measured = {rate.demand: rate.requests_per_second for rate in problem.demand if rate.measured}
    return {
        key: max(_A_WHISPER, measured.get(key, planned.get(key, 0.0)))
        for key in problem.catalogue.demands
    }


def _split(
    view: ModelView,
    rates: Mapping[DemandKey, float],
    flows: Mapping[DemandKey, Mapping[RegionName, float]],
    before: Sequence[Sent],
) -> dict[DemandKey, Split]:
    """Every demand's shares, the shed share included."""
    capacity = _capacity(view, rates, before)
    splits: dict[DemandKey, Split] = {}
    origins = view.origins
    for tier in view.tiers:
        wants = [_want(view, origin, tier, rates, flows) for origin in origins]
        placed = fill([want for want in wants if want.serving], capacity)
        for want in wants:
            if want.serving:
                splits[view.demand(want.origin, tier)] = _shares(want, placed)
    return splits


def _want(
    view: ModelView,
    origin: RegionName,
    tier: Tier,
    rates: Mapping[DemandKey, float],
    flows: Mapping[DemandKey, Mapping[RegionName, float]],
) -> Want:
    key, serving = view.demand(origin, tier), view.serving(origin, tier)
    row = flows.get(key)
    planned = {r: rate for r, rate in row.items() if r in serving} if row else {}
    total = sum(planned.values())
    wanted = {r: rate / total for r, rate in planned.items()} if total > 0 else {}
    return Want(
        origin=origin,
        requests_per_second=rates[key],
        wanted=wanted or dict.fromkeys(serving[:1], 1.0),
        serving=serving,
        throughput={r: view.regions[r].served(origin, tier) for r in serving},
    )


def _capacity(
    view: ModelView,
    rates: Mapping[DemandKey, float],
    before: Sequence[Sent],
) -> Capacity:
    """Ready replicas per region, at the speed that their utilisation shows."""
    explained = dict.fromkeys(view.regions, 0.0)
    for origin, entry in before:
        tier = entry.tier
        if (origin, tier) not in view.able:
            continue
        rate = rates[view.demand(origin, tier)]
        for share in entry.shares:
            region = view.regions.get(share.serving)
            if region is not None and region.ready:
                part = rate * (share.weight_ppm / MILLION)
                explained[region.region] += part / region.served(origin, tier)
    usable, full = {}, {}
    for name, region in view.regions.items():
        speed = 1.0
        busy = region.utilisation
        if region.ready and busy is not None and busy > _BUSY_ENOUGH and explained[name] > 0:
            expected = explained[name] / region.ready
            speed = min(1.0, max(_SLOWEST, expected / busy))
        usable[name] = region.usable * speed
        full[name] = region.ready * speed
    return Capacity(usable=usable, full=full)


def _shares(want: Want, placed: Placement) -> Split:
    row = placed[want.origin]
    total = sum(row.values())
    shed = max(0.0, want.requests_per_second - total) / want.requests_per_second
    if shed < _SHED_AT_ALL and total > 0:
        return {region: rate / total for region, rate in row.items()}
    return {region: rate / want.requests_per_second for region, rate in row.items()} | {SHED: shed}
