"""Builders of agents' parts: journals in a folder, drivers on a cloud in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from heliostat.catalogue import FleetCatalogue
from heliostat.model.command import Command, CommandState, Order, RedeployOrder, ScaleOrder
from heliostat.model.names import PoolKey, RegionName
from services.agent.drivers.vm.cloud import VmCloud
from services.agent.drivers.vm.driver import VmDriver
from services.agent.drivers.vm.report import Gauge
from services.agent.hands import limits_of, patience_of
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.journal.file import JournalFile
from services.agent.settings import DriverSettings
from tests.builders import MINUTE, NOON, a_catalogue, a_pool

EAST = RegionName("east")
_NUMBERS = count(1)


class AgentDisk:
    """A folder that outlives agents; opening it again is what a restart after kill -9 finds."""

    def __init__(self, folder: Path, catalogue: FleetCatalogue | None = None) -> None:
        self.folder = folder
        self.catalogue = catalogue or a_catalogue()
        self.path = folder / "journal.db"
        self.routing_file = folder / "routes.json"
        self._file: JournalFile | None = None

    def file(self, now: datetime = NOON) -> JournalFile:
        """The file as the next life of the agent opens it; the life before is over."""
        if self._file is not None:
            self._file.close()
        self._file = JournalFile.open(self.path, now, power_safe=False)
        return self._file

    def journal(self, now: datetime = NOON, **changes: Any) -> SqliteJournal:
        return self.journal_in(self.file(now), **changes)

    def journal_in(self, file: JournalFile, **changes: Any) -> SqliteJournal:
        return SqliteJournal(
            file,
            catalogue=self.catalogue,
            source_id="east/agent",
            routing_file=self.routing_file,
            **changes,
        )

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def tokens() -> Callable[[], str]:
    """Tokens that no other driver of the same test process was ever given."""
    return lambda: f"token-{next(_NUMBERS)}"


def a_driver(cloud: VmCloud, memory: SqliteDriverMemory, **changes: Any) -> VmDriver:
    """A driver of region east; a MemoryVms is its own prober."""
    catalogue = a_catalogue()
    values: dict[str, Any] = {
        "region": EAST,
        "pools": [pool.key for pool in catalogue.pools if pool.key.region == EAST],
        "cloud": cloud,
        "memory": memory,
        "prober": cloud,
        "gauge": Gauge(catalogue),
        "new_token": tokens(),
        "patience": patience_of(DriverSettings()),
        "limits": limits_of(DriverSettings()),
    }
    return VmDriver(**(values | changes))


def a_command(
    target: int = 3, number: int = 1, order: Order | None = None, **changes: Any
) -> Command:
    values: dict[str, Any] = {
        "command_id": f"{number:012d}",
        "region": EAST,
        "order": order or ScaleOrder(pool=a_pool(), target_replicas=target),
        "reason": "the test wants it",
        "author": "tests",
        "created_at": NOON + MINUTE * number,
        "not_after": NOON + MINUTE * 600,
        "state": CommandState.LEASED,
    }
    return Command(**(values | changes))


def a_redeploy(source_target: int, destination_target: int, number: int = 1) -> Command:
    return a_command(
        number=number,
        order=RedeployOrder(
            source=a_pool(),
            source_target=source_target,
            destination=a_pool(model="beta"),
            destination_target=destination_target,
        ),
    )


def beta_pool() -> PoolKey:
    return a_pool(model="beta")
