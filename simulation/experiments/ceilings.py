"""What no policy can go below, as runs like any other: the linear bound, and the causal oracle.

The causal oracle is Heliostat told the truth times 0.6 + headroom, swept to the same attainment as
every policy. Below 1 it is told less than what comes: planning for peaks can be more than was asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import cpu_seconds
from heliostat.errors import Exhausted
from simulation.arrivals import ArrivalRates
from simulation.bounds.goodput import EACH_PROMPT_ALONE, Practice, practice_of
from simulation.bounds.linear import linear_bound
from simulation.bounds.oracle import causal_oracle_policy
from simulation.bounds.programme import Terms
from simulation.bounds.work import Work, work_of_rates, work_of_requests
from simulation.experiments.result import Outcome, RunFailure, RunResult
from simulation.experiments.spec import BoundTerms, PolicySpec, RunSpec
from simulation.local_policy import LocalPolicy
from simulation.policies.policy import Policy
from simulation.scenarios.scenario import Scenario

ORACLE = PolicySpec(name="causal oracle", policy="causal-oracle")
LINEAR = PolicySpec(name="LP bound", policy="lp-bound")
ORACLE_GRID = (0.1, 0.25, 0.4, 0.55)
_TOLD = 0.6
_STEP = timedelta(minutes=15)
LP_GPU_HOURS, LP_DOLLARS = "lp_gpu_hours", "lp_cost_dollars"
LP_GPU_HOURS_AT_LEAST_COST = "lp_gpu_hours_at_least_cost"
"""More than the least where a faster GPU costs more per request."""


def oracle_policy(catalogue: FleetCatalogue, arrivals: ArrivalRates, headroom: float) -> Policy:
    """Heliostat with the future as its forecast."""
    return causal_oracle_policy(catalogue, arrivals, factor=_TOLD + headroom)


def laxest(locals_: Iterable[LocalPolicy], engine: str, attainment: float) -> BoundTerms:
    """Terms under which none of these policies can go below the bound."""
    if engine == "fluid":
        return BoundTerms(attainment=attainment)
    practices = [practice_of(local) for local in locals_]
    return BoundTerms(
        attainment=attainment,
        most_prefill_tokens=max(practice.most_prefill_tokens for practice in practices),
        chunks=any(practice.chunks for practice in practices),
    )


def linear_run(spec: RunSpec, scene: Scenario) -> Outcome:
    """The linear bound of a seed; its figures are None where no fleet within the quotas suffices. Where
    the solver gives up the failure says why."""
    began = cpu_seconds()
    assert spec.bound is not None, "only bounds come here"
    lifted = tuple(
        (region, span) for region, troubles in scene.troubles.items() for span in troubles.outages
    )
    terms = Terms(attainment=spec.bound.attainment, floors_lifted=lifted)
    try:
        bound = linear_bound(scene.catalogue, _work(spec, spec.bound, scene), terms)
    except Exhausted as error:
        spent = cpu_seconds() - began
        at = f"{scene.begins:%Y-%m-%dT%H:%M:%SZ}"
        return RunFailure(at=at, error=str(error), where="", cpu_seconds=spent)
    return RunResult(
        figures={
            LP_GPU_HOURS: bound.gpu_hours,
            LP_DOLLARS: bound.cost_dollars,
            LP_GPU_HOURS_AT_LEAST_COST: bound.gpu_hours_at_least_cost,
        },
        requests=0,
        cpu_seconds=cpu_seconds() - began,
    )


def _work(spec: RunSpec, bound: BoundTerms, scene: Scenario) -> Work:
    step = _STEP if not scene.span.length % _STEP else timedelta(minutes=1)
    if spec.engine == "fluid":
        arrivals = scene.arrivals(spec.seed)
        return work_of_rates(scene.catalogue, arrivals, scene.span, step, EACH_PROMPT_ALONE)
    practice = Practice(most_prefill_tokens=bound.most_prefill_tokens, chunks=bound.chunks)
    return work_of_requests(scene.catalogue, scene.source(spec.seed), scene.span, step, practice)
