"""The rate at which batch work must be done, from the due times of the backlog.

Batch work may wait for hours, so it need not buy capacity in the hour of its arrival: it uses what
interactive work leaves, mostly at night. Capacity is reserved only as far as the backlog would
otherwise be late: at least Σ (requests due by d) ÷ (d − now) for every due time d, the rate at which
earliest-due-first keeps all deadlines (Liu and Layland, JACM 20(1), 1973, for one work-conserving server).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from heliostat.model.fleet import BacklogGroup
from heliostat.model.names import ModelName, Tier
from heliostat.ports.deciding import PlanningProblem
from planning.wanted import Wanted, WantedDemand


def only_what_is_due(
    wanted: WantedDemand, problem: PlanningProblem, within: timedelta, least_time: timedelta
) -> WantedDemand:
    """The same demand with batch work at the rate that finishes the backlog `within` its arrival.

    A model keeps its forecast if some region does not measure its backlog. No work is required in less
    than `least_time`.
    """
    rates = {
        model.name: rate
        for model in problem.catalogue.models
        if (rate := _rate(problem, model.name, within, least_time)) is not None
    }
    if not rates:
        return wanted
    return replace(wanted, regional=_at_rates(wanted.regional, rates))


def _rate(
    problem: PlanningProblem, model: ModelName, within: timedelta, least_time: timedelta
) -> float | None:
    """Requests per second of a model's batch work over all regions; None = unknown."""
    spec = problem.catalogue.model(model).tier(Tier.BATCH)
    deadline = None if spec is None else spec.slo.deadline
    backlogs = [one for one in problem.fleet.batch_backlog if one.model == model]
    if deadline is None or len(backlogs) < len(problem.catalogue.regions):
        return None
    early = max(timedelta(0), deadline - within)
    groups = [group for one in backlogs for group in one.groups]
    return rate_that_keeps(groups, problem.at + early, least_time)


def rate_that_keeps(groups: list[BacklogGroup], now: datetime, least_time: timedelta) -> float:
    """Requests per second at which every group ends in time, the earliest due first."""
    ahead, rate = 0, 0.0
    for group in sorted(groups, key=lambda group: group.due):
        ahead += group.requests
        left = max(group.due - now, least_time)
        rate = max(rate, ahead / left.total_seconds())
    return rate


def _at_rates(regional: tuple[Wanted, ...], rates: Mapping[ModelName, float]) -> tuple[Wanted, ...]:
    """Batch demand spread over its origins as it was forecast, at the model's rate in every step."""
    totals: dict[ModelName, float] = {}
    for row in regional:
        if row.key.tier is Tier.BATCH:
            totals[row.key.model] = totals.get(row.key.model, 0.0) + float(row.pooled.mean())
    changed = []
    for row in regional:
        rate = rates.get(row.key.model)
        if row.key.tier is Tier.BATCH and rate is not None and totals[row.key.model] > 0:
            part = rate * float(row.pooled.mean()) / totals[row.key.model]
            due = np.full_like(row.pooled, part)
            row = replace(row, own=due, pooled=due, work=due)
        changed.append(row)
    return tuple(changed)
