"""Policies with one lever removed or added, to measure each lever's effect (docs/evidence/).

`chiron-ibp` scales by interactive backpressure alone, whatever batch work waits. `chiron-unmixed` keeps
interactive and batch work on pools apart, so that nothing is mixed or evicted. `lt-ua-shared` asks
SageServe's programme for `SHARED_OWN` of a region's own peak at home and for the rest anywhere: with
the whole peak at home (ε = 1, as the authors' code has it) the regions have nothing in common.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from heliostat.catalogue import FleetCatalogue
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import CapacityPlanner, PlanningProblem
from planning.strategies import ForecastGap
from simulation.policies.chiron import CHIRON, LOCAL
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.recast import siloed
from simulation.policies.sageserve import LT_UA, SageServeMaker
from simulation.policies.wiring import local_policy

SHARED_OWN = 0.7


@dataclass(frozen=True, slots=True)
class WithoutBacklog:
    """A planner that is not told what batch work waits."""

    planner: CapacityPlanner

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        return self.planner.plan(replace(problem, fleet=replace(problem.fleet, batch_backlog=())))


def _interactive_only(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    whole = CHIRON.make(catalogue, options)
    blind = replace(whole.deciders, planner=WithoutBacklog(whole.deciders.planner))
    return replace(whole, name="chiron-ibp", deciders=blind)


def _unmixed(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    """Learns its spikes under the halves' names. Batch pools serve nothing else, so nothing is held back."""
    recast = siloed(catalogue)
    past = options.history
    told = replace(options, history=None if past is None else recast.arrivals(past))
    return replace(
        CHIRON.make(recast.catalogue, told),
        name="chiron-unmixed",
        recast=recast,
        local=local_policy(options, replace(LOCAL, batch_admission=None)),
    )


CHIRON_IBP = replace(
    CHIRON,
    name="chiron-ibp",
    summary="chiron without batch backpressure: waiting batch work adds no replicas",
    make=_interactive_only,
)
CHIRON_UNMIXED = replace(
    CHIRON,
    name="chiron-unmixed",
    summary="chiron with separate interactive and batch pools: no mixing, no eviction",
    make=_unmixed,
)
LT_UA_SHARED: PolicyPlugin = replace(
    LT_UA,
    name="lt-ua-shared",
    summary=f"lt-ua, but {SHARED_OWN:.0%} of a region's peak at home and the rest anywhere",
    make=SageServeMaker(
        "lt-ua-shared", lambda catalogue: ForecastGap(catalogue=catalogue), own_share=SHARED_OWN
    ),
)
ABLATIONS = (CHIRON_IBP, CHIRON_UNMIXED, LT_UA_SHARED)
