"""What plug-ins share in making their deciders: everything but the planner has a sensible default."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from forecasting.accuracy import AccuracyScorer
from heliostat.catalogue import FleetCatalogue
from heliostat.loops.control import Deciders
from heliostat.ports.deciding import CapacityPlanner, ScalingStrategy
from planning.explain import PerturbingExplainer
from planning.guard import CatalogueGuard
from planning.strategies import Immediate
from simulation.local_policy import LocalPolicy
from simulation.policies.forecasters import forecaster_named
from simulation.policies.policy import PolicyOptions
from simulation.policies.routers import router_named
from simulation.world import Rhythm

EVERY_MINUTE = Rhythm(forecasts=None, scores=None, plans=timedelta(minutes=1))
"""For rules that look at what is, and at no forecast."""


def make_deciders(
    catalogue: FleetCatalogue,
    options: PolicyOptions,
    planner: CapacityPlanner,
    *,
    router: str,
    strategy: ScalingStrategy | None = None,
    levels: tuple[float, ...] = (),
) -> Deciders:
    """The deciders of a policy: its planner, and what the options say or the policy prefers.

    Raises UnknownForecaster, UnknownRouter, InvalidInput.
    """
    return Deciders(
        forecaster=forecaster_named(
            options.forecaster, catalogue, levels=levels, oracle=options.oracle
        ),
        scorer=AccuracyScorer(),
        planner=planner,
        explainer=PerturbingExplainer(),
        strategy=strategy or Immediate(),
        guard=CatalogueGuard(),
        router=router_named(options.router or router),
    )


def local_policy(options: PolicyOptions, own: LocalPolicy | None = None) -> LocalPolicy:
    """How replicas work: as the options say, else as the policy prefers."""
    local = options.local or own or LocalPolicy()
    return replace(
        local,
        order=options.order or local.order,
        dispatch=options.dispatch or local.dispatch,
        prefill=options.prefill or local.prefill,
        batch_size=options.batch_size or local.batch_size,
    )
