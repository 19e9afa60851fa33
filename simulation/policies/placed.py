"""Heliostat where placing and scaling are one: replicas are counted by what placement lets them serve.

Aladdin's (arXiv 2405.06856) joint decision in our terms: θ comes from the rows by which requests are placed,
margins included.
"""

from __future__ import annotations

from dataclasses import replace

from heliostat.catalogue import FleetCatalogue
from planning.planner import HeliostatPlanner
from scheduling.placement.margins import HOUSE
from scheduling.sizing.served import ServedByPlacement
from simulation.policies.heliostat import HELIOSTAT
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin


def _make(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    policy = HELIOSTAT.make(catalogue, options)
    planner = policy.deciders.planner
    assert isinstance(planner, HeliostatPlanner)
    placing = HeliostatPlanner(planner.settings, served=ServedByPlacement(margins=HOUSE))
    return replace(
        policy,
        name=PLACED.name,
        deciders=replace(policy.deciders, planner=placing),
    )


PLACED = PolicyPlugin(
    name="heliostat-placed",
    summary="heliostat counting replicas by what best-fit placement lets them serve",
    make=_make,
    headroom=HELIOSTAT.headroom,
    default_headroom=HELIOSTAT.default_headroom,
    sweep=HELIOSTAT.sweep,
    fluid=HELIOSTAT.fluid,
)
