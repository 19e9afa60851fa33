"""The same fleet under other names: each model twice, with separate pools for interactive and batch work.

Silos are not a decision within a fleet but another fleet. A world that runs on one asks here for its
catalogue, its demand and its first fleet. Quotas, prices and regions are shared; the floor of a pool is
divided among its two halves, each at least 1 where the pool had one; its upper limit holds for each half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from heliostat.catalogue import FleetCatalogue, ModelSpec, PoolSpec, TierSpec
from heliostat.model.names import DemandKey, ModelName, PoolKey, Tier
from simulation.arrivals import ArrivalRates

INTERACTIVE, BATCH = "+interactive", "+batch"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recast:
    """A recast catalogue, and the way to its names."""

    catalogue: FleetCatalogue
    models: Mapping[tuple[ModelName, Tier], ModelName]
    """The recast model that serves a model's tier."""
    originals: Mapping[ModelName, ModelName]

    def demand(self, key: DemandKey) -> DemandKey:
        """What a demand is called in the recast fleet."""
        return replace(key, model=self.models[key.model, key.tier])

    def original_pool(self, pool: PoolKey) -> PoolKey:
        """The pool that this one is a part of."""
        return replace(pool, model=self.originals[pool.model])

    def arrivals(self, arrivals: ArrivalRates) -> ArrivalRates:
        """The same arrivals for the recast fleet."""
        named = {self.demand(key): column for key, column in arrivals.by_demand.items()}
        return replace(arrivals, by_demand=named)

    def fleet(
        self, fleet: Mapping[PoolKey, int], needs: Mapping[PoolKey, int]
    ) -> Mapping[PoolKey, int]:
        """The replicas of a fleet divided among halves in proportion to `needs` (by recast pool).

        As many as before, but where both halves must hold their floor.
        """
        divided: dict[PoolKey, int] = {}
        for pool, replicas in fleet.items():
            halves = [p.key for p in self.catalogue.pools if self.original_pool(p.key) == pool]
            divided |= _divide(replicas, [(h, needs.get(h, 0), self._floor(h)) for h in halves])
        return divided

    def _floor(self, pool: PoolKey) -> int:
        return self.catalogue.pool(pool).min_replicas


def siloed(catalogue: FleetCatalogue) -> Recast:
    """The fleet with interactive and batch work apart; a model that has only one of them stays whole."""
    models: list[ModelSpec] = []
    serving: dict[tuple[ModelName, Tier], ModelName] = {}
    originals: dict[ModelName, ModelName] = {}
    for model in catalogue.models:
        for half, tiers in _halves(model):
            models.append(replace(model, name=half, tiers=tiers))
            originals[half] = model.name
            serving |= {(model.name, spec.tier): half for spec in tiers}
    pools = tuple(part for spec in catalogue.pools for part in _parts(spec, originals))
    return Recast(
        catalogue=replace(catalogue, models=tuple(models), pools=pools),
        models=serving,
        originals=originals,
    )


def _halves(model: ModelSpec) -> list[tuple[ModelName, tuple[TierSpec, ...]]]:
    batch = tuple(spec for spec in model.tiers if spec.tier is Tier.BATCH)
    interactive = tuple(spec for spec in model.tiers if spec.tier is not Tier.BATCH)
    if not batch or not interactive:
        return [(model.name, model.tiers)]
    return [
        (ModelName(model.name + INTERACTIVE), interactive),
        (ModelName(model.name + BATCH), batch),
    ]


def _parts(spec: PoolSpec, originals: Mapping[ModelName, ModelName]) -> list[PoolSpec]:
    halves = [half for half, model in originals.items() if model == spec.key.model]
    if len(halves) == 1:
        return [spec]
    least = spec.min_replicas
    second = max(least // 2, min(1, least))
    first = max(least - second, min(1, least))
    return [
        replace(spec, key=replace(spec.key, model=half), min_replicas=floor)
        for half, floor in zip(halves, (first, second), strict=True)
    ]


def _divide(replicas: int, halves: list[tuple[PoolKey, int, int]]) -> dict[PoolKey, int]:
    """Replicas by half, the last gets the rest; each at least its floor."""
    total = sum(need for _, need, _ in halves)
    divided: dict[PoolKey, int] = {}
    left = replicas
    for place, (pool, need, floor) in enumerate(halves):
        rest = sum(other for _, _, other in halves[place + 1 :])
        share = left if place == len(halves) - 1 else round(replicas * need / max(1, total))
        divided[pool] = max(floor, min(share, left - rest))
        left -= divided[pool]
    return divided
