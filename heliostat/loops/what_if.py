"""What-if planning problems: other demand, a lost region, other quotas, fixed counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from heliostat.model.governance import Override
from heliostat.model.names import PoolKey
from heliostat.model.plan import WhatIf
from heliostat.ports.deciding import PlanningProblem


def suppose(problem: PlanningProblem, what_if: WhatIf) -> PlanningProblem:
    """The same problem in the supposed world. Raises UnknownPool, UnknownRegion, UnknownVmType."""
    catalogue = problem.catalogue
    if what_if.lost_region is not None:
        catalogue.region(what_if.lost_region)
    quotas = dict(catalogue.quotas)
    for region, vm_type, quota in what_if.quotas:
        catalogue.region(region)
        catalogue.vm_type(vm_type)
        quotas[region, vm_type] = quota
    overrides = tuple(_supposed_override(problem, pool, n) for pool, n in what_if.targets)
    factor = what_if.demand_factor
    return replace(
        problem,
        catalogue=replace(catalogue, quotas=quotas),
        forecasts=tuple(forecast.scaled(factor) for forecast in problem.forecasts),
        measured=tuple(
            replace(rate, requests_per_second=rate.requests_per_second * factor)
            for rate in problem.measured
        ),
        overrides=(*problem.overrides, *overrides),
        lost_region=what_if.lost_region,
    )


def _supposed_override(problem: PlanningProblem, pool: PoolKey, target: int) -> Override:
    problem.catalogue.pool(pool)
    return Override(
        override_id=f"what-if-{pool}",
        pool=pool,
        target_replicas=target,
        author="what-if",
        reason="supposed",
        created_at=problem.at,
        expires_at=problem.at + timedelta(days=1),
    )
