"""Policies whose rule judges pool by pool every minute, the cheapest VM type of a model first."""

from __future__ import annotations

from heliostat.catalogue import FleetCatalogue
from planning.pool_rules import PoolRule, PoolRulePlanner
from planning.rivals.cheapest_first import CheapestFirst
from simulation.local_policy import LocalPolicy
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.routers import NEAREST
from simulation.policies.wiring import EVERY_MINUTE, local_policy, make_deciders


def ruled(
    name: str,
    rule: PoolRule,
    catalogue: FleetCatalogue,
    options: PolicyOptions,
    own: LocalPolicy | None = None,
) -> Policy:
    """The policy of that rule, requests to the nearest region; `own` is how its replicas work.

    Raises UnknownForecaster, UnknownRouter, InvalidInput.
    """
    planner = PoolRulePlanner(CheapestFirst(rule=rule))
    return Policy(
        name=name,
        deciders=make_deciders(catalogue, options, planner, router=NEAREST),
        rhythm=EVERY_MINUTE,
        local=local_policy(options, own),
        lends=options.lends,
    )
