"""The planner's solver on a problem file, without fleet, store or clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from heliostat.clock import cpu_seconds
from heliostat.errors import InvalidInput
from planning.highs import Limits
from planning.milp.instance import Cover, Instance, Moves
from planning.solve import SolveSettings, solve

VERSION = 1
WHOLE = {
    "arc_demand",
    "arc_pool",
    "lower",
    "upper",
    "quota_group",
    "quota",
    "pools",
    "initial",
    "arriving",
    "start_arrival",
    "redeploys",
    "redeploy_arrival",
}
"""Arrays of whole numbers; `fixed_now` holds yes and no, all others real numbers."""
MOST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveFigures:
    """What `plan solve` says: dollars over the horizon, gap to the LP bound, CPU seconds."""

    status: str
    objective: float | None
    lp_bound: float | None
    gap: float | None
    cpu_seconds: float
    pools: int
    demands: int
    steps: int
    replicas: int | None


def solve_problem(instance: Instance, *, nodes: int) -> SolveFigures:
    """The best answer found and how good it is; `status` is solved, time-limited or infeasible.

    `nodes` limits the branch and bound that follows the dive; 0 leaves it out.
    """
    began = cpu_seconds()
    solution = solve(instance, SolveSettings(limits=Limits(nodes=nodes)))
    spent = cpu_seconds() - began
    report = solution.report if solution else None
    status = "infeasible"
    if report:
        status = "time-limited" if report.time_limited else "solved"
    return SolveFigures(
        status=status,
        objective=report.objective if report else None,
        lp_bound=report.lp_bound if report else None,
        gap=report.gap if report else None,
        cpu_seconds=report.cpu_seconds if report else spent,
        pools=len(instance.price),
        demands=len(instance.demand),
        steps=len(instance.step_hours),
        replicas=int(solution.replicas.sum()) if solution else None,
    )


def write_problem(instance: Instance, path: Path) -> None:
    """Keep a problem as JSON. Raises InvalidInput when the file cannot be written."""
    content = {"version": VERSION, **_as_json(instance)}
    try:
        path.write_text(json.dumps(content), "utf-8")
    except OSError as error:
        raise InvalidInput("--save", f"{path} cannot be written: {error.strerror}") from error


def read_problem(path: Path) -> Instance:
    """The problem in a file. Raises InvalidInput naming the file and what is wrong."""
    place = f"--problem {path}"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput(place, f"is larger than {MOST_BYTES:,} bytes")
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(place, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(place, f"is no JSON: {error}") from error
    if not isinstance(found, dict) or found.pop("version", None) != VERSION:
        raise InvalidInput(
            place, f"is no problem of version {VERSION}", remedy="see plan solve --save"
        )
    try:
        covers = tuple(Cover(**_arrays(cover)) for cover in found.pop("covers", ()))
        moves = found.pop("moves", None)
        instance = Instance(
            **_arrays(found), covers=covers, moves=Moves(**_arrays(moves)) if moves else None
        )
        _check(instance)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidInput(place, f"does not hold a problem: {error}") from error
    return instance


def _as_json(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        match item:
            case np.ndarray():
                found[field.name] = item.tolist()
            case tuple():
                found[field.name] = [_as_json(one) for one in item]
            case Moves():
                found[field.name] = _as_json(item)
            case _:
                found[field.name] = item
    return found


def _arrays(found: dict[str, Any]) -> dict[str, Any]:
    return {name: _array(name, value) for name, value in found.items()}


def _array(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind = np.int64 if name in WHOLE else np.bool_ if name == "fixed_now" else np.float64
    return np.asarray(value, dtype=kind)


def _check(instance: Instance) -> None:
    """Raises ValueError when the arrays do not fit together."""
    pools, demands, steps = len(instance.price), len(instance.demand), len(instance.step_hours)
    shapes = {
        "demand": (demands, steps),
        "lower": (pools, steps),
        "upper": (pools, steps),
        "typical": (pools, steps),
        "shortage_price": (demands,),
        "quota_group": (pools,),
        **dict.fromkeys(("arc_demand", "arc_pool", "arc_cost"), instance.arc_load.shape),
    }
    for name, shape in shapes.items():
        found = getattr(instance, name).shape
        # One column may stand for all steps.
        if found != shape and found != (*shape[:-1], 1):
            raise ValueError(f"{name} has the shape {found}, expected {shape}")
    for name, limit in (
        ("arc_demand", demands),
        ("arc_pool", pools),
        ("quota_group", len(instance.quota)),
    ):
        column = getattr(instance, name)
        if column.size and not 0 <= column.min() <= column.max() < limit:
            raise ValueError(f"{name} points outside 0 … {limit - 1}")
    for name in ("price", "demand", "arc_load", "arc_cost", "usable", "step_hours"):
        if not np.isfinite(getattr(instance, name)).all():
            raise ValueError(f"{name} holds what is no number")
