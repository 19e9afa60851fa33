"""What every decision store promises, with its ledgers of plans, tables, overrides, modes and audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import (
    OutdatedDecision,
    OverrideExpired,
    RequestIdReused,
    UnknownOverride,
    UnknownPlan,
    UnknownRoutingTable,
)
from heliostat.model.governance import (
    AuditEntry,
    AuditQuery,
    AuditRecord,
    Mode,
    Modes,
    ModeSetting,
)
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE, ModelName, RegionName
from heliostat.model.plan import PlanOrigin, SolveReport
from heliostat.model.routing import RoutingAck
from heliostat.ports.decisions import Basis, Committed, Decision
from storage.notify import Topic
from tests.contracts.builders import (
    EU,
    T0,
    US,
    at,
    audit,
    command,
    override,
    plan,
    pool,
    span,
    table,
)
from tests.contracts.worlds import World


def commit(world: World, **parts: Any) -> Committed:
    epoch = world.lead()
    return world.stores.decisions.commit(Decision(**parts), epoch=epoch)


def test_nothing_is_there_at_first(world: World) -> None:
    stores = world.stores
    assert stores.plans.latest_plan() is None
    assert stores.plans.plans(span(60)) == ()
    assert stores.routing.latest_tables() == ()
    assert stores.routing.routing_acks() == ()
    assert stores.overrides.overrides(T0) == ()
    assert stores.modes.modes() == Modes()
    assert stores.audit.records(span(60)) == ()
    with pytest.raises(UnknownPlan):
        stores.plans.plan(1)
    with pytest.raises(UnknownRoutingTable):
        stores.routing.table(EU)
    with pytest.raises(UnknownOverride):
        stores.overrides.override("o-1")


# --- plans ---------------------------------------------------------------------------------------


def test_a_plan_reads_back_equal_under_its_version(world: World) -> None:
    report = SolveReport(objective=1 / 3, lp_bound=0.1, cpu_seconds=0.5, nodes=7)
    (target,) = plan().targets
    ruled = replace(
        target, without_override=0, reason=replace(target.reason, binding="override", author="ada")
    )
    notes = ("floor of “qwen” kept",)
    made = plan(solve=report, notes=notes, targets=(ruled,), made_after="000000000007")
    stored = commit(world, plan=made).plan
    assert stored is not None
    assert stored == replace(made, version=stored.version)
    assert stored.version > 0
    assert world.open_again().plans.plan(stored.version) == stored


def test_versions_and_ids_grow_across_leaders(world: World) -> None:
    first = commit(world, plan=plan(), commands=(command(),), tables=(table(),))
    world.let_lease_run_out()
    again = world.open_again()
    lease = again.leadership.acquire("beta", "beta:1", timedelta(minutes=5))
    assert lease is not None
    decision = Decision(plan=plan(1), commands=(command(of=pool(US)),), tables=(table(minute=1),))
    second = again.decisions.commit(decision, epoch=lease.epoch)
    assert first.plan is not None
    assert second.plan is not None
    assert second.plan.version > first.plan.version
    assert second.commands[0].command_id > first.commands[0].command_id
    assert second.tables[0].version != first.tables[0].version
    assert again.routing.latest_tables() == second.tables


def test_a_proposed_plan_is_kept_but_never_the_latest(world: World) -> None:
    real = commit(world, plan=plan()).plan
    proposed = commit(world, plan=plan(1, origin=PlanOrigin.PROPOSED)).plan
    assert proposed is not None
    assert world.stores.plans.latest_plan() == real
    assert world.stores.plans.plan(proposed.version) == proposed
    assert commit(world, tables=(table(),)).tables[0].plan_version == getattr(real, "version", 0)


def test_an_approved_plan_is_marked_and_stays_the_latest(world: World) -> None:
    first, second = (commit(world, plan=plan(minute)).plan for minute in (0, 10))
    assert first is not None
    assert second is not None
    commit(world, approves=second.version, commands=(command(),))
    approved = replace(second, origin=PlanOrigin.APPROVED)
    assert world.stores.plans.latest_plan() == approved
    assert world.stores.plans.plans(Span(at(0), at(30))) == (first, approved)


def test_an_approval_of_no_plan_changes_nothing(world: World) -> None:
    with pytest.raises(UnknownPlan):
        commit(world, approves=7, commands=(command(),))
    assert world.stores.outbox.commands() == ()


def test_plans_are_paged_by_version_inside_a_span(world: World) -> None:
    made = [commit(world, plan=plan(minute)).plan for minute in (0, 10, 20, 30)]
    ledger = world.stores.plans
    assert ledger.plans(Span(at(0), at(30))) == tuple(made[:3])
    first = ledger.plans(Span(at(0), at(31)), limit=2)
    assert first == tuple(made[:2])
    assert ledger.plans(Span(at(0), at(31)), after_version=first[-1].version) == tuple(made[2:])


def test_commands_made_with_a_plan_carry_its_version(world: World) -> None:
    done = commit(world, plan=plan(), commands=(command(),), tables=(table(), table(US)))
    assert done.plan is not None
    assert done.commands[0].plan_version == done.plan.version
    assert {one.plan_version for one in done.tables} == {done.plan.version}
    by_hand = commit(world, commands=(command(of=pool(US)),)).commands[0]
    assert by_hand.plan_version == 0


# --- routing -------------------------------------------------------------------------------------


def test_tables_read_back_by_origin_and_version(world: World) -> None:
    old = commit(world, tables=(table(), table(US))).tables
    new = commit(world, tables=(table(minute=5),)).tables
    routing = world.open_again().routing
    assert routing.latest_tables() == (new[0], old[1])
    assert routing.table(EU) == new[0]
    assert routing.table(EU, old[0].version) == old[0]
    with pytest.raises(UnknownRoutingTable):
        routing.table(EU, "r-of-nobody")


def test_the_newest_word_of_each_gateway_is_kept(world: World) -> None:
    routing = world.stores.routing

    def word(minute: int, *, accepted: bool = True, gateway: str = "g-1") -> RoutingAck:
        return RoutingAck(
            origin=EU, gateway_id=gateway, version="r1", accepted=accepted, at=at(minute)
        )

    routing.acknowledge_tables([])
    routing.acknowledge_tables([word(3, accepted=False), word(5)])
    routing.acknowledge_tables(
        [word(4, accepted=False), word(6, gateway="g-2", accepted=False), word(5)]
    )
    assert routing.routing_acks() == (word(5), word(6, gateway="g-2", accepted=False))
    assert routing.routing_acks(US) == ()


def test_a_word_said_after_the_clock_was_set_back_takes_the_place_of_the_one_before(
    world: World,
) -> None:
    routing = world.stores.routing
    ahead, now = (
        RoutingAck(origin=EU, gateway_id="g-1", version=version, accepted=True, at=instant)
        for version, instant in (("r1", at(60)), ("r2", at(5)))
    )
    routing.acknowledge_tables([ahead])
    routing.acknowledge_tables([now])
    assert world.open_again().routing.routing_acks() == (now,)


# --- whole decisions -------------------------------------------------------------------------------


def test_a_decision_that_cannot_be_kept_leaves_nothing(world: World) -> None:
    commit(world, commands=(command(request_id="r-1"),))
    broken = Decision(
        plan=plan(),
        tables=(table(),),
        overrides=(override(),),
        audit=(audit(),),
        commands=(command(of=pool(US)), command(target=9, request_id="r-1")),
    )
    epoch = world.lead()
    with pytest.raises(RequestIdReused):
        world.stores.decisions.commit(broken, epoch=epoch)
    assert world.stores.plans.latest_plan() is None
    assert world.stores.routing.latest_tables() == ()
    assert world.stores.overrides.overrides(T0) == ()
    assert world.stores.audit.records(span(60)) == ()
    assert len(world.stores.outbox.commands()) == 1


def test_the_same_request_twice_is_one_command_one_override_and_one_record(world: World) -> None:
    asked = {
        "commands": (command(request_id="r-1"),),
        "overrides": (override(),),
        "audit": (audit(),),
    }
    first = commit(world, **asked)
    again = commit(world, **asked)
    assert again.commands == first.commands
    assert len(world.stores.outbox.commands()) == 1
    assert len(world.stores.audit.records(span(60))) == 1
    assert world.stores.overrides.overrides(T0) == (override(),)


def test_a_request_that_orders_something_else_is_told_what_it_ordered_before(world: World) -> None:
    (first,) = commit(world, commands=(command(request_id="r-1"),)).commands
    with pytest.raises(RequestIdReused) as caught:
        commit(world, commands=(command(target=9, request_id="r-1"),))
    assert str(caught.value) == (
        "request r-1 already ordered something else: "
        f"{pool()} → 3 as command {first.command_id}, now {pool()} → 9; "
        "send a fresh request_id for a new intent"
    )


def test_one_decision_may_not_carry_a_request_twice(world: World) -> None:
    twice = (command(request_id="r-1"), command(of=pool(US), request_id="r-1"))
    with pytest.raises(RequestIdReused):
        commit(world, commands=twice)


def everywhere(mode: Mode) -> ModeSetting:
    return ModeSetting(region=EVERYWHERE, mode=mode, author="ada", reason="go", at=T0)


def test_a_decision_is_kept_while_what_it_was_made_from_stands(world: World) -> None:
    commit(world, plan=plan(), commands=(command(request_id="r-1"),))
    commit(world, mode=everywhere(Mode.ACTIVE))
    standing = Basis(
        last_command_id=world.stores.outbox.commands()[-1].command_id,
        plan_version=getattr(world.stores.plans.latest_plan(), "version", 0),
        modes=world.stores.modes.modes(),
    )
    commit(world, plan=plan(5, origin=PlanOrigin.PROPOSED))
    assert commit(world, basis=standing, commands=(command(of=pool(US)),)).commands


@pytest.mark.parametrize(
    ("basis", "meanwhile"),
    [
        (Basis(last_command_id=""), {"commands": (command(),)}),
        (Basis(plan_version=0), {"plan": plan()}),
        (Basis(modes=Modes()), {"mode": everywhere(Mode.PAUSED)}),
    ],
    ids=["command", "plan", "mode"],
)
def test_a_decision_made_from_what_changed_since_is_refused_whole(
    world: World, basis: Basis, meanwhile: dict[str, Any]
) -> None:
    commit(world, **meanwhile)
    before = world.stores.outbox.commands()
    with pytest.raises(OutdatedDecision, match="while this was decided"):
        commit(world, basis=basis, commands=(command(of=pool(US)),), tables=(table(),))
    assert world.stores.outbox.commands() == before
    assert world.stores.routing.latest_tables() == ()


def test_a_mode_set_again_counts_as_changed(world: World) -> None:
    commit(world, mode=everywhere(Mode.ACTIVE))
    seen = Basis(modes=world.stores.modes.modes())
    commit(world, mode=everywhere(Mode.PAUSED))
    commit(world, mode=everywhere(Mode.ACTIVE))
    with pytest.raises(OutdatedDecision):
        commit(world, basis=seen, tables=(table(),))


def test_a_request_that_came_before_is_answered_whatever_changed_since(world: World) -> None:
    asked = {"basis": Basis(last_command_id=""), "commands": (command(request_id="r-1"),)}
    first = commit(world, **asked)
    commit(world, commands=(command(of=pool(US)),))
    assert commit(world, **asked).commands == first.commands


def test_listeners_hear_what_changed_once_it_is_stored(world: World) -> None:
    heard: list[tuple[Topic, int]] = []
    world.feed.subscribe(lambda topic: heard.append((topic, len(world.stores.outbox.commands()))))
    heard.clear()
    commit(world, plan=plan(), commands=(command(),), tables=(table(),))
    wanted = {(Topic.PLAN, 1), (Topic.COMMANDS, 1), (Topic.ROUTING, 1)}
    assert wanted <= set(heard)


# --- overrides and modes -----------------------------------------------------------------------------


def test_an_override_holds_until_it_expires(world: World) -> None:
    commit(world, overrides=(override(minutes=60),))
    book = world.open_again().overrides
    assert book.override("o-1") == override(minutes=60)
    assert book.overrides(at(59)) == (override(minutes=60),)
    assert book.overrides(at(60)) == ()


def test_an_override_stays_in_force_when_the_clock_is_set_back_to_before_it(world: World) -> None:
    commit(world, overrides=(override(created=60, minutes=90),))
    assert world.stores.overrides.overrides(at(1)) == (override(created=60, minutes=90),)


def test_a_newer_override_of_a_pool_takes_the_place_of_the_older_for_good(world: World) -> None:
    commit(world, overrides=(override("o-1"), override("other", pool=pool(US))))
    commit(world, overrides=(override("o-2", created=1, minutes=5, target_replicas=9),))
    book = world.stores.overrides
    assert [o.override_id for o in book.overrides(at(2))] == ["o-2", "other"]
    assert [o.override_id for o in book.overrides(at(30))] == ["other"]


def test_a_cancelled_override_is_over_and_audited(world: World) -> None:
    commit(world, overrides=(override(),))
    book, epoch = world.stores.overrides, world.lead()
    ended = book.cancel_override("o-1", author="bob", now=at(5), epoch=epoch)
    assert ended.expires_at == at(5)
    assert book.overrides(at(5)) == ()
    with pytest.raises(UnknownOverride):
        book.override("o-1")
    with pytest.raises(UnknownOverride):
        book.cancel_override("o-1", author="bob", now=at(6), epoch=epoch)
    (record,) = world.stores.audit.records(span(60))
    assert (record.author, record.action, record.subject) == (
        "bob",
        "cancel-override",
        "override o-1",
    )


def test_an_expired_override_cannot_be_cancelled(world: World) -> None:
    commit(world, overrides=(override(minutes=5),))
    with pytest.raises(OverrideExpired):
        world.stores.overrides.cancel_override("o-1", author="b", now=at(5), epoch=world.lead())


def test_modes_keep_the_last_setting_of_each_region(world: World) -> None:
    def setting(region: RegionName, mode: Mode) -> ModeSetting:
        return ModeSetting(region=region, mode=mode, author="ada", reason="go", at=T0)

    commit(world, mode=setting(EVERYWHERE, Mode.ACTIVE))
    commit(world, mode=setting(EU, Mode.ADVISORY))
    commit(world, mode=setting(EU, Mode.PAUSED))
    modes = world.open_again().modes.modes()
    assert (modes.of(EU), modes.of(US)) == (Mode.PAUSED, Mode.ACTIVE)
    assert [one.revision for one in modes.settings] == [1, 2]


# --- audit ---------------------------------------------------------------------------------------


def test_the_audit_log_is_read_by_time_and_in_order(world: World) -> None:
    log = world.stores.audit
    records = [audit(minute, detail=f"{minute} – ‘ok’") for minute in (5, 1, 5, 9)]
    for record in records:
        log.note(record)
    assert log.records(Span(at(1), at(9))) == (records[1], records[0], records[2])
    assert log.records(span(60), limit=1) == (records[1],)


def test_names_of_any_script_are_kept(world: World) -> None:
    odd = ModelName("模型-é'\"%s")
    commit(world, plan=plan(), commands=(command(of=pool(model=odd)),))
    assert world.stores.outbox.commands()[0].order.pools[0].model == odd


def test_the_audit_log_is_read_page_by_page_without_a_gap_or_a_repetition(world: World) -> None:
    log = world.stores.audit
    for minute in (5, 1, 5, 5, 9, 1):
        log.note(audit(minute))
    query = AuditQuery(span=span(60))
    whole = log.entries(query)
    assert [entry.record.at for entry in whole] == [at(m) for m in (1, 1, 5, 5, 5, 9)]
    assert [entry.place for entry in whole] == sorted({entry.place for entry in whole})
    paged: list[AuditEntry] = []
    while page := log.entries(query, after=paged[-1].place if paged else None, limit=2):
        paged += page
    assert paged == list(whole)


def test_what_is_noted_while_somebody_pages_comes_on_a_later_page(world: World) -> None:
    log = world.stores.audit
    log.note(audit(1))
    (first,) = log.entries(AuditQuery(span=span(60)))
    log.note(audit(1, detail="later"))
    (second,) = log.entries(AuditQuery(span=span(60)), after=first.place)
    assert second.record.detail == "later"
    assert second.number > first.number


def test_the_audit_log_is_filtered_by_author_and_action_and_a_half_open_span(
    world: World,
) -> None:
    log = world.stores.audit
    for author in ("operator:anna", "planner"):
        for action in ("plan", "set-mode"):
            for minute in (0, 1, 2):
                log.note(audit(minute, author=author, action=action))

    def found(first: int = 0, end: int = 60, **filters: frozenset[str]) -> list[AuditRecord]:
        query = AuditQuery(span=Span(at(first), at(end)), **filters)
        return [entry.record for entry in log.entries(query)]

    anna = frozenset({"operator:anna"})
    assert len(found()) == 12
    assert {r.author for r in found(authors=anna)} == anna
    assert {r.at for r in found(1, 2)} == {at(1)}
    (one,) = found(1, 2, authors=anna, actions=frozenset({"plan"}))
    assert (one.author, one.action) == ("operator:anna", "plan")
    assert len(found(authors=anna | {"planner"}, actions=frozenset({"plan", "set-mode"}))) == 12
    assert found(authors=frozenset({"operator:bob"})) == []
    assert found(1, 1) == []
