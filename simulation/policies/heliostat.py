"""The house: forecasts per series, a receding-horizon plan every quarter of an hour, its flows routed."""

from __future__ import annotations

import math

from heliostat.catalogue import FleetCatalogue
from planning.planner import HeliostatPlanner
from planning.settings import PlannerSettings
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.routers import PLAN_FLOWS
from simulation.policies.wiring import local_policy, make_deciders, no_stopwatch
from simulation.world import Rhythm


def heliostat_policy(
    catalogue: FleetCatalogue,
    settings: PlannerSettings | None = None,
    options: PolicyOptions | None = None,
) -> Policy:
    """The house's planner and router on its fast forecasts, with these settings."""
    options = options or PolicyOptions()
    settings = settings or PlannerSettings()
    planner = HeliostatPlanner(settings, stopwatch=no_stopwatch)
    return Policy(
        name="heliostat",
        deciders=make_deciders(
            catalogue,
            options,
            planner,
            router=PLAN_FLOWS,
            levels=(settings.level, settings.patient_level),
        ),
        rhythm=Rhythm(),
        local=local_policy(options),
        lends=options.lends,
    )


DEFAULT_HEADROOM = 0.8
_PATIENT_BEGINS = 0.8
_HIGHEST_LEVEL = 0.999


def settings_at(headroom: float) -> PlannerSettings:
    """Interactive-fast is planned for the 1 - e^(-2h)/2 quantile of the peak minute: the median at 0,
    0.9 at 0.8, 0.99 at 2. Interactive-normal, which may wait for a minute, follows from 0.8 on."""
    return PlannerSettings(
        level=_quantile(headroom), patient_level=_quantile(max(0.0, headroom - _PATIENT_BEGINS))
    )


def _quantile(headroom: float) -> float:
    return min(_HIGHEST_LEVEL, 1 - math.exp(-2 * headroom) / 2)


def _make(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    headroom = DEFAULT_HEADROOM if options.headroom is None else options.headroom
    return heliostat_policy(catalogue, settings_at(headroom), options)


HELIOSTAT = PolicyPlugin(
    name="heliostat",
    summary="forecasts, a receding-horizon plan of the whole fleet, its flows routed",
    make=_make,
    headroom="interactive-fast is planned for the 1 - e^(-2h)/2 quantile of the peak minute",
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.0, 0.25, 0.5, 0.8, 1.2, 1.8),
)
