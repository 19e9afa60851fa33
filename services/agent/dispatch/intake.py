"""Decides the answers to batch asks from the state on disk; writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError
from heliostat.model.dispatch import (
    DispatchAsk,
    DispatchDecision,
    Ended,
    Outcome,
    Queued,
    Refused,
    Shed,
    ShedReason,
)
from heliostat.model.instants import from_epoch
from heliostat.model.names import ModelName, Tier
from services.agent.dispatch.limits import Limits
from services.agent.dispatch.mail import Mail
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.routes import Routes
from services.agent.journal.batch_box import BatchBox
from services.agent.journal.batch_entry import BatchEntry, BatchState

NO_DEADLINE = timedelta(days=7)
"""For a batch tier that the catalogue gives no deadline."""


@dataclass(slots=True)
class Taken:
    """Answers in the order of the asks, and what must be on disk before they are given."""

    decisions: list[DispatchDecision] = field(default_factory=list)
    fresh: dict[str, tuple[DispatchAsk, datetime]] = field(default_factory=dict)
    """New requests, and when they are due."""
    again: dict[str, int] = field(default_factory=dict)
    """Requests that give up their place, or their end, for a new attempt, and which one was asked."""
    followed: dict[str, int] = field(default_factory=dict)
    """Requests that wait under a later attempt from now on."""
    taken_over: list[str] = field(default_factory=list)
    """Requests of gateways that have gone, which are this one's from now on."""


class BatchIntake:
    """Answers asks; `most_waiting` is how many the disk may hold."""

    def __init__(
        self,
        *,
        box: BatchBox,
        catalogue: FleetCatalogue,
        routes: Routes,
        limits: Limits,
        placing: Placing,
        mail: Mail,
        most_waiting: int,
    ) -> None:
        self._box = box
        self._catalogue = catalogue
        self._routes = routes
        self._limits = limits
        self._placing = placing
        self._mail = mail
        self._most_waiting = most_waiting

    def answer(
        self,
        asks: Iterable[DispatchAsk],
        known: Mapping[str, BatchEntry],
        gateway_id: str,
        now: float,
    ) -> Taken:
        """`known` is what the disk holds of these asks. Never raises for what an ask may hold."""
        taken = Taken()
        for ask in asks:
            try:
                entry = known.get(ask.request_id)
                if entry is not None:
                    self._check(ask, entry, gateway_id, taken)
                decision = self._answer(ask, entry, taken, now)
            except HeliostatError as error:
                decision = _said(ask, Refused(error=error))
            taken.decisions.append(decision)
        return taken

    def _check(self, ask: DispatchAsk, entry: BatchEntry, gateway_id: str, taken: Taken) -> None:
        """Raises RequestIdReused for another request, and for that of a gateway that is still there."""
        ask.check_repeats(entry.ask)
        if not entry.state.ended and self._mail.check_mine(
            ask.request_id, entry.gateway_id, gateway_id
        ):
            taken.taken_over.append(ask.request_id)

    def _answer(
        self, ask: DispatchAsk, entry: BatchEntry | None, taken: Taken, now: float
    ) -> DispatchDecision:
        twin = taken.fresh.get(ask.request_id)
        if entry is not None:
            return self._known(ask, entry, taken)
        if twin is not None:  # the same name twice in one message
            ask.check_repeats(twin[0])
            return _said(ask, self._queued(ask.model, twin[1]), replayed=True)
        return _said(ask, self._new(ask, taken, now))

    def _known(self, ask: DispatchAsk, entry: BatchEntry, taken: Taken) -> DispatchDecision:
        """The answer that the ask had before, unless it is a new attempt after a place or a failure."""
        queued = self._queued(ask.model, entry.due)
        may_retry = entry.state in (BatchState.PLACED, BatchState.GIVEN_UP)
        if ask.attempt > entry.attempt and may_retry:
            _latest(taken.again, ask)
            return _said(ask, queued)
        if ask.attempt > entry.attempt and entry.state is BatchState.WAITING:
            _latest(taken.followed, ask)
            return _said(ask, queued, replayed=True)
        outcome: Outcome = queued
        if entry.state is BatchState.PLACED and entry.place is not None:
            outcome = entry.place
        elif entry.state.ended:
            outcome = Ended(finished=entry.state is BatchState.FINISHED)
        return DispatchDecision(
            request_id=ask.request_id, attempt=entry.attempt, outcome=outcome, replayed=True
        )

    def _new(self, ask: DispatchAsk, taken: Taken, now: float) -> Outcome:
        """The outcome for a new request; the ones that wait are kept as `fresh`."""
        request = self._placing.request_of(ask, now)
        at = from_epoch(int(now))
        due = self._due(ask, at)
        if due <= at:
            detail = f"it was due by {due:%Y-%m-%dT%H:%M:%SZ}"
            return Shed(reason=ShedReason.DEADLINE, detail=detail)
        turned = self._routes.first_choice(ask, at) or self._limits.never_fits(request)
        if turned is not None:
            return turned
        if self._box.waiting() + len(taken.fresh) >= self._most_waiting:
            return Shed(
                reason=ShedReason.QUEUE_FULL,
                detail=f"{self._box.waiting():,} batch requests are already waiting",
                retry_after=timedelta(minutes=1),
            )
        taken.fresh[ask.request_id] = (ask, due)
        return self._queued(ask.model, due)

    def _queued(self, model: ModelName, due: datetime) -> Queued:
        return Queued(
            durable=True,
            due=due,
            ahead=self._box.waiting(model),
            reason="batch requests wait for spare capacity",
        )

    def _due(self, ask: DispatchAsk, at: datetime) -> datetime:
        if ask.complete_by is not None:
            return ask.complete_by
        spec = self._catalogue.model(ask.model).tier(Tier.BATCH)
        deadline = None if spec is None else spec.slo.deadline
        return at + (deadline or NO_DEADLINE)


def _latest(attempts: dict[str, int], ask: DispatchAsk) -> None:
    attempts[ask.request_id] = max(ask.attempt, attempts.get(ask.request_id, 0))


def _said(ask: DispatchAsk, outcome: Outcome, *, replayed: bool = False) -> DispatchDecision:
    return DispatchDecision(
        request_id=ask.request_id, attempt=ask.attempt, outcome=outcome, replayed=replayed
    )
