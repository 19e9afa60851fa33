"""Decides on every ask: a place here, another region, wait, or reject; and takes places back.

Plain and synchronous: callers pass `now`, in seconds since 1970 on a clock that never goes
back. Batch requests wait on disk (`batch.py`); here they are only placed and ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from heliostat.errors import HeliostatError
from heliostat.model.dispatch import (
    Completion,
    CompletionOutcome,
    DispatchAsk,
    DispatchDecision,
    Ended,
    Outcome,
    Placed,
    Refused,
    WithdrawalReason,
)
from heliostat.model.instants import from_epoch
from heliostat.model.names import Tier
from scheduling.lengths.prediction import MOST_OUTPUT_TOKENS, LengthPredictor
from services.agent.dispatch.held_requests import Holding
from services.agent.dispatch.ledger import Lease, Ledger
from services.agent.dispatch.mail import Mail
from services.agent.dispatch.patience import Patience
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.routes import Routes
from services.agent.dispatch.running import Running
from services.agent.dispatch.sight import Sight
from services.agent.dispatch.tally import Tally
from services.agent.dispatch.telling import Telling

_READINGS_A_BEAT = 100
"""What that many engines measured is taken in within a millisecond."""


_HEARTBEAT_SECONDS = 5.0
"""How long errors of predictions count before they are settled (Aladdin's heartbeat; the length is ours)."""


class Dispatcher:
    """One region's decisions; for one thread."""

    def __init__(
        self,
        *,
        replicas: Replicas,
        ledger: Ledger,
        placing: Placing,
        predictor: LengthPredictor,
        running: Running,
        routes: Routes,
        mail: Mail,
        tally: Tally,
        patience: Patience,
        heard: Callable[[Lease, Completion, float], None],
    ) -> None:
        """`heard` is called with every request that ends, while it still holds its place."""
        self._replicas = replicas
        self._ledger = ledger
        self._placing = placing
        self._predictor = predictor
        self._routes = routes
        self._mail = mail
        self._tally = tally
        self._telling = Telling(mail, tally)
        self._patience = patience
        self._heard = heard
        self._running = running
        self._settled_at = 0.0

    @property
    def holding(self) -> Holding:
        """Interactive requests that wait."""
        return self._patience.holding

    # --- asks ----------------------------------------------------------------------------------

    def decide(self, ask: DispatchAsk, gateway_id: str, now: float) -> DispatchDecision:
        """What becomes of an interactive ask; never raises for what an ask may hold."""
        try:
            known = self._known(ask, gateway_id)
            if known is not None:
                return known
            self._tally.asked()
            # A few at each ask instead of hundreds at a beat, for which all asks would wait.
            self._running.begin_until(now)
            return self._telling.answer(ask, self._judge(ask, gateway_id, now))
        except HeliostatError as error:
            return self._telling.answer(ask, Refused(error=error))

    def renew(self, request_ids: Iterable[str], now: float) -> None:
        """Those that hold a place still run: their leases begin anew."""
        for request_id in request_ids:
            if self._ledger.renew(request_id, now):
                lease = self._ledger.get(request_id)
                assert lease is not None  # it was just renewed
                self._placing.began(lease, now)

    # --- ends ----------------------------------------------------------------------------------

    def lease(self, request_id: str) -> Lease | None:
        """The place that a request holds; None when it holds none."""
        return self._ledger.get(request_id)

    def knows(self, request_id: str) -> bool:
        """True while a request of that name holds a place, or waits in memory for one."""
        return self.lease(request_id) is not None or self.holding.get(request_id) is not None

    def complete(self, completion: Completion, now: float) -> bool | None:
        """The request ended, and holds and waits for nothing: True. False = it had ended before, None =
        nobody knows it (any more); then nothing changes."""
        name = completion.request_id
        finished = completion.outcome is CompletionOutcome.FINISHED
        lease = self._ledger.get(name)
        if lease is not None:
            if finished:
                self._placing.began(lease, now)
            self._heard(lease, completion, now)
            self._placing.release(name, now, self._learnt(lease.ask, completion))
            attempt = lease.attempt
        elif (held := self.holding.drop(name)) is not None:
            attempt = held.attempt
        else:
            return None if self._ledger.ended(name) is None else False
        self._ledger.end(name, finished=finished, attempt=attempt, now=now)
        self._tally.ended(completion)
        return True

    def hand_over(self, request_id: str, gateway_id: str) -> None:
        """What is decided of the place of a request is that gateway's to hear from now on."""
        lease = self._ledger.get(request_id)
        if lease is not None:
            lease.gateway_id = gateway_id

    def forget(self, gateway_id: str) -> None:
        """A gateway has no stream any more: nothing of it waits; its places stay until their leases end."""
        self._tally.left(len(self.holding.drop_of(gateway_id)))

    # --- time ----------------------------------------------------------------------------------

    def see(self, sight: Sight, now: float) -> tuple[Lease, ...]:
        """Know the replicas as they stand; the batch requests that lost their places."""
        lost = self._replicas.see(sight, now)
        leases = [lease for one in lost if (lease := self._ledger.close(one.id)) is not None]
        return self._withdraw(leases, WithdrawalReason.REPLICA_GONE, now)

    def beat(self, now: float) -> tuple[Lease, ...]:
        """Take back what ran out, and try again for those that wait; batch requests that lost places."""
        self._replicas.read_on(_READINGS_A_BEAT, now)
        self._running.pass_until(now)
        if now - self._settled_at >= _HEARTBEAT_SECONDS:
            self._settled_at = now
            self._replicas.settle_errors()
        ended = []
        for lease in self._ledger.run_out(now):
            self._replicas.workers(lease.ask.model).complete(lease.ask.request_id, now)
            ended.append(lease)
        for held, outcome in self._patience.beat(now):
            self._telling.later(held, outcome)
        return self._withdraw(ended, WithdrawalReason.LEASE_EXPIRED, now)

    # --- inside --------------------------------------------------------------------------------

    def _known(self, ask: DispatchAsk, gateway_id: str) -> DispatchDecision | None:
        """The answer that the ask had before; None when it is new, or a new attempt.

        Raises RequestIdReused.
        """
        name = ask.request_id
        lease = self._ledger.get(name)
        if lease is not None:
            ask.check_repeats(lease.ask)
            if self._mail.check_mine(name, lease.gateway_id, gateway_id):
                lease.gateway_id = gateway_id
            if ask.attempt <= lease.attempt:
                return _replay(ask, lease.attempt, lease.place)
            return None
        held = self.holding.get(name)
        if held is not None:
            ask.check_repeats(held.ask)
            if self._mail.check_mine(name, held.gateway_id, gateway_id):
                self.holding.hand_over(held, gateway_id)
            held.attempt = max(held.attempt, ask.attempt)
            return _replay(ask, held.attempt, self._patience.queued(held))
        ended = self._ledger.ended(name)
        if ended is not None and (ended[0] or ask.attempt <= ended[1]):
            return _replay(ask, ended[1], Ended(finished=ended[0]))
        return None

    def _judge(self, ask: DispatchAsk, gateway_id: str, now: float) -> Outcome:
        self._placing.release(ask.request_id, now)  # of the attempt before
        request = self._placing.request_of(ask, now)
        away = self._routes.first_choice(ask, from_epoch(int(now)))
        if away is not None:
            return away
        found = self._placing.place(
            ask, request, gateway_id=gateway_id, attempt=ask.attempt, now=now
        )
        if isinstance(found, Placed):
            return found
        return self._patience.answer(ask, request, found, gateway_id, now)

    def _withdraw(
        self, leases: Iterable[Lease], reason: WithdrawalReason, now: float
    ) -> tuple[Lease, ...]:
        """Tell whose interactive requests they were; batch ones are the caller's to put back."""
        batch = []
        for lease in leases:
            self._telling.withdrawn(lease, reason)
            if lease.ask.tier is Tier.BATCH:
                batch.append(lease)
            else:
                name = lease.ask.request_id
                self._ledger.end(name, finished=False, attempt=lease.attempt, now=now)
        return tuple(batch)

    def _learnt(self, ask: DispatchAsk, completion: Completion) -> int | None:
        """What was generated, if it finished: it tells how long the next ones will be. Nothing measured, or
        more than can be, tells nothing."""
        tokens = completion.output_tokens
        if completion.outcome is not CompletionOutcome.FINISHED or tokens is None:
            return None
        if not 1 <= tokens <= MOST_OUTPUT_TOKENS:
            return None
        self._predictor.observe(ask.model, ask.tier, ask.input_tokens, tokens)
        return tokens


def _replay(ask: DispatchAsk, attempt: int, outcome: Outcome) -> DispatchDecision:
    return DispatchDecision(
        request_id=ask.request_id, attempt=attempt, outcome=outcome, replayed=True
    )
