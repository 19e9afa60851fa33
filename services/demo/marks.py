"""One mark per policy every 15 minutes: its cost and attainment so far, measured alike for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span
from services.dashboard.picture import PolicyDay, Rivalry
from simulation.accounting import Accountant
from simulation.estate import Estate

NOTE = (
    "Billed from the cloud's acceptance to termination, in every state, times the VM's GPUs. "
    "Rejected requests count as SLO misses."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Sums from the day's start until `at`; `judged` requests started or were shed, `met` kept the SLO."""

    at: datetime
    gpu_hours: float
    dollars: float
    judged: float
    met: float


def mark_of(estate: Estate, accountant: Accountant, at: datetime) -> Mark:
    """How an estate stands at `at`."""
    accounts = accountant.accounts(at)
    tallies = estate.engine.tallies().values()
    return Mark(
        at=at,
        gpu_hours=accounts.gpu_hours_billed,
        dollars=accounts.cost_dollars,
        judged=sum(tally.started + tally.shed for tally in tallies),
        met=sum(tally.met for tally in tallies),
    )


def rivalry(ours: Sequence[Mark], theirs: Sequence[Mark], frame: Span) -> Rivalry:
    """Both policies side by side up to the last instant that both have reached: the rival's process may
    be hours ahead."""
    until = min(ours[-1].at, theirs[-1].at) if ours and theirs else None
    if until is not None:
        theirs = [mark for mark in theirs if mark.at <= until]
    return Rivalry(
        heliostat=policy_day(ours, frame, until),
        reactive=policy_day(theirs, frame, until),
        until=until,
        note=NOTE,
    )


def policy_day(marks: Sequence[Mark], frame: Span, until: datetime | None) -> PolicyDay:
    """A policy's quarter hours, and its totals up to `until` (None = no totals)."""
    hours: dict[datetime, float] = {}
    kept: dict[datetime, float | None] = {}
    for before, after in pairwise(marks):
        judged = after.judged - before.judged
        hours[before.at] = after.gpu_hours - before.gpu_hours
        kept[before.at] = min(1.0, (after.met - before.met) / judged) if judged else None
    at_end = next((mark for mark in marks if mark.at == until), None)
    return PolicyDay(
        gpu_hours=tuple(hours.get(start) for start in frame.steps(BUCKET)),
        attainment=tuple(kept.get(start) for start in frame.steps(BUCKET)),
        gpu_hours_total=at_end.gpu_hours if at_end else None,
        attainment_total=min(1.0, at_end.met / at_end.judged) if at_end and at_end.judged else None,
        dollars_total=at_end.dollars if at_end else None,
    )
