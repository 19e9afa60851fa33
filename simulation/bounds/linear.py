"""The bound with perfect knowledge: the fewest GPU-hours, and dollars, that any policy could have spent.

The future is known, replicas come and go at once and in fractions, every request finds room in the
best batch of its pool, in any region that may serve it, and batch work waits as long as it may. What
stays: floors, quotas, and the share of requests that must keep its promise; the rest may be dropped.

Where it may lie too high: requests that are dropped are taken at their step's mean cost; batch
requests at the run's; and lengths at the minute's means where only rates are known. Where it lies
too low: no lead times, no whole replicas, no waiting, no spread among replicas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import highspy
import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import Exhausted
from heliostat.model.names import PoolKey
from planning.highs import loaded
from simulation.bounds.programme import Terms, build
from simulation.bounds.work import Work
from simulation.columns import Floats

_NO_POINT = (
    highspy.HighsModelStatus.kInfeasible,
    # No column has a negative cost, so nothing is unbounded.
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeLimits:
    """Where the search for whole replicas stops: nodes, and the gap that is good enough."""

    nodes: int = 2000
    good_gap: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What no policy under `terms` can go below on this work; None where no fleet within the
    quotas serves the share asked for (`reason` says so).

    `replicas` are those of the GPU-hour bound, a value per step. `requests` were to be served,
    `dropped` of them were not; `out_of_reach` could not be served in time by anybody and do not count.
    """

    terms: Terms
    gpu_hours: float | None
    cost_dollars: float | None
    gpu_hours_at_least_cost: float | None
    """GPU-hours of the cheapest fleet; more than `gpu_hours` where a faster GPU costs more per request."""
    replicas: Mapping[PoolKey, tuple[float, ...]]
    requests: float
    dropped: float
    out_of_reach: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBound:
    """The cheapest whole replicas, held through each step: GPU-hours found, and what is proven of them."""

    gpu_hours: float | None
    proven_gpu_hours: float | None
    replicas: Mapping[PoolKey, tuple[int, ...]]


def linear_bound(catalogue: FleetCatalogue, work: Work, terms: Terms | None = None) -> Bound:
    """The linear relaxation over the whole run, twice: for GPU-hours and for dollars. Raises Exhausted
    where the solver gives up."""
    terms = terms or Terms()
    programme = build(catalogue, work, terms)
    # Ten times faster than the simplex on a week of quarters of hours; its crossover ends in a vertex.
    highs = loaded(programme, solver="ipm", run_crossover="on")
    hours = _least(highs, programme.cost)
    if hours is None:
        return Bound(
            terms=terms,
            gpu_hours=None,
            cost_dollars=None,
            gpu_hours_at_least_cost=None,
            replicas={},
            requests=programme.requests,
            dropped=0.0,
            out_of_reach=programme.out_of_reach,
            reason=f"no fleet within the quotas serves {terms.attainment:.1%} of the requests",
        )
    objective, values = hours
    dollars = _least(highs, programme.dollars)
    assert dollars is not None, "another objective leaves the same points feasible"
    return Bound(
        terms=terms,
        gpu_hours=objective,
        cost_dollars=dollars[0] + programme.reserved_dollars,
        gpu_hours_at_least_cost=float(programme.cost @ dollars[1]),
        replicas={
            spec.key: tuple(float(count) for count in counts)
            for spec, counts in zip(catalogue.pools, programme.n.of(values), strict=True)
        },
        requests=programme.requests,
        dropped=float(programme.d.of(values).sum()),
        out_of_reach=programme.out_of_reach,
    )


def whole_bound(
    catalogue: FleetCatalogue,
    work: Work,
    terms: Terms | None = None,
    limits: WholeLimits | None = None,
) -> WholeBound:
    """The same for GPU-hours with whole replicas in each step: for windows of a few hours.

    A policy that changes replicas inside a step may spend less than this, never less than the linear
    bound.
    """
    limits = limits or WholeLimits()
    programme = build(catalogue, work, terms or Terms())
    highs = loaded(programme, mip_max_nodes=limits.nodes, mip_rel_gap=limits.good_gap)
    counts = programme.n.index.ravel().astype(np.int32)
    highs.changeColsIntegrality(len(counts), counts, np.ones(len(counts), dtype=np.uint8))
    highs.run()
    info = highs.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return WholeBound(gpu_hours=None, proven_gpu_hours=None, replicas={})
    values = np.array(highs.getSolution().col_value)
    return WholeBound(
        gpu_hours=float(info.objective_function_value),
        proven_gpu_hours=float(info.mip_dual_bound),
        replicas={
            spec.key: tuple(round(count) for count in row)
            for spec, row in zip(catalogue.pools, programme.n.of(values), strict=True)
        },
    )


def _least(highs: highspy.Highs, cost: Floats) -> tuple[float, Floats] | None:
    """The least cost and a point that has it; None where no point exists. Raises Exhausted."""
    everything = np.arange(len(cost), dtype=np.int32)
    highs.changeColsCost(len(cost), everything, cost)
    highs.run()
    status = highs.getModelStatus()
    if status in _NO_POINT:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise Exhausted(f"the solver ended without an optimum: {highs.modelStatusToString(status)}")
    values = np.array(highs.getSolution().col_value)
    return float(highs.getInfo().objective_function_value), values
