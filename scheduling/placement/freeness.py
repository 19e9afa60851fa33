"""Llumnix's dispatching (arXiv 2406.03243): the worker with the highest freeness. No migration here.

Virtual usage of a request that runs is its KV now; one that waits counts its whole prompt. (Llumnix counts
the head of the line alone when it migrates; what waits behind it is load all the same when dispatching.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduling.compiled import entry
from scheduling.placement.asking import check_model, nowhere
from scheduling.placement.placer import Placement
from scheduling.placement.rivals import at
from scheduling.placement.scanning import NOBODY
from scheduling.request import Request
from scheduling.rules.freeness import freeness
from scheduling.workers import Workers


def _freest(sources: int) -> Callable[..., int]:
    def freest(workers: Any, used: int) -> int:
        """The row with the highest freeness, the lowest of several."""
        assert sources >= 0
        found, most = NOBODY, -float("inf")
        for row in range(used):
            worker = workers[row]
            if worker.accepting == 0 or worker.fresh == 0:
                continue
            sequences = worker.running + worker.waiting + worker.unbooked_sequences
            usage = worker.kv_now_tokens + worker.waiting_prefill_tokens + worker.unbooked_kv_tokens
            free = freeness(float(worker.kv_capacity_tokens), float(usage), float(sequences))
            if free > most:
                found, most = row, free
        return found

    return freest


_scan = entry(_freest)


class Freeness:
    """Implements `Placer`; needs no predictions."""

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        check_model(request, workers)
        row = _scan(workers.rows, workers.used)
        return nowhere(workers) if row < 0 else at(row, request, workers, now)
