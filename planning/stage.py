"""From a situation to an instance in arrays; pools and demands keep the situation's order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from heliostat.model.fleet import StartKind
from heliostat.model.names import ModelName, PoolKey, RegionName, Tier, VmTypeName
from planning.covering import heliostat_covers
from planning.milp.instance import Floats, Instance, Ints, Moves
from planning.settings import SHORTAGE_PRICE
from planning.situation import Situation
from planning.throughput import tier_loads, usable_shares


def prices(situation: Situation) -> Floats:
    """Dollars per replica and hour, by pool."""
    table = situation.catalogue.prices
    return np.array(
        [table[spec.key.region, spec.key.vm_type].on_demand for spec in situation.pools]
    )


def bounds(situation: Situation) -> tuple[Ints, Ints]:
    """Fewest and most replicas by pool and step: limits, overrides, pools that are held, handed
    back or lost."""
    shape = (len(situation.pools), situation.grid.steps)
    lower, upper = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for number, spec in enumerate(situation.pools):
        if spec.key.region == situation.problem.lost_region:
            continue
        lower[number], upper[number] = spec.min_replicas, spec.max_replicas
        override = situation.overrides.get(spec.key)
        if override is not None:
            target = min(max(override.target_replicas, spec.min_replicas), spec.max_replicas)
            ruled = [span.start < override.expires_at for span in situation.grid.spans]
            lower[number, ruled] = upper[number, ruled] = target
        elif situation.standing[spec.key].held:
            upper[number, 0] = max(spec.max_replicas, situation.standing[spec.key].ready)
        elif spec.key in situation.handed_back:
            back = situation.handed_back[spec.key].replicas
            lower[number] = min(max(back, spec.min_replicas), spec.max_replicas)
    return lower, upper


def quota_groups(situation: Situation) -> tuple[Ints, Ints, list[tuple[RegionName, VmTypeName]]]:
    """Group of each pool, quota by group and step (denials live until they decay), and group names."""
    groups = sorted({(spec.key.region, spec.key.vm_type) for spec in situation.pools})
    index = {group: number for number, group in enumerate(groups)}
    member = np.array([index[s.key.region, s.key.vm_type] for s in situation.pools], dtype=np.int64)
    quota = np.zeros((len(groups), situation.grid.steps), dtype=np.int64)
    for group, number in index.items():
        stands = [
            situation.standing[s.key]
            for s in situation.pools
            if (s.key.region, s.key.vm_type) == group
        ]
        fixed = sum(s.coming + (s.ready if s.held else 0) for s in stands)
        quota[number] = max(situation.catalogue.quotas[group], fixed)
        for denial in situation.problem.fleet.denials:
            if (denial.region, denial.vm_type) == group:
                cap = max(denial.most_replicas, sum(s.replicas for s in stands))
                lives = [span.start < denial.until for span in situation.grid.spans]
                quota[number, lives] = np.minimum(quota[number, lives], cap)
    return member, quota, groups


def full_moves(situation: Situation) -> Moves:
    """How pools may change: starts, releases and redeployments with their lead times."""
    pools, grid, price = situation.pools, situation.grid, prices(situation)
    stands = [situation.standing[spec.key] for spec in pools]
    start = np.stack([grid.arrival(situation.lead_time(s.key, StartKind.COLD)) for s in pools])
    arriving = np.zeros((len(pools), grid.steps), dtype=np.int64)
    for number, stand in enumerate(stands):
        arriving[number, min(int(start[number, 0]), grid.steps - 1)] = stand.coming
    arcs = _redeploy_arcs(situation)
    settings = situation.settings
    return Moves(
        initial=np.array([stand.ready for stand in stands], dtype=np.int64),
        arriving=arriving,
        start_arrival=start,
        start_cost=price * settings.start_hours,
        change_cost=price * settings.change_hours,
        redeploys=np.array([[a, b] for a, b, _ in arcs], dtype=np.int64).reshape(-1, 2),
        redeploy_arrival=np.array(
            [grid.arrival(lead) for _, _, lead in arcs], dtype=np.int64
        ).reshape(-1, grid.steps),
        redeploy_cost=np.array([price[b] * settings.redeploy_hours for _, b, _ in arcs]),
        fixed_now=np.array(
            [
                bool(stand.held) and spec.key not in situation.overrides
                for spec, stand in zip(pools, stands, strict=True)
            ]
        ),
    )


def _redeploy_arcs(situation: Situation) -> list[tuple[int, int, timedelta]]:
    """Pairs of pools on the same VMs, with the lead time that the weights' place gives."""
    local = {
        (spec.key.region, spec.key.model)
        for spec in situation.pools
        if situation.standing[spec.key].ready > 0
    }
    arcs: list[tuple[int, int, timedelta]] = []
    for a, source in enumerate(situation.pools):
        if not situation.standing[source.key].ready:
            continue
        for b, destination in enumerate(situation.pools):
            same = (source.key.region, source.key.vm_type) == (
                destination.key.region,
                destination.key.vm_type,
            )
            if a == b or not same:
                continue
            near = (destination.key.region, destination.key.model) in local
            kind = StartKind.REDEPLOY_LOCAL_WEIGHTS if near else StartKind.REDEPLOY_REMOTE_WEIGHTS
            arcs.append((a, b, situation.lead_time(destination.key, kind)))
    return arcs


def usable_table(situation: Situation) -> Floats:
    """ρ(n) by pool: what its VM type may carry of the model's mix of tiers."""
    most = max((spec.max_replicas for spec in situation.pools), default=1)
    wanted: dict[ModelName, dict[Tier, float]] = {}
    for row in situation.wanted.regional:
        rates = wanted.setdefault(row.key.model, {})
        rates[row.key.tier] = rates.get(row.key.tier, 0.0) + float(row.pooled.mean())
    return np.stack(
        [
            _usable(situation, spec.key, most, wanted.get(spec.key.model, {}))
            for spec in situation.pools
        ]
    )


def _usable(situation: Situation, pool: PoolKey, most: int, wanted: dict[Tier, float]) -> Floats:
    model = situation.catalogue.model(pool.model)
    return usable_shares(
        [situation.thetas[model.name, pool.vm_type, spec.tier] for spec in model.tiers],
        most,
        tier_loads(model, pool.vm_type, situation.thetas, wanted),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arcs:
    """Flow arcs (demand → pool) with load per request and dollars per hour of distance."""

    demand: Ints
    pool: Ints
    load: Floats
    cost: Floats


def flow_arcs(situation: Situation) -> Arcs:
    """Every pool that may and can serve each demand: residency, latency budget, reachable SLO."""
    catalogue, lost = situation.catalogue, situation.problem.lost_region
    rows: list[tuple[int, int, float, float]] = []
    for c, wanted in enumerate(situation.wanted.regional):
        key = wanted.key
        unit = situation.settings.latency_weight * situation.serving_cost(key.model, key.tier)
        for p, spec in enumerate(situation.pools):
            if spec.key.model != key.model or spec.key.region == lost:
                continue
            rate = situation.thetas[key.model, spec.key.vm_type, key.tier].requests_per_second
            if rate > 0 and catalogue.may_serve(key.origin, spec.key.region, key.model, key.tier):
                away = catalogue.round_trip(key.origin, spec.key.region)
                rows.append((c, p, 1 / rate, unit * away))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Arcs(
        demand=table[:, 0].astype(np.int64),
        pool=table[:, 1].astype(np.int64),
        load=table[:, 2],
        cost=table[:, 3],
    )


def shortage_prices(situation: Situation) -> Floats:
    """Dollars per hour for each request per second that nobody serves, by demand."""
    return np.array(
        [
            SHORTAGE_PRICE[wanted.key.tier]
            * (situation.serving_cost(wanted.key.model, wanted.key.tier) or 1.0)
            for wanted in situation.wanted.regional
        ]
    )


def typical_sizes(situation: Situation, arcs: Arcs) -> Floats:
    """Replicas that a pool would need to serve its own region's demand of its model alone."""
    sizes = np.ones((len(situation.pools), situation.grid.steps))
    for c, p, load in zip(arcs.demand, arcs.pool, arcs.load, strict=True):
        wanted = situation.wanted.regional[c]
        if wanted.key.origin == situation.pools[p].key.region:
            sizes[p] += wanted.pooled * load
    return sizes


def full_instance(situation: Situation) -> Instance:
    """The receding-horizon instance: flows, moves, quotas, floors, own share, N − 1, budget."""
    arcs = flow_arcs(situation)
    lower, upper = bounds(situation)
    group, quota, _ = quota_groups(situation)
    return Instance(
        price=prices(situation),
        step_hours=situation.grid.hours,
        demand=np.array([wanted.pooled for wanted in situation.wanted.regional]).reshape(
            -1, situation.grid.steps
        ),
        arc_demand=arcs.demand,
        arc_pool=arcs.pool,
        arc_load=arcs.load,
        arc_cost=arcs.cost,
        shortage_price=shortage_prices(situation),
        lower=lower,
        upper=upper,
        quota_group=group,
        quota=quota,
        usable=usable_table(situation),
        typical=typical_sizes(situation, arcs),
        covers=heliostat_covers(situation),
        moves=full_moves(situation),
        budget=situation.catalogue.guardrails.budget_dollars_per_hour,
    )
