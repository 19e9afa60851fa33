"""What is older than retention keeps goes, and what is still in force stays whatever its age."""

from __future__ import annotations

import pytest

from heliostat.errors import UnknownCommand, UnknownPlan, UnknownRoutingTable
from heliostat.model.command import CommandState
from heliostat.model.fleet import LeadTimeSample, RegionObservation, StartKind
from heliostat.model.governance import AuditQuery
from heliostat.model.plan import PlanOrigin
from heliostat.model.routing import RoutingAck
from heliostat.ports.decisions import Decision
from storage.sql.dropping import ROWS_AT_ONCE
from tests.contracts.builders import (
    EU,
    MINUTE,
    US,
    ack,
    at,
    audit,
    command,
    plan,
    pool,
    span,
    table,
)
from tests.contracts.worlds import World


def test_of_nothing_nothing_goes(world: World) -> None:
    stores = world.stores
    assert stores.plans.prune(at(60)) == 0
    assert stores.routing.prune(at(60), at(60)) == 0
    assert stores.outbox.prune(at(60)) == 0
    assert stores.audit.prune(at(60)) == 0
    assert stores.fleet.prune(at(60)) == 0


def decide(world: World, *decisions: Decision) -> None:
    epoch = world.lead()
    for decision in decisions:
        world.stores.decisions.commit(decision, epoch=epoch)


def test_old_plans_go_and_versions_go_on(world: World) -> None:
    decide(world, *(Decision(plan=plan(minute)) for minute in range(4)))
    plans = world.stores.plans
    assert plans.prune(at(2)) == 2
    assert plans.prune(at(2)) == 0
    with pytest.raises(UnknownPlan):
        plans.plan(2)
    assert [p.version for p in plans.plans(span(60))] == [3, 4]
    decide(world, Decision(plan=plan(9)))
    assert plans.plan(5).created_at == at(9)


def test_the_newest_plan_stays_whatever_its_age_and_what_was_proposed_since(world: World) -> None:
    proposed = PlanOrigin.PROPOSED
    decide(
        world,
        Decision(plan=plan(0, origin=proposed)),
        Decision(plan=plan(1)),
        Decision(plan=plan(2, origin=proposed)),
    )
    assert world.stores.plans.prune(at(600)) == 1
    newest = world.stores.plans.latest_plan()
    assert newest is not None
    assert newest.version == 2
    assert [p.version for p in world.stores.plans.plans(span(60))] == [2, 3]
    decide(world, Decision(approves=2))


def test_proposals_alone_stay(world: World) -> None:
    decide(world, Decision(plan=plan(0, origin=PlanOrigin.PROPOSED)))
    assert world.stores.plans.prune(at(600)) == 0


def test_old_tables_go_but_for_each_origins_newest_and_versions_go_on(world: World) -> None:
    decide(world, Decision(tables=(table(US, 0),)))
    decide(world, *(Decision(tables=(table(EU, minute),)) for minute in range(4)))
    routing = world.stores.routing
    versions = [routing.table(origin).version for origin in (EU, US)]
    assert routing.prune(at(2), at(0)) == 2
    assert [t.version for t in routing.latest_tables()] == versions
    assert routing.prune(at(600), at(0)) == 1
    assert [t.version for t in routing.latest_tables()] == versions
    with pytest.raises(UnknownRoutingTable):
        routing.table(EU, "r000000000002")
    decide(world, Decision(tables=(table(EU, 9),)))
    assert routing.table(EU).version == "r000000000006"


def test_gateways_that_fell_silent_are_forgotten(world: World) -> None:
    routing = world.stores.routing
    heard = [
        RoutingAck(origin=EU, gateway_id=name, version="r1", accepted=True, at=at(minute))
        for name, minute in (("gone", 1), ("here", 2))
    ]
    routing.acknowledge_tables(heard)
    assert routing.prune(at(0), at(2)) == 1
    assert [word.gateway_id for word in routing.routing_acks()] == ["here"]


def test_ended_commands_go_and_open_ones_stay_whatever_their_age(world: World) -> None:
    orders = [
        command(of=pool(region), request_id=f"r-{region}", created_at=at(minute))
        for minute, region in ((0, EU), (1, US))
    ]
    decide(world, *(Decision(commands=(one,)) for one in orders))
    outbox = world.stores.outbox
    done, waiting = outbox.commands()
    outbox.acknowledge(ack(done.command_id, CommandState.APPLIED))
    changes = outbox.last_changes()
    assert outbox.prune(at(0)) == 0
    assert outbox.prune(at(600)) == 1
    assert outbox.commands() == (waiting,)
    assert outbox.count() == 1
    with pytest.raises(UnknownCommand):
        outbox.command(done.command_id)
    assert outbox.requested("r-eu", orders[0].order) is None
    assert outbox.requested("r-us", orders[1].order) == waiting
    assert outbox.last_changes() == changes
    decide(world, Decision(commands=(orders[0],)))
    assert [one.command_id for one in outbox.commands()] == [
        waiting.command_id,
        f"{int(waiting.command_id) + 1:012d}",
    ]


def test_old_audit_records_go_and_numbers_go_on(world: World) -> None:
    for minute in range(4):
        world.stores.audit.note(audit(minute))
    log = world.stores.audit
    assert log.prune(at(2)) == 2
    assert [record.at for record in log.records(span(60))] == [at(2), at(3)]
    assert log.prune(at(600)) == 1, "the last one stays"
    (last,) = log.entries(AuditQuery(span=span(600)))
    log.note(audit(9))
    (new,) = log.entries(AuditQuery(span=span(600)), after=last.place)
    assert new.number == last.number + 1


def test_old_lead_times_go(world: World) -> None:
    samples = tuple(
        LeadTimeSample(
            pool=pool(), start_kind=StartKind.COLD, lead_time=5 * MINUTE, ready_at=at(minute)
        )
        for minute in range(3)
    )
    fleet = world.stores.fleet
    fleet.observe(
        RegionObservation(region=EU, observed_at=at(9), pools=(), lead_times=samples), at(9)
    )
    assert fleet.prune(at(2)) == 2
    assert fleet.lead_times(at(0)) == samples[2:]


def test_more_than_goes_in_one_transaction_goes_in_several(world: World) -> None:
    many = 2 * ROWS_AT_ONCE + 2
    decide(world, Decision(audit=tuple(audit(minute % 9) for minute in range(many))))
    assert world.stores.audit.prune(at(600)) == many - 1


def test_hundreds_of_old_tables_go_at_once(world: World) -> None:
    epoch = world.lead()
    for minute in range(250):
        world.stores.decisions.commit(Decision(tables=(table(EU, minute),)), epoch=epoch)
    assert world.stores.routing.prune(at(240), at(0)) == 240
