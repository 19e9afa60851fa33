"""Books a place for one request, or gives the reason why there is none; releases places.

By signals: the placer's rows, or the replica of the session before where it keeps every promise too. In
turn, and said so, where too few ready replicas have fresh signals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import NotFound
from heliostat.model.dispatch import DispatchAsk, Placed, PlacementBasis
from heliostat.model.names import ModelName, Tier
from scheduling.lengths.prediction import LengthPrediction, LengthPredictor
from scheduling.placement.placer import Placement, Placer, Reason
from scheduling.request import Request, promise_of
from scheduling.workers import Workers
from services.agent.dispatch.in_turn import InTurn
from services.agent.dispatch.ledger import Lease, Ledger
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.running import Running
from services.agent.dispatch.sessions import Sessions
from services.agent.dispatch.tally import Tally
from services.translation.dispatch import lease_of

_PRIORITY = {Tier.INTERACTIVE_FAST: 0, Tier.INTERACTIVE_NORMAL: 1, Tier.BATCH: 2}
"""What engines are told: 0 goes first."""


class RowJudge(Protocol):
    """Judges one replica for a request as a placer judges all of them."""

    def fits(self, request: Request, workers: Workers, row: int, now: float) -> Placement:
        """That row when it is fresh, accepts, and breaks nothing; else none with the reason."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacingRules:
    """Below `least_fresh_share` of ready replicas with fresh signals, places are given in turn.

    A lease lasts `lease_factor` times as long as the request should take, and at least
    `shortest_lease_seconds`.
    """

    least_fresh_share: float = 0.5
    lease_factor: float = 3.0
    shortest_lease_seconds: float = 60.0
    late_factor: float = 2.0
    most_sessions: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPlace:
    """Nothing was booked, by the row of the problem that most replicas broke."""

    reason: Reason


class Placing:
    """Books in `replicas` and `ledger` alike, and in no other place."""

    def __init__(
        self,
        *,
        catalogue: FleetCatalogue,
        replicas: Replicas,
        ledger: Ledger,
        placer: Placer,
        judge: RowJudge,
        predictor: LengthPredictor,
        running: Running,
        tally: Tally,
        rules: PlacingRules,
    ) -> None:
        self._catalogue = catalogue
        self._replicas = replicas
        self._ledger = ledger
        self._placer = placer
        self._judge = judge
        self._predictor = predictor
        self._rules = rules
        self._running = running
        self._tally = tally
        self._in_turn = InTurn()
        self._sessions = Sessions(rules.most_sessions)

    def offers(self, model: ModelName, tier: Tier) -> bool:
        """False where the catalogue does not offer it (any more)."""
        try:
            self._catalogue.model(model).offered(tier)
        except NotFound:
            return False
        return True

    def request_of(self, ask: DispatchAsk, arrived_at: float) -> Request:
        """The ask as a placer takes it. Raises InvalidInput, UnknownModel, UnknownTier.

        A first token that no idle replica here could send in time is judged at `late_factor` times what
        the quickest of them needs: making it wait would not help it.
        """
        model, tier, promise = promise_of(self._catalogue, ask.model, ask.tier, ask.input_tokens)
        quickest = self._replicas.quickest_prefill_seconds(model, ask.input_tokens)
        if quickest > promise.ttft_seconds:
            promise = replace(promise, ttft_seconds=self._rules.late_factor * quickest)
        stated = ask.predicted_output_tokens
        predicted = (
            self._predictor.predict(model, tier, ask.input_tokens)
            if stated is None
            else LengthPrediction.exactly(stated)
        )
        return Request(
            id=ask.request_id,
            model=model,
            tier=tier,
            input_tokens=ask.input_tokens,
            arrival=arrived_at,
            promise=promise,
            predicted=predicted,
        )

    def place(
        self, ask: DispatchAsk, request: Request, *, gateway_id: str, attempt: int, now: float
    ) -> Placed | NoPlace:
        """A place wherever there is one. Raises AlreadyBooked when the request holds one."""
        workers = self._replicas.workers(ask.model)
        basis = self.basis(ask.model)
        if basis is PlacementBasis.ROUND_ROBIN:
            found, kept = self._in_turn.place(request, workers, now), False
        else:
            found, kept = self._by_signals(ask, request, workers, now)
        if found.row is None:
            return NoPlace(reason=found.reason)
        return self._book(ask, request, found, basis, kept, gateway_id, attempt, now)

    def place_at(
        self,
        ask: DispatchAsk,
        request: Request,
        row: int,
        *,
        gateway_id: str,
        attempt: int,
        now: float,
    ) -> Placed | NoPlace:
        """A place on that replica, when it keeps every promise there."""
        found = self._judge.fits(request, self._replicas.workers(ask.model), row, now)
        if found.row is None:
            return NoPlace(reason=found.reason)
        basis = PlacementBasis.SIGNALS
        return self._book(ask, request, found, basis, False, gateway_id, attempt, now)

    def restore(self, lease: Lease, request: Request, name: str, now: float) -> None:
        """Book again what was placed in an earlier life; on a replica that drains by now it only keeps its
        lease. Raises UnknownReplica, AlreadyBooked."""
        workers = self._replicas.workers(request.model)
        row = workers.row_of(name)
        if workers.rows[row]["accepting"]:
            workers.book(row, request, now)
            self._running.placed(request.model, request.id, now)
        self._ledger.open(lease)

    def release(
        self, request_id: str, now: float, output_tokens: int | None = None
    ) -> Lease | None:
        """Its place is free, after so many tokens (None: not known); the lease that it had, None when it
        held nothing. Repeatable."""
        lease = self._ledger.close(request_id)
        if lease is not None:
            self._replicas.workers(lease.ask.model).complete(request_id, now, output_tokens)
        return lease

    def began(self, lease: Lease, now: float) -> None:
        """Its first token came some time ago."""
        self._replicas.workers(lease.ask.model).begin(lease.ask.request_id, now)

    def basis(self, model: ModelName) -> PlacementBasis:
        """By what the model's requests are placed at this moment."""
        fresh, ready = self._replicas.ready(model)
        few = ready and self._too_few(fresh, ready)
        return PlacementBasis.ROUND_ROBIN if few else PlacementBasis.SIGNALS

    def waits_for_looks(self, model: ModelName, now: float) -> bool:
        """True when the model's requests are placed in turn only because replicas are too new to have been
        looked at."""
        fresh, ready = self._replicas.ready(model)
        return self._too_few(fresh, ready) and not self._too_few(
            fresh + self._replicas.new(model, now), ready
        )

    # --- inside --------------------------------------------------------------------------------

    def _too_few(self, fresh: int, ready: int) -> bool:
        return fresh < max(1.0, self._rules.least_fresh_share * ready)

    def _by_signals(
        self, ask: DispatchAsk, request: Request, workers: Workers, now: float
    ) -> tuple[Placement, bool]:
        """The session's replica where that keeps every promise, else the placer's choice."""
        before = self._sessions.replica(ask.model, ask.session)
        if before is not None and before in self._replicas.standing(ask.model):
            found = self._judge.fits(request, workers, workers.row_of(before), now)
            if found.row is not None:
                return found, True
        return self._placer.place(request, workers, now), False

    def _book(
        self,
        ask: DispatchAsk,
        request: Request,
        found: Placement,
        basis: PlacementBasis,
        kept: bool,
        gateway_id: str,
        attempt: int,
        now: float,
    ) -> Placed:
        assert found.row is not None
        workers = self._replicas.workers(ask.model)
        name = workers.name_of(found.row)
        endpoint = self._replicas.endpoint(ask.model, name)
        by_signals = basis is PlacementBasis.SIGNALS
        ttft = found.expected_ttft_seconds if by_signals else None
        place = Placed(
            replica_id=endpoint.replica_id,
            pool=endpoint.pool,
            address=endpoint.address,
            basis=basis,
            lease=lease_of(self._lease_seconds(request, found)),
            priority=_PRIORITY[ask.tier],
            expected_ttft_seconds=(
                None if ttft is None else max(0.0, ttft - (now - request.arrival))
            ),
            session_kept=kept,
        )
        workers.book(found.row, request, now)
        if found.instead_of is not None:
            tokens = math.ceil(request.length.mean_tokens)
            workers.shift_error(found.instead_of, found.row, tokens)
            self._tally.rebalanced()
        self._ledger.open(
            Lease(
                ask=ask,
                attempt=attempt,
                gateway_id=gateway_id,
                place=place,
                waited_seconds=now - request.arrival,
                until=now + place.lease.total_seconds(),
            )
        )
        first_token = request.arrival + (found.expected_ttft_seconds or 0.0)
        self._running.placed(ask.model, request.id, max(now, first_token))
        self._sessions.served(ask.model, ask.session, name)
        return place

    def _lease_seconds(self, request: Request, found: Placement) -> float:
        """From what it should take at the slowest pace that it was promised."""
        decode = request.length.high_tokens * request.promise.itl_seconds
        should = (found.expected_ttft_seconds or 0.0) + decode
        return max(self._rules.shortest_lease_seconds, self._rules.lease_factor * should)
