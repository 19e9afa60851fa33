"""Aladdin's re-balancing (arXiv 2405.06856, step 4): the error of predictions is spread over workers.

Since the last heartbeat requests turned out longer or shorter than predicted: a worker's error is the
sum of (actual or re-estimated − predicted) tokens. New load, that which has not begun, is moved from
workers that have more to do than was predicted to those that have less, the largest errors first, while
every row holds there and the errors of the two come nearer to each other. What runs is never moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scheduling.booking import Booking
from scheduling.placement.margins import Margins
from scheduling.placement.one_row import OneRow
from scheduling.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A request that waits goes to another worker: the caller completes and books it anew."""

    request_id: str
    from_row: int
    to_row: int


def rebalance(workers: Workers, now: float, margins: Margins | None = None) -> tuple[Move, ...]:
    """Moves of this heartbeat; nothing is changed, `apply` does it. At most one move to each worker:
    what the rows say of a worker holds for one more request, not for two."""
    judge = OneRow(margins)
    errors = workers.rows["length_error_tokens"][: workers.used].astype(np.int64)
    order = np.argsort(errors, kind="stable")
    takers = [int(row) for row in order if errors[row] < 0]
    moves: list[Move] = []
    for giver in (int(row) for row in order[::-1] if errors[row] > 0):
        for booking in workers.waiting_on(giver):
            taker = _taker(booking, takers, workers, judge, now)
            if taker is None or errors[giver] - errors[taker] <= booking.output_tokens:
                continue
            errors[giver] -= booking.output_tokens
            errors[taker] += booking.output_tokens
            takers.remove(taker)
            moves.append(Move(request_id=booking.request.id, from_row=giver, to_row=taker))
            if errors[giver] <= 0:
                break
    return tuple(moves)


def apply(workers: Workers, moves: tuple[Move, ...], now: float) -> tuple[str, ...]:
    """Book every moved request where it goes, and settle the errors; returns the ids of those that moved
    (one that began or ended meanwhile stays)."""
    moved = []
    for move in moves:
        booking = workers.booking(move.request_id)
        if booking is None or booking.begun_at is not None or booking.row != move.from_row:
            continue
        workers.complete(move.request_id, now)
        workers.book(move.to_row, booking.request, now)
        moved.append(move.request_id)
    workers.settle_errors()
    return tuple(moved)


def _taker(
    booking: Booking, takers: list[int], workers: Workers, judge: OneRow, now: float
) -> int | None:
    """The most over-predicted worker on which every row holds with this request."""
    for row in takers:
        if judge.fits(booking.request, workers, row, now).row is not None:
            return row
    return None
