"""The planner's solver on a given problem, without fleet, store or clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heliostat.clock import cpu_seconds
from heliostat.errors import InvalidInput
from planning.highs import SolveLimits
from planning.offline.problem_file import answer_mapping, read_problem, write_problem
from planning.offline.random_problem import parse_size, random_problem
from planning.offline.static_problem import StaticProblem
from planning.solve import SolveSettings, solve


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A problem's size and the figures of its answer (see `planning.offline.problem_file`)."""

    size: str
    figures: dict[str, Any]


def problem_in(path: Path) -> StaticProblem:
    """The problem in a JSON file. Raises InvalidInput naming the file or the key."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InvalidInput("--problem", f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput("--problem", f"{path} is not a text file: {error.reason}") from error
    return read_problem(text)


def made_up(size: str, *, busy: float, seed: int) -> StaticProblem:
    """A random problem of size `RxMxG`. Raises InvalidInput."""
    regions, models, vm_types = parse_size(size)
    return random_problem(regions=regions, models=models, vm_types=vm_types, busy=busy, seed=seed)


def keep(problem: StaticProblem, path: Path) -> None:
    """Write a problem as JSON. Raises InvalidInput when the file cannot be written."""
    try:
        path.write_text(write_problem(problem), "utf-8")
    except OSError as error:
        raise InvalidInput("--save", f"{path} cannot be written: {error.strerror}") from error


def solved(problem: StaticProblem, *, nodes: int) -> Solved:
    """The best answer found and how good it is, in dollars per hour.

    `nodes` limits the branch and bound that follows the dive; 0 leaves it out. CPU seconds are
    there also for an infeasible problem.
    """
    began = cpu_seconds()
    solution = solve(problem.instance(), SolveSettings(limits=SolveLimits(nodes=nodes)))
    figures = {"cpu_seconds": cpu_seconds() - began, **answer_mapping(problem, solution)}
    size = f"{len(problem.regions)} regions, {len(problem.models)} models, {len(problem.vm_types)} VM types"
    return Solved(size=size, figures=figures)
