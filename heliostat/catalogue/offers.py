"""What each region offers, in the catalogue file: prices, quotas, and the pools that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heliostat.catalogue.reader import Reader, known
from heliostat.catalogue.specs import ModelSpec, PoolSpec, Price, RegionSpec
from heliostat.errors import InvalidCatalogue, InvalidInput
from heliostat.model.fleet import MOST_REPLICAS
from heliostat.model.names import PoolKey, RegionName, VmTypeName


def parse_offers(
    place: Reader, regions: Sequence[RegionSpec], vm_names: list[VmTypeName]
) -> tuple[dict[tuple[RegionName, VmTypeName], Price], dict[tuple[RegionName, VmTypeName], int]]:
    """Prices and quotas per region and VM type. Raises InvalidCatalogue."""
    prices: dict[tuple[RegionName, VmTypeName], Price] = {}
    quotas: dict[tuple[RegionName, VmTypeName], int] = {}
    for region, reader in zip(regions, place.each(), strict=True):
        for name, offer in reader.at("vm_types").items():
            offer.only("quota", "on_demand", "reserved", "reserved_vms")
            key = (region.name, VmTypeName(known(offer, name, vm_names)))
            quotas[key] = offer.at("quota").count()
            prices[key] = Price(
                on_demand=offer.at("on_demand").positive(),
                reserved=offer.maybe("reserved", Reader.number, None),
                reserved_vms=offer.maybe("reserved_vms", Reader.count, 0),
            )
    return prices, quotas


def parse_pools(
    place: Reader,
    regions: Sequence[RegionSpec],
    models: Sequence[ModelSpec],
    quotas: Mapping[tuple[RegionName, VmTypeName], int],
) -> tuple[PoolSpec, ...]:
    """One pool per (region, model, VM type) that has a law and a quota, unless `except` drops it."""
    place.only("min_replicas", "max_replicas", "except", "overrides")
    least, most = place.at("min_replicas").count(), place.at("max_replicas").count(least=1)
    dropped = {_key(one, one.text()) for one in place.maybe("except", Reader.each, ())}
    special = {
        _key(one, name): one.only("min_replicas", "max_replicas", "launch_template")
        for name, one in place.maybe("overrides", Reader.items, ())
    }
    pools: list[PoolSpec] = []
    for region in regions:
        for model in models:
            for vm_type in model.engines:
                key = PoolKey(region=region.name, model=model.name, vm_type=vm_type)
                if (region.name, vm_type) in quotas:
                    pools.append(_pool(key, special.get(key), least, most))
    unknown = sorted((special.keys() | dropped) - {pool.key for pool in pools})
    if unknown:
        raise place.fail(f"names pools that cannot exist: {', '.join(map(str, unknown))}")
    return tuple(pool for pool in pools if pool.key not in dropped)


def _key(place: Reader, name: str) -> PoolKey:
    try:
        return PoolKey.parse(name)
    except InvalidInput:
        raise place.fail(f"{name!r} is not region/model/vm_type") from None


def _pool(key: PoolKey, special: Reader | None, least: int, most: int) -> PoolSpec:
    template = ""
    if special is not None:
        least = special.maybe("min_replicas", Reader.count, least)
        most = special.maybe("max_replicas", Reader.count, most)
        template = special.maybe("launch_template", Reader.text, "")
    if most > MOST_REPLICAS:
        raise InvalidCatalogue(f"pools.{key}", f"max_replicas {most} exceeds {MOST_REPLICAS}")
    if least > most:
        raise InvalidCatalogue(f"pools.{key}", f"min_replicas {least} exceeds max_replicas {most}")
    return PoolSpec(key=key, min_replicas=least, max_replicas=most, launch_template=template)
