"""Kubernetes' horizontal autoscaler on requests, as KEDA feeds it: replicas = ceil(metric ÷ target).

Facts of the public Kubernetes documentation (autoscaling/v2): an AverageValue metric is the total over the
pods; no change while its mean is within the tolerance of the target (10 %); scale-in takes the highest
recommendation of the stabilisation window (300 s), scale-out none; policies bound how many pods come in
a period. Ours are tuned as an operator would tune them: what is counted is averaged over minutes, as
such metrics are queried (`avg_over_time`), and a period brings few pods. With the defaults (no average, twice
as many every 15 s) each burst of a minute buys a fleet that is there when the burst is long over. The
autoscaler remembers its recommendations, so this rule does: by instant, so that asking twice changes nothing.
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


class HpaMetric(StrEnum):
    """What is counted."""

    IN_FLIGHT = "in-flight"
    """Requests that run or wait."""
    QUEUE = "queue"
    """Requests that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaSettings:
    """`headroom` sets the target: what a replica has in flight at 1 ÷ (1 + headroom) of its throughput.

    For QUEUE that many wait. `averaged` is the time over which requests are averaged. A look, every
    minute, adds at most `up_pods` or `up_share` of what stands, whichever is more.
    """

    headroom: float = 0.5
    metric: HpaMetric = HpaMetric.IN_FLIGHT
    tolerance: float = 0.1
    stabilisation: timedelta = timedelta(minutes=5)
    averaged: timedelta = timedelta(minutes=5)
    up_pods: int = 1
    up_share: float = 0.05

    def __post_init__(self) -> None:
        if self.headroom < 0 or not 0 <= self.tolerance < 1:
            raise InvalidInput("hpa", "needs a headroom of at least 0, a tolerance within [0, 1)")
        if self.up_pods < 1 or self.up_share < 0:
            raise InvalidInput("hpa", "must be allowed to add at least one pod")


class HpaRule:
    """The `PoolRule` of the horizontal autoscaler; keeps the recommendations of its window."""

    policy = "keda"

    def __init__(self, settings: HpaSettings | None = None) -> None:
        self._settings = settings or HpaSettings()
        self._recommended: dict[PoolKey, dict[datetime, int]] = defaultdict(dict)
        self._seen: dict[PoolKey, dict[datetime, int]] = defaultdict(dict)

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        target = self._target(problem, spec.key)
        if target is None:
            return kept(seen, "no replica of it can meet any SLO")
        counted = self._counted(seen)
        if counted is None:
            return kept(seen, "its requests are not measured")
        current = max(1, seen.standing)
        latest = self._seen[spec.key]
        latest[problem.at] = counted
        _forget(latest, problem.at - self._settings.averaged)
        total = sum(latest.values()) / len(latest)
        raw = math.ceil(total / target - 1e-9)
        if abs(total / current / target - 1) <= self._settings.tolerance:
            raw = current
        wanted = self._stabilised(problem.at, spec.key, current, raw)
        most = self._most(current)
        why = f"{total:.1f} requests {self._settings.metric}, {target:.3g} a replica wanted"
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
        _forget(window, at - self._settings.stabilisation)
        return raw if raw >= current else min(current, max(window.values()))

    def _most(self, current: int) -> int:
        share = int(current * self._settings.up_share)
        return current + max(self._settings.up_pods, share)


def _forget(remembered: dict[datetime, int], until: datetime) -> None:
    for old in [then for then in remembered if then <= until]:
        del remembered[old]
