"""How long a batch queue takes, and how many replicas it needs in time: QLM's estimate.

With q requests ahead, each generating μ ± σ tokens, and Φ tokens per second, the wait is normal by the
central limit theorem: mean q·μ/Φ, deviation σ·√q/Φ (QLM, as Chiron uses it; arXiv 2501.08090). Planned
is mean + z·deviation; z = 1.64 is our parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.model.fleet import BacklogGroup

_NEVER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLengths:
    """Tokens that a request generates: mean μ and standard deviation σ."""

    mean: float
    deviation: float

    def tokens(self, requests: int, z: float) -> float:
        """What so many requests generate together, with z deviations to spare."""
        return requests * self.mean + z * self.deviation * math.sqrt(requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchServers:
    """Who works off a batch queue: replicas that do so now, what each does, and how long a new one
    takes to be ready."""

    now: float
    tokens_per_second: float
    """Of one replica."""
    lead_time: timedelta


def regrouped(groups: Sequence[BacklogGroup], most: int) -> tuple[BacklogGroup, ...]:
    """At most so many groups of about equal size, the earliest due first; a group is due as early as
    its earliest member, so that merging promises no more than before."""
    ordered = sorted(groups, key=lambda group: group.due)
    total = sum(group.requests for group in ordered)
    merged: list[BacklogGroup] = []
    before = 0
    for group in ordered:
        place = before * most // max(1, total)
        before += group.requests
        if merged and place < len(merged):
            last = merged[-1]
            merged[-1] = BacklogGroup(due=last.due, requests=last.requests + group.requests)
        else:
            merged.append(group)
    return tuple(merged)


def late_groups(
    groups: Iterable[BacklogGroup],
    now: datetime,
    lengths: OutputLengths,
    servers: BatchServers,
    *,
    z: float,
) -> int:
    """BBP: how many groups would wait past their deadline with the replicas that are there."""
    work = _work(groups, lengths, z)
    rate = servers.now * servers.tokens_per_second
    return sum(tokens > rate * (due - now).total_seconds() for due, tokens in work)


def replicas_to_add(
    groups: Iterable[BacklogGroup],
    now: datetime,
    lengths: OutputLengths,
    servers: BatchServers,
    *,
    z: float,
) -> int:
    """The fewest more replicas, ready after the lead time, with which no group waits too long.

    A group that is due before a new replica could be ready asks for none: it cannot be helped.
    """
    needed = 0
    rate = servers.now * servers.tokens_per_second
    for due, tokens in _work(groups, lengths, z):
        left = (due - now).total_seconds()
        useful = left - servers.lead_time.total_seconds()
        missing = tokens - rate * left
        if missing > 0 and useful > 0:
            needed = max(needed, math.ceil(missing / (servers.tokens_per_second * useful)))
    return min(needed, _NEVER)


def _work(
    groups: Iterable[BacklogGroup], lengths: OutputLengths, z: float
) -> list[tuple[datetime, float]]:
    """Per group, the earliest due first: its deadline, and the tokens up to and with it."""
    ahead = 0
    work = []
    for group in sorted(groups, key=lambda group: group.due):
        ahead += group.requests
        work.append((group.due, lengths.tokens(ahead, z)))
    return work
