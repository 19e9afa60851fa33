"""The event engine and the plain one side by side on the same small scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.latency import LatencySketch
from heliostat.model.names import Tier
from simulation.engine import Change, TierTally
from simulation.event.setting import output_token_seconds
from simulation.local_policy import LocalPolicy
from simulation.requests.columns import RequestColumns
from tests.builders import NOON, a_catalogue, a_pool, catalogue_mapping
from tests.simulation.event.builders import Listed, Run, change, poisson, ready, seconds
from tests.simulation.event.reference import Asked, Box, Cell, Rules

LEVELS = (0.5, 0.95, 0.99)
TRIP_SECONDS = 0.004
PATIENCE = (30.0, 120.0, 86400.0)
"""What `Clients` makes of the small catalogue's promises."""
_WHAT = {"ready": Change.READY, "drain": Change.DRAINING, "fail": Change.FAILED}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A stream, replicas of one kind, and the local policy in the words of either engine.

    `changes` are (second, replica, "drain" | "fail" | "ready"); `memory_tokens` per replica.
    """

    stream: Mapping[str, Any]
    replicas: int = 2
    policy: LocalPolicy = field(default_factory=LocalPolicy)
    rules: Rules = field(default_factory=Rules)
    memory_tokens: int | None = None
    changes: Sequence[tuple[float, int, str]] = ()
    seeds: Sequence[int] = (1,)
    levels: Sequence[float] = LEVELS


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What both engines say of one scenario: latencies per (tier, kind) and counts."""

    latencies: Mapping[tuple[Tier, str], tuple[LatencySketch, list[float]]]
    tally: Mapping[str, tuple[int, int]]

    def errors(self, levels: Sequence[float]) -> dict[tuple[Tier, str, float], float]:
        """Relative errors of the event engine's quantiles."""
        found = {}
        for (tier, kind), (sketch, plain) in self.latencies.items():
            for level in levels:
                expected = plain[int(level * (len(plain) - 1))]
                found[tier, kind, level] = (sketch.quantile(level) or 0.0) / expected - 1
        return found


def compare(scenario: Scenario) -> Pair:
    """Both engines on the scenario, seeds pooled."""
    catalogue = _catalogue(scenario.memory_tokens)
    sketches: dict[tuple[Tier, str], LatencySketch] = {}
    plain: dict[tuple[Tier, str], list[float]] = {}
    ours, theirs = np.zeros(5, int), np.zeros(5, int)
    for seed in scenario.seeds:
        columns = poisson(np.random.default_rng(seed), **scenario.stream)
        minutes = int(scenario.stream["seconds"]) // 60 + 10
        run = _event_run(scenario, catalogue, columns, minutes)
        asked = _plain_run(scenario, catalogue, columns, minutes)
        for tier in Tier:
            _pool(run, tier, asked, sketches, plain)
        ours += _counts(run.tally())
        theirs += [
            sum(one.finished is not None for one in asked),
            *(
                sum(getattr(one, name) for one in asked)
                for name in ("lost", "preempted", "evicted")
            ),
            sum(one.shed is not None for one in asked),
        ]
    names = ("completed", "lost", "preempted", "evicted", "shed")
    pairs = zip(ours.tolist(), theirs.tolist(), strict=True)
    return Pair(
        latencies={key: (sketches[key], sorted(plain[key])) for key in plain},
        tally=dict(zip(names, pairs, strict=True)),
    )


def _catalogue(memory_tokens: int | None) -> FleetCatalogue:
    mapping = catalogue_mapping()
    if memory_tokens is not None:
        for model in mapping["models"]:
            for law in model["engines"].values():
                law["kv_gb"] = memory_tokens * law["kv_bytes_per_token"] / 1e9
    return a_catalogue(mapping)


def _event_run(
    scenario: Scenario, catalogue: FleetCatalogue, columns: RequestColumns, minutes: int
) -> Run:
    changes = [
        change(f"vm-{number}", _WHAT[what], NOON + seconds(at))
        for at, number, what in scenario.changes
    ]
    begins = ready(scenario.replicas)
    source = Listed(columns, minutes)
    return Run(source, begins + changes, scenario.policy, catalogue=catalogue)


def _plain_run(
    scenario: Scenario, catalogue: FleetCatalogue, columns: RequestColumns, minutes: int
) -> list[Asked]:
    model = catalogue.models[0]
    law = model.engines[a_pool().vm_type]
    each = output_token_seconds(model, law)
    boxes = [
        Box(law=law, rules=scenario.rules, output_seconds=each) for _ in range(scenario.replicas)
    ]
    begins = [(0.0, number, "ready") for number in range(scenario.replicas)]
    asked = [
        Asked(
            number=number,
            arrival=float(arrival),
            tier=int(tier),
            prompt=int(prompt),
            output=int(output),
            promise=_promise(catalogue, int(tier), int(prompt)),
            patience=PATIENCE[int(tier)],
        )
        for number, (arrival, tier, prompt, output) in enumerate(
            zip(
                columns.arrival_seconds,
                columns.demand,
                columns.input_tokens,
                columns.output_tokens,
                strict=True,
            )
        )
    ]
    cell = Cell(
        boxes=boxes,
        rules=scenario.rules,
        expected=[100.0, 100.0, 100.0],
        changes=[*begins, *scenario.changes],
    )
    cell.advance(asked, 60.0 * minutes)
    return asked


def _promise(catalogue: FleetCatalogue, tier: int, prompt: int) -> float:
    spec = catalogue.models[0].tier(list(Tier)[tier])
    assert spec is not None
    big = catalogue.models[0].engines[a_pool(vm_type="big").vm_type]
    return spec.slo.ttft_seconds(big.prefill_seconds(prompt))


def _pool(
    run: Run,
    tier: Tier,
    asked: Sequence[Asked],
    sketches: dict[tuple[Tier, str], LatencySketch],
    plain: dict[tuple[Tier, str], list[float]],
) -> None:
    mine = [one for one in asked if list(Tier)[one.tier] is tier and one.finished is not None]
    latencies = run.engine.latencies(tier)
    if not mine or latencies is None:
        return
    for kind in ("ttft", "itl", "e2e"):
        known = sketches.get((tier, kind), LatencySketch())
        sketches[tier, kind] = known.merge(getattr(latencies, kind))
    for one in mine:
        assert one.first is not None
        assert one.finished is not None
        plain.setdefault((tier, "ttft"), []).append(one.first - one.arrival + TRIP_SECONDS)
        plain.setdefault((tier, "e2e"), []).append(one.finished - one.arrival + TRIP_SECONDS)
        if one.output > 1:
            out = one.out if tier is Tier.BATCH else 0.0
            gap = (one.finished - one.first - out) / (one.output - 1)
            plain.setdefault((tier, "itl"), []).append(gap)


def _counts(tally: TierTally) -> list[int]:
    return [tally.completed, tally.lost, tally.preempted, tally.evicted, tally.shed]
