"""Leases: which requests hold a place, until when, and which ended lately.

A lease that is neither renewed nor closed expires, so that hung clients hold nothing for ever. It decides
nothing; it keeps one place per request, whatever is asked of it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from heliostat.errors import AlreadyExists
from heliostat.model.dispatch import DispatchAsk, Placed
from heliostat.model.names import Tier

MOST_ENDED = 200_000
ENDED_SECONDS = 900.0
"""Ended requests are remembered for so long, and so many of the latest."""


@dataclass(slots=True, kw_only=True, eq=False)
class Lease:
    """One request's place; `attempt` is the one that holds it, `waited_seconds` those between its ask and
    its place."""

    ask: DispatchAsk
    attempt: int
    gateway_id: str
    place: Placed
    waited_seconds: float = 0.0
    until: float

    @property
    def expected_ttft_seconds(self) -> float | None:
        """From the request's arrival at its gateway, as gateways measure it. None = nothing was expected, or
        nobody here knows when it arrived: batch requests waited on disk, a later attempt came after others.
        """
        expected = self.place.expected_ttft_seconds
        if expected is None or self.ask.tier is Tier.BATCH or self.attempt > 1:
            return None
        return self.waited_seconds + expected


class Ledger:
    """Open leases by request, and a memory of those that ended; seconds are those of the caller."""

    def __init__(self) -> None:
        self._open: dict[str, Lease] = {}
        self._ends: list[tuple[float, int, str]] = []
        self._numbers = 0
        self._ended: OrderedDict[str, tuple[bool, int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, request_id: str) -> Lease | None:
        """The open lease; None when there is none."""
        return self._open.get(request_id)

    def open(self, lease: Lease) -> None:
        """The request holds its place from now on.

        Raises AlreadyExists when it holds one: close that first.
        """
        name = lease.ask.request_id
        if name in self._open:
            raise AlreadyExists(f"request {name} holds a place on {self._open[name].place}")
        self._ended.pop(name, None)
        self._open[name] = lease
        self._remind(lease)

    def renew(self, request_id: str, now: float) -> bool:
        """Its lease begins anew; False when it holds none."""
        lease = self._open.get(request_id)
        if lease is None:
            return False
        lease.until = now + lease.place.lease.total_seconds()
        return True

    def close(self, request_id: str) -> Lease | None:
        """It holds nothing any more; its lease, or None when it held none."""
        return self._open.pop(request_id, None)

    def end(self, request_id: str, *, finished: bool, attempt: int, now: float) -> None:
        """Remember that a request ended in that attempt."""
        self._ended[request_id] = (finished, attempt, now)
        self._ended.move_to_end(request_id)
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def ended(self, request_id: str) -> tuple[bool, int] | None:
        """Whether it finished, and in which attempt; None when that is not remembered."""
        found = self._ended.get(request_id)
        return None if found is None else found[:2]

    def run_out(self, now: float) -> Iterator[Lease]:
        """Close every lease that ends by now, and forget what ended long ago."""
        while self._ends and self._ends[0][0] <= now:
            _, _, name = heapq.heappop(self._ends)
            lease = self._open.get(name)
            if lease is None:
                continue
            if lease.until > now:
                self._remind(lease)
                continue
            del self._open[name]
            yield lease
        while self._ended and next(iter(self._ended.values()))[2] < now - ENDED_SECONDS:
            self._ended.popitem(last=False)

    def _remind(self, lease: Lease) -> None:
        """Renewed leases are looked at when their first end comes, not at every renewal."""
        self._numbers += 1
        heapq.heappush(self._ends, (lease.until, self._numbers, lease.ask.request_id))
