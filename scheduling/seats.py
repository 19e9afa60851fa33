"""The least slack of the requests booked on a replica: how long its next prefill may stall them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduling.compiled import entry, rule
from scheduling.rules.stall import slack_seconds
from scheduling.rules.times import iteration_seconds, prefill_seconds

NO_LIMIT = float("inf")


@rule
def least_slack(
    seats: Any, taken: int, now: float, then: float, stalled: float, foresight: float, at: float
) -> float:
    """The least slack in seconds at iterations of `then`, of those whose promise holds at iterations
    of `now`; `NO_LIMIT` when there is nobody.

    `foresight`: the share that counts of gaps which are still to come. How many have passed by the
    instant `at` is taken from when decoding began, or was to begin.
    """
    least = NO_LIMIT
    for place in range(taken):
        seat = seats[place]
        already = stalled - seat.stalled_before
        passed = min(seat.gaps, max(0.0, (at - seat.begins - already) / now))
        gaps = passed + foresight * (seat.gaps - passed)
        if slack_seconds(seat.itl_seconds, gaps, now, already) >= 0.0:
            least = min(least, slack_seconds(seat.itl_seconds, gaps, then, already))
    return float(least)


@rule
def pace(worker: Any, sequences: int, tokens: int) -> float:
    """Seconds of an iteration with so many sequences and tokens of context, the law's error added."""
    seconds = iteration_seconds(
        worker.decode_base,
        worker.decode_per_sequence,
        worker.decode_per_token,
        float(sequences),
        float(tokens),
    )
    return float(seconds * (1.0 + worker.error))


@rule
def expected_prefill(worker: Any, tokens: int) -> float:
    """Seconds of a prefill alone, the law's error added."""
    seconds = prefill_seconds(
        worker.prefill_floor,
        worker.prefill_base,
        worker.prefill_per_token,
        worker.prefill_beyond_knee,
        float(tokens),
    )
    return float(seconds * (1.0 + worker.error))


@rule
def slack_of(worker: Any, seats: Any) -> float:
    """The worker's least slack as it stands, after somebody came or went."""
    booked = worker.running + worker.waiting
    now = pace(worker, booked, worker.context_tokens)
    return least_slack(seats, booked, now, now, worker.stalled_seconds, 1.0, 0.0)


def _renew(sources: int) -> Callable[..., None]:
    def renew(workers: Any, seats: Any, row: int) -> None:
        """Work the row's slack out anew."""
        assert sources >= 0
        workers[row].stall_slack_seconds = slack_of(workers[row], seats[row])

    return renew


renew_slack = entry(_renew)
