"""An experiment's findings as one JSON document; docs/experiments.md names and explains every field.

Everything but `cpu_seconds` and `requests_per_cpu_second` is the same each time the same experiment
is run by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

from heliostat.model.names import Tier
from simulation.experiments.comparison import Contest, Point, against
from simulation.experiments.experiment import Findings
from simulation.experiments.figures import LATENCIES, QUANTILES
from simulation.experiments.intervals import Difference
from simulation.experiments.result import BILLED, DOLLARS, IDLE, JUDGED, LENT, OVERHEAD, OWED
from simulation.reports.bound import above_lp, above_oracle, bound_as_mapping, mapping_of

SCHEMA = 1
TIMING = ("cpu_seconds", "requests_per_cpu_second")
COMPARED = (BILLED, DOLLARS, OVERHEAD, IDLE, JUDGED)
"""Figures whose paired differences are given."""
ALWAYS = (
    BILLED,
    OWED,
    LENT,
    OVERHEAD,
    IDLE,
    DOLLARS,
    "offered",
    "completed",
    "shed",
    *(f"{kept}.{tier}" for kept in ("slo_attainment", "slo_attainment_reachable") for tier in Tier),
    JUDGED,
    "strict_ttft_attainment",
    *(f"{w}_seconds.{t}.p{q * 100:g}" for w in LATENCIES for t in Tier for q in QUANTILES),
    "scale_events",
    "evictions",
    "preemptions",
    "forecast_wape",
)
"""Figures that every policy has, null where they were not measured."""
FRONTIER = (JUDGED, BILLED, DOLLARS, OVERHEAD)
UNTIL_THEN = (BILLED, DOLLARS, "offered", "completed", "shed", JUDGED)
"""What is kept of a run that was broken off."""


def document(findings: Findings) -> dict[str, Any]:
    """The whole document, of plain values."""
    experiment = findings.experiment
    spent, requests = findings.run_cpu_seconds, findings.requests
    return {
        "schema": SCHEMA,
        "scenario": experiment.scene.name,
        "begins": _iso(findings.begins),
        "ends": _iso(findings.ends),
        "engine": experiment.engine,
        "seeds": list(experiment.seeds),
        "runs": len(findings.outcomes),
        "attainment_asked": experiment.attainment,
        "cheapest_in": experiment.cheapest_in,
        "cpu_seconds": round(findings.cpu_seconds, 3),
        "requests": requests,
        "requests_per_cpu_second": round(requests / spent, 1) if spent else None,
        "policies": {one.policy.name: _policy(one, findings) for one in findings.contests},
        "differences": _differences(findings.contests),
        "bound": bound_as_mapping(findings),
        "assumes": list(findings.said),
    }


def _policy(one: Contest, findings: Findings) -> dict[str, Any]:
    told: dict[str, Any] = {
        "policy": one.policy.policy,
        "forecaster": one.policy.forecaster or None,
        "router": one.policy.router or None,
        "headroom": one.chosen,
        "reached": one.reached,
        "on_the_floor": one.on_the_floor,
    }
    if one.point is not None:
        told |= _figures(one.point)
        told["above_lp_bound"] = _difference(above_lp(one, findings))
        told["above_causal_oracle"] = _difference(above_oracle(one, findings))
    told["frontier"] = [_frontier_point(point) for point in one.points]
    told["failures"] = [
        {
            "headroom": headroom,
            "seed": seed,
            "at": failure.at,
            "error": failure.error,
            "where": failure.where,
            "until_then": {name: failure.figures.get(name) for name in UNTIL_THEN},
        }
        for headroom, seed, failure in one.failures
    ]
    return told


def _figures(point: Point) -> dict[str, Any]:
    """Nested as the dots in their names say; what is not promised stands under `further`."""
    seen = {name for run in point.results.values() for name in run.figures}
    nested = _nested(point, ALWAYS)
    nested["further"] = {name: mapping_of(point.mean(name)) for name in sorted(seen - {*ALWAYS})}
    return nested


def _nested(point: Point, names: Sequence[str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name in names:
        *path, last = name.split(".")
        place = nested
        for key in path:
            place = place.setdefault(key, {})
        place[last] = mapping_of(point.mean(name))
    return nested


def _frontier_point(point: Point) -> dict[str, Any]:
    means = {name: mapping_of(point.mean(name)) for name in FRONTIER}
    return {"headroom": point.headroom, "failed_seeds": sorted(point.failures), **means}


def _differences(contests: tuple[Contest, ...]) -> dict[str, Any]:
    """`differences.a.b` = a less b, for every pair in the order of the experiment."""
    told: dict[str, Any] = {}
    for ours, theirs in combinations(contests, 2):
        pair = {name: _difference(against(ours, theirs, name)) for name in COMPARED}
        told.setdefault(ours.policy.name, {})[theirs.policy.name] = pair
    return told


def _difference(found: Difference | None) -> Mapping[str, Any] | None:
    if found is None:
        return None
    spread = {"relative": found.relative, "excludes_zero": found.excludes_zero}
    return {**found.estimate.as_mapping(), **spread}


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
