"""The control loop: situation → plan → commands and routing tables, one tick at a time.

Every method is one tick of one kind, is passed `now` and the leader's `epoch`, reads the stores,
decides with pure objects and stores the decision in one transaction. Raising leaves everything as
it was; calling again is safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import ModeForbids, NoPlanYet, OutdatedDecision, StaleEtag
from heliostat.loops.basis import once_more, read_basis
from heliostat.loops.forecasts import ForecastSettings
from heliostat.loops.orders import OrderBook, by_hand, check_nothing_by_hand_since
from heliostat.loops.retention import Retention, drop_old
from heliostat.loops.situation import ProblemReader, SituationSettings
from heliostat.loops.sound import check_plan, check_tables
from heliostat.model.command import OPEN_STATES, Acknowledgement, Command, RefusalKind
from heliostat.model.fleet import CapacityDenial
from heliostat.model.governance import AuditRecord, Mode, Modes
from heliostat.model.instants import Span
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan, Explanation, PlanOrigin, WhatIf
from heliostat.model.routing import RoutingTable
from heliostat.ports.deciding import (
    CapacityPlanner,
    PlanExplainer,
    Router,
    ScalingStrategy,
    TargetGuard,
)
from heliostat.ports.decisions import CLOCK_SET_BACK, Basis, Committed, Decision
from heliostat.ports.forecasts import Forecaster, ForecastScorer
from heliostat.ports.stores import Stores

PLANNER = "planner"
"""The author of everything that the loop orders by itself."""
_MANY = 100_000
_BY_THE_CLOUD = (RefusalKind.NO_CAPACITY, RefusalKind.QUOTA, RefusalKind.DRIVER_ERROR)
"""Refusals that hold for every order of such VMs in the region: the cloud has none for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """How long commands live, how long a refusal counts, and how long records are kept.

    `forecasts` is for the `ForecastLoop` that runs beside the control loop.
    """

    forecasts: ForecastSettings = ForecastSettings()
    situation: SituationSettings = SituationSettings()
    command_lifetime: timedelta = timedelta(hours=4)
    denial_memory: timedelta = timedelta(minutes=30)
    keep: Retention = Retention()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciders:
    """The pure objects that decide, behind their ports.

    `forecaster` and `scorer` are for the `ForecastLoop`, the others for the `ControlLoop`.
    """

    forecaster: Forecaster
    scorer: ForecastScorer
    planner: CapacityPlanner
    explainer: PlanExplainer
    strategy: ScalingStrategy
    guard: TargetGuard
    router: Router


class ControlLoop:
    """Turns what happened into what is ordered; its state is in the stores.

    Its `ProblemReader` caches token mixes and lead times, which a new loop computes again.
    """

    def __init__(
        self,
        *,
        stores: Stores,
        catalogue: FleetCatalogue,
        deciders: Deciders,
        settings: ControlSettings | None = None,
    ) -> None:
        self._stores = stores
        self._catalogue = catalogue
        self._deciders = deciders
        self._settings = settings or ControlSettings()
        self.situation = ProblemReader(stores, catalogue, self._settings.situation)

    # --- capacity ----------------------------------------------------------------------------

    def replan(self, now: datetime, *, epoch: int) -> Committed:
        """Plan, clip, order what differs where the mode is active, and store all of it.

        Pools for which an order came by hand meanwhile are left alone, and the plan's notes say so.
        Raises OutdatedDecision when another plan was stored meanwhile, or orders or modes changed twice
        just before this one was.
        """
        before = read_basis(self._stores)
        plan = replace(self._decide(now, what_if=None), made_after=before.last_command_id)
        return once_more(lambda: self._order(plan, before, now, epoch))

    def _order(self, plan: CapacityPlan, before: Basis, now: datetime, epoch: int) -> Committed:
        """Order what the plan changes, and store both; `before` is what the plan was made from."""
        basis = read_basis(self._stores)
        if basis.plan_version != before.plan_version:
            raise OutdatedDecision(
                f"plan {basis.plan_version} was stored while this one was made", remedy="plan again"
            )
        since = self._stores.outbox.commands(after_id=before.last_command_id or "", limit=_MANY)
        book = replace(self._orders(now, basis), by_hand=by_hand(since))
        plan = replace(plan, notes=(*plan.notes, *_left_alone(book.by_hand)))
        commands = book.orders(plan, now=now, author=PLANNER)
        record = AuditRecord(
            at=now,
            author=PLANNER,
            action="plan",
            subject=plan.policy,
            detail=f"{plan.status}: {len(commands)} commands, "
            f"modes {', '.join(sorted({book.modes.of(r.name) for r in self._catalogue.regions}))}",
        )
        return self._stores.decisions.commit(
            Decision(basis=basis, plan=plan, commands=commands, audit=(record,)), epoch=epoch
        )

    def propose(self, now: datetime, what_if: WhatIf) -> CapacityPlan:
        """The plan that would be made in a supposed world; changes nothing."""
        return replace(self._decide(now, what_if), origin=PlanOrigin.PROPOSED)

    def approve(self, version: int, now: datetime, *, author: str, epoch: int) -> Committed:
        """Order the newest plan's targets in advisory regions too, and mark it as approved.

        Raises NoPlanYet, StaleEtag when a newer plan exists or the plan would undo what was ordered
        by hand since it was made, ModeForbids when all are paused, OutdatedDecision when orders or
        modes changed twice just before the approval was stored.
        """
        return once_more(lambda: self._approve(version, now, author=author, epoch=epoch))

    def _approve(self, version: int, now: datetime, *, author: str, epoch: int) -> Committed:
        basis = read_basis(self._stores)
        plan = self._stores.plans.latest_plan()
        if plan is None:
            raise NoPlanYet("there is no plan to approve", remedy="wait for the next planning tick")
        if plan.version != version:
            raise StaleEtag(
                f"plan {version} is not the newest",
                remedy=f"review and approve plan {plan.version} instead",
            )
        book = self._orders(now, basis)
        if all(book.modes.of(region.name) is Mode.PAUSED for region in self._catalogue.regions):
            raise ModeForbids("every region is paused", remedy="set the mode to advisory or active")
        commands = book.orders(plan, now=now, author=author, least_mode=Mode.ADVISORY)
        check_nothing_by_hand_since(plan, commands, self._ordered_since(plan, now))
        record = AuditRecord(
            at=now,
            author=author,
            action="approve-plan",
            subject=f"plan {version}",
            detail=f"{len(commands)} commands",
        )
        return self._stores.decisions.commit(
            Decision(basis=basis, approves=version, commands=commands, audit=(record,)),
            epoch=epoch,
        )

    def explain(self, now: datetime, pool: PoolKey) -> Explanation:
        """Why the newest plan gives the pool its target. Raises NoPlanYet, UnknownPool."""
        self._catalogue.pool(pool)
        plan = self._stores.plans.latest_plan()
        if plan is None:
            raise NoPlanYet("there is no plan to explain", remedy="wait for the next planning tick")
        return self._deciders.explainer.explain(self.situation.planning(now), plan, pool)

    # --- routing -----------------------------------------------------------------------------

    def reroute(self, now: datetime, *, epoch: int) -> tuple[RoutingTable, ...]:
        """Make every origin's table and publish those that changed or would soon go stale.

        Raises OutdatedDecision when modes changed twice just before the tables were stored.
        """
        return once_more(lambda: self._reroute(now, epoch))

    def _reroute(self, now: datetime, epoch: int) -> tuple[RoutingTable, ...]:
        problem = self.situation.routing(now)
        tables = self._deciders.router.route(problem)
        check_tables(tables, self._catalogue, problem.fleet, problem.modes)
        before = {table.origin: table for table in problem.previous}
        news = tuple(t for t in tables if _worth_publishing(before.get(t.origin), t, now))
        if not news:
            return ()
        decision = Decision(basis=Basis(modes=problem.modes), tables=news)
        return self._stores.decisions.commit(decision, epoch=epoch).tables

    # --- commands ----------------------------------------------------------------------------

    def acknowledge(self, ack: Acknowledgement, now: datetime) -> Command:
        """Take in an agent's word; a refusal by the cloud that ends a command caps the next plans.

        The cap is stored first: until the command has ended, its agent says the word again.
        """
        if ack.refusal in _BY_THE_CLOUD:
            before = self._stores.outbox.command(ack.command_id)
            if ack.ends(before):
                self._stores.fleet.deny(self._denial(before, ack), now)
        return self._stores.outbox.acknowledge(ack)

    def settle(self, now: datetime, *, epoch: int) -> tuple[Command, ...]:
        """Expire commands whose deadline passed; returns them."""
        return self._stores.outbox.expire(now, epoch=epoch)

    def housekeep(self, now: datetime) -> int | None:
        """Roll up closed minutes and drop what retention no longer keeps; returns rows removed, None where
        it dropped nothing since nobody was heard of (`retention.drop_old`)."""
        self._stores.usage.roll_up(now)
        return drop_old(self._stores, self._settings.keep, now)

    # --- inside ------------------------------------------------------------------------------

    def _decide(self, now: datetime, what_if: WhatIf | None) -> CapacityPlan:
        problem = self.situation.planning(now, what_if)
        plan = self._deciders.planner.plan(problem)
        check_plan(plan, problem.catalogue)
        targets = self._deciders.strategy.apply(plan, problem.fleet, now)
        targets = self._deciders.guard.clip(
            targets,
            catalogue=problem.catalogue,
            fleet=problem.fleet,
            overrides=problem.overrides,
            last_changes=self._stores.outbox.last_changes(),
            now=now,
        )
        return replace(plan, targets=targets)

    def _ordered_since(self, plan: CapacityPlan, now: datetime) -> tuple[Command, ...]:
        """Commands that were stored since the plan was made, oldest first: by their ids, which also tell it
        where the clock was set back. Of a plan that does not know, those created since."""
        if plan.made_after is not None:
            return self._stores.outbox.commands(after_id=plan.made_after, limit=_MANY)
        since = Span(plan.created_at, max(now, plan.created_at) + timedelta(seconds=1))
        return self._stores.outbox.commands(created=since, limit=_MANY)

    def _orders(self, now: datetime, basis: Basis) -> OrderBook:
        return OrderBook(
            fleet=self.situation.fleet(now),
            open_commands=self._stores.outbox.commands(states=OPEN_STATES, limit=_MANY),
            modes=basis.modes or Modes(),
            lifetime=self._settings.command_lifetime,
        )

    def _denial(self, command: Command, ack: Acknowledgement) -> CapacityDenial:
        pool = command.order.pools[-1]
        return CapacityDenial(
            region=pool.region,
            vm_type=pool.vm_type,
            reason=str(ack.refusal),
            at=ack.at,
            until=ack.at + self._settings.denial_memory,
            most_replicas=self._stores.fleet.fleet(ack.at).standing(pool.region, pool.vm_type),
        )


def _left_alone(ordered: Mapping[PoolKey, Command]) -> tuple[str, ...]:
    return tuple(
        f"{pool} is left alone: {command.author} ordered {command.order} (command"
        f" {command.command_id}) while this plan was made"
        for pool, command in sorted(ordered.items())
    )


def _worth_publishing(before: RoutingTable | None, table: RoutingTable, now: datetime) -> bool:
    if before is None:
        return bool(table.entries)  # a table that steers nothing is no news
    if not before.same_routes(table):
        return True
    age = now - before.valid_from
    return age >= before.stale_after / 2 or -age > CLOCK_SET_BACK
