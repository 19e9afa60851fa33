"""Wires an agent: the only place here that knows which journal, driver and meter it gets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from random import Random, SystemRandom

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import SteadySeconds
from heliostat.errors import CorruptJournal
from heliostat.loops.agent import AgentLoop
from heliostat.model.fleet import BatchBacklog
from services.agent.agent import Agent
from services.agent.board import RouteBoard
from services.agent.dispatch.bootstrap import build_room
from services.agent.dispatch.exposition import DispatchCollector
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.service import DispatchRoom
from services.agent.dispatch.sight import Sights, WatchedDriver
from services.agent.hands import HandsOf
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.batch_box import BatchBox
from services.agent.journal.file import JournalFile
from services.agent.link import Link
from services.agent.link.home import ClientTls, Home
from services.agent.local_api import LocalApi
from services.agent.metrics import AgentMetrics
from services.agent.settings import AgentSettings
from services.log_events import report

_log = logging.getLogger(__name__)


def build_agent(
    settings: AgentSettings,
    catalogue: FleetCatalogue,
    *,
    now: datetime,
    hands_of: HandsOf,
    seconds: Callable[[], float] | None = None,
) -> Agent:
    """Open the journal and wire everything; nothing is listened to or called before `start`.

    `seconds` since 1970 is the dispatcher's clock; None = a steady one that begins at `now`.

    Raises UnknownRegion, JournalInUse, MigrationAhead, StorageUnavailable, InvalidSettings.
    """
    region = catalogue.region(settings.region).name
    home = Home(settings.control_planes, _tls(settings))
    metrics = AgentMetrics(region)
    file = JournalFile.open(settings.journal_path, now, power_safe=settings.power_safe)
    hands = hands_of(file)
    seconds = seconds or SteadySeconds(now)
    laws = PoolLaws(catalogue)

    def backlog(now: datetime) -> tuple[BatchBacklog, ...]:
        """Asked by ticks, when all is wired. Nothing is known without a dispatcher, or a local API."""
        return room.batch_backlog(now) if room is not None and local_api.listens else ()

    driver = WatchedDriver(hands.driver, hands.readings, seconds, lambda: laws.told, backlog)
    journal = SqliteJournal(
        file,
        catalogue=catalogue,
        source_id=f"{region}/{settings.name}",
        routing_file=settings.routing_path,
    )
    _say_losses(file.loss, journal, metrics)
    board = RouteBoard(journal.table())
    room = _room(settings, catalogue, file, laws, board, driver, seconds)
    local_api = LocalApi(
        settings.local_listen,
        journal=journal,
        board=board,
        catalogue=catalogue,
        region=region,
        control_planes=settings.control_planes,
        room=room,
        tls=settings.local_tls,
    )
    link = Link(
        journal=journal,
        board=board,
        home=home,
        catalogue=catalogue,
        region=region,
        agent_id=settings.name,
        chance=Random(settings.seed) if settings.seed else SystemRandom(),
    )
    _watch(metrics, link, journal, local_api)
    if room is not None:
        metrics.registry.register(DispatchCollector(region, room))
    return Agent(
        region=region,
        file=file,
        journal=journal,
        loop=AgentLoop(region=region, journal=journal, driver=driver, meter=hands.meter),
        link=link,
        board=board,
        metrics=metrics,
        local_api=local_api,
        room=room,
        close_hands=hands.close,
    )


def _room(
    settings: AgentSettings,
    catalogue: FleetCatalogue,
    file: JournalFile,
    laws: PoolLaws,
    board: RouteBoard,
    sights: Sights,
    seconds: Callable[[], float],
) -> DispatchRoom | None:
    """None = this agent does not dispatch."""
    if not settings.dispatch.enabled:
        return None
    return build_room(
        settings.dispatch,
        region=catalogue.region(settings.region).name,
        catalogue=catalogue,
        box=BatchBox(file),
        laws=laws,
        sights=sights,
        table=lambda: board.table,
        seconds=seconds,
    )


def _watch(metrics: AgentMetrics, link: Link, journal: SqliteJournal, local_api: LocalApi) -> None:
    metrics.watch(
        "link_up", "1 while all communication with the control plane works", lambda: link.up
    )
    metrics.watch("unsent_batches", "Usage batches not acknowledged yet", journal.usage.waiting)
    metrics.watch("refused_batches", "Refused usage batches set aside", journal.usage.kept_apart)
    metrics.watch("open_commands", "Open commands", lambda: len(journal.open_commands()))
    metrics.watch("paused", "1 while the agent's own brake is on", journal.paused)
    metrics.watch(
        "refusing_gateways",
        "Connected gateways whose last word was that they refused a routing table",
        lambda: local_api.refusing_gateways,
    )


def _tls(settings: AgentSettings) -> ClientTls | None:
    if settings.tls is None:
        return None
    tls = ClientTls(ca=settings.tls.ca, certificate=settings.tls.certificate, key=settings.tls.key)
    tls.credentials()  # so that a wrong file ends the start instead of every later attempt
    return tls


def _say_losses(loss: CorruptJournal | None, journal: SqliteJournal, metrics: AgentMetrics) -> None:
    if loss is not None:
        metrics.journal_losses.inc()
        report(_log, "journal_lost", loss)
    if journal.routing_loss is not None:
        report(_log, "routing_file_lost", journal.routing_loss)
