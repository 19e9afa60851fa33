"""Random planning instances of a stated size, to measure the solver on; the same seed, the same instance.

Regions lie on a unit torus; round trips are their distances times 150 ms plus 3 ms. A cell is one
(region, model): its demand is uniform in 0.5 … 1.5 times `busy` replicas of the model's reference
speed (so `busy` is the mean number of busy replicas a cell), in units where the reference replica
serves 1 request per second of model m at θ_m, uniform in 0.5 … 5. VM type g is 2^(g/2) times as fast
as the first (± 15 % by model) and costs in proportion (± 15 % by VM type, ± 10 % by region). Requests may
be served in the 8 nearest regions, their own included. Quotas are 1.5 times the need: what
each region would need to serve its own demand on the first VM type, spread over VM types by their speed.
The usable share is 0.85 everywhere, so that the linear relaxation is a true lower bound. One step of
one hour, nothing standing before.
"""

from __future__ import annotations

import numpy as np

from heliostat.errors import InvalidInput
from planning.milp.instance import Bools, Floats, Instance, Ints

NEAREST = 8
USABLE = 0.85
QUOTA_OVER_NEED = 1.5
_LATENCY_WEIGHT = 0.5
"""A second of round trip costs half of what serving the request costs."""
_SHORTAGE_PRICE = 100.0


def random_instance(
    *, regions: int, models: int, vm_types: int, busy: float, seed: int
) -> Instance:
    """An instance of that size. Raises InvalidInput on sizes below one or absurd ones."""
    for name, size in (("regions", regions), ("models", models), ("vm_types", vm_types)):
        if not 1 <= size <= 1000:
            raise InvalidInput(f"random.{name}", f"{size} is not within 1 … 1000")
    if not 0 < busy <= 10_000:
        raise InvalidInput("random.busy", f"{busy} is not within (0, 10000]")
    chance = np.random.default_rng(seed)
    round_trip = _round_trips(chance, regions)
    theta = _speeds(chance, models, vm_types)
    price = _prices(chance, regions, vm_types)
    demand = busy * chance.uniform(0.5, 1.5, (regions, models))
    need = demand.sum(axis=1) / USABLE
    demand *= theta[:, 0]
    near = _nearest(round_trip)
    origin, serving, model, vm_type = np.meshgrid(
        *(np.arange(size) for size in (regions, regions, models, vm_types)), indexing="ij"
    )
    arcs = near[origin, serving]
    o, r, m, g = (axis[arcs] for axis in (origin, serving, model, vm_type))
    cheapest = (price[:, None, :] / theta[None]).min(axis=(0, 2))
    shape = (regions, models, vm_types)
    region_of, _, type_of = np.indices(shape).reshape(3, -1)
    return Instance(
        price=np.broadcast_to(price[:, None, :], shape).ravel().copy(),
        step_hours=np.ones(1),
        demand=demand.reshape(-1, 1),
        arc_demand=o * models + m,
        arc_pool=np.ravel_multi_index((r, m, g), shape).astype(np.int64),
        arc_load=1 / theta[m, g],
        arc_cost=_LATENCY_WEIGHT * round_trip[o, r] * cheapest[m],
        shortage_price=np.tile(_SHORTAGE_PRICE * cheapest, regions),
        lower=np.zeros((regions * models * vm_types, 1), dtype=np.int64),
        upper=np.full((regions * models * vm_types, 1), int(need.max() * 4) + 4, dtype=np.int64),
        quota_group=(region_of * vm_types + type_of).astype(np.int64),
        quota=_quotas(need, vm_types),
        usable=np.full((regions * models * vm_types, 2), USABLE),
        typical=np.zeros((regions * models * vm_types, 1)),
    )


def parse_size(text: str) -> tuple[int, int, int]:
    """Regions, models and VM types from `RxMxG`. Raises InvalidInput."""
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise InvalidInput("random", f"{text!r} is not RxMxG", remedy="write e.g. 10x20x4")
    regions, models, vm_types = (int(part) for part in parts)
    return regions, models, vm_types


def _round_trips(chance: np.random.Generator, regions: int) -> Floats:
    place = chance.random((regions, 2))
    apart = np.abs(place[:, None, :] - place[None, :, :])
    distance = np.linalg.norm(np.minimum(apart, 1 - apart), axis=2)
    seconds: Floats = 0.003 + 0.15 * distance
    return seconds


def _speeds(chance: np.random.Generator, models: int, vm_types: int) -> Floats:
    base = chance.uniform(0.5, 5.0, (models, 1))
    factor = 2 ** (np.arange(vm_types) / 2) * chance.uniform(0.85, 1.15, (models, vm_types))
    factor[:, 0] = 1.0
    speeds: Floats = base * factor
    return speeds


def _prices(chance: np.random.Generator, regions: int, vm_types: int) -> Floats:
    base = 20.0 * 2 ** (np.arange(vm_types) / 2) * chance.uniform(0.85, 1.15, vm_types)
    prices: Floats = base * chance.uniform(0.9, 1.1, (regions, 1))
    return prices


def _nearest(round_trip: Floats) -> Bools:
    order = np.argsort(round_trip, axis=1, kind="stable")[:, :NEAREST]
    near = np.zeros(round_trip.shape, dtype=np.bool_)
    np.put_along_axis(near, order, True, axis=1)
    return near


def _quotas(need: Floats, vm_types: int) -> Ints:
    """Rows follow (region, VM type): replicas that together carry 1.5 × the region's need."""
    speed = 2 ** (np.arange(vm_types) / 2)
    each = QUOTA_OVER_NEED * need[:, None] / vm_types / speed
    quotas: Ints = np.ceil(each).astype(np.int64).reshape(-1, 1)
    return quotas
