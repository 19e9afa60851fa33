"""A dispatcher's state of one model's replicas in one region, exact per request.

Replicas may be of several VM types; each row carries its law. Nothing is decided here. Seconds are
those of the caller's clock. One thread at a time.
"""

from __future__ import annotations

import math

from heliostat.errors import (
    AlreadyBooked,
    InvalidInput,
    NotAccepting,
    UnknownModel,
)
from heliostat.model.names import ModelName
from scheduling.booking import Booking, Company
from scheduling.replica_rows import ReplicaRows
from scheduling.request import Request
from scheduling.rows import grown
from scheduling.seating import begin, leave, renew, take


class Workers(ReplicaRows):
    """The replicas of `model`, and who is booked on each."""

    def __init__(self, model: ModelName) -> None:
        super().__init__()
        self.model = model
        self._bookings: dict[str, Booking] = {}

    def vanish(self, replica: str) -> tuple[Request, ...]:
        """A replica is gone, with everything booked on it: those requests, in no order, to be placed
        anew. Nothing when it is not known."""
        row = self._row_of.pop(replica, None)
        if row is None:
            return ()
        lost = tuple(self._bookings.pop(name).request for name in self._seated[row])
        self._vacate(row)
        return lost

    def book(self, row: int, request: Request, now: float, *, prefilled: bool = False) -> None:
        """A request goes to the replica of that row; `prefilled`: its prompt is read elsewhere.

        Raises AlreadyBooked, UnknownModel for another model's request, UnknownReplica for an empty
        row, NotAccepting for one that drains, InvalidInput for a request without a prediction.
        """
        self._check(row, request)
        output = max(1, math.ceil(request.length.mean_tokens))
        seat = len(self._seated[row])
        if seat == self.seats.shape[1]:
            self.seats = grown(self.seats, len(self.rows), 2 * seat)
        booking = Booking(
            request=request,
            replica=self.name_of(row),
            row=row,
            seat=seat,
            at=now,
            output_tokens=output,
        )
        booking.prefill_seconds = take(
            self.rows,
            self.seats,
            row,
            seat,
            float(now),
            request.input_tokens,
            output,
            request.promise.itl_seconds,
            prefilled,
        )
        booking.prefill_tokens = 0 if prefilled else request.input_tokens
        self._bookings[request.id] = booking
        self._seated[row].append(request.id)

    def begin(self, request_id: str, now: float) -> bool:
        """Its first token came; False when it is not booked or had begun, and nothing changes."""
        booking = self._bookings.get(request_id)
        if booking is None or booking.begun_at is not None:
            return False
        booking.begun_at = now
        booking.kv_now_tokens = booking.request.input_tokens + 1
        begin(
            self.rows,
            self.seats,
            booking.row,
            booking.seat,
            float(now),
            booking.prefill_tokens,
            booking.kv_now_tokens,
        )
        return True

    def progress(self, request_id: str, generated_tokens: int, expected_tokens: float) -> bool:
        """It generated so many tokens and is now expected to generate that many in all (a survivor's
        estimate); False when it is not booked or has not begun. Raises InvalidInput for less than what
        it generated, or less than one."""
        booking = self._bookings.get(request_id)
        if booking is None or booking.begun_at is None:
            return False
        if generated_tokens < 1 or not generated_tokens <= expected_tokens < math.inf:
            raise InvalidInput("progress", f"{generated_tokens} of {expected_tokens} tokens")
        tokens, expected = booking.request.input_tokens, math.ceil(expected_tokens)
        renew(
            self.rows,
            self.seats,
            booking.row,
            booking.seat,
            tokens,
            booking.output_tokens,
            expected,
            booking.request.promise.itl_seconds,
            tokens + generated_tokens - booking.kv_now_tokens,
        )
        booking.kv_now_tokens = tokens + generated_tokens
        booking.output_tokens = expected
        return True

    def complete(
        self, request_id: str, now: float, output_tokens: int | None = None
    ) -> Booking | None:
        """It ended, whether served, given up or refused (None: it is not known after how many tokens):
        what it took is given back. None, and nothing changes, when it is not booked (any more):
        completions may come twice."""
        booking = self._bookings.pop(request_id, None)
        if booking is None:
            return None
        leave(
            self.rows,
            self.seats,
            booking.row,
            booking.seat,
            float(now),
            booking.request.input_tokens,
            booking.output_tokens,
            0 if output_tokens is None else output_tokens - booking.output_tokens,
            booking.kv_now_tokens,
            booking.prefill_seconds,
            booking.prefill_tokens,
            booking.begun_at is not None,
        )
        self._stand_up(booking)
        return booking

    def shift_error(self, from_row: int, to_row: int, tokens: int) -> None:
        """New load of so many output tokens went to one row instead of another, so that errors of
        predictions come nearer to each other."""
        self.rows["length_error_tokens"][from_row] -= tokens
        self.rows["length_error_tokens"][to_row] += tokens

    def settle_errors(self) -> None:
        """Count the errors of predictions from nothing again, after a re-balancing."""
        self.rows["length_error_tokens"] = 0

    def booking(self, request_id: str) -> Booking | None:
        """Where a request is booked; None = nowhere."""
        return self._bookings.get(request_id)

    def company(self, request_id: str) -> Company | None:
        """Among whom a request runs; None when it is not booked."""
        booking = self._bookings.get(request_id)
        if booking is None:
            return None
        worker = self.rows[booking.row]
        stalled = (
            worker["stalled_seconds"] - self.seats[booking.row, booking.seat]["stalled_before"]
        )
        return Company(
            sequences=max(1.0, float(worker["running"] + worker["unbooked_sequences"])),
            context_tokens=max(1.0, float(worker["context_tokens"] + worker["unbooked_kv_tokens"])),
            stalled_seconds=max(0.0, float(stalled)),
        )

    def waiting_on(self, row: int) -> tuple[Booking, ...]:
        """What is booked on a row and has not begun, the latest first. Raises UnknownReplica."""
        self.name_of(row)
        here = (self._bookings[name] for name in self._seated[row])
        waiting = [booking for booking in here if booking.begun_at is None]
        return tuple(sorted(waiting, key=lambda booking: (-booking.at, booking.request.id)))

    def __len__(self) -> int:
        """How many requests are booked."""
        return len(self._bookings)

    # --- inside --------------------------------------------------------------------------------

    def _check(self, row: int, request: Request) -> None:
        if request.id in self._bookings:
            raise AlreadyBooked(
                f"request {request.id} is booked on {self._bookings[request.id].replica}"
            )
        if request.model != self.model:
            raise UnknownModel(request.model, remedy=f"these replicas serve {self.model}")
        if not self.rows[self.row_of(self.name_of(row))]["accepting"]:
            raise NotAccepting(f"replica {self.name_of(row)} accepts no more requests")

    def _stand_up(self, booking: Booking) -> None:
        """Whose seat was the last one sits where this one was."""
        seated = self._seated[booking.row]
        last = seated.pop()
        if last != booking.request.id:
            self._bookings[last].seat = booking.seat
            seated[booking.seat] = last
