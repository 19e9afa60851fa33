"""Wires a dispatcher: the only place that knows the concrete placer, predictor and queue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.dispatch import Completion
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from scheduling.lengths.online import OnlineLengths
from scheduling.ordering.registry import ORDERINGS
from scheduling.placement.best_fit import BestFit
from scheduling.placement.margins import Margins
from scheduling.placement.one_row import OneRow
from scheduling.placement.placer import Placer
from scheduling.placement.rebalanced import Rebalanced
from services.agent.dispatch.attendance import Attendance
from services.agent.dispatch.backlog import WaitingBatch
from services.agent.dispatch.batch import BatchDesk
from services.agent.dispatch.dispatcher import Dispatcher
from services.agent.dispatch.feeding import BatchRules, Feeder
from services.agent.dispatch.foresight import Foresight
from services.agent.dispatch.intake import BatchIntake
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.ledger import Lease, Ledger
from services.agent.dispatch.limits import Limits
from services.agent.dispatch.line import Line
from services.agent.dispatch.mail import Mail
from services.agent.dispatch.news import News
from services.agent.dispatch.patience import HoldingRules, Patience
from services.agent.dispatch.placing import Placing, PlacingRules
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.routes import Routes
from services.agent.dispatch.running import Running
from services.agent.dispatch.service import DispatchRoom, RoomParts
from services.agent.dispatch.sight import Sights
from services.agent.dispatch.tally import Tally
from services.agent.dispatch.warming import warm_up
from services.agent.journal.batch_box import BatchBox
from services.agent.settings import DispatchSettings

_ORDERING_SEED = 1
"""Of searches, so that the same queue gets the same order in a stepped world."""


def build_room(
    settings: DispatchSettings,
    *,
    region: RegionName,
    catalogue: FleetCatalogue,
    box: BatchBox,
    laws: PoolLaws,
    sights: Sights,
    table: Callable[[], RoutingTable | None],
    seconds: Callable[[], float],
) -> DispatchRoom:
    """A room that has seen nothing yet; `seconds` is its clock, since 1970."""
    margins = _margins(settings)
    replicas = Replicas(region, laws, stale_after_seconds=settings.stale_after.total_seconds())
    predictor = OnlineLengths(catalogue)
    ledger, mail, tally, foresight = Ledger(), Mail(), Tally(), Foresight()
    running, placer = Running(replicas, predictor), _placer(settings, margins)
    placing = Placing(
        catalogue=catalogue,
        replicas=replicas,
        ledger=ledger,
        placer=placer,
        judge=OneRow(margins),
        predictor=predictor,
        running=running,
        tally=tally,
        rules=_placing_rules(settings),
    )
    ordering = ORDERINGS[settings.order]
    routes, limits = Routes(region, table), Limits(catalogue, region, margins)
    patience = Patience(
        placing=placing,
        replicas=replicas,
        routes=routes,
        limits=limits,
        line=Line(replicas, ordering, np.random.default_rng(_ORDERING_SEED)),
        rules=_holding_rules(settings),
    )

    def heard(lease: Lease, completion: Completion, now: float) -> None:
        foresight.heard(lease, completion)
        laws.request_ended(
            lease, completion, replicas.workers(lease.ask.model).company(lease.ask.request_id), now
        )

    dispatcher = Dispatcher(
        replicas=replicas,
        ledger=ledger,
        placing=placing,
        predictor=predictor,
        running=running,
        routes=routes,
        mail=mail,
        tally=tally,
        patience=patience,
        heard=heard,
    )
    rules, attendance = _batch_rules(settings), Attendance(seconds())
    desk = BatchDesk(
        box=box,
        intake=BatchIntake(
            box=box,
            catalogue=catalogue,
            routes=routes,
            limits=limits,
            placing=placing,
            mail=mail,
            most_waiting=settings.most_batch_waiting,
        ),
        feeder=Feeder(placing, replicas, rules),
        dispatcher=dispatcher,
        placing=placing,
        replicas=replicas,
        mail=mail,
        tally=tally,
        rules=rules,
    )
    return DispatchRoom(
        RoomParts(
            region=region,
            replicas=replicas,
            ledger=ledger,
            placing=placing,
            dispatcher=dispatcher,
            desk=desk,
            waiting=WaitingBatch(
                region=region,
                catalogue=catalogue,
                box=box,
                attendance=attendance,
                report=settings.report_backlog,
            ),
            attendance=attendance,
            mail=mail,
            tally=tally,
            foresight=foresight,
            laws=laws,
            news=News(region, replicas, placing, tally),
            sights=sights,
            table=table,
            warm_up=lambda: warm_up(catalogue, placer, ordering, OnlineLengths(catalogue)),
            seconds=seconds,
            beat_seconds=settings.beat.total_seconds(),
            feed_seconds=settings.feed.total_seconds(),
        )
    )


def _margins(settings: DispatchSettings) -> Margins:
    return Margins(
        memory_share=settings.memory_share,
        time=settings.time_margin,
        foresight=settings.foresight,
        spread_beyond=settings.spread_beyond,
    )


def _placing_rules(settings: DispatchSettings) -> PlacingRules:
    return PlacingRules(
        least_fresh_share=settings.least_fresh_share,
        lease_factor=settings.lease_factor,
        shortest_lease_seconds=settings.shortest_lease.total_seconds(),
    )


def _holding_rules(settings: DispatchSettings) -> HoldingRules:
    return HoldingRules(
        most=settings.most_held, longest_seconds=settings.longest_hold.total_seconds()
    )


def _batch_rules(settings: DispatchSettings) -> BatchRules:
    return BatchRules(
        one_below=settings.one_batch_below,
        two_below=settings.two_batch_below,
        promoted_after=settings.promoted_after,
        promoted_before_due=settings.promoted_before_due,
    )


def _placer(settings: DispatchSettings, margins: Margins) -> Placer:
    best = BestFit(margins)
    return Rebalanced(best, margins) if settings.rebalance else best
