"""A request in the form that the compiled scan of workers takes, and the meaning of its result counts."""

from __future__ import annotations

import math

import numpy as np

from heliostat.errors import UnknownModel
from scheduling.placement.margins import Margins
from scheduling.placement.placer import Placement, Reason
from scheduling.placement.scanning import scan
from scheduling.request import Request
from scheduling.rows import ASKED, Records, empty
from scheduling.rules.fit import ANSWERS, BATCH, ITL, MEMORY, STALL, TOO_LONG, TTFT
from scheduling.workers import Workers

_REASONS = {
    TTFT: Reason.TTFT,
    ITL: Reason.ITL,
    STALL: Reason.STALL,
    MEMORY: Reason.MEMORY,
    BATCH: Reason.BATCH,
    TOO_LONG: Reason.TOO_LONG,
}


def asked_of(request: Request, margins: Margins, rows: int, now: float) -> Records:
    """The request's numbers, one record. Raises InvalidInput when its output is not predicted."""
    asked = empty(ASKED, 1)
    one = asked[0]
    output = max(1, math.ceil(request.length.mean_tokens))
    one["input"] = request.input_tokens
    one["peak"] = request.input_tokens + output
    one["context"] = request.input_tokens + output // 2
    one["rows"] = rows
    one["waited"] = max(0.0, now - request.arrival)
    one["ttft"], one["gap"] = request.promise.ttft_seconds, request.promise.itl_seconds
    one["margin"], one["memory_share"] = margins.time, margins.memory_share
    one["foresight"] = margins.foresight
    one["spread_beyond"] = margins.spread_beyond
    return asked


def best(request: Request, workers: Workers, margins: Margins, rows: int, now: float) -> Placement:
    """The fullest worker that fits by those rows; without one, the row that most workers broke.

    Raises UnknownModel, InvalidInput.
    """
    check_model(request, workers)
    asked = asked_of(request, margins, rows, now)
    counts = np.zeros(ANSWERS, np.int64)
    row, ttft = scan(workers.rows, workers.seats, workers.used, asked, now, counts)
    if row >= 0:
        return Placement(row=row, expected_ttft_seconds=ttft, reason=Reason.PLACED)
    return nowhere(workers, counts)


def check_model(request: Request, workers: Workers) -> None:
    """Raises UnknownModel when these workers serve another."""
    if request.model != workers.model:
        raise UnknownModel(request.model, remedy=f"these replicas serve {workers.model}")


def nowhere(workers: Workers, counts: Records | None = None) -> Placement:
    """A placement without a row, with the reason; too long only if it is for every worker examined."""
    if counts is None or not counts.any():
        accepting = workers.rows[: workers.used]["accepting"].any()
        reason = Reason.STALE if accepting else Reason.NO_REPLICA
        return Placement(row=None, expected_ttft_seconds=None, reason=reason)
    others = counts.copy()
    others[TOO_LONG] = 0
    reason = _REASONS[int((others if others.any() else counts).argmax())]
    return Placement(row=None, expected_ttft_seconds=None, reason=reason)
