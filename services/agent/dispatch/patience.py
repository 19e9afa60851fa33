"""What becomes of interactive requests that find no place: they wait, leave for another region, or are
turned away once waiting makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from heliostat.model.dispatch import DispatchAsk, Outcome, Queued, Shed, ShedReason
from heliostat.model.instants import from_epoch
from scheduling.placement.placer import Reason
from scheduling.request import Request
from services.agent.dispatch.held_requests import Held, Holding
from services.agent.dispatch.limits import Limits
from services.agent.dispatch.line import Line
from services.agent.dispatch.placing import NoPlace, Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.routes import Routes

_SOON = timedelta(seconds=1)
_WHY = {
    Reason.NO_REPLICA: "no replica of the model is ready here",
    Reason.STALE: "no data on the replicas",
    Reason.TOO_LONG: "no ready replica could ever hold it",
    Reason.TTFT: "no replica would return the first token in time",
    Reason.ITL: "no replica would keep the token gap",
    Reason.STALL: "its prefill would stall running requests on every replica",
    Reason.MEMORY: "no replica has enough memory",
    Reason.BATCH: "every replica's batch is full",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingRules:
    """How long interactive requests wait for a place: `share_before_leaving` of the TTFT promise where
    another region may take them, all of it where none may, at most `longest_seconds`."""

    most: int = 20_000
    share_before_leaving: float = 0.5
    longest_seconds: float = 30.0
    tries_a_beat: int = 64


class Patience:
    """Holds waiting requests and reports their outcomes."""

    def __init__(
        self,
        *,
        placing: Placing,
        replicas: Replicas,
        routes: Routes,
        limits: Limits,
        line: Line,
        rules: HoldingRules,
    ) -> None:
        self._placing = placing
        self._replicas = replicas
        self._routes = routes
        self._limits = limits
        self._line = line
        self._rules = rules
        self.holding = Holding(rules.most)

    def answer(
        self, ask: DispatchAsk, request: Request, found: NoPlace, gateway_id: str, now: float
    ) -> Outcome:
        """What becomes of an ask that found no place: another region, a wait, or nothing."""
        why = _WHY[found.reason]
        at = from_epoch(int(now))
        leaves = next(self._routes.fallbacks(ask, at, why), None)
        if found.reason in (Reason.NO_REPLICA, Reason.TOO_LONG) and leaves is not None:
            return leaves
        too_large = self._limits.never_fits(request)
        if too_large is not None:
            return too_large
        if self.holding.full:
            detail = f"{len(self.holding):,} requests are already waiting"
            return leaves or Shed(reason=ShedReason.QUEUE_FULL, detail=detail, retry_after=_SOON)
        share = 1.0 if leaves is None else self._rules.share_before_leaving
        patience = min(share * request.promise.ttft_seconds, self._rules.longest_seconds)
        held = Held(
            ask=ask,
            request=request,
            gateway_id=gateway_id,
            attempt=ask.attempt,
            until=now + patience,
            why=why,
        )
        answer = self.queued(held)
        self.holding.add(held)
        return answer

    def queued(self, held: Held) -> Queued:
        """The decision for a waiting request."""
        return Queued(
            durable=False,
            due=from_epoch(int(held.until)),
            ahead=self.holding.waiting(held.ask.model),
            reason=held.why,
        )

    def beat(self, now: float) -> Iterator[tuple[Held, Outcome]]:
        """Those who wait no longer, and why: there was a place, or they waited as long as makes sense."""
        fronts = self.holding.fronts(self._rules.tries_a_beat).items()
        for held in chain.from_iterable(self._line.turns(*front, now) for front in fronts):
            found = self._placing.place(
                held.ask, held.request, gateway_id=held.gateway_id, attempt=held.attempt, now=now
            )
            if isinstance(found, NoPlace):
                held.why = _WHY[found.reason]
                continue
            self.holding.drop(held.ask.request_id)
            yield held, found
        for held in self.holding.overdue(now):
            self.holding.drop(held.ask.request_id)
            yield held, self._leave(held.ask, held.why, now)

    def _leave(self, ask: DispatchAsk, why: str, now: float) -> Outcome:
        away = next(self._routes.fallbacks(ask, from_epoch(int(now)), why), None)
        if away is not None:
            return away
        _, ready = self._replicas.ready(ask.model)
        reason = ShedReason.NO_CAPACITY if ready else ShedReason.NO_REPLICA
        return Shed(reason=reason, detail=why, retry_after=_SOON)
