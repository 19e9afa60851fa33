"""The house: forecasts per series, a receding-horizon plan every quarter of an hour, its flows routed."""

from __future__ import annotations

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


DEFAULT_HEADROOM = 0.4
_HIGHEST_LEVEL = 0.99


def settings_at(headroom: float) -> PlannerSettings:
    """Interactive-fast is planned for the 0.5 + headroom quantile of the peak minute."""
    return PlannerSettings(level=min(_HIGHEST_LEVEL, 0.5 + headroom))


def _make(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    headroom = DEFAULT_HEADROOM if options.headroom is None else options.headroom
    return heliostat_policy(catalogue, settings_at(headroom), options)


HELIOSTAT = PolicyPlugin(
    name="heliostat",
    summary="forecasts, a receding-horizon plan of the whole fleet, its flows routed",
    make=_make,
    headroom="interactive-fast is planned for the 0.5 + h quantile of the peak minute",
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.0, 0.2, 0.4, 0.45, 0.49),
)
