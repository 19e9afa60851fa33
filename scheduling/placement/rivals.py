"""Baseline placers: shortest queue, power of two, random, round-robin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scheduling.placement.asking import check_model, nowhere
from scheduling.placement.placer import Placement, Reason
from scheduling.placement.scanning import ttft_on
from scheduling.request import Request
from scheduling.workers import Workers

Indices = NDArray[np.intp]


def takers(workers: Workers, *, fresh: bool = True) -> Indices:
    """Rows that accept requests; only those of which we know how they stand, unless told otherwise."""
    rows = workers.rows[: workers.used]
    able = rows["accepting"] != 0
    return np.flatnonzero(able & (rows["fresh"] != 0) if fresh else able)


def queue_lengths(workers: Workers, rows: Indices) -> NDArray[np.int64]:
    """Requests on each of those rows, what others booked included."""
    some = workers.rows
    names = ("running", "waiting", "unbooked_sequences")
    lengths: NDArray[np.int64] = sum((some[name][rows] for name in names), np.zeros(1, np.int64))
    return lengths


def at(row: int, request: Request, workers: Workers, now: float) -> Placement:
    """That row, with the TTFT that its law lets expect."""
    waited = max(0.0, now - request.arrival)
    ttft = ttft_on(workers.rows, row, request.input_tokens, waited, now)
    return Placement(row=row, expected_ttft_seconds=ttft, reason=Reason.PLACED)


def chosen(
    choose: Callable[[Indices], int],
    request: Request,
    workers: Workers,
    now: float,
    *,
    fresh: bool = True,
) -> Placement:
    """The row that `choose` takes of those that accept; none where none does. Raises UnknownModel."""
    check_model(request, workers)
    rows = takers(workers, fresh=fresh)
    return at(int(choose(rows)), request, workers, now) if len(rows) else nowhere(workers)


class JoinShortestQueue:
    """Implements `Placer`: the one with the fewest requests, the lowest row of several."""

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        return chosen(partial(_shortest, workers), request, workers, now)


class PowerOfTwo:
    """Implements `Placer`: the one with fewer requests of two drawn by chance."""

    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        def of_two(rows: Indices) -> int:
            return _shortest(workers, rows[self._chance.integers(len(rows), size=2)])

        return chosen(of_two, request, workers, now)


class RandomReplica:
    """Implements `Placer`: any, by chance."""

    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        return chosen(self._chance.choice, request, workers, now)


def _shortest(workers: Workers, rows: Indices) -> int:
    return int(rows[int(queue_lengths(workers, rows).argmin())])


class RoundRobin:
    """Implements `Placer`: one after the other, of those that accept, however old what we know of them
    is: what is left when nothing is known."""

    def __init__(self) -> None:
        self._last = -1

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        """Keeps whose turn it is: the one thing that placing changes here."""
        return chosen(self._next, request, workers, now, fresh=False)

    def _next(self, rows: Indices) -> int:
        behind = rows[rows > self._last]
        self._last = int(behind[0] if len(behind) else rows[0])
        return self._last
