"""What a run left behind, as values that survive a round trip through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from heliostat.model.latency import LatencySketch

JUDGED = "slo_attainment_judged"
"""The figure that policies are held equal at: over all tiers, of requests that could be served in time."""
BILLED = "gpu_hours_billed"
OWED = "gpu_hours_owed"
DOLLARS = "cost_dollars"
OVERHEAD = "scaling_overhead_gpu_hours"
IDLE = "idle_gpu_hours"
LENT = "gpu_hours_lent"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRecord:
    """A pool's mean replicas per step: doing work, ready, coming or going, and lent."""

    gpus: int
    """GPUs of one replica."""
    busy: tuple[float, ...]
    """Replicas' worth of work done: the need that was met."""
    ready: tuple[float, ...]
    overhead: tuple[float, ...]
    lent: tuple[float, ...] = ()
    """() = none ever was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRecord:
    """A tier's requests per step. `judged` could have kept their promise, of which `met` did; all that
    started or were shed are judged where an engine cannot tell which could."""

    offered: tuple[int, ...]
    shed: tuple[int, ...]
    judged: tuple[float, ...]
    met: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What was ordered of a pool, why, and what came of it; `at` in epoch seconds.

    `detail` = binding row, forecast and clip of the plan, where it has them.
    """

    at: int
    pool: str
    target: int
    before: int
    reason: str
    detail: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run as it went, for people to look at: `start` in epoch seconds, steps of `step_seconds`."""

    start: int
    step_seconds: int
    pools: Mapping[str, PoolRecord]
    tiers: Mapping[str, TierRecord]
    decisions: tuple[DecisionRecord, ...]
    decisions_left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run. `figures` have dotted names; None = it was not measured, or cannot be.

    `latencies` are bucket counts of `LatencySketch` by "ttft/interactive-fast" and the like.
    `cpu_seconds` is the only part that differs between two runs of one spec.
    """

    figures: Mapping[str, float | None]
    requests: int
    cpu_seconds: float
    latencies: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    record: Record | None = None

    def sketch(self, name: str) -> LatencySketch:
        """The latencies of that name; empty when there are none."""
        return LatencySketch(self.latencies.get(name, {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """A run that a policy broke off: when, how, and where in the code.

    `figures` are those of a `RunResult`, from the beginning until then; none where it had not begun.
    """

    at: str
    """The simulated instant, ISO 8601 in UTC."""
    error: str
    where: str
    cpu_seconds: float = 0.0
    figures: Mapping[str, float | None] = field(default_factory=dict)


Outcome = RunResult | RunFailure


def outcome_as_mapping(outcome: Outcome) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    kind = "failure" if isinstance(outcome, RunFailure) else "result"
    return {"kind": kind, **asdict(outcome)}


def outcome_of(told: Mapping[str, Any]) -> Outcome:
    """The outcome behind `outcome_as_mapping`, through JSON. Raises KeyError, TypeError, ValueError."""
    values = dict(told)
    if values.pop("kind") == "failure":
        return RunFailure(**values)
    values["latencies"] = {
        name: {int(bucket): int(count) for bucket, count in counts.items()}
        for name, counts in values["latencies"].items()
    }
    if values["record"] is not None:
        values["record"] = _record_of(values["record"])
    return RunResult(**values)


def _record_of(told: Mapping[str, Any]) -> Record:
    values = dict(told)
    values["pools"] = {
        name: PoolRecord(**{key: _tuple(column) for key, column in pool.items()})
        for name, pool in values["pools"].items()
    }
    values["tiers"] = {
        name: TierRecord(**{key: _tuple(column) for key, column in tier.items()})
        for name, tier in values["tiers"].items()
    }
    values["decisions"] = tuple(DecisionRecord(**one) for one in values["decisions"])
    return Record(**values)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
