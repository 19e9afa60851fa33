"""Random static problems of a stated size, to measure the solver on; the same seed, the same problem.

Regions lie on a unit torus; round trips are their distances times 150 ms plus 3 ms. A cell is one
(region, model): its demand is `busy` × uniform(0.5, 1.5) replicas of the first VM type, so `busy` is
the mean number of busy replicas a cell. A replica of model m on the first VM type serves
uniform(0.5, 5) requests per second; VM type g is 2^(g/2) times as fast (± 15 % by model) and as dear
(± 15 % by VM type, ± 10 % by region), the first at 20 dollars per hour. Requests may be served in the
8 nearest regions, their own included. Quotas are 1.5 × the need: the VMs that a region would need to
serve its own demand, split evenly over the VM types by throughput. The usable share is 0.85 whatever
a pool's size, so that the linear relaxation is a true lower bound.
"""

from __future__ import annotations

import numpy as np

from heliostat.errors import InvalidInput
from planning.arrays import Bools, Floats, Ints
from planning.offline.static_problem import StaticProblem

NEAREST = 8
USABLE = 0.85
QUOTA_OVER_NEED = 1.5


def random_problem(
    *, regions: int, models: int, vm_types: int, busy: float, seed: int
) -> StaticProblem:
    """A problem of that size. Raises InvalidInput on sizes below one or absurd ones."""
    for name, size in (("regions", regions), ("models", models), ("vm_types", vm_types)):
        if not 1 <= size <= 1000:
            raise InvalidInput(f"random.{name}", f"{size} is not within 1 … 1000")
    if not 0 < busy <= 10_000:
        raise InvalidInput("random.busy", f"{busy} is not within (0, 10000]")
    chance = np.random.default_rng(seed)
    round_trip = _round_trips(chance, regions)
    throughput = _speeds(chance, models, vm_types)
    price = _prices(chance, regions, vm_types)
    replicas = busy * chance.uniform(0.5, 1.5, (regions, models))
    return StaticProblem(
        regions=tuple(f"region-{number}" for number in range(regions)),
        models=tuple(f"model-{number}" for number in range(models)),
        vm_types=tuple(f"vm-{number}" for number in range(vm_types)),
        demand=replicas * throughput[:, 0],
        throughput=throughput,
        price=price,
        quota=_quotas(replicas.sum(axis=1) / USABLE, vm_types),
        round_trip=round_trip,
        reach=nearest(round_trip, NEAREST),
        usable_share=USABLE,
    )


def parse_size(text: str) -> tuple[int, int, int]:
    """Regions, models and VM types from `RxMxG`. Raises InvalidInput."""
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise InvalidInput("random", f"{text!r} is not RxMxG", remedy="for example 10x20x4")
    regions, models, vm_types = (int(part) for part in parts)
    return regions, models, vm_types


def nearest(round_trip: Floats, count: int) -> Bools:
    """Which regions are among the `count` nearest of an origin (R × R)."""
    order = np.argsort(round_trip, axis=1, kind="stable")[:, :count]
    near = np.zeros(round_trip.shape, dtype=np.bool_)
    np.put_along_axis(near, order, True, axis=1)
    return near


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


def _quotas(need: Floats, vm_types: int) -> Ints:
    speed = 2 ** (np.arange(vm_types) / 2)
    vms: Ints = np.ceil(QUOTA_OVER_NEED * need[:, None] / vm_types / speed).astype(np.int64)
    return vms
