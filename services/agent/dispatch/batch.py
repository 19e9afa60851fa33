"""Batch requests: taken in on disk, fed to replicas that have room to spare, never lost, never twice.

A replica that is used less than 60 % takes one, less than 50 % two (SageServe, batch queue), and only
while it keeps every promise (Aladdin's rows). What waited for long, or is due soon, goes wherever there
is a place, as an interactive request would. The first due goes first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import AlreadyBooked, HeliostatError, RequestIdReused, UnknownReplica
from heliostat.model.dispatch import (
    DispatchAsk,
    DispatchDecision,
    Ended,
    Outcome,
    Placed,
    PlacementBasis,
    Queued,
    Refused,
    Shed,
    ShedReason,
)
from heliostat.model.instants import from_epoch
from heliostat.model.names import ModelName, Tier
from services.agent.dispatch.dispatcher import Dispatcher
from services.agent.dispatch.ledger import Lease
from services.agent.dispatch.mail import Mail
from services.agent.dispatch.placing import NoPlace, Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.tally import Tally
from services.agent.journal.batch_box import BatchBox, BatchEntry, BatchState, BatchTotals

_NO_DEADLINE = timedelta(days=7)
"""For a batch tier that the catalogue gives no deadline."""
_TRIES = 4
"""How many requests may find no place before the rest waits for the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """When batch requests are placed; `most_waiting` is how many the disk may hold."""

    one_below: float = 0.6
    two_below: float = 0.5
    promoted_after: timedelta = timedelta(hours=10)
    promoted_before_due: timedelta = timedelta(minutes=30)
    most_waiting: int = 1_000_000
    most_a_feeding: int = 512


class BatchDesk:
    """The durable queue and those who come to it. Methods wait for the disk in a thread, one at a time."""

    def __init__(
        self,
        *,
        box: BatchBox,
        catalogue: FleetCatalogue,
        dispatcher: Dispatcher,
        placing: Placing,
        replicas: Replicas,
        mail: Mail,
        tally: Tally,
        rules: BatchRules,
    ) -> None:
        self._box = box
        self._catalogue = catalogue
        self._dispatcher = dispatcher
        self._placing = placing
        self._replicas = replicas
        self._mail = mail
        self._tally = tally
        self._rules = rules
        self._turn = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """How many requests wait, of all models."""
        return self._box.waiting()

    # --- asks and ends -------------------------------------------------------------------------

    async def take(
        self, asks: Sequence[DispatchAsk], gateway_id: str, now: float
    ) -> list[DispatchDecision]:
        """Decisions in the order of the asks; `queued` says that it is on disk."""
        async with self._turn:
            try:
                return await self._take(asks, gateway_id, now)
            except HeliostatError as error:
                return [self._said(ask, Refused(error=error)) for ask in asks]

    async def end(self, ends: Mapping[str, bool], now: float) -> Mapping[str, BatchState]:
        """These ended, True = finished; the state that each had before, none of those not here.

        Raises StorageUnavailable; then nothing has changed.
        """
        async with self._turn:
            return await asyncio.to_thread(self._box.end, ends, now)

    async def put_back(self, leases: Iterable[Lease], now: float) -> None:
        """These lost their places and wait again. Raises StorageUnavailable: then they count as placed
        until the next life."""
        names = [lease.ask.request_id for lease in leases]
        if names:
            async with self._turn:
                await asyncio.to_thread(self._box.put_back, names, now)

    # --- time ----------------------------------------------------------------------------------

    async def feed(self, now: float) -> int:
        """Place what may be placed now; how many. Raises StorageUnavailable; then nothing was placed."""
        if not self._box.waiting() or not self._mail.gateways:
            return 0
        async with self._turn:
            placed: dict[str, tuple[BatchEntry, Placed]] = {}
            for model in self._replicas.models:
                if self._box.waiting(model):
                    await self._feed(model, now, placed)
            await self._keep(placed, now)
        return len(placed)

    async def restore(self, now: float) -> None:
        """Book again what an earlier life had placed; what stood on replicas that are gone waits again.

        Raises StorageUnavailable.
        """
        async with self._turn:
            entries = await asyncio.to_thread(self._box.placed)
            gone = [entry.ask.request_id for entry in entries if not self._restored(entry, now)]
            if gone:
                await asyncio.to_thread(self._box.put_back, gone, now)

    async def housekeep(self, now: float) -> None:
        """Forget what ended long ago. Raises StorageUnavailable."""
        async with self._turn:
            await asyncio.to_thread(self._box.forget_ended, now)

    async def totals(self, now: float) -> Mapping[ModelName, BatchTotals]:
        """What the disk holds, per model."""
        at = from_epoch(int(now))
        async with self._turn:
            return await asyncio.to_thread(
                self._box.totals,
                aged_since=at - self._rules.promoted_after,
                due_by=at + self._rules.promoted_before_due,
            )

    # --- taking in -----------------------------------------------------------------------------

    async def _take(
        self, asks: Sequence[DispatchAsk], gateway_id: str, now: float
    ) -> list[DispatchDecision]:
        known = await asyncio.to_thread(self._box.find, [ask.request_id for ask in asks])
        decisions: list[DispatchDecision] = []
        fresh: dict[str, tuple[DispatchAsk, datetime]] = {}
        again: list[str] = []
        for ask in asks:
            entry, twin = known.get(ask.request_id), fresh.get(ask.request_id)
            if entry is not None:
                decisions.append(self._known(ask, entry, again, now))
            elif twin is not None:
                decisions.append(self._said(ask, self._twin(ask, *twin), replayed=True))
            else:
                self._tally.asked()
                decisions.append(self._said(ask, self._new(ask, fresh, now)))
        if again:
            await asyncio.to_thread(self._box.put_back, again, now, revive=True)
        if fresh:
            await asyncio.to_thread(
                self._box.put, list(fresh.values()), gateway_id=gateway_id, at=now
            )
        return decisions

    def _new(
        self, ask: DispatchAsk, fresh: dict[str, tuple[DispatchAsk, datetime]], now: float
    ) -> Outcome:
        """What becomes of a request that nobody has seen; the ones that wait are put into `fresh`."""
        try:
            request = self._placing.request_of(ask, now)
        except HeliostatError as error:
            return Refused(error=error)
        at = from_epoch(int(now))
        due = self._due(ask, at)
        if due <= at:
            detail = f"it was to be done by {due:%Y-%m-%dT%H:%M:%SZ}"
            return Shed(reason=ShedReason.DEADLINE, detail=detail)
        turned = self._dispatcher.elsewhere(ask, now) or self._dispatcher.never_fits(ask, request)
        if turned is not None:
            return turned
        if self._box.waiting() + len(fresh) >= self._rules.most_waiting:
            return Shed(
                reason=ShedReason.QUEUE_FULL,
                detail=f"{self._box.waiting():,} batch requests wait already",
                retry_after=timedelta(minutes=1),
            )
        fresh[ask.request_id] = (ask, due)
        return self._queued(ask, due)

    def _twin(self, ask: DispatchAsk, first: DispatchAsk, due: datetime) -> Outcome:
        """The same name twice in one message."""
        try:
            ask.check_repeats(first)
        except RequestIdReused as error:
            return Refused(error=error)
        return self._queued(ask, due)

    def _known(
        self, ask: DispatchAsk, entry: BatchEntry, again: list[str], now: float
    ) -> DispatchDecision:
        """The answer to an ask that came before; a new attempt waits `again`."""
        try:
            ask.check_repeats(entry.ask)
        except RequestIdReused as error:
            return self._said(ask, Refused(error=error))
        placed, ended = entry.state is BatchState.PLACED, entry.state.ended
        if ask.attempt > entry.attempt and entry.state in (
            BatchState.PLACED,
            BatchState.GIVEN_UP,
        ):
            self._placing.release(ask.request_id, now)
            again.append(ask.request_id)
            return self._said(ask, self._queued(ask, entry.due))
        outcome: Outcome = self._queued(ask, entry.due)
        if placed and entry.place is not None:
            outcome = entry.place
        elif ended:
            outcome = Ended(finished=entry.state is BatchState.FINISHED)
        return DispatchDecision(
            request_id=ask.request_id, attempt=entry.attempt, outcome=outcome, replayed=True
        )

    def _queued(self, ask: DispatchAsk, due: datetime) -> Queued:
        return Queued(
            durable=True,
            due=due,
            ahead=self._box.waiting(ask.model),
            reason="batch requests wait for replicas with room to spare",
        )

    def _due(self, ask: DispatchAsk, at: datetime) -> datetime:
        if ask.complete_by is not None:
            return ask.complete_by
        spec = self._catalogue.model(ask.model).tier(Tier.BATCH)
        deadline = None if spec is None else spec.slo.deadline
        return at + (deadline or _NO_DEADLINE)

    def _said(
        self, ask: DispatchAsk, outcome: Outcome, *, replayed: bool = False
    ) -> DispatchDecision:
        if not replayed:
            self._tally.decided(outcome)
        return DispatchDecision(
            request_id=ask.request_id, attempt=ask.attempt, outcome=outcome, replayed=replayed
        )

    # --- placing -------------------------------------------------------------------------------

    async def _feed(
        self, model: ModelName, now: float, placed: dict[str, tuple[BatchEntry, Placed]]
    ) -> None:
        gateways, most = self._mail.gateways, self._rules.most_a_feeding
        at = from_epoch(int(now))
        first = self._placeable(await asyncio.to_thread(self._box.first_due, model, gateways, most))
        since = at - self._rules.promoted_after
        aged = self._placeable(
            await asyncio.to_thread(
                self._box.longest_waiting, model, gateways, since=since, limit=most
            )
        )
        soon = at + self._rules.promoted_before_due
        urgent = {
            entry.ask.request_id: entry
            for entry in (*(entry for entry in first if entry.due <= soon), *aged)
        }
        self._promote(urgent.values(), now, placed)
        rest = deque(entry for entry in first if entry.ask.request_id not in urgent)
        if self._placing.basis(model) is PlacementBasis.SIGNALS:
            self._fill(model, rest, now, placed)

    def _placeable(self, entries: Iterable[BatchEntry]) -> list[BatchEntry]:
        """Without those whose names interactive requests hold at the moment."""
        return [e for e in entries if self._dispatcher.lease(e.ask.request_id) is None]

    def _promote(
        self,
        urgent: Iterable[BatchEntry],
        now: float,
        placed: dict[str, tuple[BatchEntry, Placed]],
    ) -> None:
        """Like interactive requests, until a few found no place."""
        misses = 0
        for entry in urgent:
            found = self._placing.place(
                entry.ask,
                self._placing.request_of(entry.ask, now),
                gateway_id=entry.gateway_id,
                attempt=entry.attempt,
                now=now,
            )
            if isinstance(found, NoPlace):
                misses += 1
                if misses == _TRIES:
                    return
                continue
            placed[entry.ask.request_id] = (entry, found)

    def _fill(
        self,
        model: ModelName,
        waiting: deque[BatchEntry],
        now: float,
        placed: dict[str, tuple[BatchEntry, Placed]],
    ) -> None:
        """Every replica with room to spare takes one or two."""
        for row, used in self._replicas.spare(model, self._rules.one_below):
            for _ in range(2 if used < self._rules.two_below else 1):
                taken = self._offer(row, waiting, now)
                if taken is None:
                    break
                placed[taken[0].ask.request_id] = taken
            if not waiting:
                return

    def _offer(
        self, row: int, waiting: deque[BatchEntry], now: float
    ) -> tuple[BatchEntry, Placed] | None:
        """The first of a few that keeps every promise on that replica; it waits no more."""
        for place in range(min(_TRIES, len(waiting))):
            entry = waiting[place]
            found = self._placing.place_at(
                entry.ask,
                self._placing.request_of(entry.ask, now),
                row,
                gateway_id=entry.gateway_id,
                attempt=entry.attempt,
                now=now,
            )
            if isinstance(found, Placed):
                del waiting[place]
                return entry, found
        return None

    async def _keep(self, placed: Mapping[str, tuple[BatchEntry, Placed]], now: float) -> None:
        """On disk first, then told; what could not be written is not placed."""
        if not placed:
            return
        places = {name: place for name, (_, place) in placed.items()}
        try:
            await asyncio.to_thread(self._box.place, places, now)
        except HeliostatError:
            for name in placed:
                self._placing.release(name, now)
            raise
        for name, (entry, place) in placed.items():
            self._tally.decided(place)
            decision = DispatchDecision(request_id=name, attempt=entry.attempt, outcome=place)
            self._mail.post(entry.gateway_id, decision)

    def _restored(self, entry: BatchEntry, now: float) -> bool:
        """True when its place stands and is booked again, or its lease is over and is about to be found."""
        place = entry.place
        if place is None:
            return False
        if self._dispatcher.lease(entry.ask.request_id) is not None:
            return True
        lease = Lease(
            ask=entry.ask,
            attempt=entry.attempt,
            gateway_id=entry.gateway_id,
            place=place,
            arrived_at=entry.queued_at.timestamp(),
            until=entry.changed_at + place.lease.total_seconds(),
        )
        request = self._placing.request_of(entry.ask, now)
        name = f"{place.pool.vm_type}/{place.replica_id}"
        try:
            self._placing.restore(lease, request, name, now)
        except (UnknownReplica, AlreadyBooked):
            return False
        return True
