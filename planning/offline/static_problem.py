"""A planning problem of one step without a past: demand, speeds, prices, quotas, distances.

What `plan solve` solves, from a file or at random; the live planner's problem has time in it and is
staged elsewhere. It becomes an `Instance` of the same programme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliostat.errors import InvalidInput
from planning.arrays import Bools, Floats, Ints
from planning.milp.instance import Instance

LATENCY_WEIGHT = 0.5
"""A second of round trip costs half of what serving the request on its cheapest VM costs."""
SHORTAGE_PRICE = 100.0
"""Leaving a request unserved costs a hundred times what serving it costs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StaticProblem:
    """R regions, M models, G VM types, one tier.

    `demand` (R, M) requests per second by origin; `throughput` (M, G) requests per second of one
    replica, 0 where the model cannot run; `price` (R, G) dollars per VM-hour; `quota` (R, G) VMs;
    `round_trip` (R, R) seconds; `reach` (R, R) says which regions may serve an origin;
    `usable_share` of a pool's replicas may be busy, whatever its size.
    """

    regions: tuple[str, ...]
    models: tuple[str, ...]
    vm_types: tuple[str, ...]
    demand: Floats
    throughput: Floats
    price: Floats
    quota: Ints
    round_trip: Floats
    reach: Bools
    usable_share: float

    def __post_init__(self) -> None:
        shapes = {
            "demand": (self.demand, (len(self.regions), len(self.models))),
            "throughput": (self.throughput, (len(self.models), len(self.vm_types))),
            "price": (self.price, (len(self.regions), len(self.vm_types))),
            "quota": (self.quota, (len(self.regions), len(self.vm_types))),
            "round_trip": (self.round_trip, (len(self.regions), len(self.regions))),
        }
        for name, (values, shape) in shapes.items():
            if values.shape != shape:
                raise InvalidInput(f"problem.{name}", f"has shape {values.shape}, not {shape}")
            if not np.isfinite(values).all() or (values < 0).any():
                raise InvalidInput(f"problem.{name}", "contains a negative, infinite or NaN value")
        if not 0 < self.usable_share <= 1:
            raise InvalidInput("problem.usable_share", f"{self.usable_share} is not within (0, 1]")

    def instance(self) -> Instance:
        """The instance; pools are (region, model, VM type) in row-major order, demands (region, model)."""
        shape = (len(self.regions), len(self.models), len(self.vm_types))
        able = self.throughput > 0
        origin, serving, model, vm_type = np.nonzero(
            self.reach[:, :, None, None] & able[None, None, :, :]
        )
        cheapest = self._cheapest()
        region_of, _, type_of = np.indices(shape).reshape(3, -1)
        group = region_of * len(self.vm_types) + type_of
        quota = self.quota.reshape(-1, 1)
        return Instance(
            price=np.broadcast_to(self.price[:, None, :], shape).ravel().copy(),
            step_hours=np.ones(1),
            demand=self.demand.reshape(-1, 1),
            arc_demand=(origin * len(self.models) + model).astype(np.int64),
            arc_pool=np.ravel_multi_index((serving, model, vm_type), shape).astype(np.int64),
            arc_load=1 / self.throughput[model, vm_type],
            arc_cost=LATENCY_WEIGHT * self.round_trip[origin, serving] * cheapest[model],
            shortage_price=np.tile(SHORTAGE_PRICE * cheapest, len(self.regions)),
            lower=np.zeros((len(group), 1), dtype=np.int64),
            upper=quota[group].astype(np.int64),
            quota_group=group.astype(np.int64),
            quota=quota.astype(np.int64),
            usable=np.full((len(group), 2), self.usable_share),
            typical=np.zeros((len(group), 1)),
        )

    def _cheapest(self) -> Floats:
        """Dollars per hour of one request per second on the cheapest VM, by model."""
        with np.errstate(divide="ignore"):
            cost = self.price[:, None, :] / self.throughput[None]
        cheapest: Floats = np.where(np.isfinite(cost), cost, np.inf).min(axis=(0, 2))
        return np.where(np.isfinite(cheapest), cheapest, 1.0)
