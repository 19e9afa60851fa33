"""Batch requests at the desk: on disk before they are answered, fed to replicas, never lost, never twice."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from heliostat.errors import AlreadyBooked, HeliostatError, NotFound
from heliostat.model.dispatch import DispatchAsk, DispatchDecision, Refused
from heliostat.model.instants import from_epoch
from heliostat.model.names import ModelName, Tier
from services.agent.dispatch.dispatcher import Dispatcher
from services.agent.dispatch.feeding import BatchRules, Fed, Feeder
from services.agent.dispatch.intake import BatchIntake
from services.agent.dispatch.ledger import Lease
from services.agent.dispatch.mail import Mail
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.tally import Tally
from services.agent.journal.batch_box import BatchBox
from services.agent.journal.batch_entry import BatchEntry, BatchState, BatchTotals

RECONNECT_SECONDS = 60.0
"""How long after a start gateways may take to say what still runs, before its place is taken back."""


class BatchDesk:
    """The durable queue and those who come to it. Methods wait for the disk in a thread, one at a time."""

    def __init__(
        self,
        *,
        box: BatchBox,
        intake: BatchIntake,
        feeder: Feeder,
        dispatcher: Dispatcher,
        placing: Placing,
        replicas: Replicas,
        mail: Mail,
        tally: Tally,
        rules: BatchRules,
    ) -> None:
        self._box = box
        self._intake = intake
        self._feeder = feeder
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
                refused = Refused(error=error)
                for _ in asks:
                    self._tally.decided(refused)
                return [
                    DispatchDecision(
                        request_id=ask.request_id, attempt=ask.attempt, outcome=refused
                    )
                    for ask in asks
                ]

    async def end(self, ends: Mapping[str, bool], now: float) -> Mapping[str, BatchState]:
        """These ended, True = finished; the state that each had before, none of those not here.

        Raises StorageUnavailable; then nothing has changed.
        """
        async with self._turn:
            return await asyncio.to_thread(self._box.end, ends, now)

    async def put_back(self, leases: Iterable[Lease], now: float) -> None:
        """These lost their places and wait again. Raises StorageUnavailable; then it is to be called again:
        until it is written they count as placed."""
        names = [lease.ask.request_id for lease in leases]
        if names:
            async with self._turn:
                await asyncio.to_thread(self._box.put_back, names, now)

    # --- time ----------------------------------------------------------------------------------

    async def feed(self, now: float) -> int:
        """Place what may be placed now, model by model; how many. Raises StorageUnavailable; then nothing of
        the model at hand was placed, nor of those after it."""
        if not self._box.waiting() or not self._mail.gateways:
            return 0
        placed = 0
        async with self._turn:
            for model in self._replicas.models:
                if self._box.waiting(model) and self._placing.offers(model, Tier.BATCH):
                    fed = await self._feed(model, now)
                    await self._keep(fed, now)
                    placed += len(fed)
        return placed

    async def restore(self, now: float, *, running: Collection[str] = ()) -> None:
        """Book again what an earlier life had placed; what stood on replicas that are gone waits again, and
        so does what the catalogue offers no more. The leases of those that are `running` begin anew;
        the others are as old as their place, and leave time to reconnect: renewals are not on disk.

        Raises StorageUnavailable; then it is to be called again.
        """
        async with self._turn:
            entries = await asyncio.to_thread(self._box.placed)
            gone = [
                entry.ask.request_id
                for entry in entries
                if not self._restored(entry, now, renewed=entry.ask.request_id in running)
            ]
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

    # --- inside --------------------------------------------------------------------------------

    async def _take(
        self, asks: Sequence[DispatchAsk], gateway_id: str, now: float
    ) -> list[DispatchDecision]:
        """On disk first, then answered. Raises StorageUnavailable; then nothing was taken."""
        known = await asyncio.to_thread(self._box.find, [ask.request_id for ask in asks])
        taken = self._intake.answer(asks, known, gateway_id, now)
        if taken.taken_over:
            await asyncio.to_thread(self._box.hand_over, taken.taken_over, gateway_id)
            for request_id in taken.taken_over:
                self._dispatcher.hand_over(request_id, gateway_id)
        if taken.followed:
            await asyncio.to_thread(self._box.follow, taken.followed)
        if taken.again:
            await asyncio.to_thread(
                self._box.put_back, taken.again, now, attempts=taken.again, revive=True
            )
            for request_id in taken.again:
                self._placing.release(request_id, now)
        if taken.fresh:
            await asyncio.to_thread(
                self._box.put, list(taken.fresh.values()), gateway_id=gateway_id, at=now
            )
        for decision in taken.decisions:
            if not decision.replayed:
                self._tally.decided(decision.outcome)
                if decision.request_id not in known:
                    self._tally.asked()
        return taken.decisions

    async def _feed(self, model: ModelName, now: float) -> Fed:
        gateways, most = self._mail.gateways, self._rules.most_a_feeding
        since = from_epoch(int(now)) - self._rules.promoted_after
        first = await asyncio.to_thread(self._box.first_due, model, gateways, most)
        aged = await asyncio.to_thread(
            self._box.longest_waiting, model, gateways, since=since, limit=most
        )
        return self._feeder.feed(model, self._placeable(first), self._placeable(aged), now)

    def _placeable(self, entries: Iterable[BatchEntry]) -> list[BatchEntry]:
        """Without those whose names interactive requests have at the moment."""
        return [entry for entry in entries if not self._dispatcher.knows(entry.ask.request_id)]

    async def _keep(self, fed: Fed, now: float) -> None:
        """On disk first, then told; what could not be written is not placed."""
        if not fed:
            return
        places = {name: place for name, (_, place) in fed.items()}
        try:
            await asyncio.to_thread(self._box.place, places, now)
        except HeliostatError:
            for name in fed:
                self._placing.release(name, now)
            raise
        for name, (entry, place) in fed.items():
            self._tally.decided(place)
            decision = DispatchDecision(request_id=name, attempt=entry.attempt, outcome=place)
            self._mail.post(entry.gateway_id, decision)

    def _restored(self, entry: BatchEntry, now: float, *, renewed: bool) -> bool:
        """True when its place stands and is booked again; False also while an interactive request has its
        name."""
        place = entry.place
        if place is None:
            return False
        if self._dispatcher.knows(entry.ask.request_id):
            lease = self._dispatcher.lease(entry.ask.request_id)
            return lease is not None and lease.ask.tier is Tier.BATCH
        lease = Lease(
            ask=entry.ask,
            attempt=entry.attempt,
            gateway_id=entry.gateway_id,
            place=place,
            until=_until(entry.changed_at, place.lease.total_seconds(), now, renewed=renewed),
        )
        name = f"{place.pool.vm_type}/{place.replica_id}"
        try:
            request = self._placing.request_of(entry.ask, now)
            self._placing.restore(lease, request, name, now)
        except (NotFound, AlreadyBooked):
            return False
        return True


def _until(placed_at: float, lease_seconds: float, now: float, *, renewed: bool) -> float:
    """When the lease of a place of the life before ends; that life's clock may have run ahead."""
    if renewed:
        return now + lease_seconds
    grace = min(lease_seconds, RECONNECT_SECONDS)
    return max(min(placed_at, now) + lease_seconds, now + grace)
