"""What all routes have in common until mixes are measured anew: per model, whom each origin may send to
and what a replica serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from heliostat.catalogue import FleetCatalogue, ModelSpec
from heliostat.model.demand import TokenMix
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier, VmTypeName
from planning.throughput import Thetas, Throughput, common_throughput, demand_throughputs
from planning.usable import Reserve, make_ready

_KEPT = 4
"""Catalogues and mixes; a control loop routes for a quarter of an hour by the same."""

Served = Mapping[tuple[RegionName, Tier], float]
"""Requests per second, as they come from an origin in a tier."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """One model, and of each origin's tier the demand's key and whom it may send to, nearest first.

    `rates` are the requests per second of one replica by VM type, 0 = it cannot meet the tier's SLO;
    `common` is θ at the mix of all origins, `reserves` say by VM type how full pools may run at it.
    """

    model: ModelSpec
    demands: Mapping[tuple[RegionName, Tier], DemandKey]
    reach: Mapping[tuple[RegionName, Tier], tuple[RegionName, ...]]
    rates: Mapping[VmTypeName, Served]
    common: Mapping[tuple[ModelName, VmTypeName, Tier], Throughput]
    reserves: Mapping[VmTypeName, Reserve]


def offers(catalogue: FleetCatalogue, mixes: Sequence[TokenMix]) -> tuple[Offer, ...]:
    """One per model of the catalogue."""
    return _offers(catalogue, tuple(mixes))


@lru_cache(maxsize=_KEPT)
def _offers(catalogue: FleetCatalogue, mixes: tuple[TokenMix, ...]) -> tuple[Offer, ...]:
    thetas = demand_throughputs(catalogue, mixes)
    made = tuple(_offer(catalogue, model, thetas) for model in catalogue.models)
    make_ready(reserve for offer in made for reserve in offer.reserves.values())
    return made


def _offer(catalogue: FleetCatalogue, model: ModelSpec, thetas: Thetas) -> Offer:
    demands = {(key.origin, key.tier): key for key in catalogue.demands if key.model == model.name}
    common = {
        (model.name, vm_type, spec.tier): _common(demands, spec.tier, vm_type, thetas)
        for vm_type in model.engines
        for spec in model.tiers
    }
    return Offer(
        model=model,
        demands=demands,
        reach={of: _reach(catalogue, key) for of, key in demands.items()},
        rates={
            vm_type: {of: thetas[key, vm_type].requests_per_second for of, key in demands.items()}
            for vm_type in model.engines
        },
        common=common,
        reserves={
            vm_type: Reserve.of(common[model.name, vm_type, spec.tier] for spec in model.tiers)
            for vm_type in model.engines
        },
    )


def _reach(catalogue: FleetCatalogue, key: DemandKey) -> tuple[RegionName, ...]:
    return tuple(
        to
        for to in catalogue.nearest_first(key.origin)
        if catalogue.may_serve(key.origin, to, key.model, key.tier)
    )


def _common(
    demands: Mapping[tuple[RegionName, Tier], DemandKey],
    tier: Tier,
    vm_type: VmTypeName,
    thetas: Thetas,
) -> Throughput:
    own = [key for key in demands.values() if key.tier is tier]
    return common_throughput(thetas, own[0].everywhere, vm_type, own)


@lru_cache(maxsize=256)
def served_on_average(offer: Offer, counts: tuple[tuple[VmTypeName, int], ...]) -> Served:
    """Of one of so many replicas by VM type on average; 0 of none."""
    ready = sum(count for _, count in counts)
    return {
        of: sum(count * offer.rates[vm_type][of] for vm_type, count in counts) / ready
        if ready
        else 0.0
        for of in offer.demands
    }
