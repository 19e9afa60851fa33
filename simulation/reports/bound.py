"""The lower bound for any policy, and a policy's distance above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulation.experiments.ceilings import LP_DOLLARS, LP_GPU_HOURS, LP_GPU_HOURS_AT_LEAST_COST
from simulation.experiments.comparison import Contest
from simulation.experiments.experiment import Findings
from simulation.experiments.intervals import Difference, Estimate, difference, estimate
from simulation.experiments.result import BILLED, RunFailure


def lp_gpu_hours(findings: Findings) -> Estimate | None:
    """Of the linear bound with perfect knowledge, over the seeds of which it was found; None where it was not
    asked for, is infeasible, or was found of none."""
    return estimate(list(_linear(findings, LP_GPU_HOURS).values()))


def oracle_gpu_hours(findings: Findings) -> Estimate | None:
    """Of the best causal policy with an oracle forecast; None where it does not reach either."""
    oracle = findings.oracle
    if oracle is None or oracle.point is None or not oracle.reached:
        return None
    return oracle.point.mean(BILLED)


def bound_as_mapping(findings: Findings) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {
        "lp_gpu_hours": mapping_of(lp_gpu_hours(findings)),
        "lp_cost_dollars": mapping_of(estimate(list(_linear(findings, LP_DOLLARS).values()))),
        "lp_gpu_hours_at_least_cost": mapping_of(
            estimate(list(_linear(findings, LP_GPU_HOURS_AT_LEAST_COST).values()))
        ),
        "causal_oracle_gpu_hours": mapping_of(oracle_gpu_hours(findings)),
        "causal_oracle_headroom": None if findings.oracle is None else findings.oracle.chosen,
        "reason": _reason(findings),
    }


def above_lp(one: Contest, findings: Findings) -> Difference | None:
    """What a policy bills more than the linear bound, seed by seed."""
    return (
        None
        if one.point is None
        else difference(one.point.by_seed(BILLED), _linear(findings, LP_GPU_HOURS))
    )


def above_oracle(one: Contest, findings: Findings) -> Difference | None:
    """What a policy bills more than the causal oracle, seed by seed."""
    oracle = findings.oracle
    if one.point is None or oracle is None or oracle.point is None or not oracle.reached:
        return None
    return difference(one.point.by_seed(BILLED), oracle.point.by_seed(BILLED))


def mapping_of(found: Estimate | None) -> dict[str, float | None] | None:
    """`{mean, low, high}`; None where nothing was measured."""
    return None if found is None else found.as_mapping()


def _linear(findings: Findings, figure: str) -> Mapping[int, float | None]:
    return {seed: run.figures.get(figure) for seed, run in sorted(findings.linear.items())}


def _reason(findings: Findings) -> str | None:
    """Why a bound is missing."""
    if not findings.experiment.bounds:
        return "bounds were not requested"
    said = []
    asked = f"{100 * findings.experiment.attainment:g}%"
    if lp_gpu_hours(findings) is None:
        failed = next((r for r in findings.linear.values() if isinstance(r, RunFailure)), None)
        said.append(
            f"no fleet within the quotas serves {asked} of the requests"
            if failed is None
            else f"the LP bound was not found: {failed.error}"
        )
    if oracle_gpu_hours(findings) is None:
        said.append(f"the causal oracle does not reach {asked} either")
    return "; ".join(said) or None
