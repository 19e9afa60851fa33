"""Policies with one lever taken out differ from the whole in that lever alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.names import Tier
from simulation.local_policy import StaticBatchSize
from simulation.policies.ablations import WithoutBacklog
from simulation.policies.policy import PolicyOptions
from simulation.policies.registry import policy_named
from tests.builders import NOON, a_catalogue
from tests.planning.rivals.seen import POOL, a_look, target_of

CATALOGUE = a_catalogue()


def test_without_batch_backpressure_nobody_is_told_what_waits() -> None:
    late = BatchBacklog(
        region=POOL.region,
        model=POOL.model,
        groups=(BacklogGroup(due=NOON + timedelta(minutes=60), requests=100_000),),
    )
    look = a_look(interactive_busy_replicas=5)
    look = replace(look, fleet=replace(look.fleet, batch_backlog=(late,)))
    whole = policy_named("chiron", CATALOGUE).deciders.planner
    blind = policy_named("chiron-ibp", CATALOGUE).deciders.planner
    assert isinstance(blind, WithoutBacklog)

    assert target_of(blind.plan(look)) < target_of(whole.plan(look))


def test_unmixed_chiron_serves_batch_work_on_pools_of_its_own() -> None:
    mixed, unmixed = policy_named("chiron", CATALOGUE), policy_named("chiron-unmixed", CATALOGUE)
    assert mixed.recast is None
    assert unmixed.recast is not None
    assert unmixed.local == replace(mixed.local, batch_admission=None)
    for model in unmixed.recast.catalogue.models:
        assert len({spec.tier is Tier.BATCH for spec in model.tiers}) == 1


def test_shared_lt_ua_differs_in_the_programme_alone() -> None:
    own, shared = policy_named("lt-ua", CATALOGUE), policy_named("lt-ua-shared", CATALOGUE)
    assert own.local == shared.local
    assert own.rhythm == shared.rhythm
    assert type(own.deciders.strategy) is type(shared.deciders.strategy)


def test_a_batch_size_replaces_a_policys_own_and_nothing_else() -> None:
    own = policy_named("chiron", CATALOGUE)
    fixed = policy_named("chiron", CATALOGUE, PolicyOptions(batch_size=StaticBatchSize(most=16)))
    assert fixed.local == replace(own.local, batch_size=StaticBatchSize(most=16))
