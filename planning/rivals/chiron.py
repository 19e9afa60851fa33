"""Chiron: enough replicas that interactive spikes find room, and more while batch work would be late.

arXiv 2501.08090. Interactive requests are packed onto the fullest replicas, so busy = replicas that run
at least one, and IBP = busy ÷ all interactive and mixed ones is kept at Θ: desired = ceil(busy ÷ Θ), at
least 1; less only once IBP falls `hysteresis` below Θ. Θ is learnt from history: a spike of 3 × within a
model's load time gives 1/3 (`spare_for_spikes`). BBP = groups of waiting batch requests (by deadline)
whose estimated wait exceeds the time left: the fewest replicas that clear them are added, and all of
those leave when no batch request waits. A queue alone never scales.

In our fleets a pool is one thing, so its replicas are all *mixed*: those beyond the interactive ones do
batch work as long as dispatching keeps interactive requests away, and serve interactive ones if need be.
Who packs is not decided here: where requests are spread instead (docs/decisions/0019) IBP is near 1, and Θ
alone says how many stand. Where no backlog is measured the batch half rests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from heliostat.catalogue import PoolSpec
from heliostat.errors import InvalidInput
from heliostat.model.demand import TokenMix
from heliostat.model.fleet import BatchBacklog, PoolObservation, StartKind
from heliostat.model.names import ModelName, PoolKey, Tier
from heliostat.ports.deciding import PlanningProblem
from planning.pool_rules import Wish, kept
from planning.rivals.cheapest_first import by_cost
from planning.rivals.waiting_time import (
    BatchServers,
    OutputLengths,
    late_groups,
    regrouped,
    replicas_to_add,
)
from planning.throughput import throughput


@dataclass(frozen=True, slots=True, kw_only=True)
class ChironSettings:
    """`theta` by model, `otherwise` for the rest. The paper leaves all others open: ours."""

    theta: Mapping[ModelName, float] = field(default_factory=dict)
    otherwise: float = 1 / 3
    hysteresis: float = 0.25
    deadline_groups: int = 10
    deviations: float = 1.64
    output_variation: float = 1.2
    """Standard deviation ÷ mean of output lengths."""

    def __post_init__(self) -> None:
        if not all(0 < theta <= 1 for theta in (*self.theta.values(), self.otherwise)):
            raise InvalidInput("chiron.theta", "must lie in (0, 1]")
        if not 0 <= self.hysteresis < 1 or self.deadline_groups < 1:
            raise InvalidInput("chiron", "hysteresis in [0, 1), at least one group")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChironRule:
    """The `PoolRule` of Chiron."""

    settings: ChironSettings = ChironSettings()
    policy: str = "chiron"

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        busy = busy_replicas(seen)
        if busy is None:
            return kept(seen, "the replicas with interactive work are unknown")
        theta = self.settings.theta.get(spec.key.model, self.settings.otherwise)
        before = _interactive_before(problem, spec.key, seen)
        interactive = max(1, math.ceil(busy / theta - 1e-9))
        if before > interactive and busy / before > theta * (1 - self.settings.hysteresis):
            interactive = before
        interactive = max(spec.min_replicas, interactive)
        extra, queue = self._batch(problem, spec, seen, busy, interactive, before)
        return Wish(
            replicas=interactive + extra,
            binding="batch backpressure" if extra else "interactive backpressure",
            why=f"{busy} busy with interactive work, Θ {theta:.2f}; {queue}",
            later=interactive,
        )

    def _batch(
        self,
        problem: PlanningProblem,
        spec: PoolSpec,
        seen: PoolObservation,
        busy: int,
        interactive: int,
        before: int,
    ) -> tuple[int, str]:
        """Replicas beyond the interactive ones, and what the batch queue looks like."""
        backlog = _backlog(problem, spec.key)
        if backlog is None:
            return 0, "no batch backlog is measured"
        if not backlog.requests:
            return 0, "no batch requests are waiting"
        if by_cost(problem, spec)[0].key != spec.key:
            return 0, "its batch work is served by another pool"
        servers = _servers(problem, spec, at_work=max(0, seen.standing - busy))
        if servers is None:
            return 0, f"{spec.key.vm_type} cannot serve batch requests"
        mean = _batch_mix(problem, spec.key.model).output_tokens
        lengths = OutputLengths(mean=mean, deviation=self.settings.output_variation * mean)
        groups = regrouped(backlog.groups, self.settings.deadline_groups)
        z = self.settings.deviations
        late = late_groups(groups, problem.at, lengths, servers, z=z)
        more = replicas_to_add(groups, problem.at, lengths, servers, z=z)
        extra = max(0, seen.standing + more - interactive if more else seen.standing - before)
        return extra, f"{backlog.requests} batch requests wait, {late} of {len(groups)} groups late"


def busy_replicas(seen: PoolObservation) -> int | None:
    """Replicas that run interactive requests; from utilisation where engines do not say."""
    if seen.interactive_busy_replicas is not None:
        return seen.interactive_busy_replicas
    if seen.utilisation is None:
        return None
    return min(seen.ready, math.ceil(seen.utilisation * seen.ready - 1e-9))


def _interactive_before(problem: PlanningProblem, pool: PoolKey, seen: PoolObservation) -> int:
    """How many of the pool's replicas are there for interactive work, as the last plan had it."""
    last = problem.previous.target(pool) if problem.previous is not None else None
    if last is None or len(last.path) < 2:
        return seen.standing
    return min(seen.standing, last.path[-1])


def _backlog(problem: PlanningProblem, pool: PoolKey) -> BatchBacklog | None:
    for backlog in problem.fleet.batch_backlog:
        if (backlog.region, backlog.model) == (pool.region, pool.model):
            return backlog
    return None


def _servers(problem: PlanningProblem, spec: PoolSpec, *, at_work: int) -> BatchServers | None:
    model = problem.catalogue.model(spec.key.model)
    batch = model.tier(Tier.BATCH)
    if batch is None:
        return None
    mix = _batch_mix(problem, model.name)
    rate = throughput(model, spec.key.vm_type, batch, mix).requests_per_second
    if rate <= 0:
        return None
    return BatchServers(
        now=at_work,
        tokens_per_second=rate * mix.output_tokens,
        lead_time=problem.lead_time(spec.key, StartKind.COLD).p50,
    )


def _batch_mix(problem: PlanningProblem, model: ModelName) -> TokenMix:
    return problem.catalogue.mixes(problem.mixes)[model, Tier.BATCH]
