"""Aladdin's re-balancing (arXiv 2405.06856, step 4) where placed requests cannot be taken back.

`rebalancing` moves what waits on workers; a dispatcher that has told a gateway where to go has nothing of
that kind: its new load is the request that it places now. That goes from the worker of the placer's choice
to the most over-predicted one on which every row holds, by the same rule: the chosen one has more to do than
was predicted, the other less, and the difference is more than the request itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from scheduling.placement.margins import Margins
from scheduling.placement.one_row import OneRow
from scheduling.placement.placer import Placement, Placer
from scheduling.request import Request
from scheduling.workers import Workers

_TRIES = 2
"""How many over-predicted workers are asked: each costs a look, and the first nearly always fits."""


class Rebalanced:
    """Implements `Placer` over another one; needs predictions. Whoever books a placement with `instead_of`
    says so to `Workers.shift_error`, and settles the errors at every heartbeat."""

    def __init__(self, placer: Placer, margins: Margins | None = None) -> None:
        self._placer = placer
        self._judge = OneRow(margins)

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        found = self._placer.place(request, workers, now)
        if found.row is None:
            return found
        errors = workers.rows["length_error_tokens"]
        error = int(errors[found.row])
        if error <= 0:
            return found
        output = max(1, math.ceil(request.length.mean_tokens))
        for taker in _most_over_predicted(errors[: workers.used]):
            if errors[taker] >= 0 or error - errors[taker] <= output:
                break
            there = self._judge.fits(request, workers, taker, now)
            if there.row is not None:
                return replace(there, instead_of=found.row)
        return found


def _most_over_predicted(errors: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """Rows with the least error, the least first."""
    if len(errors) <= _TRIES:
        return [int(row) for row in np.argsort(errors, kind="stable")]
    least = np.argpartition(errors, _TRIES)[:_TRIES]
    return [int(row) for row in least[np.argsort(errors[least], kind="stable")]]
