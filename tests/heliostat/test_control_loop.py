"""The control loop stores whole decisions under its epoch, orders only when active, and learns."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heliostat.errors import (
    Fenced,
    InvalidPolicyOutput,
    ModeForbids,
    NoPlanYet,
    OutdatedDecision,
    StaleEtag,
    UnknownCommand,
    UnknownRegion,
    UnknownVmType,
)
from heliostat.loops.control import ControlSettings
from heliostat.loops.manual import ManualOrder
from heliostat.loops.retention import Retention
from heliostat.model.command import Acknowledgement, Command, CommandState, RefusalKind, ScaleOrder
from heliostat.model.fleet import LeadTimeSample, PoolObservation, Signal, StartKind
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import RegionName, Tier
from heliostat.model.plan import CapacityPlan, PlanOrigin, WhatIf
from heliostat.ports.deciding import PlanningProblem
from heliostat.ports.decisions import Decision
from planning.rivals.baseline_routers import NearestRouter
from tests.builders import (
    MINUTE,
    NOON,
    QUARTER,
    a_batch,
    a_pool,
    a_window,
    an_observation,
)
from tests.heliostat.fakes import FakeDeciders, a_house

POOL = a_pool()


@dataclass
class SlowPlanner(FakeDeciders):
    """While it plans, somebody does something."""

    meanwhile: Callable[[], object] = lambda: None

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        whole = super().plan(problem)
        self.meanwhile()
        return whole


class ForgetfulPlanner(FakeDeciders):
    """Its plans leave a pool out."""

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        whole = super().plan(problem)
        return replace(whole, targets=whole.targets[1:])


def test_on_first_start_it_decides_and_records_and_orders_nothing() -> None:
    house = a_house({POOL: 5})
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert committed.plan is not None
    assert committed.commands == ()
    assert house.stores.plans.latest_plan() == committed.plan
    assert house.stores.audit.records(Span(NOON, NOON + MINUTE))[0].author == "planner"


def test_when_active_it_orders_what_differs_with_the_plans_version() -> None:
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert committed.plan is not None
    five = [c for c in committed.commands if c.order == ScaleOrder(pool=POOL, target_replicas=5)]
    assert [c.plan_version for c in five] == [committed.plan.version]
    assert len(committed.commands) == 8, "every pool has a floor of one and none stands yet"


def test_replanning_the_same_orders_nothing_twice() -> None:
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    house.loop.replan(NOON, epoch=house.epoch)
    assert house.loop.replan(NOON + QUARTER, epoch=house.epoch).commands == ()


@pytest.mark.parametrize("applied", [False, True])
def test_what_was_ordered_by_hand_while_it_planned_is_left_alone_and_said(applied: bool) -> None:
    planner = SlowPlanner({POOL: 5})
    house = a_house(planner=planner)
    house.set_mode(Mode.ACTIVE)

    def meanwhile() -> None:
        made = house.desk.order(by_hand(9, timedelta()), NOON, epoch=house.epoch)
        if applied:
            state = CommandState.APPLIED
            house.loop.acknowledge(
                Acknowledgement(
                    command_id=made.command_id, region=POOL.region, state=state, at=NOON
                ),
                NOON,
            )

    planner.meanwhile = meanwhile
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert committed.plan is not None
    assert POOL not in {pool for command in committed.commands for pool in command.order.pools}
    assert len(committed.commands) == 7, "the other pools are ordered as planned"
    (note,) = committed.plan.notes
    assert note.startswith(f"{POOL} is left alone: operator:bob ordered {POOL} → 9 (command ")
    (first, *_) = house.stores.outbox.commands()
    assert (first.author, first.state.ended) == ("operator:bob", applied)


def test_what_was_ordered_by_hand_before_it_planned_is_the_plans_to_change() -> None:
    house = a_house({POOL: 5})
    house.desk.order(by_hand(9, timedelta()), NOON, epoch=house.epoch)
    house.set_mode(Mode.ACTIVE)
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert ScaleOrder(pool=POOL, target_replicas=5) in [c.order for c in committed.commands]


def test_an_order_by_hand_that_was_cancelled_while_it_planned_binds_nobody() -> None:
    planner = SlowPlanner({POOL: 5})
    house = a_house(planner=planner)
    house.set_mode(Mode.ACTIVE)

    def meanwhile() -> None:
        made = house.desk.order(by_hand(9, timedelta()), NOON, epoch=house.epoch)
        house.stores.outbox.cancel(
            made.command_id, etag="", author="ada", now=NOON, epoch=house.epoch
        )

    planner.meanwhile = meanwhile
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert ScaleOrder(pool=POOL, target_replicas=5) in [c.order for c in committed.commands]


def test_an_order_by_hand_just_before_the_plan_is_stored_is_left_alone_and_said() -> None:
    acts: list[Callable[[], object]] = []
    house = a_house({POOL: 5}, busy_with=acts)
    house.set_mode(Mode.ACTIVE)
    acts.append(lambda: house.desk.order(by_hand(9, timedelta()), NOON, epoch=house.epoch))
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert committed.plan is not None
    (note,) = committed.plan.notes
    assert note.startswith(f"{POOL} is left alone: operator:bob ordered {POOL} → 9 (command ")
    (ordered, *planned) = house.stores.outbox.commands()
    assert (ordered.author, ordered.state) == ("operator:bob", CommandState.PENDING)
    assert len(planned) == 7, "the other pools are ordered as planned"
    assert len(house.deciders.problems) == 1, "nothing is solved again"


def test_a_pause_just_before_the_plan_is_stored_lets_no_order_out() -> None:
    acts: list[Callable[[], object]] = []
    house = a_house({POOL: 5}, busy_with=acts)
    house.set_mode(Mode.ACTIVE)
    acts.append(lambda: house.set_mode(Mode.PAUSED))
    committed = house.loop.replan(NOON, epoch=house.epoch)
    assert committed.plan is not None
    assert committed.commands == ()
    (record,) = (r for r in house.stores.audit.records(ALL_DAY) if r.action == "plan")
    assert record.detail == "solved: 0 commands, modes paused"


def test_a_plan_that_is_outdated_twice_is_not_stored() -> None:
    acts: list[Callable[[], object]] = []
    house = a_house({POOL: 5}, busy_with=acts)
    acts += [lambda: house.set_mode(Mode.ACTIVE), lambda: house.set_mode(Mode.PAUSED)]
    with pytest.raises(OutdatedDecision, match="a mode changed"):
        house.loop.replan(NOON, epoch=house.epoch)
    assert house.stores.plans.latest_plan() is None


def test_a_plan_that_was_overtaken_by_another_while_it_was_made_is_not_stored() -> None:
    planner = SlowPlanner({POOL: 5})
    house = a_house(planner=planner)
    first = house.loop.replan(NOON, epoch=house.epoch).plan
    assert first is not None
    planner.meanwhile = lambda: house.stores.decisions.commit(
        Decision(plan=first), epoch=house.epoch
    )
    with pytest.raises(OutdatedDecision, match="plan 2 was stored while"):
        house.loop.replan(NOON + QUARTER, epoch=house.epoch)
    newest = house.stores.plans.latest_plan()
    assert newest is not None
    assert newest.version == 2


def test_a_pause_just_before_tables_are_stored_keeps_the_old_ones() -> None:
    acts: list[Callable[[], object]] = []
    house = a_house(busy_with=acts, router=NearestRouter())
    house.set_mode(Mode.ACTIVE)
    far = PoolObservation(pool=a_pool("west"), ready=2)
    house.stores.fleet.observe(an_observation(far, region="west"), NOON)
    house.loop.reroute(NOON, epoch=house.epoch)
    nearer = an_observation(PoolObservation(pool=POOL, ready=2), at=NOON + MINUTE)
    house.stores.fleet.observe(nearer, NOON + MINUTE)
    acts.append(lambda: house.set_mode(Mode.PAUSED))
    house.loop.reroute(NOON + MINUTE, epoch=house.epoch)
    table = house.stores.routing.table(POOL.region)
    ours = [entry for entry in table.entries if entry.model == POOL.model]
    assert {share.serving for entry in ours for share in entry.shares} == {"west"}


def test_an_epoch_that_is_over_stores_nothing() -> None:
    house = a_house({POOL: 5})
    with pytest.raises(Fenced):
        house.loop.replan(NOON, epoch=house.epoch + 1)
    assert house.stores.plans.latest_plan() is None


def test_a_plan_that_forgets_pools_is_refused_with_the_policys_name() -> None:
    house = a_house(planner=ForgetfulPlanner())
    with pytest.raises(InvalidPolicyOutput, match="fake at 2026-03-02T12:00:00Z"):
        house.loop.replan(NOON, epoch=house.epoch)
    assert house.stores.plans.latest_plan() is None


def test_a_what_if_changes_nothing_and_sees_the_supposed_world() -> None:
    house = a_house()
    supposed = WhatIf(
        demand_factor=2.0,
        lost_region=RegionName("west"),
        quotas=((POOL.region, POOL.vm_type, 3),),
        targets=((POOL, 9),),
    )
    plan = house.loop.propose(NOON, supposed)
    assert plan.origin is PlanOrigin.PROPOSED
    assert house.stores.plans.latest_plan() is None
    problem = house.deciders.problems[-1]
    assert problem.lost_region == "west"
    assert problem.catalogue.quotas[POOL.region, POOL.vm_type] == 3
    assert [(o.pool, o.target_replicas) for o in problem.overrides] == [(POOL, 9)]


def test_a_what_if_about_unknown_things_is_refused() -> None:
    house = a_house()
    with pytest.raises(UnknownRegion):
        house.loop.propose(NOON, WhatIf(lost_region=RegionName("north")))
    with pytest.raises(UnknownVmType):
        house.loop.explain(NOON, a_pool(vm_type="huge"))


def test_approving_orders_the_newest_plan_in_advisory_mode() -> None:
    house = a_house({POOL: 5})
    with pytest.raises(NoPlanYet):
        house.loop.approve(1, NOON, author="ada", epoch=house.epoch)
    first = house.loop.replan(NOON, epoch=house.epoch).plan
    second = house.loop.replan(NOON + QUARTER, epoch=house.epoch).plan
    assert first is not None
    assert second is not None
    with pytest.raises(StaleEtag, match=f"approve plan {second.version}"):
        house.loop.approve(first.version, NOON + QUARTER, author="ada", epoch=house.epoch)
    approved = house.loop.approve(second.version, NOON + QUARTER, author="ada", epoch=house.epoch)
    assert {c.author for c in approved.commands} == {"ada"}
    origins = [house.stores.plans.plan(plan.version).origin for plan in (first, second)]
    assert origins == [PlanOrigin.SCHEDULED, PlanOrigin.APPROVED]
    house.set_mode(Mode.PAUSED)
    with pytest.raises(ModeForbids):
        house.loop.approve(second.version, NOON + QUARTER, author="ada", epoch=house.epoch)


def test_a_plan_that_is_no_longer_the_newest_when_the_approval_is_stored_is_not_approved() -> None:
    acts: list[Callable[[], object]] = []
    house = a_house({POOL: 5}, busy_with=acts)
    first = house.loop.replan(NOON, epoch=house.epoch).plan
    assert first is not None
    acts.append(lambda: house.loop.replan(NOON + MINUTE, epoch=house.epoch))
    with pytest.raises(StaleEtag, match="approve plan 2"):
        house.loop.approve(1, NOON + MINUTE, author="ada", epoch=house.epoch)
    assert house.stores.plans.plan(1).origin is PlanOrigin.SCHEDULED
    assert house.stores.outbox.commands() == ()


def by_hand(target: int, at: timedelta) -> ManualOrder:
    return ManualOrder(
        order=ScaleOrder(pool=POOL, target_replicas=target),
        author="operator:bob",
        reason="launch day",
        request_id=f"r-{at}",
        expires_at=NOON + timedelta(hours=4),
    )


@pytest.mark.parametrize("mode", [Mode.ADVISORY, Mode.ACTIVE])
@pytest.mark.parametrize("since", [timedelta(0), MINUTE])
def test_approving_a_plan_that_would_undo_a_later_order_by_hand_is_refused(
    mode: Mode, since: timedelta
) -> None:
    house = a_house({POOL: 5})
    plan = house.loop.replan(NOON, epoch=house.epoch).plan
    assert plan is not None
    house.set_mode(mode)
    scale = house.desk.order(by_hand(7, since), NOON + since, epoch=house.epoch)
    with pytest.raises(StaleEtag, match=r"operator:bob's order east/alpha/small → 7.*next plan"):
        house.loop.approve(plan.version, NOON + 2 * MINUTE, author="ada", epoch=house.epoch)
    assert house.stores.outbox.command(scale.command_id).state is CommandState.PENDING
    assert house.stores.plans.plan(plan.version).origin is PlanOrigin.SCHEDULED


def test_approving_a_plan_of_a_clock_that_was_set_back_undoes_no_later_order_by_hand() -> None:
    house = a_house({POOL: 5})
    house.desk.order(by_hand(9, -MINUTE), NOON - MINUTE, epoch=house.epoch)
    plan = house.loop.replan(NOON, epoch=house.epoch).plan
    assert plan is not None
    back = -timedelta(hours=2)
    house.desk.order(by_hand(7, back), NOON + back, epoch=house.epoch)
    with pytest.raises(StaleEtag, match=r"operator:bob's order east/alpha/small → 7"):
        house.loop.approve(plan.version, NOON + back + MINUTE, author="ada", epoch=house.epoch)


def test_approving_a_plan_that_does_not_know_what_was_ordered_before_goes_by_the_clock() -> None:
    house = a_house({POOL: 5})
    house.desk.order(by_hand(9, -MINUTE), NOON - MINUTE, epoch=house.epoch)
    made = house.loop.propose(NOON, WhatIf())
    plan = house.stores.decisions.commit(
        Decision(plan=replace(made, origin=PlanOrigin.SCHEDULED)), epoch=house.epoch
    ).plan
    assert plan is not None
    assert plan.made_after is None
    house.loop.approve(plan.version, NOON + MINUTE, author="ada", epoch=house.epoch)
    assert house.stores.plans.plan(plan.version).origin is PlanOrigin.APPROVED


def test_an_order_by_hand_that_says_the_same_or_was_cancelled_hinders_no_approval() -> None:
    house = a_house({POOL: 5})
    plan = house.loop.replan(NOON, epoch=house.epoch).plan
    assert plan is not None
    scale = house.desk.order(by_hand(7, MINUTE), NOON + MINUTE, epoch=house.epoch)
    house.stores.outbox.cancel(
        scale.command_id, etag="", author="bob", now=NOON + MINUTE, epoch=house.epoch
    )
    same = house.desk.order(by_hand(5, 2 * MINUTE), NOON + 2 * MINUTE, epoch=house.epoch)
    house.loop.approve(plan.version, NOON + 3 * MINUTE, author="ada", epoch=house.epoch)
    assert house.stores.outbox.command(same.command_id).state is CommandState.PENDING


def test_an_order_by_hand_that_nobody_observed_yet_hinders_no_plan_that_says_the_same() -> None:
    house = a_house({POOL: 5})
    plan = house.loop.replan(NOON, epoch=house.epoch).plan
    assert plan is not None
    scale = house.desk.order(by_hand(5, MINUTE), NOON + MINUTE, epoch=house.epoch)
    house.loop.acknowledge(
        Acknowledgement(
            command_id=scale.command_id,
            region=POOL.region,
            state=CommandState.APPLIED,
            at=NOON + MINUTE,
        ),
        NOON + MINUTE,
    )
    approved = house.loop.approve(plan.version, NOON + 2 * MINUTE, author="ada", epoch=house.epoch)
    assert scale.order in [command.order for command in approved.commands]


def refusing(
    command: Command, at: datetime, kind: RefusalKind = RefusalKind.NO_CAPACITY
) -> Acknowledgement:
    """The agent's word that it cannot be done."""
    return Acknowledgement(
        command_id=command.command_id,
        region=command.region,
        state=CommandState.REFUSED,
        refusal=kind,
        at=at,
    )


@pytest.mark.parametrize(
    "kind", [RefusalKind.NO_CAPACITY, RefusalKind.QUOTA, RefusalKind.DRIVER_ERROR]
)
def test_a_refusal_by_the_cloud_caps_later_plans_until_it_decays(kind: RefusalKind) -> None:
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    house.stores.fleet.observe(an_observation(PoolObservation(pool=POOL, ready=2, desired=2)), NOON)
    command = house.loop.replan(NOON, epoch=house.epoch).commands[0]
    refusal = refusing(command, NOON + MINUTE, kind)
    assert house.loop.acknowledge(refusal, NOON + MINUTE).state is CommandState.REFUSED
    (denial,) = house.loop.situation.fleet(NOON + MINUTE).denials
    assert (denial.region, denial.vm_type, denial.most_replicas) == (POOL.region, POOL.vm_type, 2)
    assert house.loop.situation.fleet(NOON + timedelta(hours=1)).denials == ()


def test_an_old_refusal_that_is_said_again_caps_nothing_anew() -> None:
    """By an agent that was away while another one ended the command."""
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    command = house.loop.replan(NOON, epoch=house.epoch).commands[0]
    refusal = refusing(command, NOON + MINUTE)
    house.loop.acknowledge(refusal, NOON + MINUTE)
    later = NOON + timedelta(hours=3)
    house.loop.acknowledge(replace(refusal, at=later), later)
    assert house.loop.situation.fleet(later).denials == ()


@pytest.mark.parametrize(
    "change",
    [
        {"region": RegionName("west")},
        {"command_created_at": NOON - MINUTE},
    ],
)
def test_a_refusal_of_another_command_caps_nothing(change: dict[str, Any]) -> None:
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    command = house.loop.replan(NOON, epoch=house.epoch).commands[0]
    refusal = refusing(command, NOON)
    with pytest.raises(UnknownCommand):
        house.loop.acknowledge(replace(refusal, **change), NOON)
    assert house.loop.situation.fleet(NOON).denials == ()


def test_old_observations_are_stale_and_absent_ones_missing() -> None:
    house = a_house()
    house.stores.fleet.observe(an_observation(PoolObservation(pool=POOL, ready=2)), NOON)
    fleet = house.loop.situation.fleet(NOON + MINUTE)
    assert fleet.state(POOL).signal is Signal.FRESH
    assert fleet.state(a_pool("west")).signal is Signal.MISSING
    assert house.loop.situation.fleet(NOON + QUARTER).state(POOL).signal is Signal.STALE


def test_measured_lead_times_replace_the_prior_after_five_samples() -> None:
    house = a_house()
    samples = tuple(
        LeadTimeSample(
            pool=POOL,
            start_kind=StartKind.COLD,
            lead_time=timedelta(seconds=100 + n),
            ready_at=NOON - n * MINUTE,
        )
        for n in range(5)
    )
    house.stores.fleet.observe(an_observation(lead_times=samples[:4]), NOON)
    prior = next(e for e in house.loop.situation.lead_times(NOON) if e.pool == POOL)
    assert (prior.samples, prior.p50) == (0, timedelta(seconds=480))
    later = NOON + MINUTE
    house.stores.fleet.observe(an_observation(at=later, lead_times=samples[4:]), later)
    measured = next(e for e in house.loop.situation.lead_times(NOON) if e.pool == POOL)
    assert (measured.samples, measured.p50) == (5, timedelta(seconds=102))


def test_unchanged_routes_are_not_published_again_until_they_would_go_stale() -> None:
    house = a_house()
    published = house.loop.reroute(NOON, epoch=house.epoch)
    assert [table.origin for table in published] == ["east", "west"]
    assert house.loop.reroute(NOON + MINUTE, epoch=house.epoch) == ()
    assert len(house.loop.reroute(NOON + 3 * MINUTE, epoch=house.epoch)) == 2


def test_unchanged_routes_are_published_again_at_once_when_the_clock_was_set_back() -> None:
    house = a_house()
    house.loop.reroute(NOON, epoch=house.epoch)
    assert house.loop.reroute(NOON - MINUTE, epoch=house.epoch) == ()
    back = NOON - timedelta(hours=1)
    assert {table.valid_from for table in house.loop.reroute(back, epoch=house.epoch)} == {back}
    assert house.loop.reroute(back + MINUTE, epoch=house.epoch) == ()


def test_a_table_that_steers_nothing_is_not_published() -> None:
    house = a_house(router=NearestRouter())
    assert house.loop.reroute(NOON, epoch=house.epoch) == ()
    house.stores.fleet.observe(an_observation(PoolObservation(pool=POOL, ready=2)), NOON)
    assert {t.origin for t in house.loop.reroute(NOON, epoch=house.epoch)} == {"east", "west"}


def test_an_origin_that_is_not_steered_may_be_left_to_replicas_that_nobody_reports() -> None:
    house = a_house()
    house.deciders.sheds = False
    assert len(house.loop.reroute(NOON, epoch=house.epoch)) == 2


def test_no_origin_is_steered_to_pools_without_ready_replicas() -> None:
    house = a_house()
    house.deciders.sheds = False
    house.set_mode(Mode.ACTIVE)
    with pytest.raises(InvalidPolicyOutput, match="no ready replica"):
        house.loop.reroute(NOON, epoch=house.epoch)
    assert house.stores.routing.latest_tables() == ()


def test_demand_for_routing_counts_offered_less_retries() -> None:
    house = a_house()
    windows = [
        a_window(NOON - n * MINUTE, offered=70, retried=10, admitted=5, rejected=65, completed=5)
        for n in (1, 2, 3)
    ]
    house.stores.usage.record([a_batch(windows)])
    rates = {rate.demand: rate for rate in house.loop.situation.rates(NOON)}
    key = next(
        k
        for k in rates
        if k.origin == "east" and k.model == "alpha" and k.tier is Tier.INTERACTIVE_NORMAL
    )
    assert rates[key].requests_per_second == pytest.approx(1.0)
    assert rates[key].measured
    assert not any(r.measured for k, r in rates.items() if k.origin == "west")


def test_commands_that_nobody_ended_expire() -> None:
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    made = house.loop.replan(NOON, epoch=house.epoch).commands
    ended = house.loop.settle(NOON + timedelta(hours=4), epoch=house.epoch)
    assert {c.command_id for c in ended} == {c.command_id for c in made}
    assert {c.state for c in ended} == {CommandState.EXPIRED}


def test_housekeeping_drops_what_is_old_and_leaves_what_is_in_force() -> None:
    keep = Retention(plans=MINUTE, commands=MINUTE, routing_tables=MINUTE, audit=MINUTE)
    house = a_house({POOL: 5}, ControlSettings(keep=keep))
    house.set_mode(Mode.ACTIVE)
    for at in (NOON, NOON + QUARTER):
        house.loop.replan(at, epoch=house.epoch)
        house.loop.reroute(at, epoch=house.epoch)
    house.stores.usage.record([a_batch([a_window(NOON + 2 * QUARTER - MINUTE)])])
    assert house.loop.housekeep(NOON + 2 * QUARTER) == 1 + 2 + 2, "a plan, two tables, two records"
    stores = house.stores
    assert [plan.version for plan in stores.plans.plans(ALL_DAY)] == [2]
    assert len(stores.routing.latest_tables()) == 2
    assert len(stores.outbox.commands()) == 8, "nobody has ended them"


def test_a_clock_that_runs_ahead_drops_nothing() -> None:
    house = a_house({POOL: 5})
    house.set_mode(Mode.ACTIVE)
    house.loop.replan(NOON, epoch=house.epoch)
    house.loop.replan(NOON + QUARTER, epoch=house.epoch)
    assert house.loop.housekeep(NOON + timedelta(days=365)) is None
    assert len(house.stores.plans.plans(ALL_DAY)) == 2
    house.stores.usage.record([a_batch([a_window(NOON + timedelta(days=365))])])
    assert house.loop.housekeep(NOON + timedelta(days=365, minutes=1)), (
        "somebody lives in that year"
    )
    assert len(house.stores.plans.plans(ALL_DAY)) == 1


ALL_DAY = Span(NOON, NOON + timedelta(days=1))
