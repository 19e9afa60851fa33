"""The fleet that a run starts with: the same for every policy, sized for the first hour at home."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue, ModelSpec
from heliostat.model.instants import Span
from heliostat.model.names import PoolKey, RegionName, VmTypeName
from simulation.arrivals import ArrivalRates
from simulation.workload.sizing import replica_seconds

FIRST_HOUR = timedelta(hours=1)
USABLE_SHARE = 0.7
"""How full the first replicas are at the first hour's mean demand."""
Free = Counter[tuple[RegionName, VmTypeName]]
"""VMs that the quotas still allow."""


def first_fleet(
    catalogue: FleetCatalogue,
    arrivals: ArrivalRates,
    begins: datetime,
    *,
    usable_share: float = USABLE_SHARE,
) -> Mapping[PoolKey, int]:
    """Replicas per pool that serve each region's first hour at home, within quotas and limits.

    They stand on the VM type on which the work is cheapest and are `usable_share` full. A pool has
    at least its minimum.
    """
    end = min(begins + FIRST_HOUR, arrivals.span.end)
    hour = arrivals.within(Span(begins, end))
    free: Free = Counter(catalogue.quotas)
    fleet: dict[PoolKey, int] = {}
    for spec in catalogue.pools:
        _take(fleet, free, spec.key, spec.min_replicas)
    for region in catalogue.regions:
        for model in catalogue.models:
            chosen = _cheapest(catalogue, region.name, model, hour)
            if chosen is None:
                continue
            pool, seconds = chosen
            needed = math.ceil(seconds / (end - begins).total_seconds() / usable_share)
            most = min(catalogue.pool(pool).max_replicas, needed)
            _take(fleet, free, pool, most - fleet.get(pool, 0))
    return fleet


def _take(
    fleet: dict[PoolKey, int],
    free: Free,
    pool: PoolKey,
    replicas: int,
) -> None:
    got = max(0, min(replicas, free[pool.region, pool.vm_type]))
    free[pool.region, pool.vm_type] -= got
    fleet[pool] = fleet.get(pool, 0) + got


def _cheapest(
    catalogue: FleetCatalogue, region: RegionName, model: ModelSpec, hour: ArrivalRates
) -> tuple[PoolKey, float] | None:
    """The pool on which the region's own demand costs least, and its replica-seconds there."""
    costs = []
    for pool in catalogue.pools:
        if (pool.key.region, pool.key.model) == (region, model.name):
            seconds = _replica_seconds(model, pool.key.vm_type, region, hour)
            price = catalogue.prices[region, pool.key.vm_type].on_demand
            costs.append((seconds * price, pool.key, seconds))
    if not costs:
        return None
    _, pool_key, busy = min(costs)
    return pool_key, busy


def _replica_seconds(
    model: ModelSpec, vm_type: VmTypeName, region: RegionName, hour: ArrivalRates
) -> float:
    total = 0.0
    for spec in model.tiers:
        for demand, column in hour.by_demand.items():
            if (demand.origin, demand.model, demand.tier) != (region, model.name, spec.tier):
                continue
            requests = float(np.nansum(column.offered))
            if requests:
                prompt, output = (
                    float(np.nansum(tokens)) / requests
                    for tokens in (column.input_tokens, column.output_tokens)
                )
                law = model.engines[vm_type]
                lengths = (prompt, max(1.0, output))
                total += requests * replica_seconds(law, lengths, spec.slo.itl_seconds)
    return total
