"""A problem file is read back as it was written, and what is wrong in one is named."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from planning.offline.problem_file import answer_mapping, read_problem, write_problem
from planning.offline.random_problem import random_problem
from planning.offline.static_problem import StaticProblem
from planning.solve import solve


def mapping() -> dict[str, Any]:
    return {
        "version": 1,
        "regions": ["east", "west"],
        "models": ["m"],
        "vm_types": ["a", "b"],
        "requests_per_second": {"east": {"m": 12.5}, "west": {"m": 3}},
        "throughput": {"m": {"a": 0.5}},
        "dollars_per_hour": {"east": {"a": 20, "b": 45}, "west": {"a": 22, "b": 50}},
        "quota": {"east": {"a": 40, "b": 10}, "west": {"a": 40, "b": 10}},
        "round_trip_ms": {"east": {"west": 70}},
        "max_round_trip_ms": 200,
    }


def test_what_is_written_is_read_back() -> None:
    problem = random_problem(regions=3, models=2, vm_types=2, busy=4, seed=1)
    again = read_problem(write_problem(problem))
    for name in StaticProblem.__slots__:
        before, after = getattr(problem, name), getattr(again, name)
        if isinstance(before, np.ndarray):
            assert np.allclose(before, after), name
        else:
            assert before == after, name


def test_a_file_is_solved_and_answered_in_names() -> None:
    problem = read_problem(json.dumps(mapping()))
    assert problem.round_trip.tolist() == [[0, 0.07], [0.07, 0]]
    answer = answer_mapping(problem, solve(problem.instance()))
    assert answer["status"] == "solved"
    assert answer["unserved_requests_per_second"] == pytest.approx(0)
    assert set(answer["replicas"]) <= {"east/m/a", "west/m/a"}
    assert answer["objective"] >= answer["lp_bound"]
    assert answer["gap"] >= 0


def test_regions_too_far_away_do_not_help() -> None:
    far = mapping() | {"max_round_trip_ms": 10, "quota": {"east": {"a": 2}, "west": {"a": 40}}}
    problem = read_problem(json.dumps(far))
    answer = answer_mapping(problem, solve(problem.instance()))
    assert answer["unserved_requests_per_second"] == pytest.approx(12.5 - 2 * 0.85 * 0.5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "problem.version"),
        ({"regions": []}, "problem.regions"),
        ({"models": ["m", "m"]}, "twice"),
        ({"quota": {"north": {"a": 1}}}, "problem.quota.north"),
        ({"quota": {"east": {"a": 1.5}}}, "whole numbers"),
        ({"throughput": {"m": {"z": 1}}}, "problem.throughput.m.z"),
        ({"throughput": {"m": {"a": -1}}}, "problem.throughput.m.a"),
        ({"dollars_per_hour": 3}, "problem.dollars_per_hour"),
        ({"requests_per_second": {"east": {"m": "many"}}}, "problem.requests_per_second.east.m"),
        ({"usable_share": 1.5}, "usable_share"),
        ({"colour": "red"}, "problem.colour"),
        ({"serving": {"east": ["east"]}}, "give only one of them"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says.replace(".", r"\.")):
        read_problem(json.dumps(mapping() | change))


def test_text_that_is_no_json_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidInput, match="line 2"):
        read_problem('{"version": 1,\n oops}')
