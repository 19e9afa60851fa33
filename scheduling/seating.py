"""A request takes a seat on a worker, begins there and leaves: the numbers of both in a compiled step each.

Written one by one from Python, a dozen numbers in records take as long as the whole look at a thousand
workers. Counts are whole numbers, so that what was taken is given back exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduling.compiled import entry, rule
from scheduling.seats import NO_LIMIT, expected_prefill, slack_of


@rule
def sit(seat: Any, output: int, gap: float) -> None:
    """What the seat says of its promise; one token has no gap to promise."""
    seat.gaps = max(1, output - 1)
    seat.itl_seconds = gap if output > 1 else NO_LIMIT


@rule
def count(worker: Any, sign: int, tokens: int, output: int) -> None:
    """Add, or take away, what a prompt and its predicted output stand for."""
    worker.kv_peak_tokens += sign * (tokens + output)
    worker.context_tokens += sign * (tokens + output // 2)


def _take(sources: int) -> Callable[..., float]:
    def take(
        workers: Any,
        seats: Any,
        row: int,
        place: int,
        now: float,
        tokens: int,
        output: int,
        gap: float,
        prefilled: bool,
    ) -> float:
        """The seat at that place is taken; seconds of the prefill, 0 where the prompt is read elsewhere."""
        assert sources >= 0
        worker, seat = workers[row], seats[row, place]
        seconds = 0.0
        if not prefilled:
            seconds = expected_prefill(worker, tokens)
            worker.waiting_prefill_tokens += tokens
        worker.prefill_free_at = max(now, worker.prefill_free_at) + seconds
        worker.stalled_seconds += seconds
        worker.waiting += 1
        count(worker, 1, tokens, output)
        seat.stalled_before = worker.stalled_seconds
        seat.begins = now if prefilled else worker.prefill_free_at
        sit(seat, output, gap)
        worker.stall_slack_seconds = slack_of(worker, seats[row])
        return float(seconds)

    return take


take = entry(_take)


def _begin(sources: int) -> Callable[..., None]:
    def begin(
        workers: Any, seats: Any, row: int, place: int, now: float, prefill_tokens: int, tokens: int
    ) -> None:
        """Its first token came: it decodes, and holds so many tokens."""
        assert sources >= 0
        worker = workers[row]
        seats[row, place].begins = now
        worker.waiting -= 1
        worker.waiting_prefill_tokens -= prefill_tokens
        worker.running += 1
        worker.kv_now_tokens += tokens

    return begin


begin = entry(_begin)


def _renew(sources: int) -> Callable[..., None]:
    def renew(
        workers: Any,
        seats: Any,
        row: int,
        place: int,
        tokens: int,
        before: int,
        output: int,
        gap: float,
        held: int,
    ) -> None:
        """It is expected to generate `output` tokens instead of `before`, and holds `held` more."""
        assert sources >= 0
        worker = workers[row]
        worker.kv_now_tokens += held
        count(worker, -1, tokens, before)
        count(worker, 1, tokens, output)
        worker.length_error_tokens += output - before
        sit(seats[row, place], output, gap)
        worker.stall_slack_seconds = slack_of(worker, seats[row])

    return renew


renew = entry(_renew)


def _leave(sources: int) -> Callable[..., None]:
    def leave(
        workers: Any,
        seats: Any,
        row: int,
        place: int,
        now: float,
        tokens: int,
        output: int,
        error: int,
        held: int,
        prefill_seconds: float,
        prefill_tokens: int,
        begun: bool,
    ) -> None:
        """Its seat is free, and whoever sat last sits there now; `error`: tokens beyond its prediction,
        `held`: tokens that it held."""
        assert sources >= 0
        worker = workers[row]
        last = worker.running + worker.waiting - 1
        count(worker, -1, tokens, output)
        worker.length_error_tokens += error
        worker.kv_now_tokens -= held
        if begun:
            worker.running -= 1
        else:
            worker.waiting -= 1
            worker.waiting_prefill_tokens -= prefill_tokens
            worker.prefill_free_at = max(now, worker.prefill_free_at - prefill_seconds)
        if place != last:
            seats[row, place] = seats[row, last]
        if last == 0:
            worker.stalled_seconds = 0.0
        worker.stall_slack_seconds = slack_of(worker, seats[row])

    return leave


leave = entry(_leave)
