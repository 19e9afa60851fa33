"""The dispatcher's runtime: handles asks and completions, and runs the periodic beat.

Everything runs on one event loop; only the disk is waited for in threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from heliostat.errors import DataLoss, HeliostatError
from heliostat.model.dispatch import (
    Completion,
    DispatchAsk,
    DispatchDecision,
)
from heliostat.model.dispatch_view import DispatchView
from heliostat.model.fleet import BatchBacklog
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import RegionName, Tier
from heliostat.model.routing import RoutingTable
from services.agent.dispatch.attendance import Attendance
from services.agent.dispatch.backlog import WaitingBatch
from services.agent.dispatch.batch import BatchDesk
from services.agent.dispatch.dispatcher import Dispatcher
from services.agent.dispatch.foresight import Foresight
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.ledger import Lease, Ledger
from services.agent.dispatch.mail import Mail, Mailbox
from services.agent.dispatch.news import News
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.sight import Sight, Sights
from services.agent.dispatch.tally import Tally
from services.agent.dispatch.view import view_of
from services.agent.journal.batch_entry import BatchState
from services.log_events import report, say

_log = logging.getLogger(__name__)

_HOUSEKEEPING_SECONDS = 3600.0
_MOST_NAMED = 1_000_000
"""Ids of running requests that are remembered until the places of the life before are booked again."""
_STOPPED_SECONDS = 5.0
"""A beat that comes so late found the whole process stopped (a frozen VM, SIGSTOP), or next to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomParts:
    """What a room is made of; `bootstrap` puts it together."""

    region: RegionName
    replicas: Replicas
    ledger: Ledger
    placing: Placing
    dispatcher: Dispatcher
    desk: BatchDesk
    waiting: WaitingBatch
    attendance: Attendance
    mail: Mail
    tally: Tally
    foresight: Foresight
    laws: PoolLaws
    news: News
    sights: Sights
    table: Callable[[], RoutingTable | None]
    warm_up: Callable[[], None]
    """Compiles what deciding takes; in any thread."""
    seconds: Callable[[], float]
    beat_seconds: float = 0.1
    feed_seconds: float = 1.0
    settle_seconds: float = 1.0
    """How long gateways are listened to after a stop, before places are taken back."""


class DispatchRoom:
    """Serves the local API; `run` keeps its time, a stepped world calls `beat` itself."""

    def __init__(self, parts: RoomParts) -> None:
        self._parts = parts
        self.tally = parts.tally
        self.foresight = parts.foresight
        self._seen: Sight | None = None
        self._restored = False
        self._named: set[str] = set()
        """What gateways said runs, before it was known again."""
        self._lost: list[Lease] = []
        self._fed_at = self._kept_house_at = 0.0
        self._warm = asyncio.Event()

    def warm_up(self) -> None:
        """Compile what deciding takes: seconds where that was never done on this machine. In any thread."""
        self._parts.warm_up()

    async def warm(self) -> None:
        """As soon as `run` has warmed up and looked at the replicas: whoever asks before would stop everybody
        while it compiles, and find none."""
        await self._warm.wait()

    # --- asks and ends -------------------------------------------------------------------------

    @contextmanager
    def stream(self, gateway_id: str) -> Iterator[Mailbox]:
        """A stream of that gateway, until the block ends, however it ends."""
        mail, attendance = self._parts.mail, self._parts.attendance
        attendance.came(gateway_id)
        try:
            with mail.stream(gateway_id) as box:
                yield box
        finally:
            attendance.left(gateway_id, self._parts.seconds())
            if gateway_id not in mail.gateways:
                self._parts.dispatcher.forget(gateway_id)

    def decide(self, ask: DispatchAsk, gateway_id: str) -> DispatchDecision:
        """What becomes of an interactive ask."""
        return self._parts.dispatcher.decide(ask, gateway_id, self._parts.seconds())

    async def take(self, asks: Sequence[DispatchAsk], gateway_id: str) -> list[DispatchDecision]:
        """What becomes of batch asks, in their order; `queued` ones are on disk."""
        return await self._parts.desk.take(asks, gateway_id, self._parts.seconds())

    def renew(self, request_ids: Iterable[str]) -> None:
        """These still run."""
        if not self._restored and len(self._named) < _MOST_NAMED:
            request_ids = tuple(request_ids)
            self._named.update(request_ids)
        self._parts.dispatcher.renew(request_ids, self._parts.seconds())

    def may_be_on_disk(self, request_id: str) -> bool:
        """False when it is known to be an interactive request."""
        dispatcher = self._parts.dispatcher
        lease = dispatcher.lease(request_id)
        if lease is not None:
            return lease.ask.tier is Tier.BATCH
        known = dispatcher.holding.get(request_id) or self._parts.ledger.ended(request_id)
        return known is None

    def complete(self, completion: Completion) -> bool | None:
        """An interactive request ended: True; False = it had before, None = unknown."""
        return self._parts.dispatcher.complete(completion, self._parts.seconds())

    async def end(self, ends: Mapping[str, bool]) -> Mapping[str, BatchState]:
        """Write down that batch requests ended; the state of each before. Raises StorageUnavailable."""
        return await self._parts.desk.end(ends, self._parts.seconds())

    def complete_batch(self, completion: Completion) -> None:
        """A batch request whose end is written down holds nothing any more."""
        if self.complete(completion) is None:
            self.tally.ended(completion)  # it waited, and held nothing

    # --- time ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Warm up, then beat until cancelled; what goes wrong in a beat is said, and the next tries again.

        Raises DataLoss: a damaged row stays damaged until a restart moves the journal aside.
        """
        await asyncio.to_thread(self.warm_up)
        self._look(self._parts.seconds())
        self._warm.set()
        while True:
            await self._pause()
            try:
                await self.beat()
            except DataLoss:
                raise
            except HeliostatError as error:
                report(_log, "dispatch_beat_failed", error, region=self._parts.region)

    async def beat(self) -> None:
        """Look at the replicas, take back what ran out, try again for who waits, feed spare replicas.

        Raises StorageUnavailable, CorruptJournal.
        """
        parts, now = self._parts, self._parts.seconds()
        self._look(now)
        self._lost += parts.dispatcher.beat(now)
        parts.news.tell(now)
        if self._lost:
            await parts.desk.put_back(self._lost, now)
            self._lost.clear()
        if self._seen is None:
            return
        if not self._restored:
            await parts.desk.restore(now, running=self._named)
            self._restored = True
            self._named.clear()
        if now - self._fed_at >= parts.feed_seconds:
            self._fed_at = now
            placed = await parts.desk.feed(now)
            if placed:
                say(_log, "batch_placed", level=logging.DEBUG, requests=placed)
        if now - self._kept_house_at >= _HOUSEKEEPING_SECONDS:
            self._kept_house_at = now
            await parts.desk.housekeep(now)

    @property
    def taking_in(self) -> bool:
        """True while a part of the last look is left to the next beats; a stepped world beats until none
        is."""
        return self._parts.replicas.taking_in

    async def view(self, *, model: str = "", limit: int = 100) -> DispatchView:
        """What people see. Raises StorageUnavailable."""
        parts, now = self._parts, self._parts.seconds()
        return view_of(
            region=parts.region,
            replicas=parts.replicas,
            placing=parts.placing,
            dispatcher=parts.dispatcher,
            tally=parts.tally,
            laws=parts.laws,
            batch=await parts.desk.totals(now),
            now=now,
            model=model,
            limit=limit,
        )

    @property
    def laws(self) -> tuple[MeasuredLaw, ...]:
        """Laws that were refitted and are in force."""
        return self._parts.laws.told

    def batch_backlog(self, now: datetime) -> tuple[BatchBacklog, ...]:
        """Batch requests that wait, as plans count them; () = not known. In any thread."""
        return self._parts.waiting.at(now, self._parts.seconds())

    @property
    def booked(self) -> int:
        """Requests that hold a place."""
        return len(self._parts.ledger)

    @property
    def held(self) -> int:
        """Interactive requests that wait for a place."""
        return len(self._parts.dispatcher.holding)

    @property
    def batch_waiting(self) -> int:
        """Batch requests that wait."""
        return self._parts.desk.waiting

    # --- inside --------------------------------------------------------------------------------

    async def _pause(self) -> None:
        """Until the next beat; after a stop a little longer: what gateways said meanwhile is still to be
        read, and may renew the leases that ran out."""
        parts = self._parts
        before = parts.seconds()
        await asyncio.sleep(parts.beat_seconds)
        late = parts.seconds() - before - parts.beat_seconds
        if late > _STOPPED_SECONDS:
            stopped = {"region": parts.region, "seconds": round(late, 1)}
            say(_log, "dispatch_was_stopped", level=logging.WARNING, **stopped)
            await asyncio.sleep(parts.settle_seconds)

    def _look(self, now: float) -> None:
        """Take in a new look at the replicas.

        Before the first one, the replicas of the last good routing table stand in, of which nothing
        was measured.
        """
        parts, newest = self._parts, self._parts.sights.latest
        if newest is None:
            table = parts.table()
            if table is not None and not parts.replicas.any_stand:
                parts.replicas.stand(table.replicas, now)
        elif newest is not self._seen:
            self._seen = newest
            self._lost += parts.dispatcher.see(newest, now)
