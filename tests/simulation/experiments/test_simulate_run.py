"""One run: figures, records, and what a policy does that breaks it off."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heliostat.errors import InvalidInput, UnknownScenario
from heliostat.model.instants import Span
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import CapacityPlanner, PlanningProblem
from planning.pool_rules import PoolRulePlanner
from planning.rivals.cheapest_first import CheapestFirst
from planning.rivals.chiron import ChironRule
from simulation.experiments.ceilings import LINEAR, ORACLE
from simulation.experiments.conducting import conduct
from simulation.experiments.contenders import policy_of
from simulation.experiments.executors.serial import Serial
from simulation.experiments.folder import RunFolder
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.recorded import write_recorded
from simulation.experiments.result import (
    RunFailure,
    RunResult,
    outcome_as_mapping,
    outcome_of,
)
from simulation.experiments.scenes import load_scene, scene_ref
from simulation.experiments.simulate import Mark, simulate, simulate_under
from simulation.experiments.spec import BoundTerms, PolicySpec, SceneRef
from simulation.policies import registry
from simulation.policies.registry import PLUGINS, policy_named
from tests.builders import MINUTE, NOON, a_catalogue, catalogue_mapping
from tests.simulation.experiments.little import (
    HELIOSTAT,
    REACTIVE,
    a_history,
    a_spec,
    an_experiment,
    little_arrivals,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneRef:
    return a_history(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def result(scene: SceneRef) -> RunResult:
    outcome = simulate(a_spec(scene, recorded=True))
    assert isinstance(outcome, RunResult)
    return outcome


def test_a_run_leaves_every_figure_behind(result: RunResult) -> None:
    figures = result.figures
    assert figures["offered"] == result.requests == 4 * 60 * 240
    assert figures["gpu_hours_billed"]
    assert figures["slo_attainment_judged"]
    assert figures["slo_attainment.interactive-normal"] is None
    assert figures["ttft_seconds.interactive-fast.p50"]
    assert figures["forecast_wape"] is None
    assert figures["scale_events"] == sum(
        figures[f"scale_events_by_kind.{kind}"] or 0
        for kind in ("bought", "redeployed", "released")
    )


def test_the_record_adds_up_to_the_accounts(result: RunResult) -> None:
    record = result.record
    assert record is not None
    hours = record.step_seconds / 3600
    billed = sum(
        pool.gpus * (ready + overhead) * hours
        for pool in record.pools.values()
        for ready, overhead in zip(pool.ready, pool.overhead, strict=True)
    )
    idle = sum(
        pool.gpus * (ready - busy) * hours
        for pool in record.pools.values()
        for ready, busy in zip(pool.ready, pool.busy, strict=True)
    )
    figures = result.figures
    assert figures["gpu_hours_owed"] == pytest.approx(0.1115, abs=1e-3)
    stood = (figures["gpu_hours_billed"] or 0) - (figures["gpu_hours_owed"] or 0)
    assert billed == pytest.approx(stood, rel=1e-4)
    assert idle == pytest.approx(result.figures["idle_gpu_hours"], rel=1e-3)
    offered = sum(sum(tier.offered) for tier in record.tiers.values())
    assert offered == result.figures["offered"]


def test_every_order_is_in_the_record_with_its_reason(result: RunResult) -> None:
    record = result.record
    assert record is not None
    ordered = [one for one in record.decisions if one.pool]
    assert ordered
    assert all(one.reason and one.outcome for one in ordered)
    assert any("busy" in one.reason and one.target != one.before for one in ordered)
    assert [one.at for one in record.decisions] == sorted(one.at for one in record.decisions)


def test_a_result_survives_json(result: RunResult) -> None:
    assert outcome_of(json.loads(json.dumps(outcome_as_mapping(result)))) == result


def test_the_same_spec_gives_the_same_result_but_for_timing(
    scene: SceneRef, result: RunResult
) -> None:
    again = simulate(a_spec(scene, recorded=True))
    assert isinstance(again, RunResult)
    assert replace(again, cpu_seconds=result.cpu_seconds) == result


def test_forecasts_are_scored_against_what_came(scene: SceneRef) -> None:
    outcome = simulate(a_spec(scene, policy=HELIOSTAT))
    assert isinstance(outcome, RunResult)
    assert outcome.record is None
    wape = outcome.figures["forecast_wape"]
    # Demand doubles at the beginning, which no forecast knew: it is off at first, not for good.
    assert wape is not None
    assert 0 < wape < 1


def test_more_headroom_costs_more(scene: SceneRef, result: RunResult) -> None:
    roomy = simulate(a_spec(scene, headroom=1.5))
    assert isinstance(roomy, RunResult)
    assert (roomy.figures["gpu_hours_billed"] or 0) > (result.figures["gpu_hours_billed"] or 0)


def test_a_run_tells_how_far_it_is(scene: SceneRef) -> None:
    marks: list[Mark] = []
    simulate(a_spec(scene), marks.append)
    assert marks[-1].at == NOON + 60 * MINUTE
    assert marks[-1].share == 1.0
    assert [mark.share for mark in marks] == sorted(mark.share for mark in marks)
    assert marks[-1].requests == 4 * 60 * 240


class Shy:
    """Plans as another does, until it does not."""

    def __init__(self, planner: CapacityPlanner, until: datetime) -> None:
        self._planner, self._until = planner, until

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        if problem.at >= self._until:
            raise ArithmeticError("no idea")
        return self._planner.plan(problem)


def test_a_policy_that_raises_ends_its_run_by_name_and_instant(scene: SceneRef) -> None:
    policy = policy_named("reactive", a_catalogue())
    shy = Shy(policy.deciders.planner, NOON + 7 * MINUTE)
    failing = replace(policy, deciders=replace(policy.deciders, planner=shy))
    outcome = simulate_under(failing, a_spec(scene), load_scene(scene))
    assert isinstance(outcome, RunFailure)
    assert outcome.at == "2026-03-02T12:07:00Z"
    assert outcome.error == "its planner failed: ArithmeticError: no idea"
    assert outcome.where.startswith("experiments/test_simulate_run.py:")
    # What had come of it by then: seven minutes of the hour's requests, and what stood meanwhile.
    assert outcome.figures["offered"] == pytest.approx(4 * 240 * 7, rel=0.2)
    assert (outcome.figures["gpu_hours_billed"] or 0) > 0
    assert outcome_of(json.loads(json.dumps(outcome_as_mapping(outcome)))) == outcome


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda *_: None, "its plug-in failed: TypeError: it made None, no Policy"),
        (lambda catalogue, _: catalogue.quotas.clear(), "its plug-in failed: AttributeError"),
    ],
)
def test_a_plug_in_that_makes_no_policy_or_changes_the_fleet_is_named_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, said: str
) -> None:
    broken = replace(PLUGINS["reactive"], name="broken", make=make)
    monkeypatch.setattr(registry, "PLUGINS", {**PLUGINS, "broken": broken})
    asked = an_experiment(
        a_history(tmp_path, minutes=5),
        policies=(PolicySpec(name="broken", policy="broken"), REACTIVE),
        seeds=(1,),
        bounds=True,
    )
    findings = conduct(asked, Laboratory(Serial(), RunFolder(path=None)))
    (failure,) = findings.contests[0].points[0].failures.values()
    assert said in failure.error
    assert not failure.figures, "it had not begun"
    assert failure.at == "2026-03-02T12:00:00Z"
    assert findings.contests[1].point is not None
    assert findings.linear


def test_a_fault_that_is_not_the_policys_is_not_blamed_on_it(tmp_path: Path) -> None:
    path = tmp_path / "short.npz"
    write_recorded(
        path,
        catalogue=catalogue_mapping(),
        arrivals=little_arrivals(minutes=10),
        span=Span(NOON, NOON + 20 * MINUTE),
        said=(),
    )
    with pytest.raises(InvalidInput, match="is not within"):
        simulate(a_spec(scene_ref(str(path))))


# --- scenarios ------------------------------------------------------------------------------


def test_a_history_comes_back_from_its_file(scene: SceneRef) -> None:
    read = load_scene(scene)
    assert (read.begins, read.ends) == (NOON, NOON + 60 * MINUTE)
    assert read.said == ("Made for a test.",)
    was, now = little_arrivals(), read.arrivals(7)
    assert now.demands == was.demands
    assert now.start == was.start
    for demand in was.demands:
        for column in ("offered", "input_tokens", "output_tokens"):
            one, other = (getattr(each.by_demand[demand], column) for each in (was, now))
            assert np.array_equal(one, other)


def test_built_in_scenarios_are_found_by_name() -> None:
    ref = scene_ref("small")
    assert ref.path == ""
    assert load_scene(ref).name == "small"
    assert scene_ref("small") == ref


def test_another_demand_is_another_scenario(tmp_path: Path) -> None:
    first, again, other = (a_history(tmp_path, requests=r) for r in (120, 120, 121))
    assert first == again
    assert other.digest.split("-")[1] != first.digest.split("-")[1]


def test_a_scenario_that_nobody_knows_lists_those_that_there_are() -> None:
    with pytest.raises(UnknownScenario, match="built in are week"):
        scene_ref("atlantis")


def test_a_file_that_changes_while_runs_go_on_is_refused(tmp_path: Path) -> None:
    scene = a_history(tmp_path)
    a_history(tmp_path, requests=7)
    with pytest.raises(InvalidInput, match="changed"):
        load_scene(scene)


def test_a_name_that_no_file_can_have_is_unknown() -> None:
    with pytest.raises(UnknownScenario):
        scene_ref("a" * 5000)


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    whole = Path(a_history(tmp_path).path).read_bytes()
    for content in (b"no archive", b"", whole[: len(whole) // 2], whole[:-30]):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InvalidInput, match=r"x\.npz.*not a recorded history"):
            load_scene(scene_ref(str(tmp_path / "x.npz")))


# --- bounds ---------------------------------------------------------------------------------


def test_the_linear_bound_is_a_run_below_every_policy_at_its_attainment(
    scene: SceneRef, result: RunResult
) -> None:
    kept = result.figures["slo_attainment_judged"]
    assert kept is not None
    bound = simulate(a_spec(scene, policy=LINEAR, bound=BoundTerms(attainment=kept)))
    assert isinstance(bound, RunResult)
    least = bound.figures["lp_gpu_hours"]
    assert least is not None
    assert 0 < least < (result.figures["gpu_hours_billed"] or 0)


def test_the_causal_oracle_is_told_the_truth_and_forecasts_it(scene: SceneRef) -> None:
    outcome = simulate(a_spec(scene, policy=ORACLE, headroom=0.4))
    assert isinstance(outcome, RunResult)
    assert outcome.figures["forecast_wape"] == pytest.approx(0, abs=0.02)
    doubled = simulate(a_spec(scene, policy=ORACLE, headroom=1.4))
    assert isinstance(doubled, RunResult)
    assert (doubled.figures["gpu_hours_billed"] or 0) > (outcome.figures["gpu_hours_billed"] or 0)


def test_a_policy_may_be_given_the_oracles_forecast(scene: SceneRef) -> None:
    told = simulate(a_spec(scene, policy=replace(HELIOSTAT, forecaster="oracle")))
    assert isinstance(told, RunResult)
    assert told.figures["forecast_wape"] == pytest.approx(0, abs=0.02)


def test_chiron_learns_how_far_demand_rises_from_what_came_before_the_run(scene: SceneRef) -> None:
    spec = a_spec(scene, policy=PolicySpec(name="chiron", policy="chiron"))
    planner = policy_of(spec, load_scene(scene)).deciders.planner
    assert isinstance(planner, PoolRulePlanner)
    assert isinstance(planner.rule, CheapestFirst)
    assert isinstance(planner.rule.rule, ChironRule)
    assert planner.rule.rule.settings.theta.keys() == {"alpha"}
