"""The house: forecasts per series, a receding-horizon plan every quarter of an hour, regions filled alike,
inside a region requests placed by Aladdin's rows within our margins, and on a replica those first whose
promise can still be kept.

Beside it the same with one lever less, to show what that lever earns: `heliostat-unpooled` routes by the
plan's flows, home first; `heliostat-batch-now` buys capacity for batch work when it comes;
`heliostat-least-work` places requests by least work. What the order earns is seen with `order: fcfs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
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
    """The house's planner and router on its fast forecasts; by default as a live control plane has them."""
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
_HIGHEST_LEVEL = 0.999
_PATIENT_PART = 0.5
_BATCH_WITHIN = timedelta(hours=8)
LOCAL = LocalPolicy(order=Order.FIRM, dispatch=Dispatch.BEST_FIT, fit=Fit(margins=HOUSE))


def settings_at(headroom: float) -> PlannerSettings:
    """Interactive-fast is planned for so much of the way from a step's mean to its peak minute; interactive-
    normal, which may wait for a minute, for half as much. Beyond 1 the peak's quantile grows:
    1 - e^(-2(h-1))/2, the median at 1, 0.9 at 1.8."""
    peak = min(1.0, headroom)
    level = min(_HIGHEST_LEVEL, 1 - math.exp(-2 * max(0.0, headroom - 1)) / 2)
    return PlannerSettings(
        level=level,
        peak_share=peak,
        patient_level=0.5,
        patient_peak_share=_PATIENT_PART * peak,
        batch_yields=True,
        batch_within=_BATCH_WITHIN,
    )


def batch_now(settings: PlannerSettings) -> PlannerSettings:
    """The same, with batch work planned in the step in which it arrives, beside everybody's peak."""
    return replace(settings, batch_yields=False, batch_within=timedelta(0))


def as_served(settings: PlannerSettings) -> PlannerSettings:
    """A control plane's own settings, but for how far the peak is planned for."""
    return replace(PlannerSettings(), level=settings.level, peak_share=settings.peak_share)


@dataclass(frozen=True, slots=True)
class _Heliostat:
    name: str
    router: str = BALANCED
    change: Callable[[PlannerSettings], PlannerSettings] | None = None
    local: LocalPolicy = LOCAL

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        headroom = options.headroom_or(DEFAULT_HEADROOM)
        settings = settings_at(headroom)
        if self.change is not None:
            settings = self.change(settings)
        return heliostat_policy(
            catalogue, settings, options, name=self.name, router=self.router, local=self.local
        )


def _plugin(made: _Heliostat, summary: str) -> PolicyPlugin:
    return PolicyPlugin(
        name=made.name,
        summary=summary,
        make=made,
        headroom="interactive-fast is planned for h of the way from the mean to the peak minute, from "
        "1 on for the 1 - e^(-2(h-1))/2 quantile of the peak",
        default_headroom=DEFAULT_HEADROOM,
        sweep=(0.4, 0.6, 0.8, 1.0, 1.4, 2.0),
        fluid="placement and order, and the batch backlog: it measures none, so batch work is planned "
        "as it is forecast",
    )


HELIOSTAT = _plugin(
    _Heliostat("heliostat"),
    "forecasts, a receding-horizon plan of the whole fleet, regions filled alike",
)
HELIOSTAT_LIVE = replace(
    _plugin(
        _Heliostat("heliostat-live", router=PLAN_FLOWS, change=as_served, local=LocalPolicy()),
        "what `heliostat serve` decides by itself: careful quantiles, the plan's flows, engines as they are",
    ),
    default_headroom=1.8,
    sweep=(0.6, 1.0, 1.4, 1.8, 2.4),
)
HELIOSTAT_UNPOOLED = _plugin(
    _Heliostat("heliostat-unpooled", router=PLAN_FLOWS),
    "heliostat with requests routed by the plan's flows, home first",
)
HELIOSTAT_BATCH_NOW = _plugin(
    _Heliostat("heliostat-batch-now", change=batch_now),
    "heliostat with capacity bought for batch work when it comes",
)
HELIOSTAT_LEAST_WORK = _plugin(
    _Heliostat("heliostat-least-work", local=replace(LOCAL, dispatch=Dispatch.LEAST_WORK)),
    "heliostat with each request placed where least is to do",
)
