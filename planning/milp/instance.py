"""One planning instance as arrays: what `build` turns into a programme; names live elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planning.arrays import Bools, Floats, Ints

NEVER = 1 << 30
"""The arrival step of an order that is not ready within the horizon."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cover:
    """Weighted usable replicas of some pools must reach a need: Σ w·ρ·n + v ≥ need.

    `kind` and `label` name it in reasons. `weight` is requests per second of one usable replica
    (aligned with `pools`), `need` in requests per second per step, `price` in dollars per missing
    request per second and hour.
    """

    kind: str
    label: str
    pools: Ints
    weight: Floats
    need: Floats
    price: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moves:
    """How pools may change over the horizon; an instance without them chooses n freely.

    `start_arrival[p, t]` is the step in which a replica started at t serves. `redeploys` are rows
    (from pool, to pool) with `redeploy_arrival[e, t]`. `arriving[p, t]` were ordered before. Costs
    are dollars per replica. `fixed_now[p]`: nothing may leave the pool in the first step.
    """

    initial: Ints
    arriving: Ints
    start_arrival: Ints
    start_cost: Floats
    change_cost: Floats
    redeploys: Ints
    redeploy_arrival: Ints
    redeploy_cost: Floats
    fixed_now: Bools

    @property
    def under_way(self) -> Ints:
        """Replicas ordered before that do not serve yet in a step, shape (P, T)."""
        left: Ints = self.arriving[:, ::-1].cumsum(axis=1)[:, ::-1] - self.arriving
        return left


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """What flows keep busy in the end, waiting or not: Σ load·x ≤ share·n.

    `load` (A, T) is replicas per planned request per second over the whole step, where `arc_load` counts
    its peak; `share` is how full a pool may run then.
    """

    load: Floats
    share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instance:
    """One planning problem: P pools, C demands, A flow arcs, Q quota groups, T steps.

    `usable` holds ρ(n), the usable share of n replicas, for n = 0 … N (the last column stands for all
    larger n); `typical` is the size at which ρ is first taken, and that of pools that turn out empty.
    """

    price: Floats
    """(P,) dollars per replica and hour."""
    step_hours: Floats
    """(T,) hours."""
    demand: Floats
    """(C, T) requests per second."""
    arc_demand: Ints
    """(A,) which demand an arc serves."""
    arc_pool: Ints
    """(A,) in which pool."""
    arc_load: Floats
    """(A,) replicas per request per second, 1/θ."""
    arc_cost: Floats
    """(A,) dollars per hour per request per second."""
    shortage_price: Floats
    """(C,) dollars per hour per request per second that is not served."""
    lower: Ints
    """(P, T) fewest replicas."""
    upper: Ints
    """(P, T) most replicas."""
    quota_group: Ints
    """(P,) which quota a pool draws on."""
    quota: Ints
    """(Q, T) replicas."""
    usable: Floats
    """(P, N + 1) shares from 0 to 1."""
    typical: Floats
    """(P, T) replicas."""
    covers: tuple[Cover, ...] = ()
    moves: Moves | None = None
    budget: float | None = None
    """Dollars per hour; None = no limit."""
    work: Work | None = None

    @property
    def pools(self) -> int:
        """P."""
        return len(self.price)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.step_hours)

    def usable_at(self, replicas: npt.NDArray[np.generic]) -> Floats:
        """ρ at these pool sizes (P, T), between whole numbers by interpolation."""
        last = self.usable.shape[1] - 1
        size = np.clip(replicas.astype(np.float64), 0, last)
        below = np.floor(size).astype(np.int64)
        above = np.minimum(below + 1, last)
        rows = np.arange(self.pools)[:, None]
        part = size - below
        share: Floats = self.usable[rows, below] * (1 - part) + self.usable[rows, above] * part
        return share

    @property
    def dearest_price(self) -> float:
        """Dollars per hour of the dearest pool; what penalties are measured in."""
        return float(self.price.max(initial=1.0))
