"""Heliostat: per-series forecasts, a receding-horizon plan every 15 minutes, evenly filled regions,
placement by Aladdin's rows within our margins, and queues that serve first what can still meet its promise.

Variants each lack one lever: `heliostat-unpooled` routes by the plan's flows, home first;
`heliostat-batch-now` buys capacity for batch work on arrival; `heliostat-least-work` places requests by
least work. `order: fcfs` removes the queue order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from planning.house_policies import CAREFUL, POOLED, careful_at, pooled_at
from planning.planner import HeliostatPlanner
from planning.settings import PlannerSettings
from scheduling.placement.margins import HOUSE
from simulation.local_policy import Dispatch, Fit, LocalPolicy, Order
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.routers import BALANCED, PLAN_FLOWS
from simulation.policies.wiring import local_policy, make_deciders
from simulation.world import Rhythm


def heliostat_policy(
    catalogue: FleetCatalogue,
    settings: PlannerSettings | None = None,
    options: PolicyOptions | None = None,
    *,
    name: str = "heliostat",
    router: str = PLAN_FLOWS,
    local: LocalPolicy | None = None,
) -> Policy:
    """Heliostat's planner and router on fast forecasts; by default as in a production control plane."""
    options = options or PolicyOptions()
    settings = settings or PlannerSettings()
    planner = HeliostatPlanner(settings)
    return Policy(
        name=name,
        deciders=make_deciders(
            catalogue,
            options,
            planner,
            router=router,
            levels=(settings.level, settings.patient_level),
        ),
        rhythm=Rhythm(),
        local=local_policy(options, local),
        lends=options.lends,
    )


DEFAULT_HEADROOM = 1.0
LOCAL = LocalPolicy(order=Order.FIRM, dispatch=Dispatch.BEST_FIT, fit=Fit(margins=HOUSE))


def batch_now_at(headroom: float) -> PlannerSettings:
    """Batch work is planned in the step in which it arrives, beside everybody's peak."""
    return replace(pooled_at(headroom), batch_yields=False, batch_within=timedelta(0))


@dataclass(frozen=True, slots=True)
class _Heliostat:
    name: str
    settings_at: Callable[[float], PlannerSettings] = pooled_at
    router: str = BALANCED
    local: LocalPolicy = LOCAL
    default_headroom: float = DEFAULT_HEADROOM

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        settings = self.settings_at(options.headroom_or(self.default_headroom))
        return heliostat_policy(
            catalogue, settings, options, name=self.name, router=self.router, local=self.local
        )


def _plugin(made: _Heliostat, summary: str) -> PolicyPlugin:
    return PolicyPlugin(
        name=made.name,
        summary=summary,
        make=made,
        headroom="interactive-fast is planned for h of the way from the mean to the peak minute; from "
        "1 on for the 1 - e^(-2(h-1))/2 quantile of the peak, at most p90; from 2 on for h-1 times "
        "the way to p90",
        default_headroom=made.default_headroom,
        sweep=(0.4, 0.6, 0.8, 1.0, 1.4, 2.0),
        fluid="placement, queue order and the batch backlog, so batch work is planned from its forecast",
    )


HELIOSTAT = _plugin(
    _Heliostat(POOLED),
    "forecasts, a receding-horizon plan of the whole fleet, regions filled evenly",
)
HELIOSTAT_CAREFUL = replace(
    _plugin(
        _Heliostat(
            CAREFUL,
            careful_at,
            router=PLAN_FLOWS,
            local=LocalPolicy(),
            default_headroom=1.8,
        ),
        "the default of `heliostat serve`: conservative quantiles, the plan's flows, unchanged engines",
    ),
    sweep=(0.6, 1.0, 1.4, 1.8, 2.4),
)
HELIOSTAT_UNPOOLED = _plugin(
    _Heliostat("heliostat-unpooled", router=PLAN_FLOWS),
    "heliostat with requests routed by the plan's flows, home first",
)
HELIOSTAT_BATCH_NOW = _plugin(
    _Heliostat("heliostat-batch-now", settings_at=batch_now_at),
    "heliostat with capacity for batch work bought on arrival",
)
HELIOSTAT_LEAST_WORK = _plugin(
    _Heliostat("heliostat-least-work", local=replace(LOCAL, dispatch=Dispatch.LEAST_WORK)),
    "heliostat with each request placed on the replica with the least work",
)
