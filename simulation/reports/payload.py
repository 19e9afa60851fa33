"""What the page's charts are drawn from: the settings compared, as columns of plain numbers."""

from __future__ import annotations

from typing import Any

from heliostat.model.instants import to_epoch
from heliostat.model.latency import LatencySketch, bucket_seconds
from heliostat.model.names import Tier
from simulation.experiments.comparison import Contest, Point
from simulation.experiments.experiment import Findings
from simulation.experiments.figures import LATENCIES
from simulation.experiments.intervals import Estimate
from simulation.experiments.result import (
    BILLED,
    DOLLARS,
    IDLE,
    JUDGED,
    LENT,
    OVERHEAD,
    OWED,
    PoolRecord,
    Record,
)
from simulation.reports.bound import bound_as_mapping

_SHOWN = (
    *(BILLED, IDLE, OVERHEAD, LENT, OWED),
    *(DOLLARS, JUDGED),
)


def payload(findings: Findings) -> dict[str, Any]:
    """Plain values for the page's script."""
    return {
        "begins": to_epoch(findings.begins),
        "asked": findings.experiment.attainment,
        "bound": bound_as_mapping(findings),
        "policies": [_policy(one) for one in findings.contests],
    }


def _policy(one: Contest) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": one.policy.name,
        "reached": one.reached,
        "chosen": one.chosen,
        "frontier": [_frontier(point) for point in one.points if point.results],
    }
    point = one.point
    if point is None:
        return told
    told["figures"] = {name: _spread(point.mean(name)) for name in _SHOWN}
    told["latencies"] = _latencies(point)
    if point.record is not None:
        told["record"] = _record(point.record)
    return told


def _frontier(point: Point) -> dict[str, Any]:
    return {
        "headroom": point.headroom,
        "failed": bool(point.failures),
        "kept": _spread(point.mean(JUDGED)),
        "billed": _spread(point.mean(BILLED)),
        "dollars": _spread(point.mean(DOLLARS)),
    }


def _spread(found: Estimate | None) -> list[float | None] | None:
    """Mean, low and high."""
    return None if found is None else [found.mean, found.low, found.high]


def _latencies(point: Point) -> dict[str, Any]:
    """Per kind and tier, what share of requests stayed at or below which seconds."""
    known = {name for run in point.results.values() for name in run.latencies}
    names = [f"{what}/{tier}" for what in LATENCIES for tier in Tier]
    return {name: _distribution(point.latency(name)) for name in names if name in known}


def _distribution(sketch: LatencySketch) -> dict[str, list[float]]:
    seconds, shares, seen = [], [], 0
    for bucket, count in sorted(sketch.counts.items()):
        seen += count
        seconds.append(float(f"{bucket_seconds(bucket):.4g}"))
        shares.append(round(seen / sketch.count, 6))
    return {"seconds": seconds, "shares": shares}


def _record(record: Record) -> dict[str, Any]:
    """Texts stand once and are pointed at: thousands of decisions share a few hundred."""
    texts: dict[str, int] = {}

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    decisions = [
        [
            d.at,
            place(d.pool),
            d.before,
            d.target,
            place(d.reason),
            place(d.detail),
            place(d.outcome),
        ]
        for d in record.decisions
    ]
    return {
        "start": record.start,
        "step": record.step_seconds,
        "pools": {name: _pool(pool) for name, pool in record.pools.items()},
        "tiers": {
            name: {"judged": list(tier.judged), "met": list(tier.met)}
            for name, tier in record.tiers.items()
        },
        "decisions": decisions,
        "texts": list(texts),
        "left_out": record.decisions_left_out,
    }


def _pool(pool: PoolRecord) -> dict[str, Any]:
    """In GPUs, so that pools can be added up."""
    columns = ("busy", "ready", "overhead", *(("lent",) if pool.lent else ()))
    return {
        column: [round(pool.gpus * value, 2) for value in getattr(pool, column)]
        for column in columns
    }
