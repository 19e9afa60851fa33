"""Static problems as JSON files, and answers to them: what `heliostat plan solve` reads and writes.

A file looks like this (names are free; regions and VM types that are left out of a row count as 0):

    {"version": 1, "regions": ["east", "west"], "models": ["m"], "vm_types": ["a", "b"],
     "requests_per_second": {"east": {"m": 12.5}, "west": {"m": 3}},
     "throughput": {"m": {"a": 0.5, "b": 1.2}},
     "dollars_per_hour": {"east": {"a": 20, "b": 45}, "west": {"a": 22, "b": 50}},
     "quota": {"east": {"a": 40, "b": 10}, "west": {"a": 40, "b": 10}},
     "round_trip_ms": {"east": {"west": 70}}, "max_round_trip_ms": 200, "usable_share": 0.85}

`round_trip_ms` holds for both directions unless both are given. `serving`, {origin: [regions]}, may
replace `max_round_trip_ms`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heliostat.errors import InvalidInput
from planning.arrays import Bools, Floats
from planning.offline.static_problem import StaticProblem
from planning.solve import Solution

_VERSION = 1
_KEYS = frozenset(
    {"version", "regions", "models", "vm_types", "requests_per_second", "throughput", "quota"}
    | {"dollars_per_hour", "round_trip_ms", "max_round_trip_ms", "serving", "usable_share"}
)


def read_problem(text: str) -> StaticProblem:
    """The problem in a file's text. Raises InvalidInput, naming the key."""
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput("problem", f"line {error.lineno} is not JSON: {error.msg}") from error
    if not isinstance(root, dict):
        raise InvalidInput("problem", "must be a JSON object")
    unknown = sorted(root.keys() - _KEYS)
    if unknown:
        raise InvalidInput(f"problem.{unknown[0]}", f"is not one of {', '.join(sorted(_KEYS))}")
    if root.get("version") != _VERSION:
        raise InvalidInput("problem.version", f"must be {_VERSION}")
    regions, models, vm_types = (_names(root, k) for k in ("regions", "models", "vm_types"))
    quota = _table(root, "quota", regions, vm_types)
    if (quota != np.round(quota)).any():
        raise InvalidInput("problem.quota", "must contain whole numbers of VMs")
    round_trip = _round_trips(root, regions)
    return StaticProblem(
        regions=regions,
        models=models,
        vm_types=vm_types,
        demand=_table(root, "requests_per_second", regions, models),
        throughput=_table(root, "throughput", models, vm_types),
        price=_table(root, "dollars_per_hour", regions, vm_types),
        quota=quota.astype(np.int64),
        round_trip=round_trip,
        reach=_reach(root, regions, round_trip),
        usable_share=_number(root.get("usable_share", 0.85), "usable_share"),
    )


def write_problem(problem: StaticProblem) -> str:
    """The text of a problem's file; `read_problem` gives the same problem back."""

    def table(rows: Sequence[str], columns: Sequence[str], values: Any) -> dict[str, Any]:
        return {r: dict(zip(columns, v, strict=True)) for r, v in zip(rows, values, strict=True)}

    regions, models, vm_types = problem.regions, problem.models, problem.vm_types
    return json.dumps(
        {
            "version": _VERSION,
            "regions": regions,
            "models": models,
            "vm_types": vm_types,
            "requests_per_second": table(regions, models, problem.demand.tolist()),
            "throughput": table(models, vm_types, problem.throughput.tolist()),
            "dollars_per_hour": table(regions, vm_types, problem.price.tolist()),
            "quota": table(regions, vm_types, problem.quota.tolist()),
            "round_trip_ms": table(regions, regions, (problem.round_trip * 1000).tolist()),
            "serving": {
                origin: [r for r, able in zip(regions, row, strict=True) if able]
                for origin, row in zip(regions, problem.reach, strict=True)
            },
            "usable_share": problem.usable_share,
        },
        indent=1,
    )


def answer_mapping(problem: StaticProblem, solution: Solution | None) -> dict[str, Any]:
    """What `plan solve --json` writes: status, objective and bound (dollars per hour), gap, pools."""
    if solution is None:
        return {"status": "infeasible", "objective": None, "lp_bound": None, "gap": None}
    report = solution.report
    shape = (len(problem.regions), len(problem.models), len(problem.vm_types))
    counts = solution.replicas[:, 0].reshape(shape)
    return {
        "status": "time-limited" if report.time_limited else "solved",
        "objective": report.objective,
        "lp_bound": report.lp_bound,
        "gap": report.gap,
        "cpu_seconds": report.cpu_seconds,
        "nodes": report.nodes,
        "unserved_requests_per_second": float(solution.shortage.sum()),
        "replicas": {
            f"{problem.regions[r]}/{problem.models[m]}/{problem.vm_types[g]}": int(counts[r, m, g])
            for r, m, g in np.argwhere(counts > 0)
        },
    }


def _names(root: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = root.get(key)
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise InvalidInput(f"problem.{key}", "must be a list of names")
    if len(set(names)) != len(names):
        raise InvalidInput(f"problem.{key}", "names something twice")
    return tuple(names)


def _table(
    root: Mapping[str, Any], key: str, rows: Sequence[str], columns: Sequence[str]
) -> Floats:
    values = np.zeros((len(rows), len(columns)))
    given = root.get(key)
    if not isinstance(given, dict):
        raise InvalidInput(f"problem.{key}", "is missing, or no object of objects")
    for row, cells in given.items():
        if row not in rows:
            raise InvalidInput(f"problem.{key}.{row}", f"is not one of {', '.join(rows)}")
        if not isinstance(cells, dict):
            raise InvalidInput(f"problem.{key}.{row}", "must be an object")
        for column, value in cells.items():
            if column not in columns:
                place = f"problem.{key}.{row}.{column}"
                raise InvalidInput(place, f"is not one of {', '.join(columns)}")
            number = _number(value, f"{key}.{row}.{column}")
            values[rows.index(row), columns.index(column)] = number
    return values


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise InvalidInput(f"problem.{key}", f"{value!r} is not a number of at least 0")
    return float(value)


def _round_trips(root: Mapping[str, Any], regions: Sequence[str]) -> Floats:
    if "round_trip_ms" not in root:
        return np.zeros((len(regions), len(regions)))
    given = _table(root, "round_trip_ms", regions, regions) / 1000
    seconds: Floats = np.where(given > 0, given, given.T)
    return seconds


def _reach(root: Mapping[str, Any], regions: Sequence[str], round_trip: Floats) -> Bools:
    if "serving" in root and "max_round_trip_ms" in root:
        raise InvalidInput(
            "problem.serving", "conflicts with max_round_trip_ms: give only one of them"
        )
    if "serving" not in root:
        if "max_round_trip_ms" not in root:
            return np.ones(round_trip.shape, dtype=np.bool_)
        most = _number(root["max_round_trip_ms"], "max_round_trip_ms") / 1000
        near: Bools = (round_trip <= most) | np.eye(len(regions), dtype=np.bool_)
        return near
    reach = np.zeros(round_trip.shape, dtype=np.bool_)
    serving = root["serving"]
    if not isinstance(serving, dict):
        raise InvalidInput("problem.serving", "must be an object of lists")
    for origin, names in serving.items():
        if origin not in regions or not isinstance(names, list) or set(names) - set(regions):
            raise InvalidInput(f"problem.serving.{origin}", f"must list {', '.join(regions)}")
        for name in names:
            reach[regions.index(origin), regions.index(name)] = True
    return reach
