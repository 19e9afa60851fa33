"""Heliostat where placing and scaling are one: replicas are counted by what placement lets them serve.

Aladdin's (arXiv 2405.06856) joint decision in our terms: θ comes from the rows by which requests are placed,
margins included, and inside a region best fit places them: packed where promises are strict, spread where
they are lax.
"""

from __future__ import annotations

from dataclasses import replace

from heliostat.catalogue import FleetCatalogue
from planning.planner import HeliostatPlanner
from scheduling.placement.margins import Margins
from scheduling.sizing.served import ServedByPlacement
from simulation.local_policy import Dispatch, Fit, LocalPolicy
from simulation.policies.heliostat import HELIOSTAT
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.wiring import local_policy, no_stopwatch

MARGINS = Margins(foresight=0.1, spread_beyond=2.0)
LOCAL = LocalPolicy(dispatch=Dispatch.BEST_FIT, fit=Fit(margins=MARGINS))


def _make(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    policy = HELIOSTAT.make(catalogue, options)
    planner = policy.deciders.planner
    assert isinstance(planner, HeliostatPlanner)
    placing = HeliostatPlanner(
        planner.settings, stopwatch=no_stopwatch, served=ServedByPlacement(margins=MARGINS)
    )
    return replace(
        policy,
        name=PLACED.name,
        deciders=replace(policy.deciders, planner=placing),
        local=local_policy(options, LOCAL),
    )


PLACED = PolicyPlugin(
    name="heliostat-placed",
    summary="heliostat counting replicas by what best-fit placement lets them serve",
    make=_make,
    headroom=HELIOSTAT.headroom,
    default_headroom=HELIOSTAT.default_headroom,
    sweep=HELIOSTAT.sweep,
    fluid=f"best-fit placement: the fluid places nothing; {HELIOSTAT.fluid}",
)
