"""θ may come from placement: the plan follows it, and is the same as ever where it says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heliostat.catalogue import ModelSpec, TierSpec
from heliostat.model.demand import TokenMix
from heliostat.model.fleet import Fleet
from heliostat.model.names import Tier, VmTypeName
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import ServedPerReplica
from planning.explain import PerturbingExplainer
from planning.grid import horizon
from planning.planner import HeliostatPlanner
from planning.served import thetas_by
from planning.settings import PlannerSettings
from planning.situation import look
from scheduling.sizing.served import ServedByPlacement
from tests.planning.worlds import a_problem
from tests.scheduling.sizing.test_refitted import measured


class Share:
    """Says that a replica serves this share of what the planner's own θ says; None = nothing known."""

    def __init__(self, share: float | None) -> None:
        self.share = share
        self.mixes: set[TokenMix] = set()

    def seeing(self, fleet: Fleet) -> Share:
        return self

    def basis(self, model: ModelSpec, vm_type: VmTypeName) -> str:
        return "" if self.share is None else "θ by hand"

    def requests_per_second(
        self, model: ModelSpec, vm_type: VmTypeName, spec: TierSpec, mix: TokenMix
    ) -> float | None:
        self.mixes.add(mix)
        own = ServedByPlacement().requests_per_second(model, vm_type, spec, mix)
        assert own is not None
        return None if self.share is None else self.share * own


def planned(served: ServedPerReplica | None, rate: float = 8.0) -> CapacityPlan:
    return HeliostatPlanner(stopwatch=lambda: 0.0, served=served).plan(a_problem(rate))


def replicas(plan: CapacityPlan) -> int:
    return sum(target.replicas for target in plan.targets)


def test_a_source_that_knows_nothing_changes_nothing() -> None:
    assert planned(Share(None)).targets == planned(None).targets


def summaries(plan: CapacityPlan) -> set[str]:
    return {target.reason.summary.rpartition("; ")[2] for target in plan.targets}


def test_the_plan_says_by_which_law_replicas_are_counted() -> None:
    problem = a_problem(8.0)
    planner = HeliostatPlanner(stopwatch=lambda: 0.0, served=ServedByPlacement())
    assert summaries(planner.plan(problem)) == {"θ by placement on the catalogue's law"}
    fleet = replace(problem.fleet, laws=(measured(slower=1.3),))
    told = summaries(planner.plan(replace(problem, fleet=fleet)))
    assert told == {
        "θ by placement on the catalogue's law",
        "θ by placement on the law refitted in east (100 observations, error 0%)",
    }
    assert not any("θ" in one for one in summaries(planned(None)))


def test_slower_engines_make_the_plan_larger_and_the_explanation_agrees() -> None:
    problem = a_problem(40.0)
    laws = tuple(measured(region, 1.5) for region in ("east", "west"))
    slow = replace(problem, fleet=replace(problem.fleet, laws=laws))
    planner = HeliostatPlanner(stopwatch=lambda: 0.0, served=ServedByPlacement())
    plan = planner.plan(slow)
    assert replicas(plan) > replicas(planner.plan(problem))
    target = max(plan.targets, key=lambda target: target.replicas)
    explainer = PerturbingExplainer(stopwatch=lambda: 0.0, served=ServedByPlacement())
    told = explainer.explain(slow, plan, target.pool)
    blind = PerturbingExplainer(stopwatch=lambda: 0.0).explain(slow, plan, target.pool)
    assert told.alternatives != blind.alternatives


def test_half_of_what_a_replica_served_takes_about_twice_the_replicas() -> None:
    whole, half = replicas(planned(Share(1.0), 40.0)), replicas(planned(Share(0.5), 40.0))
    assert 1.6 * whole <= half <= 2.4 * whole


def test_what_placement_gives_nothing_to_is_excluded_with_the_reason() -> None:
    settings = PlannerSettings()
    problem = a_problem(8.0)
    situation = look(problem, settings, horizon(problem.at, settings))
    found = thetas_by(Share(0.0), situation)
    able = [key for key, own in situation.thetas.items() if own.requests_per_second > 0]
    assert able
    assert all(found[key].requests_per_second == 0 and found[key].excluded for key in able)


def test_placement_and_planning_agree_where_margins_and_errors_are_none() -> None:
    # Both balance iterations against prefills; placement counts a block more per sequence, and the
    # share of memory that it leaves, which bind nobody here.
    settings = PlannerSettings()
    problem = a_problem(8.0)
    situation = look(problem, settings, horizon(problem.at, settings))
    found = thetas_by(ServedByPlacement(), situation)
    for key, own in situation.thetas.items():
        assert found[key].requests_per_second == pytest.approx(own.requests_per_second, rel=1e-6)
        assert found[key].prefill_share == pytest.approx(own.prefill_share, rel=1e-6)


def test_the_source_is_asked_at_the_measured_mix() -> None:
    problem = a_problem(8.0)
    model = problem.catalogue.models[0]
    mix = TokenMix(
        model=model.name, tier=Tier.BATCH, input_tokens=7.0, output_tokens=9.0, requests=5
    )
    source = Share(1.0)
    HeliostatPlanner(stopwatch=lambda: 0.0, served=source).plan(a_problem(8.0, mixes=(mix,)))
    assert mix in source.mixes
