"""Which pool may serve which demand, at what load and price, and how full it may run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliostat.model.names import EVERYWHERE, DemandKey, ModelName, Tier, VmTypeName
from planning.arrays import Floats, Ints
from planning.milp.instance import Work
from planning.settings import SHORTAGE_PRICE
from planning.situation import Situation
from planning.throughput import Throughput, common_throughput
from planning.usable import Reserve, make_ready, tier_loads
from planning.wanted import Wanted


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
        unit = situation.settings.latency_weight * situation.serving_cost(key)
        for p, spec in enumerate(situation.pools):
            if spec.key.model != key.model or spec.key.region == lost:
                continue
            rate = situation.theta(key, spec.key.vm_type)
            if rate > 0 and catalogue.may_serve(key.origin, spec.key.region, key.model, key.tier):
                away = catalogue.round_trip(key.origin, spec.key.region)
                yields = situation.settings.batch_yields and key.tier is Tier.BATCH
                rows.append((c, p, 0.0 if yields else 1 / rate, unit * away))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Arcs(
        demand=table[:, 0].astype(np.int64),
        pool=table[:, 1].astype(np.int64),
        load=table[:, 2],
        cost=table[:, 3],
    )


def work_of(situation: Situation, arcs: Arcs) -> Work | None:
    """What the arcs' flows keep busy over whole steps, where batch work yields to peaks."""
    settings = situation.settings
    if not settings.batch_yields:
        return None
    part = np.stack(
        [
            np.divide(w.work, w.pooled, out=np.ones_like(w.work), where=w.pooled > 0)
            for w in situation.wanted.regional
        ]
    )
    theta = np.array(
        [
            situation.theta(situation.wanted.regional[c].key, situation.pools[p].key.vm_type)
            for c, p in zip(arcs.demand, arcs.pool, strict=True)
        ]
    )
    return Work(load=part[arcs.demand] / theta[:, None], share=settings.most_busy)


def shortage_prices(situation: Situation) -> Floats:
    """Dollars per hour for each unserved request per second, by demand."""
    return np.array(
        [
            SHORTAGE_PRICE[wanted.key.tier] * (situation.serving_cost(wanted.key) or 1.0)
            for wanted in situation.wanted.regional
        ]
    )


def usable_table(situation: Situation) -> Floats:
    """ρ(n) by pool: what its VM type may carry of the model's mix of tiers."""
    most = max((spec.max_replicas for spec in situation.pools), default=1)
    rows: dict[ModelName, list[Wanted]] = {}
    for row in situation.wanted.regional:
        if not (situation.settings.batch_yields and row.key.tier is Tier.BATCH):
            rows.setdefault(row.key.model, []).append(row)
    kinds = dict.fromkeys((spec.key.model, spec.key.vm_type) for spec in situation.pools)
    found = {kind: _reserve(situation, *kind, rows.get(kind[0], [])) for kind in kinds}
    make_ready((reserve for reserve, _ in found.values()), most)
    shares = {kind: reserve.shares(most, loads) for kind, (reserve, loads) in found.items()}
    return np.stack([shares[spec.key.model, spec.key.vm_type] for spec in situation.pools])


def _reserve(
    situation: Situation, name: ModelName, vm_type: VmTypeName, rows: list[Wanted]
) -> tuple[Reserve, dict[Tier, float]]:
    """How full pools may run, and the replicas that each tier's demand keeps busy."""
    model = situation.catalogue.model(name)
    common = {
        (name, other, spec.tier): _common(situation, name, other, spec.tier, rows)
        for other in model.engines
        for spec in model.tiers
    }
    wanted: dict[Tier, float] = {}
    for row in rows:
        own, rate = situation.theta(row.key, vm_type), common[name, vm_type, row.key.tier]
        alike = rate.requests_per_second / own if own > 0 else 1.0
        tier = row.key.tier
        wanted[tier] = wanted.get(tier, 0.0) + alike * float(row.pooled.mean())
    reserve = Reserve.of(
        common[name, vm_type, spec.tier]
        for spec in model.tiers
        if not (situation.settings.batch_yields and spec.tier is Tier.BATCH)
    )
    return reserve, tier_loads(model, vm_type, common, wanted)


def _common(
    situation: Situation, name: ModelName, vm_type: VmTypeName, tier: Tier, rows: list[Wanted]
) -> Throughput:
    everywhere = DemandKey(origin=EVERYWHERE, model=name, tier=tier)
    own = (row.key for row in rows if row.key.tier is tier)
    return common_throughput(situation.thetas, everywhere, vm_type, own)


def typical_sizes(situation: Situation, arcs: Arcs) -> Floats:
    """Replicas that a pool would need to serve its own region's demand of its model alone."""
    sizes = np.ones((len(situation.pools), situation.grid.steps))
    for c, p, load in zip(arcs.demand, arcs.pool, arcs.load, strict=True):
        wanted = situation.wanted.regional[c]
        if wanted.key.origin == situation.pools[p].key.region:
            sizes[p] += wanted.pooled * load
    return sizes
