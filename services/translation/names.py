"""Keys: pools, demands and series, checked against the fleet catalogue where one is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import NotFound
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    ModelName,
    PoolKey,
    RegionName,
    SeriesKey,
    VmTypeName,
)
from heliostat.v1 import common_pb2
from services.translation.enums import TIER, TOKEN_KIND
from services.translation.fields import required, required_text


@contextmanager
def named_at(path: str) -> Iterator[None]:
    """Lets an Unknown… error that leaves the block say where the caller named the thing."""
    try:
        yield
    except NotFound as error:
        error.field = error.field or path
        raise


def known_region(path: str, name: str, catalogue: FleetCatalogue) -> RegionName:
    """A region of the catalogue. Raises UnknownRegion."""
    with named_at(path):
        return catalogue.region(name).name


def known_regions(
    path: str, names: Iterable[str], catalogue: FleetCatalogue
) -> frozenset[RegionName]:
    """Regions of the catalogue. Raises UnknownRegion."""
    return frozenset(known_region(path, name, catalogue) for name in names)


def known_models(
    path: str, names: Iterable[str], catalogue: FleetCatalogue
) -> frozenset[ModelName]:
    """Models of the catalogue. Raises UnknownModel."""
    with named_at(path):
        return frozenset(catalogue.model(name).name for name in names)


def known_pool(path: str, key: common_pb2.PoolKey, catalogue: FleetCatalogue) -> PoolKey:
    """A pool of the catalogue. Raises UnknownRegion, UnknownModel, UnknownVmType, UnknownPool."""
    with named_at(path):
        return catalogue.pool(pool_from_wire(path, key)).key


def pool_to_wire(pool: PoolKey) -> common_pb2.PoolKey:
    """The key."""
    return common_pb2.PoolKey(region=pool.region, model=pool.model, vm_type=pool.vm_type)


def pool_from_wire(path: str, key: common_pb2.PoolKey) -> PoolKey:
    """The key. Raises InvalidInput when a part is empty."""
    return PoolKey(
        region=RegionName(required_text(f"{path}.region", key.region)),
        model=ModelName(required_text(f"{path}.model", key.model)),
        vm_type=VmTypeName(required_text(f"{path}.vm_type", key.vm_type)),
    )


def demand_to_wire(demand: DemandKey) -> common_pb2.DemandKey:
    """The key."""
    return common_pb2.DemandKey(
        origin_region=demand.origin, model=demand.model, tier=TIER.to_wire(demand.tier)
    )


def demand_from_wire(path: str, key: common_pb2.DemandKey) -> DemandKey:
    """The key. Raises InvalidInput when a part is not set."""
    return DemandKey(
        origin=RegionName(required_text(f"{path}.origin_region", key.origin_region)),
        model=ModelName(required_text(f"{path}.model", key.model)),
        tier=TIER.from_wire(f"{path}.tier", key.tier),
    )


def series_to_wire(series: SeriesKey) -> common_pb2.SeriesKey:
    """The key."""
    return common_pb2.SeriesKey(
        demand=demand_to_wire(series.demand), kind=TOKEN_KIND.to_wire(series.kind)
    )


def series_from_wire(path: str, key: common_pb2.SeriesKey) -> SeriesKey:
    """The key. Raises InvalidInput when a part is not set."""
    return SeriesKey(
        demand=demand_from_wire(required(path, key, "demand"), key.demand),
        kind=TOKEN_KIND.from_wire(f"{path}.kind", key.kind),
    )


def known_series(path: str, key: common_pb2.SeriesKey, catalogue: FleetCatalogue) -> SeriesKey:
    """A series of the catalogue's regions (or EVERYWHERE) and models. Raises Unknown… errors."""
    series = series_from_wire(path, key)
    if series.demand.origin != EVERYWHERE:
        known_region(f"{path}.demand.origin_region", series.demand.origin, catalogue)
    known_models(f"{path}.demand.model", [series.demand.model], catalogue)
    return series
