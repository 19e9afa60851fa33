"""Estimates of running requests, because gateways report only completions.

A request begins to decode when its first token was expected, and generates at its worker's pace. One that
has generated, by that, all that was predicted is expected to go on (Aladdin, arXiv 2405.06856, step 5:
E[L | L > generated]), and its worker counts it so from then on.
"""

from __future__ import annotations

import heapq
from collections import deque

from heliostat.model.names import ModelName
from scheduling.booking import Booking
from scheduling.lengths.prediction import LengthPredictor
from services.agent.dispatch.replicas import Replicas

_LOOKS_A_BEAT = 16
"""Each takes about 30 µs; who is not looked at in this beat is in the next."""
_LATER = 1.1
"""Reminders go by the mean pace of a model's replicas, which is cheap, and come that much later, so that most
looks find what they look for."""
_LEAST_GROWTH = 1.25
"""A re-estimate is at least so many times what was generated, so that one request is looked at seldom."""


class Reminders:
    """Of requests, to the second: most have ended by then, and one list a second costs less than a heap."""

    def __init__(self) -> None:
        self._seconds: list[int] = []
        self._lists: dict[int, list[Booking]] = {}
        self._due: deque[Booking] = deque()

    def remind(self, at: float, booking: Booking) -> None:
        """It is due in the second after `at`."""
        second = int(at) + 1
        found = self._lists.get(second)
        if found is None:
            found = self._lists[second] = []
            heapq.heappush(self._seconds, second)
        found.append(booking)

    def due(self, now: float) -> deque[Booking]:
        """All that are due by now and that nobody took from here yet, the first first."""
        while self._seconds and self._seconds[0] <= now:
            self._due.extend(self._lists.pop(heapq.heappop(self._seconds)))
        return self._due


class Running:
    """Reminders of first tokens and of predicted ends; for one thread."""

    def __init__(self, replicas: Replicas, predictor: LengthPredictor) -> None:
        self._replicas = replicas
        self._predictor = predictor
        self._first_tokens: list[tuple[float, int, Booking]] = []
        self._numbers = 0
        self._ends = Reminders()
        self._paces: dict[ModelName, float] = {}
        """Seconds of an iteration, on the mean of each model's replicas; of this beat."""

    def placed(self, model: ModelName, request_id: str, first_token_at: float) -> None:
        """The first token of a request that was just booked is expected then."""
        booking = self._replicas.workers(model).booking(request_id)
        assert booking is not None  # it was just booked
        self._numbers += 1
        heapq.heappush(self._first_tokens, (first_token_at, self._numbers, booking))

    def pass_until(self, now: float) -> None:
        """Let begin whose first token was expected by now, and look at those who should have ended."""
        self._paces.clear()
        self.begin_until(now)
        looks, due = 0, self._ends.due(now)
        while due and looks < _LOOKS_A_BEAT:
            looks += self._look(due.popleft(), now)

    def begin_until(self, now: float) -> None:
        """Let begin whose first token was expected by now."""
        while self._first_tokens and self._first_tokens[0][0] <= now:
            at, _, booking = heapq.heappop(self._first_tokens)
            if self._stands(booking):
                request = booking.request
                self._replicas.workers(request.model).begin(request.id, at)
                self._remind(booking, booking.output_tokens, now)

    def _stands(self, booking: Booking) -> bool:
        """False once it has ended, also where another attempt of its request is booked."""
        request = booking.request
        return self._replicas.workers(request.model).booking(request.id) is booking

    def _look(self, booking: Booking, now: float) -> bool:
        """A request should have ended; if it runs still (True), it was slower or it is longer."""
        if not self._stands(booking) or booking.begun_at is None:
            return False
        request = booking.request
        workers = self._replicas.workers(request.model)
        company = workers.company(request.id)
        assert company is not None  # it is booked
        decoding = max(0.0, now - booking.begun_at - company.stalled_seconds)
        generated = 1 + int(decoding / self._pace(booking))
        if generated < booking.output_tokens:
            self._remind(booking, booking.output_tokens - generated, now)
            return True
        expected = self._predictor.survivor(
            request.model, request.tier, request.input_tokens, generated
        ).mean_tokens
        expected = max(expected, _LEAST_GROWTH * generated)
        workers.progress(request.id, generated, expected)
        self._remind(booking, expected - generated, now)
        return True

    def _remind(self, booking: Booking, tokens: float, now: float) -> None:
        """Look at it when so many more tokens should have come."""
        model = booking.request.model
        pace = self._paces.get(model)
        if pace is None:
            pace = self._paces[model] = _LATER * self._replicas.pace(model)
        self._ends.remind(now + max(1.0, tokens) * pace, booking)

    def _pace(self, booking: Booking) -> float:
        """Seconds of an iteration of its worker as it stands, by its law without the error."""
        model = booking.request.model
        law = self._replicas.standing(model)[booking.replica].law
        worker = self._replicas.workers(model).rows[booking.row]
        sequences = int(worker["running"]) + int(worker["unbooked_sequences"])
        tokens = int(worker["context_tokens"]) + int(worker["unbooked_kv_tokens"])
        return law.iteration_seconds(max(1, sequences), tokens)
