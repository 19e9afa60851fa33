"""Kubernetes' horizontal autoscaler on requests, as KEDA feeds it: replicas = ceil(metric ÷ target).

Facts of the public Kubernetes documentation (autoscaling/v2): an AverageValue metric is the total over the
pods; no change while its mean is within the tolerance of the target (10 %); scale-in takes the highest
recommendation of the stabilisation window (300 s), scale-out none; scale-out at most doubles or adds 4
pods, whichever is more, per 15 s. The autoscaler remembers its recommendations, so this rule does: by
instant, so that asking twice changes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from heliostat.catalogue import PoolSpec
from heliostat.errors import InvalidInput
from heliostat.model.fleet import PoolObservation
from heliostat.model.names import PoolKey
from heliostat.ports.deciding import PlanningProblem
from planning.pool_rules import Wish, kept
from planning.rivals.replica_load import replica_load

_SYNC = timedelta(seconds=15)


class HpaMetric(StrEnum):
    """What is counted."""

    IN_FLIGHT = "in-flight"
    """Requests that run or wait."""
    QUEUE = "queue"
    """Requests that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaSettings:
    """`headroom` sets the target: what a replica has in flight at 1 ÷ (1 + headroom) of its throughput.

    For QUEUE the target is that share of it: requests that wait, beside those that run. `sync` is how
    often it looks, which bounds how far it grows at once.
    """

    headroom: float = 0.5
    metric: HpaMetric = HpaMetric.IN_FLIGHT
    tolerance: float = 0.1
    stabilisation: timedelta = timedelta(minutes=5)
    up_pods: int = 4
    up_factor: float = 2.0
    sync: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if self.headroom < 0 or not 0 <= self.tolerance < 1:
            raise InvalidInput("hpa", "needs a headroom of at least 0, a tolerance within [0, 1)")


class HpaRule:
    """The `PoolRule` of the horizontal autoscaler; keeps the recommendations of its window."""

    policy = "keda"

    def __init__(self, settings: HpaSettings | None = None) -> None:
        self._settings = settings or HpaSettings()
        self._recommended: dict[PoolKey, dict[datetime, int]] = defaultdict(dict)

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        target = self._target(problem, spec.key)
        if target is None:
            return kept(seen, "no replica of it can keep any promise")
        counted = self._counted(seen)
        if counted is None:
            return kept(seen, "its requests are not measured")
        current = max(1, seen.standing)
        mean = counted / current
        raw = math.ceil(counted / target - 1e-9)
        if abs(mean / target - 1) <= self._settings.tolerance:
            raw = current
        wanted = self._stabilised(problem.at, spec.key, current, raw)
        most = self._most(current)
        why = f"{counted} requests {self._settings.metric}, {target:.3g} a replica wanted"
        return Wish(replicas=min(wanted, most), binding="requests", why=why)

    def _counted(self, seen: PoolObservation) -> int | None:
        if self._settings.metric is HpaMetric.QUEUE or seen.waiting_requests is None:
            return seen.waiting_requests
        if seen.running_requests is None:
            return None
        return seen.running_requests + seen.waiting_requests

    def _target(self, problem: PlanningProblem, pool: PoolKey) -> float | None:
        load = replica_load(problem, pool)
        if load is None:
            return None
        return max(1e-3, load.in_flight(1 / (1 + self._settings.headroom)))

    def _stabilised(self, at: datetime, pool: PoolKey, current: int, raw: int) -> int:
        """The highest recommendation of the window where the newest would shrink the pool."""
        window = self._recommended[pool]
        if not window:
            window[at - timedelta(microseconds=1)] = current
        window[at] = raw
        for old in [then for then in window if then <= at - self._settings.stabilisation]:
            del window[old]
        return raw if raw >= current else min(current, max(window.values()))

    def _most(self, current: int) -> int:
        syncs = max(1, self._settings.sync // _SYNC)
        doubled = current * self._settings.up_factor**syncs
        return max(current + self._settings.up_pods * syncs, int(doubled))
