"""One look at every worker: which rows each would break, and which of those that break none is fullest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduling.compiled import entry, rule
from scheduling.rules.fit import (
    BATCH,
    FITS,
    ITL,
    MEMORY,
    STALL,
    TOO_LONG,
    TTFT,
    fits_memory,
    meets_gap,
    meets_ttft,
    rank,
    residual,
)
from scheduling.rules.stall import absorbs_stall
from scheduling.seats import NO_LIMIT, expected_prefill, least_slack, pace

NOBODY = -1

WHOLE, PREFILL_ONLY, DECODE_ONLY, MEMORY_ONLY = range(4)
"""Which rows count: all; (a) of a worker that only prefills; (b) and (d) of one that only decodes; (d)."""


@rule
def expected_wait(worker: Any, now: float, stretch: float, decodes: bool) -> float:
    """Seconds until its prefill begins: those booked before it, and the iteration under way."""
    wait = max(0.0, worker.prefill_free_at - now)
    sequences = worker.running + worker.waiting + worker.unbooked_sequences
    if decodes and sequences > 0:
        wait += stretch * pace(worker, sequences, worker.context_tokens + worker.unbooked_kv_tokens)
    return float(wait)


@rule
def peak_with(worker: Any, tokens: int) -> float:
    """Tokens of memory at every predicted end at once, one more request of so many among them."""
    sequences = worker.running + worker.waiting + worker.unbooked_sequences + 1
    booked = worker.kv_peak_tokens + worker.unbooked_kv_tokens + tokens
    return float(booked + worker.kv_tokens_per_sequence * sequences)


@rule
def judge(
    worker: Any, seats: Any, asked: Any, now: float, least: float
) -> tuple[int, float, float]:
    """The row that the worker would break, or FITS; its rank; the expected TTFT from arrival.

    A worker whose rank is at least `least` is not chosen in any case, so the stall row, which is the
    slowest, is then skipped and the result is FITS.
    """
    stretch, rows = 1.0 + asked.margin, asked.rows
    peak, room = peak_with(worker, asked.peak), asked.memory_share * worker.kv_capacity_tokens
    if asked.peak + worker.kv_tokens_per_sequence > room:
        return TOO_LONG, 0.0, 0.0
    if not fits_memory(peak, room):
        return MEMORY, 0.0, 0.0
    booked = worker.running + worker.waiting
    sequences = booked + worker.unbooked_sequences + 1
    if sequences > worker.max_batch:
        return BATCH, 0.0, 0.0
    prefill = ttft = 0.0
    if rows != DECODE_ONLY:
        prefill = stretch * expected_prefill(worker, asked.input)
        wait = expected_wait(worker, now, stretch, rows != PREFILL_ONLY)
        ttft = asked.waited + wait + prefill
        if rows == MEMORY_ONLY:
            return FITS, room - peak, ttft
        if not meets_ttft(asked.waited, wait, prefill, asked.ttft):
            return TTFT, 0.0, ttft
    if rows == PREFILL_ONLY:
        return FITS, -worker.prefill_free_at, ttft
    context = worker.context_tokens + worker.unbooked_kv_tokens
    before = pace(worker, sequences - 1, context)
    iteration = stretch * pace(worker, sequences, context + asked.context)
    if not meets_gap(iteration, asked.gap):
        return ITL, 0.0, ttft
    idle = worker.decode_base + worker.decode_per_sequence
    left = residual(iteration, asked.gap, peak, room)
    left = rank(left, asked.gap, idle, asked.spread_beyond)
    if left >= least:
        return FITS, left, ttft
    slack = least_slack(
        seats, booked, before, iteration, worker.stalled_seconds, asked.foresight, now
    )
    if not absorbs_stall(prefill, slack):
        return STALL, 0.0, ttft
    return FITS, left, ttft


def _scan(sources: int) -> Callable[..., tuple[int, float]]:
    def scan(
        workers: Any, seats: Any, used: int, asked: Any, now: float, counts: Any
    ) -> tuple[int, float]:
        """The row of the fullest worker that fits, and the expected TTFT; −1 when none does.
        `counts[answer]` says how many workers gave each answer."""
        assert sources >= 0
        found, least, first_token = NOBODY, NO_LIMIT, 0.0
        for row in range(used):
            worker = workers[row]
            if worker.accepting == 0 or worker.fresh == 0:
                continue
            answer, left, ttft = judge(worker, seats[row], asked[0], now, least)
            counts[answer] += 1
            if answer == FITS and left < least:
                found, least, first_token = row, left, ttft
        return found, first_token

    return scan


scan = entry(_scan)


def _ttft(sources: int) -> Callable[..., float]:
    def ttft(workers: Any, row: int, tokens: int, waited: float, now: float) -> float:
        """Seconds from arrival to the first token on that row's worker, whatever chose it."""
        assert sources >= 0
        worker = workers[row]
        return waited + expected_wait(worker, now, 1.0, True) + expected_prefill(worker, tokens)

    return ttft


ttft_on = entry(_ttft)
