"""Llumnix's rule: one replica more when the mean freeness is low, one less when it is high.

Freeness is free KV blocks per running request, what waits counted as if it held its blocks already
(virtual usage). Public description and artifact (Llumnix, OSDI 2024): out below 10, in above 60. Its
migration of running requests between replicas is not rebuilt: our engines do not migrate, replicas
drain. Published thresholds suit replicas with little memory; on replicas whose memory never fills they
never act, so thresholds may be tuned to each model's freeness at two shares of its throughput.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heliostat.catalogue import PoolSpec
from heliostat.errors import InvalidInput
from heliostat.model.fleet import PoolObservation
from heliostat.ports.deciding import PlanningProblem
from planning.guard import ordered
from planning.pool_rules import Wish, kept
from planning.rivals.replica_load import BLOCK_TOKENS, ReplicaLoad, replica_load

PUBLISHED_OUT, PUBLISHED_IN = 10.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FreenessSettings:
    """`tuned`: out below the freeness that a replica has at 1 ÷ (1 + headroom) of its throughput, in
    above the one at `band` less of it. Otherwise the published thresholds times 1 + headroom."""

    headroom: float = 0.5
    tuned: bool = True
    band: float = 0.2

    def __post_init__(self) -> None:
        if self.headroom < 0 or not 0 < self.band < 1:
            raise InvalidInput("freeness", "needs a headroom of at least 0, a band within (0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FreenessRule:
    """The `PoolRule` of Llumnix."""

    settings: FreenessSettings

    @property
    def policy(self) -> str:
        """Published thresholds are labelled."""
        return "llumnix" if self.settings.tuned else "llumnix-untuned"

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        load = replica_load(problem, spec.key)
        running, waiting, used = seen.running_requests, seen.waiting_requests, seen.kv_occupancy
        if load is None:
            return kept(seen, "no replica of it can meet any SLO")
        if running is None or waiting is None or used is None:
            return kept(seen, "its requests or its memory are not measured")
        law = problem.catalogue.law(spec.key.model, spec.key.vm_type)
        blocks = law.kv_tokens / BLOCK_TOKENS
        free = blocks * (seen.ready * (1 - used) + seen.coming) - waiting * load.request_blocks
        freeness = free / running if running else math.copysign(math.inf, free)
        low, high = self._thresholds(load, blocks)
        base, why = ordered(seen), f"{freeness:.0f} free blocks per running request"
        if freeness < low:
            return Wish(replicas=base + 1, binding="freeness", why=f"{why}, below {low:.0f}")
        if freeness > high and not seen.coming:
            fewer = max(0, base - 1)
            return Wish(replicas=fewer, binding="freeness", why=f"{why}, above {high:.0f}")
        return Wish(replicas=base, binding="freeness", why=why)

    def _thresholds(self, load: ReplicaLoad, blocks: float) -> tuple[float, float]:
        more = 1 + self.settings.headroom
        if not self.settings.tuned:
            return PUBLISHED_OUT * more, PUBLISHED_IN * more
        busy, idle = 1 / more, max(0.05, 1 / more - self.settings.band)

        def freeness(share: float) -> float:
            return blocks / load.in_flight(share) - load.request_blocks

        return freeness(busy), freeness(idle)
