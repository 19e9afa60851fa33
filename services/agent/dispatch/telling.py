"""Sends decisions: each one is counted, later ones go to the gateway's mailbox."""

from __future__ import annotations

from heliostat.model.dispatch import (
    DispatchAsk,
    DispatchDecision,
    Outcome,
    WithdrawalReason,
    Withdrawn,
)
from heliostat.model.names import Tier
from services.agent.dispatch.held_requests import Held
from services.agent.dispatch.ledger import Lease
from services.agent.dispatch.mail import Mail
from services.agent.dispatch.tally import Tally


class Telling:
    """Keeps nothing."""

    def __init__(self, mail: Mail, tally: Tally) -> None:
        self._mail = mail
        self._tally = tally

    def answer(self, ask: DispatchAsk, outcome: Outcome) -> DispatchDecision:
        """What the gateway is told at once."""
        self._tally.decided(outcome)
        return DispatchDecision(request_id=ask.request_id, attempt=ask.attempt, outcome=outcome)

    def later(self, held: Held, outcome: Outcome) -> None:
        """The outcome of a held request."""
        self._post(held.gateway_id, held.ask.request_id, held.attempt, outcome)

    def withdrawn(self, lease: Lease, reason: WithdrawalReason) -> None:
        """A place was taken back; a batch request waits again by itself."""
        outcome = Withdrawn(
            reason=reason,
            replica_id=lease.place.replica_id,
            queued_again=lease.ask.tier is Tier.BATCH,
        )
        self._post(lease.gateway_id, lease.ask.request_id, lease.attempt, outcome)

    def _post(self, gateway_id: str, request_id: str, attempt: int, outcome: Outcome) -> None:
        self._tally.decided(outcome)
        decision = DispatchDecision(request_id=request_id, attempt=attempt, outcome=outcome)
        self._mail.post(gateway_id, decision)
